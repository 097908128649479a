//! `POST /change-email`: from one address to another, each side by its own consent.

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Email, User,
    store::{self as users, EmailChange},
};
use crate::{
    app::{App, connection},
    email_verification::{self, Statement},
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::{self, Message},
    session::{self, Current},
    verification::{self, Purpose},
};

/// Change of address.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Users may change their address.
    pub enabled: bool,
    /// A proven address is asked first; only then the new one.
    pub confirm_by_mail: bool,
    /// An address that was never proven may be replaced at once.
    pub update_without_verification: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, confirm_by_mail: true, update_without_verification: false }
    }
}

const DISABLED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "CHANGE_EMAIL_DISABLED", "Change email is disabled");
const SAME: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Email is the same");
const NOT_ENABLED: Refusal =
    Refusal::without_code(StatusCode::BAD_REQUEST, "Verification email isn't enabled");

/// The endpoint.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint::post::<ChangeEmail, _>("/change-email", "change_email", Access::Fresh, change_email)
        .about("Begin a change of address. The answer does not tell whether the new one is taken.")
}

struct ChangeEmail {
    new: Email,
    callback_url: Option<String>,
}

impl FromFields for ChangeEmail {
    fn read(fields: &mut Fields) -> Self {
        Self { new: fields.email("newEmail"), callback_url: fields.optional_text("callbackURL") }
    }
}

async fn change_email(app: App, call: Call) -> Result<Answer> {
    let body: ChangeEmail = call.body()?;
    let caller = session::fresh_now(&app, &call).await?;
    let config = &app.config.change_email;
    if !config.enabled {
        return Err(DISABLED.into());
    }
    let user = &caller.signed_in.user;
    if user.email == body.new.as_str() {
        return Err(SAME.into());
    }
    let at_once = !user.email_verified && config.update_without_verification;
    if !at_once && !app.config.email_verification.enabled {
        return Err(NOT_ENABLED.into());
    }
    if at_once {
        return replace(&app, &call, &caller, &body).await;
    }
    ask(&app, &call, &caller, &body).await?;
    Answer::json(&json!({ "status": true }))
}

/// Mails the question; if the new address is taken, the same is written and nothing is sent.
async fn ask(app: &App, call: &Call, caller: &Current, body: &ChangeEmail) -> Result<()> {
    let user = &caller.signed_in.user;
    let confirm = user.email_verified && app.config.change_email.confirm_by_mail;
    let step = if confirm { "change-email-confirmation" } else { "change-email-verification" };
    let statement = Statement {
        email: user.email.clone(),
        update_to: Some(body.new.as_str().to_owned()),
        request_type: Some(step.to_owned()),
        user_id: Some(user.id.to_string()),
        session_challenge: None,
    };
    let recipient = if confirm { user.email.as_str() } else { body.new.as_str() };
    let token = email_verification::sign(app, &statement, call.now)?;
    let url = email_verification::link(call, &token, body.callback_url.as_deref());
    let permit = token.clone();
    let message = if confirm {
        Message::ChangeEmailConfirmation { new_email: body.new.as_str().to_owned(), url, token }
    } else {
        Message::VerifyEmail { url, token }
    };
    let may_send = app.limits.may_mail_to(recipient, call.now).await;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let taken = users::find_user_by_email(&tx, &body.new).await?.is_some();
    email_verification::permit(app, &tx, &permit, user.id, call.now).await?;
    if may_send && !taken {
        mail::send(app, call, &tx, recipient, &message).await?;
    } else {
        mail::pretend(app, call, &tx, recipient, &message).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn replace(app: &App, call: &Call, caller: &Current, body: &ChangeEmail) -> Result<Answer> {
    let user = &caller.signed_in.user;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let answer = Answer::json(&json!({ "status": true }))?;
    let change = users::update_email(&tx, user.id, &user.email, &body.new, false, call.now).await;
    let EmailChange::Changed(moved) = change? else {
        // Taken: nothing happens, and the answer does not tell.
        return Ok(answer);
    };
    moved_in(app, call, &tx, user, &moved).await?;
    if app.config.email_verification.enabled {
        email_verification::send(app, call, &tx, &moved, body.callback_url.as_deref()).await?;
    }
    tx.commit().await?;
    let moved = caller.with_user(*moved);
    Ok(answer.with_session(app, call, &moved))
}

/// What every change of address brings along: what was mailed to the old one is good for nothing any more (PW-07).
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn moved_in(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    from: &User,
    to: &User,
) -> Result<()> {
    verification::delete_all(conn, Purpose::ResetPassword, &to.id.to_string()).await?;
    verification::delete_all(conn, Purpose::ChangeEmail, &to.id.to_string()).await?;
    let event = Event::EmailChanged { from: from.email.clone(), to: to.email.clone() };
    events::record(app, conn, call, event, Some(to.id)).await
}
