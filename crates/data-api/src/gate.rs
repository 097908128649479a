//! How many requests of a role, and of one user, are in the database at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::RoleLimits;
use crate::verify::Identity;

/// Callers remembered before those without a request are forgotten.
const MOST_CALLERS: usize = 4096;

/// Counts requests by role and by user.
#[derive(Default)]
pub(crate) struct Gate(Mutex<HashMap<(String, String), Arc<Semaphore>>>);

/// Taken places, given back when dropped.
pub(crate) struct Places(#[expect(dead_code, reason = "held, not read")] Vec<OwnedSemaphorePermit>);

impl Gate {
    /// Waits for a place. The user's own comes first: who waits for it keeps nobody else out.
    pub(crate) async fn enter(&self, limits: Option<&RoleLimits>, identity: &Identity) -> Places {
        let Some(limits) = limits else { return Places(Vec::new()) };
        let user = identity.claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let mut taken = Vec::with_capacity(2);
        if !user.is_empty() {
            // Never closed.
            let own = self.places(&identity.role, user, limits.concurrent_per_user);
            taken.extend(own.acquire_owned().await.ok());
        }
        let all = self.places(&identity.role, "", limits.concurrent);
        taken.extend(all.acquire_owned().await.ok());
        Places(taken)
    }

    fn places(&self, role: &str, user: &str, most: usize) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_CALLERS {
            // Whoever waits or holds a place shares the count.
            all.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = all
            .entry((role.to_owned(), user.to_owned()))
            .or_insert_with(|| Arc::new(Semaphore::new(most.max(1))));
        Arc::clone(places)
    }
}
