//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// Special-purpose blocks of the IANA registries (RFC 6890 and its successors), besides those the standard library names.
const NOT_PUBLIC_4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Outside of 2000::/3 nothing is public; inside it these are not.
const NOT_PUBLIC_6: &[&str] = &["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// Whether an address is one of the public internet. An IPv4 address inside an IPv6 one counts as itself.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !within(NOT_PUBLIC_4, address.into()),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public(inner),
            None => {
                let global = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
                global.contains(&address) && !within(NOT_PUBLIC_6, address.into())
            }
        },
    }
}

/// The IPv4 address that a NAT64 translator would call (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<IpAddr> {
    let prefix = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
    let [.., a, b, c, d] = address.octets();
    prefix.contains(&address).then(|| IpAddr::from([a, b, c, d]))
}

fn within(blocks: &[&str], address: IpAddr) -> bool {
    blocks
        .iter()
        .filter_map(|block| block.parse::<IpNet>().ok())
        .any(|block| block.contains(&address))
}
