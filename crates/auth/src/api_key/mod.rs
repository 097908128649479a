//! API keys, and tokens for programs.
//!
//! A key belongs to a user or to an organization. It is shown once; the database holds its SHA-256. Each use is counted by
//! the statement that allows it, so that parallel uses never exceed a limit. A program exchanges its key for a short token
//! (`POST /api-key/token`) and speaks to the Data API with that. A key is worth nothing while its holder is banned.

use chrono::TimeDelta;
use http::StatusCode;
use serde::{Deserialize, Serialize};

mod create;
mod key;
mod manage;
mod organizations;
pub mod session;
pub mod store;
#[cfg(test)]
mod tests;
mod token;
mod verify;

pub use create::{Grant, NewKey, create};
pub use key::ApiKey;
pub use store::{delete_expired, delete_owned};
pub use verify::{Refused, Verified, verify};

use crate::{config::Config as Whole, error::Refusal, http::Endpoint};

/// API keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Users may make keys.
    pub enabled: bool,
    /// A key in the header `x-api-key` is as good as a session of its user.
    pub sessions: bool,
    /// Keys with `configId` `organization` belong to an organization: those of service accounts.
    pub organization_keys: bool,
    /// What keys begin with that name no prefix.
    pub prefix: String,
    /// Letters of a key after its prefix; 32 at least.
    pub length: usize,
    /// Every key needs a name.
    pub require_name: bool,
    /// Keys carry a JSON object that their owner chooses.
    pub metadata: bool,
    /// Seconds a key lives that names no time; 0: for ever.
    pub expires_in: u32,
    /// Fewest seconds that may be asked for.
    pub min_expires_in: u32,
    /// Most seconds that may be asked for.
    pub max_expires_in: u32,
    /// Owners may choose how long a key lives.
    pub custom_expiry: bool,
    /// Count the uses of keys.
    pub rate_limit: bool,
    /// Seconds without a use after which counting begins anew.
    pub rate_limit_window: u32,
    /// Uses until then.
    pub rate_limit_max: u32,
    /// Seconds a token is good for that a key was exchanged for.
    pub token_expires_in: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            sessions: false,
            organization_keys: true,
            prefix: String::new(),
            length: 64,
            require_name: false,
            metadata: false,
            expires_in: 90 * 24 * 60 * 60,
            min_expires_in: 24 * 60 * 60,
            max_expires_in: 365 * 24 * 60 * 60,
            custom_expiry: true,
            rate_limit: true,
            rate_limit_window: 60 * 60,
            rate_limit_max: 1000,
            token_expires_in: 5 * 60,
        }
    }
}

impl Config {
    fn lifetime(&self) -> Option<TimeDelta> {
        (self.expires_in > 0).then(|| TimeDelta::seconds(i64::from(self.expires_in)))
    }
}

/// `configId` of keys that belong to users; whatever is not known means it too, as in Better Auth.
const DEFAULT: &str = "default";
/// `configId` of keys that belong to organizations.
const ORGANIZATION: &str = "organization";

const KEY_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "KEY_NOT_FOUND", "API Key not found");
const UNAUTHORIZED_SESSION: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "UNAUTHORIZED_SESSION",
    "Unauthorized or invalid session",
);
const SERVER_ONLY_PROPERTY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "SERVER_ONLY_PROPERTY",
    "The property you're trying to set can only be set from the server auth instance only.",
);
const INVALID_METADATA_TYPE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "INVALID_METADATA_TYPE",
    "metadata must be an object or undefined",
);

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.api_key.enabled {
        return Vec::new();
    }
    let mut endpoints = create::endpoints();
    endpoints.extend(manage::endpoints());
    endpoints.extend(token::endpoints(config));
    endpoints
}
