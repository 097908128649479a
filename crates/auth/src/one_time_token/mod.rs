//! One-time tokens: a live session is taken over to another place, such as a native application or another domain.
//!
//! A token is bound to the session it was made from: who presents it gets that session, once, within minutes, while it
//! lives. The database holds its hash, and the session's token sealed.

mod routes;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{app::App, config::Config as Whole, http::Endpoint, session::TokenStorage};

/// One-time tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Make and take them.
    pub enabled: bool,
    /// Seconds a token is good for.
    pub expires_in: u32,
    /// `hashed` or `plain`; unset: as session tokens.
    pub storage: Option<TokenStorage>,
    /// Who presents a token gets the session's cookie beside the session.
    pub set_cookie: bool,
}

impl Config {
    fn storage(&self, app: &App) -> TokenStorage {
        self.storage.unwrap_or(app.config.session.token_storage)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: false, expires_in: 3 * 60, storage: None, set_cookie: true }
    }
}

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if config.one_time_token.enabled { routes::endpoints() } else { Vec::new() }
}
