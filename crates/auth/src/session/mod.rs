//! Sessions: who is signed in, since when, until when.
//!
//! The token is 32 random characters. The browser holds it in a signed cookie; the database holds its SHA-256, so that
//! a copy of the database signs nobody in (SE-08). Every request reads the row: a revoked session is dead at once.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub mod cache;
pub mod cookies;
mod current;
mod live;
mod reader;
pub mod routes;
pub(crate) mod rows;
mod start;
pub mod store;
mod token;
pub mod verifier;

pub(crate) use current::SESSION_NOT_FRESH;
pub use current::{Current, Reason, current, fresh, fresh_now, presented, required, required_now};
pub use live::{Live, Named, Standing};
pub use reader::Reader;
pub use rows::{ActiveOrganization, Session, SignedIn};
pub use start::{Method, SignIn, redirect_signed_in, start, start_in};
pub(crate) use start::{end_replaced, rotate_in};
pub use token::{StoredToken, Token};

/// Lifetime and storage of sessions.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds a session lasts after its last renewal.
    pub expires_in: u32,
    /// Seconds after which a use renews it.
    pub update_age: u32,
    /// Seconds after sign-in during which sensitive acts need no further proof; 0: always fresh.
    pub fresh_age: u32,
    /// `hashed` (the default), or `plain` for a database shared with a running Better Auth process.
    pub token_storage: TokenStorage,
    /// Renew on `POST /get-session` only.
    pub defer_refresh: bool,
    /// A bearer token beside another session's cookie: take it, as Better Auth does, instead of refusing both (SE-23).
    pub bearer_overrides_cookie: bool,
    /// The session that a browser brings along to a sign-in lives on, as in Better Auth, instead of ending with it (SE-03).
    /// So it does wherever several accounts per browser are allowed.
    pub keep_replaced: bool,
    /// A sign-in in a browser whose session is over takes the cookies back and sets none, as Better Auth does where guests
    /// are allowed. For recordings: nobody wants it.
    pub recorded_stale_cookie: bool,
    /// Accounts that one browser may hold at a time, where several are allowed.
    pub accounts_per_browser: usize,
    /// A short-lived copy of session and user in a cookie, so that a read needs no database.
    pub cookie_cache: CookieCache,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            expires_in: 7 * 24 * 60 * 60,
            update_age: 24 * 60 * 60,
            fresh_age: 24 * 60 * 60,
            token_storage: TokenStorage::Hashed,
            defer_refresh: false,
            bearer_overrides_cookie: false,
            keep_replaced: false,
            recorded_stale_cookie: false,
            accounts_per_browser: 5,
            cookie_cache: CookieCache::default(),
        }
    }
}

impl Config {
    /// Of a remembered session.
    #[must_use]
    pub fn lifetime(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.expires_in))
    }

    /// Of a session whose user asked not to be remembered: a day at most.
    #[must_use]
    pub fn short_lifetime(&self) -> TimeDelta {
        self.lifetime().min(TimeDelta::days(1))
    }
}

/// How tokens stand in the database.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TokenStorage {
    /// SHA-256, base64url.
    #[default]
    Hashed,
    /// As they are, as Better Auth stores them.
    Plain,
}

/// See [`Config::cookie_cache`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CookieCache {
    /// Off by default: a revoked session would live on until the copy expires.
    pub enabled: bool,
    /// Seconds a copy is believed.
    pub max_age: u32,
    /// Its format.
    pub strategy: Strategy,
    /// Let every endpoint that Better Auth lets read from the copy do so, and make tokens from it; otherwise `/get-session` only.
    pub everywhere: bool,
}

impl Default for CookieCache {
    fn default() -> Self {
        Self { enabled: false, max_age: 300, strategy: Strategy::Compact, everywhere: false }
    }
}

/// The formats of the cookie cache that Better Auth knows.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// JSON with an HMAC.
    #[default]
    Compact,
    /// A signed JWT.
    Jwt,
    /// An encrypted JWT.
    Jwe,
}
