use serde_json::Value;

use super::{sha256, sha256_base64url, trust_device};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");

#[test]
fn recorded_identifiers_and_devices_have_these_digests() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let text = |group: &str, name: &str| vectors[group][name].as_str().unwrap();
    let hashed = sha256_base64url(text("hashedIdentifiers", "value"));
    assert_eq!(hashed, text("hashedIdentifiers", "hash"));
    let (user, trust) = (text("trustDevice", "userId"), text("trustDevice", "trustId"));
    let value = trust_device(vectors["secret"].as_str().unwrap().as_bytes(), user, trust);
    assert_eq!(value, format!("{}!{trust}", text("trustDevice", "mac")));
}

#[test]
fn sha_256_is_that_of_fips_180() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(sha256(b"abc")), expected);
}
