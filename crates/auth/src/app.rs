//! What every request shares.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};

/// Where time comes from: the system, or a test that turns it by hand (milliseconds since the epoch).
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved.
    Adjustable(Arc<AtomicI64>),
}

impl Clock {
    /// The present, with millisecond precision, as the wire shows it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let milliseconds = match self {
            #[expect(clippy::disallowed_methods, reason = "the system clock is read here only")]
            Self::System => Utc::now().timestamp_millis(),
            Self::Adjustable(milliseconds) => milliseconds.load(Ordering::Relaxed),
        };
        DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
    }
}
