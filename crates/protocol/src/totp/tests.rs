use chrono::DateTime;
use serde_json::Value;

use super::{base32, code, from_base32, key, uri, verify};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");

#[test]
fn recorded_codes_and_uri_are_ours() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let totp = &vectors["totp"];
    let secret = key(totp["secret"].as_str().unwrap()).unwrap();
    for (counter, name) in [(0, "counter0"), (1, "counter1"), (57_000_000, "counter57000000")] {
        assert_eq!(code(&secret, counter), totp["hotp"][name].as_str().unwrap());
    }
    assert_eq!(uri("Golden App", "alice@example.com", &secret), totp["uri"].as_str().unwrap());
}

#[test]
fn the_vectors_of_rfc_4226_hold() {
    let codes = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ];
    for (counter, expected) in (0..).zip(codes) {
        assert_eq!(code(b"12345678901234567890", counter), expected);
    }
}

#[test]
fn the_vectors_of_rfc_4648_hold() {
    let pairs = [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ];
    for (plain, expected) in pairs {
        assert_eq!(base32(plain.as_bytes()), expected);
        assert_eq!(from_base32(expected).unwrap(), plain.as_bytes());
    }
}

#[test]
fn a_code_fits_its_step_and_the_two_beside_it() {
    let secret = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";
    let presented = code(secret, 1_000);
    let at = |seconds| verify(secret, &presented, DateTime::from_timestamp(seconds, 0).unwrap());
    for seconds in [29_970, 30_000, 30_029, 30_059] {
        assert_eq!(at(seconds), Some(1_000), "{seconds}");
    }
    for seconds in [29_969, 30_060, 0, -1, -100_000] {
        assert_eq!(at(seconds), None, "{seconds}");
    }
    let now = DateTime::from_timestamp(30_000, 0).unwrap();
    for other in ["", "000000", &presented[1..], &format!("{presented}0"), &format!(" {presented}")]
    {
        assert!(other == presented || verify(secret, other, now).is_none(), "{other}");
    }
}

#[test]
fn an_imported_secret_is_the_bytes_it_spells() {
    assert_eq!(key("base32:mzxw6ytboi======").unwrap(), b"foobar");
    assert_eq!(key("MZXW6YTBOI").unwrap(), b"MZXW6YTBOI");
    assert_eq!(key("base32:1"), None);
}
