//! Counters in this process.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Count, Key,
    account::{Attempt, Backoff},
};

/// Counters held at most; beyond it the one that would end first is forgotten (RL-13).
pub const CAPACITY: usize = 100_000;

/// Bounded counters behind one lock, each step of which takes logarithmic time.
#[derive(Debug)]
pub struct Memory {
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    by_key: HashMap<Key, Slot>,
    by_end: BTreeSet<(i64, Key)>,
    capacity: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hits: i64,
    ends_at: i64,
    next_at: Option<i64>,
}

impl Memory {
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: Mutex::new(Slots { capacity: capacity.max(1), ..Slots::default() }) }
    }

    pub(super) fn count(&self, key: Key, units: i64, window: i64, now: i64) -> Count {
        let mut slots = self.lock();
        let held = slots.live(key, now);
        let slot = match held {
            Some(slot) => Slot { hits: slot.hits.saturating_add(units), ..slot },
            None => Slot { hits: units, ends_at: now.saturating_add(window), next_at: None },
        };
        slots.put(key, slot, now);
        Count { hits: slot.hits, ends_at: slot.ends_at }
    }

    pub(super) fn attempt(&self, key: Key, backoff: &Backoff, now: i64) -> Attempt {
        let mut slots = self.lock();
        let held = slots.live(key, now).unwrap_or_default();
        if let Some(next_at) = held.next_at.filter(|next_at| *next_at > now) {
            return Attempt::Refused { next_at };
        }
        let hits = held.hits.saturating_add(1);
        let next_at = backoff.delay(hits).map(|delay| now.saturating_add(delay));
        slots.put(key, Slot { hits, ends_at: now.saturating_add(backoff.forget()), next_at }, now);
        Attempt::Begun { failures: hits }
    }

    pub(super) fn succeeded(&self, key: Key, budget: i64) {
        let mut slots = self.lock();
        let Some(slot) = slots.by_key.get(&key).copied() else { return };
        if slot.hits <= budget {
            slots.remove(key);
        } else if let Some(slot) = slots.by_key.get_mut(&key) {
            slot.hits = slot.hits.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let slots = self.lock();
        assert_eq!(slots.by_key.len(), slots.by_end.len());
        slots.by_key.len()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn live(&self, key: Key, now: i64) -> Option<Slot> {
        self.by_key.get(&key).copied().filter(|slot| slot.ends_at > now)
    }

    fn put(&mut self, key: Key, slot: Slot, now: i64) {
        match self.by_key.insert(key, slot) {
            Some(old) if old.ends_at == slot.ends_at => return,
            Some(old) => {
                self.by_end.remove(&(old.ends_at, key));
            }
            None => {}
        }
        self.by_end.insert((slot.ends_at, key));
        // Two for one: what has ended goes faster than new counters come, without ever looking at all of them.
        for _ in 0..2 {
            let ended = self.by_end.first().is_some_and(|(ends_at, _)| *ends_at <= now);
            if (ended || self.by_key.len() > self.capacity)
                && let Some((_, oldest)) = self.by_end.pop_first()
            {
                self.by_key.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(slot) = self.by_key.remove(&key) {
            self.by_end.remove(&(slot.ends_at, key));
        }
    }
}
