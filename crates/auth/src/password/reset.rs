//! A forgotten password: `POST /request-password-reset`, the link in the mail, `POST /reset-password`.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::{INVALID_TOKEN, breached, policy};
use crate::{
    account::store as accounts,
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::{self, Message},
    session::store as sessions,
    two_factor,
    user::{self, Email, User, store as users},
    verification::{self, OneTime, Purpose},
    wire,
};

const DISABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "RESET_PASSWORD_DISABLED",
    "Reset password isn't enabled",
);

pub(super) fn endpoints(older_routes: bool) -> Vec<Endpoint> {
    let request = Endpoint::post::<RequestPasswordReset, _>(
        "/request-password-reset",
        "request_password_reset",
        Access::Public,
        request_password_reset,
    )
    .about("Mail a link for setting a new password. The answer does not tell whether the address is known.");
    let mut endpoints = vec![
        Endpoint::get(
            "/reset-password/{token}",
            "reset_password_callback",
            Access::Public,
            reset_password_callback,
        )
        .about("The link in the mail: goes on to the page that asks for the new password.")
        .with_query::<CallbackUrl>(),
        Endpoint::post::<ResetPassword, _>(
            "/reset-password",
            "reset_password",
            Access::Public,
            reset_password,
        )
        .about("Set a new password with a mailed token; all sessions end."),
    ];
    if older_routes {
        endpoints.push(request.also(Method::POST, "/forget-password"));
        endpoints.push(request.also(Method::POST, "/forget-password/email"));
    }
    endpoints.push(request);
    endpoints
}

struct RequestPasswordReset {
    email: Email,
    redirect_to: Option<String>,
}

impl FromFields for RequestPasswordReset {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.email("email"), redirect_to: fields.optional_text("redirectTo") }
    }
}

async fn request_password_reset(app: App, call: Call) -> Result<Answer> {
    let body: RequestPasswordReset = call.body()?;
    let config = &app.config.email_password;
    if !config.enabled {
        return Err(DISABLED.into());
    }
    let token = random::token(24);
    let redirect_to = body.redirect_to.as_deref().unwrap_or_default();
    let url = format!(
        "{}/reset-password/{token}?callbackURL={}",
        call.mount.base,
        wire::component(redirect_to)
    );
    let message = Message::ResetPassword { url, token: token.clone() };

    let may_send = app.limits.may_mail(&body.email, call.now).await;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = users::find_user_by_email(&tx, &body.email).await?;
    // The same writes either way: only one of them is ever delivered (EN-06).
    let recipient = user.filter(|user| may_send && !user::is_banned(user, call.now));
    let secret = OneTime {
        purpose: Purpose::ResetPassword,
        secret: &token,
        storage: app.config.session.token_storage,
    };
    let expires_at = call.now + TimeDelta::seconds(i64::from(config.reset_expires_in));
    if !config.keep_other_reset_links {
        // Only the newest link is good (PW-07). For nobody, the same statement finds nothing.
        let owner = recipient.as_ref().map_or_else(random::uuid, |user| user.id);
        verification::delete_all(&tx, Purpose::ResetPassword, &owner.to_string()).await?;
    }
    match recipient {
        Some(user) => {
            verification::create(&tx, secret, &user.id.to_string(), expires_at, call.now).await?;
            mail::send(&app, &call, &tx, &user.email, &message).await?;
            events::record(&app, &tx, &call, Event::PasswordResetRequested, Some(user.id)).await?;
        }
        None => {
            verification::create(&tx, secret, &Uuid::nil().to_string(), call.now, call.now).await?;
            mail::pretend(&app, &call, &tx, body.email.as_str(), &message).await?;
            events::record(&app, &tx, &call, Event::PasswordResetRequested, None).await?;
        }
    }
    tx.commit().await?;
    Answer::json(&json!({
        "status": true,
        "message": "If this email exists in our system, check your email for the reset link",
    }))
}

struct CallbackUrl {
    callback_url: String,
}

impl FromFields for CallbackUrl {
    fn read(fields: &mut Fields) -> Self {
        Self { callback_url: fields.text("callbackURL") }
    }
}

async fn reset_password_callback(app: App, call: Call) -> Result<Answer> {
    let CallbackUrl { callback_url } = call.query()?;
    let Some(target) = call.target(&app, Some(&callback_url))? else {
        return Answer::redirect(&format!("{}/error?error=INVALID_TOKEN", call.mount.base));
    };
    let token = call.parameter.as_deref().unwrap_or_default();
    let secret = OneTime {
        purpose: Purpose::ResetPassword,
        secret: token,
        storage: app.config.session.token_storage,
    };
    let known = verification::find(&connection(&app).await?, secret, call.now).await?.is_some();
    let (name, value) = if known { ("token", token) } else { ("error", "INVALID_TOKEN") };
    Answer::redirect(&target.with_parameter(name, value).absolute())
}

struct ResetPassword {
    new: String,
    token: Option<String>,
}

impl FromFields for ResetPassword {
    fn read(fields: &mut Fields) -> Self {
        Self { new: fields.text("newPassword"), token: fields.optional_text("token") }
    }
}

async fn reset_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: ResetPassword = call.body()?;
    let token =
        body.token.as_deref().or_else(|| call.parameter_of_query("token")).unwrap_or_default();
    if token.is_empty() {
        return Err(INVALID_TOKEN.into());
    }
    let secret = OneTime {
        purpose: Purpose::ResetPassword,
        secret: token,
        storage: app.config.session.token_storage,
    };
    let conn = connection(&app).await?;
    let owner = verification::find(&conn, secret, call.now).await?;
    drop(conn);
    let owner = owner.and_then(|owner| Uuid::parse_str(&owner).ok());
    policy::check_rules(&app, &body.new, &[])?;
    if owner.is_none() {
        return Err(INVALID_TOKEN.into());
    }
    breached::check(&app, &body.new).await?;
    let hash = app.hasher.hash(&body.new).await?;

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    // Of many at once with one token, one gets past this line (PW-06).
    let owner = verification::consume(&tx, secret, call.now)
        .await?
        .and_then(|owner| Uuid::parse_str(&owner).ok());
    let user = match owner {
        Some(owner) => users::find_user(&tx, owner).await?,
        None => None,
    };
    let Some(user) = user.filter(|user| !user::is_banned(user, call.now)) else {
        return Err(INVALID_TOKEN.into());
    };
    replace(&app, &call, &tx, &user, &hash).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}

/// Sets a forgotten password anew, by whatever proof.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn replace(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    hash: &str,
) -> Result<()> {
    supersede(app, call, conn, user, hash).await?;
    events::record(app, conn, call, Event::PasswordReset, Some(user.id)).await
}

/// Sets a password over one that others may know: links and sessions that came by it end, and the owner is told.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn supersede(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    hash: &str,
) -> Result<()> {
    let config = &app.config.email_password;
    accounts::set_password(conn, user.id, hash, call.now).await?;
    if !config.keep_other_reset_links {
        verification::delete_all(conn, Purpose::ResetPassword, &user.id.to_string()).await?;
    }
    verification::delete_all(conn, Purpose::ChangeEmail, &user.id.to_string()).await?;
    if config.revoke_sessions_on_reset {
        sessions::delete_sessions(conn, user.id).await?;
        two_factor::forget_devices(conn, user.id).await?;
    }
    mail::send(app, call, conn, &user.email, &Message::PasswordChanged).await
}
