//! The keys in use, read from the database once and then every minute.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use gatepost_postgres::Pool;
use gatepost_protocol::{jwk::SigningKey, random, sealed::Sealer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Config,
    store::{self, KeyRow, NewKey},
};
use crate::{
    app::Clock,
    error::{Error, Result},
};

/// The keys in use.
#[derive(Debug, Default)]
pub struct Keys {
    ring: RwLock<Option<Arc<Ring>>>,
    /// One reading at a time; the others wait for it.
    reading: tokio::sync::Mutex<()>,
}

/// What was read.
#[derive(Debug)]
pub struct Ring {
    /// Signs new tokens.
    pub signing: SigningKey,
    /// The published set as JSON.
    pub published: Bytes,
    read_at: DateTime<Utc>,
}

/// How long a reading is believed. Far below `publish_ahead`: every replica publishes a key before any signs with it.
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// Clocks of verifiers may differ.
const LEEWAY: TimeDelta = TimeDelta::minutes(1);

/// What reading keys takes.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Connections.
    pub db: &'a Pool,
    /// Opens and seals private keys.
    pub sealer: &'a Sealer,
    /// Settings.
    pub config: &'a Config,
    /// Time.
    pub clock: &'a Clock,
}

impl Keys {
    /// The keys as of at most a minute ago; the first call reads them, and makes the first key if there is none.
    ///
    /// # Errors
    /// Unavailable, when they were never read and cannot be now.
    pub async fn ring(&self, source: Source<'_>) -> Result<Arc<Ring>> {
        let known = self.known();
        let now = source.clock.now();
        if let Some(ring) = &known
            && (now - ring.read_at).abs() < FRESH
        {
            return Ok(Arc::clone(ring));
        }
        let Some(known) = known else {
            let _one = self.reading.lock().await;
            return match self.known() {
                Some(ring) => Ok(ring),
                None => self.read(source).await,
            };
        };
        // Whoever finds the door free reads again; the others go on with what is known.
        if let Ok(_one) = self.reading.try_lock() {
            return match tokio::time::timeout(Duration::from_secs(2), self.read(source)).await {
                Ok(Ok(ring)) => Ok(ring),
                // The database is away: a known key signs on, sessions are judged elsewhere.
                Ok(Err(_)) | Err(_) => Ok(known),
            };
        }
        Ok(known)
    }

    /// Forgets what was read.
    pub fn forget(&self) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Option<Arc<Ring>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self, source: Source<'_>) -> Result<Arc<Ring>> {
        let now = source.clock.now();
        let mut conn = source.db.get().await?;
        let mut rows = store::list_keys(&conn).await?;
        let mut signing = choose(&rows, source, now);
        if signing.is_none() || is_old(&rows, source.config, now) {
            let tx = conn.transaction().await?;
            store::lock_keys(&tx).await?;
            rows = store::list_keys(&tx).await?;
            signing = choose(&rows, source, now);
            if signing.is_none() || is_old(&rows, source.config, now) {
                rotate(&tx, source.sealer, source.config, now).await?;
                rows = store::list_keys(&tx).await?;
                signing = choose(&rows, source, now);
            }
            tx.commit().await?;
        }
        let signing = signing
            .ok_or_else(|| Error::Internal(anyhow!("no usable signing key after making one")))?;
        let published = publish(&rows, source.config, now)?;
        let ring = Arc::new(Ring { signing, published, read_at: now });
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
        Ok(ring)
    }
}

/// The newest key that has been published long enough; before there is one, the oldest.
fn choose(rows: &[KeyRow], source: Source<'_>, now: DateTime<Utc>) -> Option<SigningKey> {
    let ahead = TimeDelta::seconds(i64::from(source.config.publish_ahead));
    let lifetime = TimeDelta::seconds(i64::from(source.config.expires_in));
    // A key that ends before a token of now would is not used for one.
    let live: Vec<&KeyRow> =
        rows.iter().filter(|row| row.expires_at.is_none_or(|end| end > now + lifetime)).collect();
    let ripe = live.iter().rev().filter(|row| row.created_at + ahead <= now);
    ripe.chain(live.iter()).find_map(|row| match open(row, source.sealer) {
        Ok(key) => Some(key),
        Err(error) => {
            tracing::warn!(kid = %row.id, cause = format!("{error:#}"), "a signing key cannot be used");
            None
        }
    })
}

/// The private key is JSON text of the sealed JWK, as Better Auth writes it.
fn open(row: &KeyRow, sealer: &Sealer) -> anyhow::Result<SigningKey> {
    let sealed: String = serde_json::from_str(&row.private).context("not JSON text")?;
    let private = sealer.open(&sealed).context("sealed under another secret")?;
    let private = String::from_utf8(private).context("not text")?;
    SigningKey::from_private_jwk(&private, row.id.to_string()).context("not a private key")
}

fn is_old(rows: &[KeyRow], config: &Config, now: DateTime<Utc>) -> bool {
    let age = TimeDelta::seconds(i64::from(config.rotate_after));
    config.rotate_after > 0 && rows.last().is_some_and(|newest| newest.created_at + age <= now)
}

fn publish(rows: &[KeyRow], config: &Config, now: DateTime<Utc>) -> Result<Bytes> {
    let keys: Vec<Value> = rows
        .iter()
        .filter(|row| row.expires_at.is_none_or(|end| end > now))
        .filter_map(|row| {
            let mut key: Value = serde_json::from_str(&row.public).ok()?;
            let members = key.as_object_mut()?;
            // Whoever wrote the row: the private part is never published (JW-21).
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                members.remove(private);
            }
            let algorithm = row.algorithm.clone().unwrap_or_else(|| "EdDSA".to_owned());
            members.insert("alg".to_owned(), Value::String(algorithm));
            members.insert("kid".to_owned(), Value::String(row.id.to_string()));
            if config.publish_use {
                members.insert("use".to_owned(), Value::String("sig".to_owned()));
            }
            Some(key)
        })
        .collect();
    let text = serde_json::to_vec(&json!({ "keys": keys }))
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(text.into())
}

/// Makes a key; the others end once the last token that they may still sign has expired.
///
/// # Errors
/// Those of Postgres.
pub async fn rotate(
    conn: &impl GenericClient,
    sealer: &Sealer,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = random::uuid();
    let algorithm = gatepost_protocol::jwk::Algorithm::from(config.algorithm);
    let key = SigningKey::generate(algorithm, id.to_string())
        .map_err(|error| Error::Internal(error.into()))?;
    let private = key.private_jwk().map_err(|error| Error::Internal(error.into()))?;
    let public = key.public_jwk().map_err(|error| Error::Internal(error.into()))?;
    let new = NewKey {
        id,
        algorithm: algorithm.name(),
        curve: algorithm.curve(),
        public: &public.to_string(),
        private: &Value::String(sealer.seal(private.as_bytes())).to_string(),
    };
    store::create_key(conn, &new, now).await?;
    let ahead = TimeDelta::seconds(i64::from(config.publish_ahead));
    let lifetime = TimeDelta::seconds(i64::from(config.expires_in));
    store::retire_others(conn, id, now + ahead + lifetime * 2 + FRESH + LEEWAY).await?;
    Ok(id)
}
