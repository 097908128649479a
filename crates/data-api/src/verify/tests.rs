//! Tests of token verification.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::json;

use super::{Keys, decode};

fn signed(algorithm: &str, kid: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "alg": algorithm, "kid": kid }).to_string();
    let text = format!("{}.{}", B64.encode(header), B64.encode(r#"{"sub":"alice"}"#));
    let tag = sign(text.as_bytes());
    format!("{text}.{}", B64.encode(tag))
}

fn code(token: &str, keys: &Keys) -> String {
    decode(token, Some(keys)).unwrap_err().code.clone()
}

#[test]
fn ed25519_and_p256_keys_of_a_set_verify_their_own_tokens_only() {
    let edwards = Ed25519KeyPair::generate().unwrap();
    let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = curve.public_key().as_ref().to_vec();
    let set = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": "e", "x": B64.encode(edwards.public_key()) },
        { "kty": "EC", "crv": "P-256", "kid": "p", "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..]) },
        { "kty": "unheard-of", "kid": "x" },
    ]});
    let keys = Keys::from_json(set.to_string().as_bytes()).unwrap();
    let by_edwards = signed("EdDSA", "e", |text| edwards.sign(text).as_ref().to_vec());
    let by_curve = signed("ES256", "p", |text| {
        curve.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
    });
    assert_eq!(decode(&by_edwards, Some(&keys)).unwrap()["sub"], "alice");
    assert_eq!(decode(&by_curve, Some(&keys)).unwrap()["sub"], "alice");
    let wrong_key = signed("EdDSA", "p", |text| edwards.sign(text).as_ref().to_vec());
    assert_eq!(code(&wrong_key, &keys), "PGRST301");
}

#[test]
fn a_public_key_never_serves_as_a_shared_secret() {
    let edwards = Ed25519KeyPair::generate().unwrap();
    let public = edwards.public_key().as_ref().to_vec();
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": B64.encode(&public) }] });
    let keys = Keys::from_json(set.to_string().as_bytes()).unwrap();
    let forged = signed("HS256", "", |text| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
        aws_lc_rs::hmac::sign(&key, text).as_ref().to_vec()
    });
    assert_eq!(code(&forged, &keys), "PGRST301");
}

#[test]
fn a_short_secret_is_refused() {
    assert!(Keys::from_secret(b"short", false).is_err());
    assert!(Keys::from_secret(b"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU=", true).is_ok());
}

#[test]
fn malformed_tokens_are_refused() {
    let keys = Keys::from_secret(b"reallyreallyreallyreallyverysafe", false).unwrap();
    for token in ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "e30.e30.e30"] {
        assert_eq!(code(token, &keys), "PGRST301", "{token}");
    }
}
