//! Sign-in by a link in a mail.
//!
//! Whoever opens the link reads mail at the address, so the address is proven by it; a user is created when there is
//! none. A link works once. Mail scanners open links too: by default a page asks the human to go on, and only that
//! answer uses the link up (ML-01).

use http::StatusCode;
use serde::{Deserialize, Serialize};

mod routes;
#[cfg(test)]
mod tests;

use crate::{
    app::App,
    config::Config as Whole,
    error::Refusal,
    http::{Endpoint, targets},
    session::TokenStorage,
};

/// Sign-in by a mailed link.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Mail such links at all.
    pub enabled: bool,
    /// Seconds a link is good for.
    pub expires_in: u32,
    /// A link to an unknown address creates a user.
    pub sign_up: bool,
    /// Opening the link shows a page with a button. Off: opening it signs in at once, as Better Auth does.
    pub confirm: bool,
    /// `hashed` or `plain`; unset: as session tokens.
    pub store_token: Option<TokenStorage>,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, expires_in: 5 * 60, sign_up: true, confirm: true, store_token: None }
    }
}

impl Config {
    fn storage(&self, app: &App) -> TokenStorage {
        self.store_token.unwrap_or(app.config.session.token_storage)
    }
}

/// Better Auth names no other field here.
const INVALID_TARGET: Refusal = targets::INVALID_CALLBACK_URL;
const UNREADABLE: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "INVALID_TOKEN", "Invalid token");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if config.magic_link.enabled { routes::endpoints() } else { Vec::new() }
}
