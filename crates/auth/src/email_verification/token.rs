//! What a verification link states, and mailing it.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::hs256;

use super::Method;
use crate::{
    app::App,
    email_otp,
    error::{Error, Result},
    http::Call,
    mail::{self, Message},
    user::{Email, User},
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
    };
    send_statement(app, call, conn, &statement, &user.email, callback_url).await
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
    let url = link(call, &token, callback_url);
    let message = Message::VerifyEmail { url, token };
    if app.limits.may_mail_to(recipient, call.now).await {
        mail::send(app, call, conn, recipient, &message).await
    } else {
        mail::pretend(app, call, conn, recipient, &message).await
    }
}

pub(crate) fn link(call: &Call, token: &str, callback_url: Option<&str>) -> String {
    let callback_url = callback_url.filter(|url| !url.is_empty()).unwrap_or("/");
    format!(
        "{}/verify-email?token={token}&callbackURL={}",
        call.mount.base,
        wire::component(callback_url)
    )
}
