//! Sign-up and sign-in by e-mail address and password.
//!
//! The same work is done and the same words are said whether or not an address is known. Hashes are Better Auth's scrypt
//! unless argon2id is chosen; older or foreign formats are replaced at the next sign-in.

use serde::{Deserialize, Serialize};

pub(crate) mod breached;
mod change;
mod hasher;
mod policy;
mod prove;
mod reset;
mod sign_in;
mod sign_up;
#[cfg(test)]
mod tests;

pub use hasher::Hasher;
pub use policy::check_new;
pub(crate) use policy::check_presented;
pub(crate) use policy::check_rules;

use http::StatusCode;

use crate::{config::Config as Whole, error::Refusal, http::Endpoint};

/// Sign-up and sign-in by password.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Passwords at all.
    pub enabled: bool,
    /// Anybody may sign up.
    pub sign_up: bool,
    /// No session before the address is proven.
    pub require_verification: bool,
    /// A session right after sign-up.
    pub auto_sign_in: bool,
    /// Fewest UTF-16 units, as browsers count.
    pub min_length: usize,
    /// Most UTF-16 units.
    pub max_length: usize,
    /// Refuse passwords that a guesser tries first.
    pub refuse_common: bool,
    /// Refuse passwords that are known from breaches.
    pub breached: breached::Config,
    /// A new password by mail ends all sessions.
    pub revoke_sessions_on_reset: bool,
    /// A changed password ends all other sessions and gives this one a new token.
    pub revoke_sessions_on_change: bool,
    /// Asking for or using a reset link leaves the user's earlier ones alive, as Better Auth does.
    pub keep_other_reset_links: bool,
    /// Tell the owner of an address by mail that somebody signed up with it, where the answer must not.
    pub existing_user_mail: bool,
    /// Answer a sign-up with a taken address to the letter as Better Auth does: without a role, which tells the attentive.
    pub recorded_placeholder: bool,
    /// Seconds a reset link is good for.
    pub reset_expires_in: u32,
    /// Format of new hashes.
    pub scheme: Scheme,
    /// Hashes computed at a time; 0: one per core. Each takes 32 MiB.
    pub hashes_at_once: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            sign_up: true,
            require_verification: false,
            auto_sign_in: true,
            min_length: 8,
            max_length: 128,
            refuse_common: true,
            breached: breached::Config::default(),
            revoke_sessions_on_reset: true,
            revoke_sessions_on_change: true,
            keep_other_reset_links: false,
            existing_user_mail: true,
            recorded_placeholder: false,
            reset_expires_in: 60 * 60,
            scheme: Scheme::Scrypt,
            hashes_at_once: 0,
        }
    }
}

/// Format of new hashes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// As Better Auth, which can share the table.
    #[default]
    Scrypt,
    /// RFC 9106, second recommended choice of OWASP.
    Argon2id,
}

const INVALID_PASSWORD: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_PASSWORD", "Invalid password");
const INVALID_TOKEN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_TOKEN", "Invalid token");
const CREDENTIAL_ACCOUNT_NOT_FOUND: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "CREDENTIAL_ACCOUNT_NOT_FOUND",
    "Credential account not found",
);

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    let mut endpoints = vec![sign_up::endpoint(), sign_in::endpoint()];
    endpoints.extend(change::endpoints());
    endpoints.extend(reset::endpoints(config.older_routes));
    endpoints
}

pub(crate) use change::confirm;
pub(crate) use prove::{Begun, admit, admit_proven, begin, prove, signed_in};
pub(crate) use reset::{replace, supersede};
