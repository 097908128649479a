//! Which passwords are taken.

use http::StatusCode;

use super::breached;
use crate::{
    app::App,
    error::{Refusal, Result},
};

const TOO_SHORT: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "PASSWORD_TOO_SHORT", "Password too short");
const TOO_LONG: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "PASSWORD_TOO_LONG", "Password too long");
const TOO_COMMON: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PASSWORD_TOO_COMMON",
    "This password is weak: it is among the first that a guesser tries",
);

/// A password that is presented: only its length is judged, before anything is computed (PW-01).
///
/// # Errors
/// `PASSWORD_TOO_LONG`.
pub(crate) fn check_presented(app: &App, password: &str) -> Result<()> {
    if password.encode_utf16().count() > app.config.email_password.max_length {
        return Err(TOO_LONG.into());
    }
    Ok(())
}

/// A password to be set. `about`: what a guesser knows of the user. May ask another machine: never inside a transaction.
///
/// # Errors
/// `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG`, `PASSWORD_TOO_COMMON`, `PASSWORD_COMPROMISED`, `PASSWORD_CHECK_UNAVAILABLE`.
pub async fn check_new(app: &App, password: &str, about: &[&str]) -> Result<()> {
    check_rules(app, password, about)?;
    breached::check(app, password).await
}

/// What can be judged here and now. [`breached::check`] is due, once the caller has proven to be worth a call.
///
/// # Errors
/// `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG`, `PASSWORD_TOO_COMMON`.
pub(crate) fn check_rules(app: &App, password: &str, about: &[&str]) -> Result<()> {
    let config = &app.config.email_password;
    if password.encode_utf16().count() < config.min_length {
        return Err(TOO_SHORT.into());
    }
    check_presented(app, password)?;
    if config.refuse_common && is_common(password, about) {
        return Err(TOO_COMMON.into());
    }
    Ok(())
}

/// Guesses that an attacker makes before trying anything clever: what a per-account limit cannot stop.
const FIRST_GUESSES: u64 = 10_000;

fn is_common(password: &str, about: &[&str]) -> bool {
    zxcvbn::zxcvbn(password, about).guesses() < FIRST_GUESSES
}
