//! Rate limits and guessing protection: exact under concurrency, over every replica.
//!
//! A limit is a number of hits in a window that opens with its first hit and restarts after its end. Hits are counted
//! before the work they guard, and counting is one atomic step in the store, so parallel requests cannot share a hit.
//! When a shared store is unreachable, each replica counts for itself in bounded memory: never unlimited (RL-12).

pub mod account;
pub mod mail;
mod memory;
mod postgres;
mod redis;
pub mod rules;
mod shared;
#[cfg(test)]
mod tests;
pub mod text;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use gatepost_postgres::Pool;

use self::{memory::Memory, shared::Shared};

pub use self::{
    memory::CAPACITY,
    redis::BadRedisUrl,
    rules::{BadRule, CustomRule, RequestRules},
};

/// At most `max` hits in `window` seconds, per subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Keeps the subjects of different limits apart.
    pub name: &'static str,
    /// Seconds from the first hit until the count starts again.
    pub window: u32,
    /// Hits allowed in a window.
    pub max: u32,
}

/// Over the limit: 429 with this many seconds in `X-Retry-After` and `Retry-After`. At least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Too many requests. Please try again later.")]
pub struct RetryAfter(pub u32);

/// Where hits are counted.
#[derive(Clone, Debug)]
pub enum Limits {
    /// Nowhere: nothing is limited.
    Off,
    /// In this process, for a single replica. At most [`CAPACITY`] counters.
    Memory(Arc<Memory>),
    /// In Postgres or Redis, for all replicas together.
    Shared(Shared),
}

impl Limits {
    /// Counts in this process.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(Arc::new(Memory::new(CAPACITY)))
    }

    /// Counts in the unlogged table `neon_auth.gatepost_limit`. Hits that arrive together share one round trip.
    /// Needs a tokio runtime.
    #[must_use]
    pub fn postgres(pool: Pool) -> Self {
        Self::Shared(Shared::start(shared::Store::Postgres(postgres::Table::new(pool))))
    }

    /// Counts in Redis or Valkey under keys that begin with `prefix`; connects when first needed. Needs a tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be read or asks for TLS, which is not built in.
    pub fn redis(url: &str, prefix: &str) -> Result<Self, BadRedisUrl> {
        let server = redis::Server::new(url, prefix)?;
        Ok(Self::Shared(Shared::start(shared::Store::Redis(Box::new(server)))))
    }

    /// Counts one hit of `subject` against `limit`.
    ///
    /// # Errors
    /// Over the limit.
    pub async fn hit(
        &self,
        limit: Limit,
        subject: &[&str],
        now: DateTime<Utc>,
    ) -> Result<(), RetryAfter> {
        let (key, window, now) =
            (Key::new(limit.name, subject), i64::from(limit.window) * 1000, now.timestamp_millis());
        let count = match self {
            Self::Off => return Ok(()),
            Self::Memory(memory) => memory.count(key, 1, window, now),
            Self::Shared(shared) => shared.count(key, window, now).await,
        };
        if count.hits <= i64::from(limit.max) {
            Ok(())
        } else {
            Err(RetryAfter::until(count.ends_at, now))
        }
    }

    /// Counts one request for `path` as routed, from the client that `bucket` names.
    ///
    /// # Errors
    /// Over the limit of that path.
    pub async fn check_request(
        &self,
        rules: &RequestRules,
        path: &str,
        bucket: &str,
        now: DateTime<Utc>,
    ) -> Result<(), RetryAfter> {
        match rules.of(path) {
            Some(limit) => self.hit(limit, &[path, bucket], now).await,
            None => Ok(()),
        }
    }
}

impl RetryAfter {
    fn until(ends_at: i64, now: i64) -> Self {
        let seconds = ends_at.saturating_sub(now).max(1).saturating_add(999) / 1000;
        Self(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

/// Names a counter: 128 bits of the SHA-256 of what it counts, so that its size does not depend on the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    fn new(name: &str, subject: &[&str]) -> Self {
        let mut text = name.to_owned();
        for part in subject {
            // The length in front keeps ("a", "bc") apart from ("ab", "c").
            text.push_str(&format!("\0{}:{part}", part.len()));
        }
        let hash = digest(&SHA256, text.as_bytes());
        Self(hash.as_ref().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte)))
    }
}

/// A counter after a hit. Times are milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    hits: i64,
    ends_at: i64,
}
