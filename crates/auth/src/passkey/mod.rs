//! Passkeys (WebAuthn level 3): keys in devices and password managers that sign in, alone or as a second factor.
//!
//! `webauthn-rs` judges the ceremonies (`ceremony.rs`); the rows are Better Auth's, so that keys registered there work here.
//! A challenge is a row and a signed cookie of the browser that asked for it: good for five minutes, for one answer, and for
//! the ceremony it was made for. A key whose holder was verified by the device is two factors; one whose holder was only
//! present is one.

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod authenticate;
mod ceremony;
mod challenge;
mod cose;
mod manage;
mod register;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use crate::{
    app::App,
    config::Config as Whole,
    error::{Refusal, Result},
    http::Endpoint,
};

/// Passkeys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Users may register some, and sign in by them.
    pub enabled: bool,
    /// The domain they are bound to: that of the pages that ask for them, or one above it. Keys do not survive a change.
    /// Empty: the host of `public_url`.
    pub rp_id: String,
    /// The name that devices show; empty: `app_name`.
    pub rp_name: String,
    /// Most keys of one user.
    pub per_user: u32,
    /// Removing one takes a session that began or was proven not long ago. Off, as in Better Auth: any session.
    pub fresh_to_delete: bool,
    /// Offered in place of a code to who signs in with a password and has a second factor.
    pub second_factor: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            rp_id: String::new(),
            rp_name: String::new(),
            per_user: 20,
            fresh_to_delete: true,
            second_factor: true,
        }
    }
}

const CHALLENGE_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "CHALLENGE_NOT_FOUND", "Challenge not found");
const NOT_VERIFIED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "FAILED_TO_VERIFY_REGISTRATION",
    "Failed to verify registration",
);
const NOT_YOURS: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "YOU_ARE_NOT_ALLOWED_TO_REGISTER_THIS_PASSKEY",
    "You are not allowed to register this passkey",
);
const PREVIOUSLY_REGISTERED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "PREVIOUSLY_REGISTERED", "Previously registered");
const TOO_MANY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "TOO_MANY_PASSKEYS",
    "There are too many passkeys already",
);
/// Of an answer to a challenge.
const UNKNOWN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "PASSKEY_NOT_FOUND", "Passkey not found");
const FAILED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "AUTHENTICATION_FAILED", "Authentication failed");
const WRONG_SIGNATURE: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_FAILED", "Authentication failed");
/// Of a key to be changed.
const NOT_FOUND: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "PASSKEY_NOT_FOUND", "Passkey not found");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.passkey.enabled {
        return Vec::new();
    }
    let mut endpoints = Vec::new();
    endpoints.extend(register::endpoints());
    endpoints.extend(authenticate::endpoints());
    endpoints.extend(manage::endpoints());
    endpoints
}

/// Whether a user may answer with a passkey where a second factor is asked for.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn is_second_factor(
    app: &App,
    conn: &impl GenericClient,
    user: Uuid,
) -> Result<bool> {
    let config = &app.config.passkey;
    Ok(config.enabled && config.second_factor && store::count(conn, user).await? > 0)
}
