//! `POST /delete-user` and the link in the mail that asks whether it is meant.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{User, store as users};
use crate::{
    admin::keep_one_admin,
    api_key,
    app::{App, connection},
    error::{NOT_FOUND, Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
        targets::Link,
    },
    mail::{self, Message},
    organization, password,
    session::{self, cookies},
    verification::{self, OneTime, Purpose},
    wire,
};

/// Deletion of the own account.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Users may delete themselves.
    pub enabled: bool,
    /// Ask by mail first.
    pub confirm_by_mail: bool,
    /// Seconds the link in that mail is good for.
    pub expires_in: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, confirm_by_mail: false, expires_in: 24 * 60 * 60 }
    }
}

const INVALID_TOKEN: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "INVALID_TOKEN", "Invalid token");
const SESSION_EXPIRED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "SESSION_EXPIRED",
    "Session expired. Re-authenticate to perform this action.",
);
const CREDENTIAL_ACCOUNT_NOT_FOUND: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "CREDENTIAL_ACCOUNT_NOT_FOUND",
    "Credential account not found",
);
const SPOKEN_NOT_FOUND: Refusal = Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Not found");
const NO_USER: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "FAILED_TO_GET_USER_INFO", "Failed to get user info");

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<DeleteUser, _>(
            "/delete-user",
            "delete_user",
            Access::Session,
            delete_user,
        )
        .about("Delete the own account: with the password, by a fresh session, or after a mail."),
        Endpoint::get(
            "/delete-user/callback",
            "delete_user_callback",
            Access::Session,
            delete_user_callback,
        )
        .about("The link in the mail; needs the session of the user it was sent to.")
        .with_query::<Link>(),
    ]
}

struct DeleteUser {
    callback_url: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

impl FromFields for DeleteUser {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        Self {
            callback_url: fields.optional_text("callbackURL"),
            password: fields.optional_text("password"),
            token: fields.optional_text("token"),
        }
    }
}

async fn delete_user(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: DeleteUser = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let config = &app.config.delete_user;
    if !config.enabled {
        return Err(NOT_FOUND.into());
    }
    let user = &caller.signed_in.user;
    let password = body.password.as_deref().filter(|password| !password.is_empty());
    if let Some(password) = password {
        password::confirm(&app, &call, user, password, CREDENTIAL_ACCOUNT_NOT_FOUND.into()).await?;
    }
    if let Some(token) = body.token.as_deref().filter(|token| !token.is_empty()) {
        delete_with_token(&app, &call, user, token).await?;
        return deleted(&call);
    }
    if config.confirm_by_mail {
        ask(&app, &call, user, body.callback_url.as_deref()).await?;
        return Answer::json(&json!({ "success": true, "message": "Verification email sent" }));
    }
    if password.is_none() && !caller.is_fresh(&app, &call) {
        return Err(SESSION_EXPIRED.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    delete(&app, &call, &tx, user).await?;
    tx.commit().await?;
    deleted(&call)
}

fn deleted(call: &Call) -> Result<Answer> {
    Ok(Answer::json(&json!({ "success": true, "message": "User deleted" }))?
        .with_cookies(cookies::forget(call)))
}

async fn ask(app: &App, call: &Call, user: &User, callback_url: Option<&str>) -> Result<()> {
    let token = random::token(32);
    let callback_url = callback_url.filter(|url| !url.is_empty()).unwrap_or("/");
    let url = format!(
        "{}/delete-user/callback?token={token}&callbackURL={}",
        call.mount.base,
        wire::component(callback_url)
    );
    let expires_at = call.now + TimeDelta::seconds(i64::from(app.config.delete_user.expires_in));
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    verification::create(&tx, one_time(app, &token), &user.id.to_string(), expires_at, call.now)
        .await?;
    let message = Message::DeleteAccount { url, token };
    if app.limits.may_mail_to(&user.email, call.now).await {
        mail::send(app, call, &tx, &user.email, &message).await?;
    } else {
        mail::pretend(app, call, &tx, &user.email, &message).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn one_time<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::DeleteAccount, secret, storage: app.config.session.token_storage }
}

async fn delete_with_token(app: &App, call: &Call, user: &User, token: &str) -> Result<()> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let owner = verification::consume(&tx, one_time(app, token), call.now).await?;
    if owner.is_some_and(|owner| owner == user.id.to_string()) {
        delete(app, call, &tx, user).await?;
        tx.commit().await?;
        return Ok(());
    }
    // A token tried by somebody else is spent: it is in wrong hands.
    tx.commit().await?;
    Err(INVALID_TOKEN.into())
}

async fn delete(app: &App, call: &Call, conn: &impl GenericClient, user: &User) -> Result<()> {
    keep_one_admin(app, conn, user, None, call.now).await?;
    verification::delete_all(conn, Purpose::ResetPassword, &user.id.to_string()).await?;
    verification::delete_all(conn, Purpose::DeleteAccount, &user.id.to_string()).await?;
    api_key::delete_owned(conn, user.id).await?;
    organization::part(app, conn, user.id).await?;
    verification::delete_all(conn, Purpose::ChangeEmail, &user.id.to_string()).await?;
    users::delete_user(conn, user.id).await?;
    events::record(app, conn, call, Event::UserDeleted { email: user.email.clone() }, Some(user.id))
        .await
}

async fn delete_user_callback(app: App, call: Call) -> Result<Answer> {
    let query: Link = call.query()?;
    let target = call.target(&app, query.callback_url.as_deref())?;
    if !app.config.delete_user.enabled {
        return Err(SPOKEN_NOT_FOUND.into());
    }
    let caller = session::current(&app, &call).await?.ok_or(NO_USER)?;
    delete_with_token(&app, &call, &caller.signed_in.user, &query.token).await?;
    match target {
        Some(target) => Ok(Answer::redirect(target.as_str())?.with_cookies(cookies::forget(&call))),
        None => deleted(&call),
    }
}
