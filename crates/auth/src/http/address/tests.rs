use std::net::IpAddr;

use super::{ClientAddress, Resolved, SHARED_BUCKET};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn resolved(text: &str) -> Resolved {
    Resolved { bucket: text.to_owned(), stored: text.to_owned() }
}

fn unknown() -> Resolved {
    Resolved { bucket: SHARED_BUCKET.to_owned(), stored: String::new() }
}

fn proxies(networks: &[&str]) -> ClientAddress {
    ClientAddress::Proxies(networks.iter().map(|network| network.parse().unwrap()).collect())
}

#[test]
fn rl_02_forwarding_headers_from_a_peer_that_is_no_proxy_are_ignored() {
    for mode in [ClientAddress::Peer, proxies(&["10.0.0.0/8"])] {
        for i in 0..20 {
            let spoofed = format!("198.51.100.{i}");
            assert_eq!(mode.resolve(ip("203.0.113.9"), &[&spoofed]), resolved("203.0.113.9"));
            assert_eq!(
                mode.resolve(ip("203.0.113.9"), &[&spoofed, "10.0.0.1"]),
                resolved("203.0.113.9")
            );
        }
    }
}

#[test]
fn rl_03_the_chain_is_walked_from_the_right() {
    let mode = proxies(&["10.0.0.0/8"]);
    let peer = ip("10.0.0.5");
    for i in 0..20 {
        let chain = format!("203.0.113.{i}, 198.51.100.10");
        assert_eq!(mode.resolve(peer, &[&chain]), resolved("198.51.100.10"));
        let over_proxies = format!("203.0.113.{i}, 198.51.100.10, 10.1.2.3");
        assert_eq!(mode.resolve(peer, &[&over_proxies]), resolved("198.51.100.10"));
        let spoofed = format!("203.0.113.{i}");
        assert_eq!(
            mode.resolve(peer, &[&spoofed, "198.51.100.10", "10.1.2.3"]),
            resolved("198.51.100.10")
        );
    }
    assert_eq!(
        mode.resolve(ip("::ffff:10.0.0.5"), &["::ffff:198.51.100.10"]),
        resolved("198.51.100.10")
    );
}

#[test]
fn rl_03_a_chain_that_names_nobody_falls_into_the_shared_bucket() {
    let mode = proxies(&["10.0.0.0/8", "2001:db8:1::/48"]);
    for chain in
        ["10.0.0.1, 10.0.0.2", "2001:db8:1::7", "198.51.100.10, garbage", "198.51.100.10,", ""]
    {
        assert_eq!(mode.resolve(ip("10.0.0.5"), &[chain]), unknown(), "{chain:?}");
    }
    assert_eq!(mode.resolve(ip("10.0.0.5"), &[]), unknown());
}

#[test]
fn rl_04_an_unparsable_address_is_counted_in_the_shared_bucket() {
    let commas = "1,".repeat(5_000);
    for value in [
        "a",
        "",
        ",",
        "unknown",
        "fe80::1%eth0",
        "[2001:db8::1]",
        "198.51.100.7:443",
        "1.2.3",
        &commas,
    ] {
        for mode in [proxies(&["10.0.0.0/8"]), ClientAddress::SingleHop] {
            assert_eq!(mode.resolve(ip("10.0.0.5"), &[value]), unknown(), "{value:.20?} {mode:?}");
        }
    }
}

#[test]
fn rl_05_one_ipv6_network_is_one_bucket() {
    for mode in [ClientAddress::SingleHop, proxies(&["10.0.0.0/8"])] {
        let buckets: std::collections::HashSet<String> = (0..1_000u32)
            .map(|i| mode.resolve(ip("10.0.0.5"), &[&format!("2001:db8:7:9:{i:x}::{i:x}")]).bucket)
            .collect();
        assert_eq!(
            buckets.into_iter().collect::<Vec<_>>(),
            ["2001:0db8:0007:0009:0000:0000:0000:0000"]
        );
    }
    assert_ne!(
        ClientAddress::Peer.resolve(ip("2001:db8::1"), &[]),
        ClientAddress::Peer.resolve(ip("2001:db8:0:1::1"), &[])
    );
}

#[test]
fn rl_05_spellings_of_one_address_are_one_bucket() {
    let full = resolved("2001:0db8:0000:0000:0000:0000:0000:0000");
    for spelling in ["2001:DB8::1", "2001:db8:0::1", "2001:0db8:0000:0000:0000:0000:0000:0001"] {
        assert_eq!(ClientAddress::SingleHop.resolve(ip("127.0.0.1"), &[spelling]), full);
        assert_eq!(ClientAddress::Peer.resolve(ip(spelling), &[]), full);
    }
    for spelling in ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:FFFF:C000:0201"]
    {
        assert_eq!(
            ClientAddress::SingleHop.resolve(ip("127.0.0.1"), &[spelling]),
            resolved("192.0.2.1")
        );
        assert_eq!(ClientAddress::Peer.resolve(ip(spelling), &[]), resolved("192.0.2.1"));
    }
}

#[test]
fn a_single_hop_is_read_as_better_auth_reads_it() {
    let mode = ClientAddress::SingleHop;
    let peer = ip("127.0.0.1");
    assert_eq!(mode.resolve(peer, &["198.51.100.7"]), resolved("198.51.100.7"));
    assert_eq!(mode.resolve(peer, &[" 198.51.100.7 ,"]), resolved("198.51.100.7"));
    assert_eq!(mode.resolve(peer, &["198.51.100.7, 10.0.0.1"]), unknown());
    assert_eq!(mode.resolve(peer, &["198.51.100.7", "10.0.0.1"]), unknown());
    assert_eq!(mode.resolve(peer, &["garbage"]), unknown());
    assert_eq!(mode.resolve(peer, &[]), unknown());
}
