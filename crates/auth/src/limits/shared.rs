//! Counters that all replicas share: hits that arrive together share a round trip, and an outage falls back to memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    CAPACITY, Count, Key,
    account::{Attempt, Backoff},
    memory::Memory,
    postgres, redis,
};

/// Hits of one round trip at most.
const BATCH: usize = 512;
/// Hits that may wait for their round trip; more are counted in memory.
const QUEUE: usize = 8192;
/// How long an answer of the store is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a store that failed is left alone.
const REST: Duration = Duration::from_secs(2);
/// New counters after which ended ones are looked for.
const PURGE_AFTER: i64 = 64;

/// A store in common use, with its queue and its stand-in.
#[derive(Clone, Debug)]
pub struct Shared {
    queue: mpsc::Sender<Ask>,
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) enum Store {
    Postgres(postgres::Table),
    Redis(Box<redis::Server>),
}

#[derive(Debug)]
struct Inner {
    store: Store,
    /// How long the store is left alone after a failure.
    rest: Duration,
    /// Set from a failure until an answer.
    resting_until: Mutex<Option<Instant>>,
    local: Memory,
}

#[derive(Debug)]
struct Ask {
    key: Key,
    window: i64,
    now: i64,
    answer: oneshot::Sender<Option<Count>>,
}

/// The hits of one counter in one round trip.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) window: i64,
    pub(super) now: i64,
    answers: Vec<oneshot::Sender<Option<Count>>>,
}

impl Group {
    pub(super) fn units(&self) -> i32 {
        i32::try_from(self.answers.len()).unwrap_or(i32::MAX)
    }
}

impl Shared {
    pub(super) fn start(store: Store) -> Self {
        Self::start_with(store, REST)
    }

    pub(super) fn start_with(store: Store, rest: Duration) -> Self {
        let (queue, asks) = mpsc::channel(QUEUE);
        let inner = Arc::new(Inner {
            store,
            rest,
            resting_until: Mutex::new(None),
            local: Memory::new(CAPACITY),
        });
        tokio::spawn(answer_all(Arc::clone(&inner), asks));
        Self { queue, inner }
    }

    pub(super) async fn count(&self, key: Key, window: i64, now: i64) -> Count {
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Ask { key, window, now, answer }).is_ok()
            && let Ok(Some(count)) = answered.await
        {
            return count;
        }
        self.inner.local.count(key, 1, window, now)
    }

    pub(super) async fn attempt(&self, key: Key, backoff: &Backoff, now: i64) -> Attempt {
        let asked = async {
            match &self.inner.store {
                Store::Postgres(table) => table.attempt(key, backoff, now).await,
                Store::Redis(server) => server.attempt(key, backoff, now).await,
            }
        };
        match self.inner.ask(asked).await {
            Some(attempt) => attempt,
            None => self.inner.local.attempt(key, backoff, now),
        }
    }

    pub(super) async fn succeeded(&self, key: Key, budget: i64) {
        let told = async {
            match &self.inner.store {
                Store::Postgres(table) => table.succeeded(key, budget).await,
                Store::Redis(server) => server.succeeded(key, budget).await,
            }
        };
        // The attempt may have begun before or during an outage: the stand-in's count goes as well.
        self.inner.local.succeeded(key, budget);
        self.inner.ask(told).await;
    }
}

impl Inner {
    /// What the store answers, or nothing while it is out of reach.
    async fn ask<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> Option<T> {
        let resting = *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let answer = match timeout(PATIENCE, work).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(elapsed.into()),
        };
        let mut resting = self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(answer) => {
                if resting.take().is_some() {
                    tracing::info!("rate limits are shared by all replicas again");
                }
                Some(answer)
            }
            Err(error) => {
                if resting.replace(Instant::now() + self.rest).is_none() {
                    tracing::error!(%error, "the store of rate limits is out of reach: each replica counts for itself");
                }
                None
            }
        }
    }
}

/// Answers hits until nobody can ask any more.
async fn answer_all(inner: Arc<Inner>, mut asks: mpsc::Receiver<Ask>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut opened = 0;
    while asks.recv_many(&mut batch, BATCH).await > 0 {
        let groups = group(batch.drain(..));
        let now = groups.iter().map(|group| group.now).max().unwrap_or_default();
        let counted = async {
            match &inner.store {
                Store::Postgres(table) => table.count(&groups).await,
                Store::Redis(server) => server.count(&groups).await,
            }
        };
        let counts: HashMap<Key, Count> =
            inner.ask(counted).await.unwrap_or_default().into_iter().collect();
        for group in groups {
            let count = counts.get(&group.key).copied();
            opened += i64::from(count.is_some_and(|count| count.hits == i64::from(group.units())));
            answer(group, count);
        }
        if opened >= PURGE_AFTER
            && let Store::Postgres(table) = &inner.store
        {
            inner.ask(table.remove_ended(2 * opened, now)).await;
            opened = 0;
        }
    }
}

/// Puts the hits of each counter together, in the order of arrival.
fn group(asks: impl Iterator<Item = Ask>) -> Vec<Group> {
    let mut groups: HashMap<Key, Group> = HashMap::new();
    for Ask { key, window, now, answer } in asks {
        let group =
            groups.entry(key).or_insert_with(|| Group { key, window, now, answers: Vec::new() });
        group.now = group.now.max(now);
        group.answers.push(answer);
    }
    groups.into_values().collect()
}

/// Tells each hit of a group its own place in the count.
fn answer(group: Group, count: Option<Count>) {
    let later = (0..i64::from(group.units())).rev();
    for (answer, later) in group.answers.into_iter().zip(later) {
        // Whoever asked may be gone; the hit is counted all the same.
        let _ = answer.send(count.map(|count| Count { hits: count.hits - later, ..count }));
    }
}
