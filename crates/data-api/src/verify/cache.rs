//! Remembers verified tokens, so that a signature is checked once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A bounded map from token to claims. Times are checked on every request, not cached.
pub struct Cache<Claims> {
    entries: Mutex<HashMap<String, (Arc<Claims>, u64)>>,
    limit: AtomicUsize,
    tick: AtomicU64,
    /// Look-ups so far.
    pub requests: AtomicU64,
    /// Look-ups that found the token.
    pub hits: AtomicU64,
    /// Tokens dropped to make room.
    pub evictions: AtomicU64,
}

impl<Claims> Default for Cache<Claims> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<Claims> Cache<Claims> {
    /// At most `limit` tokens; 0 remembers nothing.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: Mutex::new(HashMap::new()),
            limit: AtomicUsize::new(limit),
            tick: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// Another limit, for tokens to come.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Claims of a token seen before.
    pub fn get(&self, token: &str) -> Option<Arc<Claims>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let now = self.tick.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (claims, used) = entries.get_mut(token)?;
        *used = now;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(claims))
    }

    /// Remembers a token; when full, half of the tokens, those longest unused, make room.
    pub fn put(&self, token: &str, claims: Arc<Claims>) {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == 0 {
            return;
        }
        let now = self.tick.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= limit {
            let mut used: Vec<u64> = entries.values().map(|(_, used)| *used).collect();
            used.sort_unstable();
            let middle = used.get(used.len() / 2).copied().unwrap_or_default();
            let before = entries.len();
            entries.retain(|_, (_, used)| *used > middle);
            self.evictions.fetch_add((before - entries.len()) as u64, Ordering::Relaxed);
        }
        entries.insert(token.to_owned(), (claims, now));
    }

    /// Forgets everything: the keys changed.
    pub fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
