//! What a verification link states, and mailing it.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::hs256;
use uuid::Uuid;

use super::Method;
use crate::{
    app::App,
    email_otp,
    error::{Error, Result},
    http::Call,
    mail::{self, Message},
    session::{TokenStorage, verifier::Challenge},
    user::{Email, User},
    verification::{self, OneTime, Purpose},
    wire,
};

pub(crate) use gatepost_protocol::hs256::EmailVerification as Statement;

/// The token for a link.
///
/// # Errors
/// Internal, when the claims cannot be written.
pub(crate) fn sign(app: &App, statement: &Statement, now: DateTime<Utc>) -> Result<String> {
    let lifetime = i64::from(app.config.email_verification.expires_in);
    hs256::issue(&app.config.secret, statement, now, lifetime)
        .map_err(|error| Error::Internal(error.into()))
}

/// Codes are mailed in the place of links.
pub(super) fn by_code(app: &App) -> bool {
    app.config.email_verification.method == Method::Code && app.config.email_otp.enabled
}

/// Mails a link, or a code, that proves the user's own address.
///
/// # Errors
/// Those of the outbox.
pub(crate) async fn send(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    callback_url: Option<&str>,
) -> Result<()> {
    if by_code(app) {
        return match Email::parse(&user.email) {
            Some(email) => email_otp::send_proof(app, call, conn, &email).await,
            None => Ok(()),
        };
    }
    let statement = Statement {
        email: user.email.clone(),
        update_to: None,
        request_type: None,
        user_id: Some(user.id.to_string()),
        session_challenge: challenge(app, call),
    };
    send_statement(app, call, conn, &statement, &user.email, callback_url).await
}

/// Binds a link that signs in to the browser that asks for it, by a cookie beside the answer, whatever that becomes: the
/// link leads back to an application that may be on another site.
pub(crate) fn challenge(app: &App, call: &Call) -> Option<String> {
    let config = &app.config.email_verification;
    if !config.auto_sign_in || by_code(app) {
        return None;
    }
    let challenge = Challenge::begin(call)?;
    let lifetime = TimeDelta::seconds(i64::from(config.expires_in)) + TimeDelta::minutes(5);
    call.aside.cookies(challenge.cookies(call, lifetime));
    Some(challenge.bound().into_kept())
}

/// The row without which a link that changes an address is dead: what takes an account over from whoever asked for the
/// change removes it (ML-15).
pub(crate) fn permission(token: &str) -> OneTime<'_> {
    OneTime { purpose: Purpose::ChangeEmail, secret: token, storage: TokenStorage::Hashed }
}

/// Writes the permission for a link that changes the address of a user.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn permit(
    app: &App,
    conn: &impl GenericClient,
    token: &str,
    user: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let lifetime = TimeDelta::seconds(i64::from(app.config.email_verification.expires_in));
    verification::create(conn, permission(token), &user.to_string(), now + lifetime, now).await
}

/// Mails a link to `recipient`, unless that mailbox got too many already.
///
/// # Errors
/// Those of the outbox.
pub(crate) async fn send_statement(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    statement: &Statement,
    recipient: &str,
    callback_url: Option<&str>,
) -> Result<()> {
    let token = sign(app, statement, call.now)?;
    if let (Some(_), Some(user)) = (&statement.update_to, user_of(statement)) {
        permit(app, conn, &token, user, call.now).await?;
    }
    let url = link(call, &token, callback_url);
    let message = Message::VerifyEmail { url, token };
    if app.limits.may_mail_to(recipient, call.now).await {
        mail::send(app, call, conn, recipient, &message).await
    } else {
        mail::pretend(app, call, conn, recipient, &message).await
    }
}

/// The user that a statement is about.
pub(super) fn user_of(statement: &Statement) -> Option<Uuid> {
    Uuid::parse_str(statement.user_id.as_deref()?).ok()
}

pub(crate) fn link(call: &Call, token: &str, callback_url: Option<&str>) -> String {
    let callback_url = callback_url.filter(|url| !url.is_empty()).unwrap_or("/");
    format!(
        "{}/verify-email?token={token}&callbackURL={}",
        call.mount.base,
        wire::component(callback_url)
    )
}
