//! Digests under which secrets of single use are stored.

use aws_lc_rs::{digest, hmac};

use crate::jwk::encode;

/// SHA-256 of a session token: what the database keeps instead of it.
#[must_use]
pub fn sha256(value: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let digest = digest::digest(&digest::SHA256, value);
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(target, byte)| *target = *byte);
    bytes
}

/// `base64url(SHA-256(value))` without padding: Better Auth's hashed identifiers, codes, API keys.
#[must_use]
pub fn sha256_base64url(value: &str) -> String {
    encode(sha256(value.as_bytes()))
}

/// What a trusted device's cookie holds before it is signed:
/// `base64url(HMAC-SHA256(secret, user "!" trust)) "!" trust`.
#[must_use]
pub fn trust_device(secret: &[u8], user_id: &str, trust_id: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{user_id}!{trust_id}").as_bytes());
    format!("{}!{trust_id}", encode(tag))
}

#[cfg(test)]
mod tests;
