//! Which address a request came from, and the bucket its limits count in.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The bucket that requests without a trustworthy address share: closed, never unlimited (RL-04).
pub const SHARED_BUCKET: &str = "no-trusted-ip";

/// Where the client's address is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// The socket's peer. Forwarding headers are ignored (RL-02).
    Peer,
    /// `X-Forwarded-For`, walked from the right past these networks; a peer outside of them is the client itself.
    Proxies(Vec<IpNet>),
    /// `X-Forwarded-For` with exactly one hop, as Better Auth without configured proxies. Anybody who can reach the
    /// server directly can choose the address: for tests and migrations only.
    SingleHop,
}

/// A client's address in the two forms that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Names the client in limits: an IPv4 address, an IPv6 /64, or [`SHARED_BUCKET`].
    pub bucket: String,
    /// What a session row holds: the same in full, or empty when unknown.
    pub stored: String,
}

impl ClientAddress {
    /// The client of a request from `peer` with these `X-Forwarded-For` headers, in order.
    #[must_use]
    pub fn resolve(&self, peer: IpAddr, forwarded_for: &[&str]) -> Resolved {
        let client = match self {
            Self::Peer => Some(peer.to_canonical()),
            Self::Proxies(proxies) => behind_proxies(proxies, peer.to_canonical(), forwarded_for),
            Self::SingleHop => single_hop(forwarded_for),
        };
        client.map_or_else(
            || Resolved { bucket: SHARED_BUCKET.to_owned(), stored: String::new() },
            |client| {
                let text = network(client);
                Resolved { bucket: text.clone(), stored: text }
            },
        )
    }
}

/// The right-most hop that is not a proxy: what is left of it was written by the client (RL-03). A malformed hop or a
/// chain of nothing but proxies names nobody.
fn behind_proxies(proxies: &[IpNet], peer: IpAddr, forwarded_for: &[&str]) -> Option<IpAddr> {
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer) {
        return Some(peer);
    }
    for hop in forwarded_for.iter().rev().flat_map(|value| value.rsplit(',')) {
        let address = parse(hop)?;
        if !trusted(&address) {
            return Some(address);
        }
    }
    None
}

fn single_hop(forwarded_for: &[&str]) -> Option<IpAddr> {
    let mut hops = forwarded_for
        .iter()
        .flat_map(|value| value.split(','))
        .filter(|hop| !hop.trim().is_empty());
    let only = hops.next()?;
    if hops.next().is_some() { None } else { parse(only) }
}

/// Without zone, port or brackets; an IPv4-mapped IPv6 address is the IPv4 address (RL-05).
fn parse(hop: &str) -> Option<IpAddr> {
    hop.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// An IPv4 address as it is. Of an IPv6 address the /64, which one subscriber has to himself (RL-05), with all its
/// digits, as Better Auth stores it.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            network.segments().map(|segment| format!("{segment:04x}")).join(":")
        }
    }
}
