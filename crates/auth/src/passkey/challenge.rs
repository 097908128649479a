//! What a device is asked to sign: a row, known to one browser by a signed cookie.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::{
    cookie::{Opened, SetCookie, open},
    random,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use webauthn_rs_core::proto::{AuthenticationState, RegistrationState};

use super::CHALLENGE_NOT_FOUND;
use crate::{
    app::{App, connection},
    error::{Error, Result},
    http::Call,
    verification::{self, OneTime, Purpose},
};

/// Seconds for an answer.
const EXPIRES_IN: i64 = 5 * 60;
/// Better Auth's name.
const COOKIE: &str = "better-auth-passkey";

/// A ceremony under way; what was asked for one is no answer to the other.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Challenge {
    Registration {
        user: Uuid,
        state: Box<RegistrationState>,
    },
    /// `user`: who was signed in, or waits for a second factor; a key of anybody else is no answer then.
    Authentication {
        user: Option<Uuid>,
        state: Box<AuthenticationState>,
    },
}

fn one_time<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::Passkey, secret, storage: app.config.session.token_storage }
}

/// Writes a challenge down: the cookie that belongs to it.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn write(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    challenge: &Challenge,
) -> Result<SetCookie> {
    let secret = random::token(32);
    let value = serde_json::to_string(challenge).map_err(|error| Error::Internal(error.into()))?;
    let expires_at = call.now + TimeDelta::seconds(EXPIRES_IN);
    verification::create(conn, one_time(app, &secret), &value, expires_at, call.now).await?;
    let profile = &call.mount.cookies;
    let name = profile.names.named(COOKIE);
    Ok(profile.set_signed(&name, &secret, app.config.secret.as_bytes(), Some(EXPIRES_IN)))
}

/// The challenge of this browser; it is gone now, whatever becomes of the answer.
///
/// # Errors
/// `CHALLENGE_NOT_FOUND`.
pub(super) async fn take(app: &App, call: &Call) -> Result<Challenge> {
    let cookies = call.cookies();
    let value = cookies.get(&call.mount.cookies.names.named(COOKIE));
    let secret = app.config.secrets().find_map(|secret| match open(secret.as_bytes(), &value) {
        Opened::Valid(secret) => Some(secret),
        _ => None,
    });
    let secret = secret.ok_or(CHALLENGE_NOT_FOUND)?;
    let conn = connection(app).await?;
    let row = verification::consume(&conn, one_time(app, &secret), call.now).await?;
    let row = row.and_then(|row| serde_json::from_str(&row).ok());
    Ok(row.ok_or(CHALLENGE_NOT_FOUND)?)
}
