//! How many text messages go out: to one number, to numbers beside it, and for one network (RL-17, SMS pumping).

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Limit, Limits, RetryAfter};
use crate::phone_number::{self, PhoneNumber};

const HOUR: u32 = 60 * 60;
const DAY: u32 = 24 * HOUR;

impl Limits {
    /// Counts a message to a number that somebody on `network` asks for.
    ///
    /// # Errors
    /// Over one of the limits.
    pub async fn may_text(
        &self,
        limits: &phone_number::Limits,
        number: &PhoneNumber,
        network: &str,
        now: DateTime<Utc>,
    ) -> Result<(), RetryAfter> {
        let limit = |name, window, max| Limit { name, window, max };
        // One after the other: what the first refuses must not use up the others.
        for (limit, subject) in [
            (limit("text-network-hour", HOUR, limits.per_network_hour), network),
            (limit("text-range-hour", HOUR, limits.per_range_hour), number.range()),
            (limit("text-number-hour", HOUR, limits.per_number_hour), number.as_str()),
            (limit("text-number-day", DAY, limits.per_number_day), number.as_str()),
        ] {
            self.hit(limit, &[subject], now).await?;
        }
        Ok(())
    }
}

/// The network of an address, as far as one customer of a provider may reach: IPv4 /24, IPv6 /48.
#[must_use]
pub fn network(address: &str) -> String {
    let network = match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => Ipv4Net::new(address, 24).map(|it| IpNet::V4(it.trunc())),
        Ok(IpAddr::V6(address)) => Ipv6Net::new(address, 48).map(|it| IpNet::V6(it.trunc())),
        Err(_) => return address.to_owned(),
    };
    network.map_or_else(|_| address.to_owned(), |network| network.to_string())
}
