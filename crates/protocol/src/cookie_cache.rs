//! The cookie cache: a short-lived copy of session and user in a cookie, in the three forms of
//! Better Auth 1.7. Whoever reads it sees the past: never use it where revocation matters.

mod chunks;
mod compact;
mod jwe;

use std::fmt;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use chunks::{chunk_names, join, split};

use crate::{
    body::{Session, Shown, User},
    hs256,
    secret::Secret,
};
use jwe::JweKey;

/// The form of the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Base64url of JSON with an HMAC: the shortest.
    #[default]
    Compact,
    /// A JWT signed with HS256: readable by others who have the secret.
    Jwt,
    /// An encrypted JWT: hidden from the browser.
    Jwe,
}

/// Writes and reads cache cookies of one form under the server's secret.
pub struct CookieCache {
    strategy: Strategy,
    version: String,
    secret: Secret,
    hmac: hmac::Key,
    /// The current key, then those of older secrets.
    jwe: Vec<JweKey>,
}

/// What a genuine, fresh cookie holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The session as it was.
    pub session: Session,
    /// Its user as it was.
    pub user: User,
    /// When the copy was made.
    pub updated_at: DateTime<Utc>,
    /// When the copy ends.
    pub expires_at: DateTime<Utc>,
}

/// In Better Auth's order: the compact form signs this text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'value> {
    session: Shown<'value, Session>,
    user: Shown<'value, User>,
    updated_at: i64,
    version: &'value str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read {
    session: Session,
    user: User,
    updated_at: i64,
    version: Option<String>,
}

impl CookieCache {
    /// `version` is the operator's: changing it voids all cookies; Better Auth's default is `1`.
    /// Cookies of the encrypted form under `older` secrets are still read.
    #[must_use]
    pub fn new(strategy: Strategy, version: &str, current: &Secret, older: &[Secret]) -> Self {
        Self {
            strategy,
            version: version.to_owned(),
            secret: current.clone(),
            hmac: hmac::Key::new(hmac::HMAC_SHA256, current.as_bytes()),
            jwe: std::iter::once(current).chain(older).filter_map(JweKey::derive).collect(),
        }
    }

    /// The cookie's value. `max_age` in seconds; `None` for a session that ends with the browser,
    /// whose copy lives for one minute (compact) or five. `None` when the value cannot be made.
    #[must_use]
    pub fn write(
        &self,
        session: Shown<'_, Session>,
        user: Shown<'_, User>,
        now: DateTime<Utc>,
        max_age: Option<i64>,
    ) -> Option<String> {
        let updated_at = now.timestamp_millis();
        let written = Written { session, user, updated_at, version: &self.version };
        match self.strategy {
            Strategy::Compact => {
                let life = max_age.unwrap_or(60).checked_mul(1000)?;
                compact::write(&self.hmac, &written, updated_at.checked_add(life)?)
            }
            Strategy::Jwt => hs256::issue(&self.secret, &written, now, max_age.unwrap_or(300)).ok(),
            Strategy::Jwe => self.jwe.first()?.write(&written, now, max_age.unwrap_or(300)),
        }
    }

    /// The copy, if the cookie is genuine, of our version, belongs to `session_token` and neither it
    /// nor the session has ended. Everything else is `None`: delete the cookie and read the database.
    #[must_use]
    pub fn read(&self, value: &str, session_token: &str, now: DateTime<Utc>) -> Option<Cached> {
        let (read, expires_at) = match self.strategy {
            Strategy::Compact => compact::read(&self.hmac, value)?,
            Strategy::Jwt => {
                let (read, seconds) =
                    hs256::verify_any_length::<Read>(&self.secret, value, now).ok()?;
                (read, seconds.checked_mul(1000)?)
            }
            Strategy::Jwe => {
                let (read, seconds) = self.jwe.iter().find_map(|key| key.read(value))?;
                (read, seconds.checked_mul(1000)?)
            }
        };
        let ours = read.session.token == session_token
            && read.session.user_id == read.user.id
            && read.version.as_deref().unwrap_or("1") == self.version;
        let fresh = expires_at >= now.timestamp_millis() && read.session.expires_at >= now;
        if !ours || !fresh {
            return None;
        }
        Some(Cached {
            session: read.session,
            user: read.user,
            updated_at: DateTime::from_timestamp_millis(read.updated_at)?,
            expires_at: DateTime::from_timestamp_millis(expires_at)?,
        })
    }
}

/// The keys do not show themselves.
impl fmt::Debug for CookieCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CookieCache({:?}, version {:?})", self.strategy, self.version)
    }
}

#[cfg(test)]
mod tests;
