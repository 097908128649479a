//! What requests share: configuration, catalogue, pool, keys, counters. Replaced as a whole, never waited for.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use gatepost_postgres::PoolOptions;
use gatepost_postgres::pipeline::{self, Object, Pool, PoolError, Status, TimeoutType};
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use crate::config::{Config, ConfigError};
use crate::door::Door;
use crate::error::{ApiError, ErrorKind};
use crate::gate::{Gate, Places};
use crate::refused::Ring;
use crate::schema::Catalog;
use crate::verify::{Cache, Identity, Keys};

/// Statements remembered as sent once.
const MOST_SEEN: usize = 4096;

/// Counters for `/metrics`.
#[derive(Default)]
pub struct Counters {
    /// Catalogues loaded.
    pub loads: AtomicU64,
    /// Catalogue loads that failed.
    pub load_failures: AtomicU64,
    /// Time of the last load, microseconds.
    pub load_micros: AtomicU64,
    /// Requests that found no free connection in time.
    pub pool_timeouts: AtomicU64,
}

/// Where requests are taken.
#[derive(Clone)]
enum Listening {
    NotYet,
    Tcp,
    Unix(PathBuf),
}

struct Inner {
    config: RwLock<Arc<Config>>,
    config_changed: watch::Sender<()>,
    catalog: RwLock<Option<Arc<Catalog>>>,
    remote_keys: RwLock<Option<Arc<Keys>>>,
    pool: Pool,
    cache: Cache<Map<String, Value>>,
    counters: Counters,
    loading: AtomicBool,
    loaded: AtomicBool,
    retry_after: AtomicU64,
    listening: RwLock<Listening>,
    fresh_since: RwLock<Option<Instant>>,
    door: Door,
    seen: Mutex<HashSet<u64>>,
    gate: Gate,
    refused: Ring,
    keys_wanted: Notify,
}

/// State shared by all requests.
#[derive(Clone)]
pub struct State(Arc<Inner>);

fn read<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn write<T>(lock: &RwLock<T>, value: T) {
    *lock.write().unwrap_or_else(PoisonError::into_inner) = value;
}

impl State {
    /// State without a catalogue: requests are answered 503 until [`crate::reload`] has run.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_door(config, Door::PostgRest)
    }

    /// How callers prove who they are.
    pub fn door(&self) -> &Door {
        &self.0.door
    }

    /// The same behind another door.
    pub fn with_door(config: Config, door: Door) -> Result<Self, ConfigError> {
        let timeout = Duration::from_secs(config.db_pool_acquisition_timeout);
        let options = PoolOptions {
            max_size: config.db_pool,
            application_name: "gatepost data-api".to_owned(),
            connect_timeout: timeout,
            wait_timeout: timeout,
            statement_timeout: None,
        };
        let pool = pipeline::pool(&config.db_uri, &options)
            .map_err(|error| ConfigError(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            cache: Cache::new(config.jwt_cache_max_entries),
            config: RwLock::new(Arc::new(config)),
            config_changed: watch::Sender::new(()),
            catalog: RwLock::new(None),
            remote_keys: RwLock::new(None),
            pool,
            counters: Counters::default(),
            loading: AtomicBool::new(false),
            loaded: AtomicBool::new(false),
            retry_after: AtomicU64::new(1),
            listening: RwLock::new(Listening::NotYet),
            fresh_since: RwLock::new(None),
            door,
            seen: Mutex::new(HashSet::new()),
            gate: Gate::default(),
            refused: Ring::default(),
            keys_wanted: Notify::new(),
        })))
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        read(&self.0.config)
    }

    /// Replaces the configuration. Tokens are checked anew: their keys may have changed.
    pub fn set_config(&self, config: Config) {
        let before = self.config();
        let elsewhere = before.jwt_keys_url != config.jwt_keys_url;
        self.0.cache.set_limit(config.jwt_cache_max_entries);
        write(&self.0.config, Arc::new(config));
        if elsewhere {
            write(&self.0.remote_keys, None);
            self.want_keys();
        }
        self.0.cache.clear();
        self.0.config_changed.send_replace(());
    }

    /// Hears of every new configuration.
    pub(crate) fn config_changes(&self) -> watch::Receiver<()> {
        self.0.config_changed.subscribe()
    }

    /// The catalogue in force.
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        read(&self.0.catalog)
    }

    /// Replaces the catalogue.
    pub fn set_catalog(&self, catalog: Catalog) {
        write(&self.0.catalog, Some(Arc::new(catalog)));
        // What is prepared may mean something else by now, and the settings of the login role may have changed: connections
        // from before are not used again.
        write(&self.0.fresh_since, Some(Instant::now()));
    }

    /// Keys fetched from a URL, if that is how they are configured.
    pub fn remote_keys(&self) -> Option<Arc<Keys>> {
        read(&self.0.remote_keys)
    }

    /// Replaces the keys fetched from a URL.
    pub fn set_remote_keys(&self, keys: Keys) {
        write(&self.0.remote_keys, Some(Arc::new(keys)));
    }

    /// A token named a key that is not known.
    pub(crate) fn want_keys(&self) {
        self.0.keys_wanted.notify_one();
    }

    /// Ends when a key was wanted since it last ended.
    pub(crate) async fn keys_wanted(&self) {
        self.0.keys_wanted.notified().await;
    }

    /// Verified tokens.
    pub fn cache(&self) -> &Cache<Map<String, Value>> {
        &self.0.cache
    }

    /// Counters.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Requests that were refused lately.
    pub(crate) fn refused(&self) -> &Ring {
        &self.0.refused
    }

    /// Connections: maximum, open, free, requests waiting.
    pub fn pool_status(&self) -> Status {
        self.0.pool.status()
    }

    /// Whether this statement was sent before. What comes only once is not worth preparing.
    pub(crate) fn seen_before(&self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        !seen.insert(hasher.finish())
    }

    /// Marks a load as under way; false if one is already.
    pub fn begin_loading(&self) -> bool {
        !self.0.loading.swap(true, Ordering::AcqRel)
    }

    /// Marks a load as over.
    pub fn end_loading(&self, done: bool) {
        self.0.loaded.store(done, Ordering::Release);
        self.0.loading.store(false, Ordering::Release);
    }

    /// Whether there is a catalogue, and the last attempt at loading one did not fail.
    pub fn is_loaded(&self) -> bool {
        self.0.loaded.load(Ordering::Acquire)
    }

    /// Requests are taken from now on, at a Unix socket or over TCP.
    pub(crate) fn set_listening(&self, socket: Option<PathBuf>) {
        write(&self.0.listening, socket.map_or(Listening::Tcp, Listening::Unix));
    }

    /// Whether requests are taken; a socket that was removed takes none.
    pub(crate) fn is_listening(&self) -> bool {
        match read(&self.0.listening) {
            Listening::NotYet => false,
            Listening::Tcp => true,
            Listening::Unix(path) => path.exists(),
        }
    }

    /// Seconds until the database is tried again.
    pub(crate) fn retry_after(&self) -> u64 {
        self.0.retry_after.load(Ordering::Relaxed)
    }

    pub(crate) fn set_retry_after(&self, seconds: u64) {
        self.0.retry_after.store(seconds, Ordering::Relaxed);
    }

    /// A place among the requests of a caller and of a role, where these are limited (DA-21).
    pub(crate) async fn enter(
        &self,
        config: &Config,
        identity: &Identity,
    ) -> Result<Places, ApiError> {
        let entering = self.0.gate.enter(config.safety.roles.get(&identity.role), identity);
        let patience = Duration::from_secs(config.db_pool_acquisition_timeout);
        match tokio::time::timeout(patience, entering).await {
            Ok(places) => Ok(places),
            Err(_) => {
                Err(self.no_place("Timed out waiting for other requests of the same caller."))
            }
        }
    }

    fn no_place(&self, why: &str) -> ApiError {
        self.0.counters.pool_timeouts.fetch_add(1, Ordering::Relaxed);
        ApiError::new(ErrorKind::PoolTimeout, why)
    }

    /// A connection for one request, neither too old nor from before the catalogue in force.
    pub async fn connect(&self) -> Result<Object, ApiError> {
        loop {
            let connection = self.0.pool.get().await.map_err(|error| self.unconnected(&error))?;
            let metrics = Object::metrics(&connection);
            // One that was just made is good, whatever the limit.
            if metrics.recycle_count == 0 || !self.is_outdated(metrics.created) {
                return Ok(connection);
            }
            drop(Object::take(connection));
        }
    }

    fn unconnected(&self, error: &PoolError) -> ApiError {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                self.no_place("Timed out acquiring connection from connection pool.")
            }
            // The reason may name hosts: it goes to the log, not to the client.
            other => {
                tracing::error!(error = %other, "cannot connect to the database");
                ApiError::new(ErrorKind::Connection, "Database connection error.")
            }
        }
    }

    fn is_outdated(&self, created: Instant) -> bool {
        let longest = Duration::from_secs(self.config().db_pool_max_lifetime);
        created.elapsed() > longest
            || read(&self.0.fresh_since).is_some_and(|since| created < since)
    }

    /// Closes free connections that are too old or were not used for too long.
    pub(crate) fn trim(&self) {
        let idle = Duration::from_secs(self.config().db_pool_max_idletime);
        let removed = self
            .0
            .pool
            .retain(|_, metrics| !self.is_outdated(metrics.created) && metrics.last_used() <= idle);
        drop(removed);
    }
}
