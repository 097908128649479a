//! A small OpenID provider for development and tests: "Continue with Google" on a laptop, without an account anywhere.
//!
//! It is a real one as far as a client can tell: discovery, a page on which an account is chosen, codes of single use
//! with PKCE (RFC 7636), RS256 id tokens with a nonce, refresh tokens, userinfo, keys, sign-out (OpenID Connect Core 1.0,
//! Discovery 1.0, RP-Initiated Logout 1.0). Only the people are not: whoever opens the page chooses who to be, and what
//! shall go wrong. It stands in for several providers at once, each under a path and with an issuer of its own.
//!
//! Everything is kept in memory and ends with the process. `gatepost serve` does not contain it.
#![warn(missing_docs, unreachable_pub)]

mod account;
mod authorize;
mod discovery;
mod fault;
mod github;
mod grants;
mod page;
mod params;
mod token;
mod userinfo;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use gatepost_protocol::{
    jwk::{Algorithm, KeyError, SigningKey},
    random,
};
use http::StatusCode;

pub use account::Account;
pub use fault::Fault;

use grants::Grants;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// An application that may send people here.
#[derive(Clone)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
    /// Shown on the page.
    pub name: String,
    /// Compared character by character (RFC 9700 section 2.1).
    pub redirect_uris: Vec<String>,
}

/// The secret does not show itself.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A provider that is stood in for.
#[derive(Clone, Debug)]
pub struct Brand {
    /// Its segment in paths: `google`.
    pub id: String,
    /// Shown on the page: `Google`.
    pub name: String,
}

/// What the provider is told when it starts.
pub struct Settings {
    /// The public URL below which [`router`] is mounted, without a slash at its end. The issuer of a brand is
    /// `{base}/{brand}`.
    pub base: String,
    /// Who is stood in for.
    pub brands: Vec<Brand>,
    /// Who may send people here.
    pub clients: Vec<Client>,
    /// The accounts that the page offers.
    pub accounts: Vec<Account>,
    /// How long [`Fault::Slow`] keeps a client waiting.
    pub slow: Duration,
    /// Time.
    pub clock: Clock,
}

/// The provider: a router to be mounted at the path of [`Settings::base`].
pub fn router(settings: Settings) -> Router {
    let provider = Provider(Arc::new(Inner {
        key: OnceLock::new(),
        kid: random::token(12),
        grants: Mutex::new(Grants::default()),
        brands: settings.brands.iter().map(|brand| (brand.id.clone(), brand.clone())).collect(),
        settings,
    }));
    Router::new()
        .route("/{brand}/.well-known/openid-configuration", get(discovery::document))
        .route("/{brand}/jwks", get(discovery::keys))
        .route("/{brand}/authorize", get(authorize::show).post(authorize::decide))
        .route("/{brand}/token", post(token::exchange))
        .route("/{brand}/userinfo", get(userinfo::claims).post(userinfo::claims))
        .route("/{brand}/logout", get(discovery::logout))
        .route("/{brand}/avatar/{initials}", get(account::avatar))
        .route("/{brand}/user", get(github::user))
        .route("/{brand}/user/emails", get(github::emails))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(provider)
}

#[derive(Clone)]
struct Provider(Arc<Inner>);

struct Inner {
    settings: Settings,
    brands: HashMap<String, Brand>,
    /// Made when it is first needed: an RSA key takes a while, and most starts of a development server need none.
    key: OnceLock<SigningKey>,
    kid: String,
    grants: Mutex<Grants>,
}

impl Provider {
    fn brand(&self, id: &str) -> Result<&Brand, Failure> {
        self.0.brands.get(id).ok_or(Failure::NotFound)
    }

    fn issuer(&self, brand: &Brand) -> String {
        format!("{}/{}", self.0.settings.base, brand.id)
    }

    fn client(&self, id: &str) -> Option<&Client> {
        self.0.settings.clients.iter().find(|client| client.id == id)
    }

    fn now(&self) -> DateTime<Utc> {
        (self.0.settings.clock)()
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Result<&SigningKey, KeyError> {
        if self.0.key.get().is_none() {
            let made = SigningKey::generate(Algorithm::Rs256, self.0.kid.as_str())?;
            // Another request may have been faster; its key stays.
            let _ = self.0.key.set(made);
        }
        self.0.key.get().ok_or(KeyError::Refused)
    }
}

/// What is answered without anything of the protocol.
enum Failure {
    NotFound,
    Internal,
}

impl From<KeyError> for Failure {
    fn from(_: KeyError) -> Self {
        Self::Internal
    }
}

impl From<askama::Error> for Failure {
    fn from(_: askama::Error) -> Self {
        Self::Internal
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
        .into_response()
    }
}

#[cfg(test)]
mod tests;
