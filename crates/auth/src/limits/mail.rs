//! How many mails one address may be sent, over all kinds and from whomever (RL-17).

use chrono::{DateTime, Utc};

use super::{Limit, Limits};

/// Mails to one recipient in an hour.
pub const PER_HOUR: Limit = Limit { name: "mail-hour", window: 60 * 60, max: 5 };
/// Mails to one recipient in a day.
pub const PER_DAY: Limit = Limit { name: "mail-day", window: 24 * 60 * 60, max: 20 };

impl Limits {
    /// Counts a mail to `recipient` and says whether it may be sent. The answer to the client is the same either way.
    pub async fn may_mail(&self, recipient: &str, now: DateTime<Utc>) -> bool {
        let recipient = recipient.to_lowercase();
        // One after the other: a mail that the hour refuses must not use up the day.
        for limit in [PER_HOUR, PER_DAY] {
            if self.hit(limit, &[&recipient], now).await.is_err() {
                return false;
            }
        }
        true
    }
}
