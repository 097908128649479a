//! Protection of one account against guessing from anywhere.
//!
//! An attempt is counted as a failure before the password is hashed, so parallel guesses cannot share a place
//! (RL-10); success takes it back. After [`Backoff::budget`] failures one attempt is let through per delay, and the
//! delay doubles up to a bound: never a lock that a stranger could put on an account for good (RL-08). Devices that have
//! signed in to the account before have a budget of their own, so that strangers cannot use it up.

use chrono::{DateTime, Utc};

use super::{Key, Limits, RetryAfter};

/// How failures of one account slow down further attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Failures without any delay.
    pub budget: u32,
    /// Seconds until the attempt after those.
    pub first_delay: u32,
    /// Seconds that a delay grows to at most.
    pub longest_delay: u32,
    /// Seconds without an attempt after which failures are forgotten. Longer than `longest_delay`.
    pub forget_after: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { budget: 5, first_delay: 30, longest_delay: 15 * 60, forget_after: 24 * 60 * 60 }
    }
}

impl Backoff {
    /// The delay in milliseconds that follows this many failures.
    pub(super) fn delay(&self, failures: i64) -> Option<i64> {
        let beyond = failures - i64::from(self.budget);
        let doublings = u32::try_from(beyond).ok()?.min(30);
        Some(self.first().saturating_mul(1 << doublings).min(self.longest()))
    }

    pub(super) fn first(&self) -> i64 {
        i64::from(self.first_delay) * 1000
    }

    pub(super) fn longest(&self) -> i64 {
        i64::from(self.longest_delay) * 1000
    }

    pub(super) fn forget(&self) -> i64 {
        i64::from(self.forget_after) * 1000
    }
}

/// What a store says to an attempt. Times are milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Begun { failures: i64 },
    Refused { next_at: i64 },
}

/// An attempt that may go on. Dropped without [`Limits::succeeded`], it stays a failure.
#[derive(Debug)]
#[must_use = "an attempt stays a failure until it is given to `succeeded`"]
pub struct Permit {
    key: Key,
    budget: u32,
    failures: i64,
}

impl Permit {
    /// Whether this attempt, should it fail, is the one that uses up the budget: the moment to notify the owner.
    #[must_use]
    pub fn uses_up_budget(&self) -> bool {
        self.failures == i64::from(self.budget)
    }
}

impl Limits {
    /// Counts an attempt to prove that one is the owner of the account. To be called before the proof is looked at.
    /// `device_known`: the request carries a proof of an earlier sign-in to this account.
    ///
    /// # Errors
    /// Too many failures: when the next attempt is let through.
    pub async fn begin_attempt(
        &self,
        backoff: &Backoff,
        account_key: &str,
        device_known: bool,
        now: DateTime<Utc>,
    ) -> Result<Permit, RetryAfter> {
        let name = if device_known { "account-known-device" } else { "account" };
        let (key, now) = (Key::new(name, &[account_key]), now.timestamp_millis());
        let attempt = match self {
            Self::Off => Attempt::Begun { failures: 0 },
            Self::Memory(memory) => memory.attempt(key, backoff, now),
            Self::Shared(shared) => shared.attempt(key, backoff, now).await,
        };
        match attempt {
            Attempt::Begun { failures } => Ok(Permit { key, budget: backoff.budget, failures }),
            Attempt::Refused { next_at } => Err(RetryAfter::until(next_at, now)),
        }
    }

    /// Takes the attempt back. Failures within the budget are forgotten with it, those beyond stay: the owner's
    /// success says nothing about who guessed (RL-11).
    pub async fn succeeded(&self, permit: Permit) {
        let Permit { key, budget, .. } = permit;
        match self {
            Self::Off => {}
            Self::Memory(memory) => memory.succeeded(key, budget.into()),
            Self::Shared(shared) => shared.succeeded(key, budget.into()).await,
        }
    }
}
