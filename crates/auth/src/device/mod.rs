//! Sign-in of a device that cannot type (RFC 8628): a terminal, a television.
//!
//! The device asks for two codes (`request.rs`), shows the short one, and polls with the long one (`token.rs`). Somebody
//! who is signed in elsewhere enters the short code, sees who asks, and approves or denies (`review.rs`; `page.rs` is the
//! page for that). A code stands for one sign-in: approval, denial and the end of its time all use it up.
//!
//! The long code has 238 bits and is kept as SHA-256. The short one has 40, so it is kept as HMAC under the server's
//! secret and may be guessed at a few times an hour only.

use gatepost_protocol::digest;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

mod page;
mod request;
mod review;
pub mod store;
#[cfg(test)]
mod tests;
mod token;
mod user_code;

use crate::{
    app::App,
    config::Config as Whole,
    error::{Error, OAuthRefusal, Result},
    http::{Answer, Endpoint},
    session::TokenStorage,
};

/// Sign-in of devices by a code that is approved elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Serve it at all.
    pub enabled: bool,
    /// Seconds a pair of codes is good for.
    pub expires_in: u32,
    /// Seconds a device waits between two polls.
    pub interval: u32,
    /// Ids of the programs that may ask; empty: all.
    pub clients: Vec<String>,
    /// Ids that may not ask, whatever `clients` says.
    pub blocked_clients: Vec<String>,
    /// Where people enter the code: a URL, or a path on the public URL; empty: a page of this server.
    pub verification_uri: String,
    /// `hashed` or `plain`, for a database shared with a running Better Auth process; unset: as session tokens.
    pub store_codes: Option<TokenStorage>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            expires_in: 30 * 60,
            interval: 5,
            clients: Vec::new(),
            blocked_clients: Vec::new(),
            verification_uri: String::new(),
            store_codes: None,
        }
    }
}

impl Config {
    fn storage(&self, app: &App) -> TokenStorage {
        self.store_codes.unwrap_or(app.config.session.token_storage)
    }

    fn admits(&self, client: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|id| id == client);
        !named(&self.blocked_clients) && (self.clients.is_empty() || named(&self.clients))
    }

    /// Tells an address that cannot be used before anybody asks for it.
    ///
    /// # Errors
    /// In the operator's words.
    pub fn check(&self, public_url: &Url) -> anyhow::Result<()> {
        public_url.join(&self.verification_uri).map(|_| ()).map_err(|error| {
            anyhow::anyhow!("device.verification_uri: {:?}: {error}", self.verification_uri)
        })
    }
}

const INVALID_CLIENT: OAuthRefusal =
    OAuthRefusal::new(StatusCode::BAD_REQUEST, "invalid_client", "Invalid client ID");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.device.enabled {
        return Vec::new();
    }
    let mut endpoints = vec![request::endpoint(), token::endpoint()];
    endpoints.extend(review::endpoints());
    endpoints.extend(page::endpoints());
    endpoints
}

/// The long code as it is stored.
fn stored_device_code(app: &App, code: &str) -> String {
    match app.config.device.storage(app) {
        TokenStorage::Plain => code.to_owned(),
        TokenStorage::Hashed => digest::sha256_base64url(code),
    }
}

/// An answer to a device, refusals included, that no cache may keep (RFC 6749 section 5.1).
fn uncached(result: Result<Answer>) -> Result<Answer> {
    let mut answer = match result {
        Err(Error::OAuth(refusal)) => refusal.answer()?,
        other => other?,
    };
    answer.headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    answer.headers.push((header::PRAGMA, HeaderValue::from_static("no-cache")));
    Ok(answer)
}

/// The words of a body that cannot be read, as OAuth clients expect them.
fn as_invalid_request(error: Error) -> Error {
    match error {
        Error::Explained(status, "VALIDATION_ERROR", words) => {
            OAuthRefusal { status, error: "invalid_request", description: words.into() }.into()
        }
        other => other,
    }
}
