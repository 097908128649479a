use serde_json::Value;

use super::{Sealer, Unsealable};
use crate::{jwk::SigningKey, secret::Secret};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");

fn vectors() -> (Value, Sealer) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let sealer = Sealer::single(&Secret::new(vectors["secret"].as_str().unwrap()), &[]);
    (vectors, sealer)
}

#[test]
fn values_sealed_by_better_auth_open() {
    let (vectors, sealer) = vectors();
    let samples = vectors["symmetricEncrypt"]["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    for sample in samples {
        let plain = sealer.open(sample["encrypted"].as_str().unwrap()).unwrap();
        assert_eq!(plain, sample["data"].as_str().unwrap().as_bytes());
    }
}

#[test]
fn a_signing_key_stored_by_better_auth_opens_and_belongs_to_its_public_half() {
    let (vectors, sealer) = vectors();
    let row = &vectors["jwks"]["row"];
    let sealed: String = serde_json::from_str(row["privateKey"].as_str().unwrap()).unwrap();
    let private = String::from_utf8(sealer.open(&sealed).unwrap()).unwrap();
    assert_eq!(private, vectors["jwks"]["decryptedPrivateKey"].as_str().unwrap());

    let key = SigningKey::from_private_jwk(&private, row["id"].as_str().unwrap()).unwrap();
    let public: Value = serde_json::from_str(row["publicKey"].as_str().unwrap()).unwrap();
    assert_eq!(key.public_jwk().unwrap(), public);
    assert_eq!(
        serde_json::from_str::<Value>(&key.private_jwk().unwrap()).unwrap(),
        serde_json::from_str::<Value>(&private).unwrap()
    );
}

#[test]
fn sealing_is_fresh_every_time_and_opens_again() {
    let (_, sealer) = vectors();
    let (first, second) = (sealer.seal(b"hello"), sealer.seal(b"hello"));
    assert_ne!(first, second);
    assert_eq!(first.len(), 2 * (24 + 5 + 16));
    assert_eq!(sealer.open(&first).unwrap(), b"hello");
    assert_eq!(sealer.open(&sealer.seal(b"")).unwrap(), b"");
}

#[test]
fn jw_22_rotation_seals_under_the_new_secret_and_opens_the_old_ones() {
    let (first, second, bare) = (Secret::generate(), Secret::generate(), Secret::generate());
    let unversioned = Sealer::single(&bare, &[]).seal(b"before versions");
    let before = Sealer::versioned((1, &first), &[], Some(&bare));
    let sealed = before.seal(b"old");
    assert!(sealed.starts_with("$ba$1$"));

    let after = Sealer::versioned((2, &second), &[(1, first.clone())], Some(&bare));
    assert_eq!(after.open(&sealed).unwrap(), b"old");
    assert_eq!(after.open(&unversioned).unwrap(), b"before versions");
    assert!(!after.is_current(&sealed) && !after.is_current(&unversioned));
    let resealed = after.seal(b"old");
    assert!(resealed.starts_with("$ba$2$") && after.is_current(&resealed));

    // The old version has gone: nothing falls back to another secret.
    let later = Sealer::versioned((2, &second), &[], None);
    assert_eq!(later.open(&sealed), Err(Unsealable::UnknownVersion(1)));
    assert_eq!(later.open(&unversioned), Err(Unsealable::UnknownBare));
    assert_eq!(later.open(&sealed.replace("$ba$1$", "$ba$2$")), Err(Unsealable::Refused));
    assert_eq!(before.open(&resealed), Err(Unsealable::UnknownVersion(2)));
}

#[test]
fn every_altered_or_malformed_value_is_refused() {
    let (_, sealer) = vectors();
    let sealed = sealer.seal(b"hello");
    for position in 0..sealed.len() {
        let mut other = sealed.clone().into_bytes();
        other[position] = if other[position] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(sealer.open(&other), Err(Unsealable::Refused), "{position}");
    }
    for text in [
        "",
        "zz",
        &sealed[..78],
        &sealed[1..],
        "$ba$",
        "$ba$1",
        "$ba$$00",
        "$ba$x$00",
        "$ba$-1$00",
        "$ba$+1$00",
        "$ba$99999999999$00",
    ] {
        assert_eq!(sealer.open(text), Err(Unsealable::Malformed), "{text}");
    }
    assert_eq!(sealer.open(&"00".repeat(1 << 20)), Err(Unsealable::Malformed));
    let other = Sealer::single(&Secret::generate(), &[]);
    assert_eq!(other.open(&sealed), Err(Unsealable::Refused));
}

#[test]
fn lg_07_debug_shows_nothing_of_a_sealer_or_a_signing_key() {
    let (vectors, sealer) = vectors();
    assert_eq!(format!("{sealer:?}"), "Sealer(version None, 0 older)");
    let private = vectors["jwks"]["decryptedPrivateKey"].as_str().unwrap();
    let key = SigningKey::from_private_jwk(private, "the-kid").unwrap();
    assert_eq!(format!("{key:?}"), r#"SigningKey(EdDsa, kid "the-kid")"#);
}

#[test]
fn what_an_earlier_secret_sealed_without_a_version_still_opens() {
    let (old, new) = (Secret::generate(), Secret::generate());
    let sealed = Sealer::single(&old, &[]).seal(b"from before the rotation");
    assert_eq!(Sealer::single(&new, &[]).open(&sealed), Err(Unsealable::Refused));
    let rotated = Sealer::single(&new, &[old]);
    assert_eq!(rotated.open(&sealed).unwrap(), b"from before the rotation");
    assert_eq!(rotated.open(&rotated.seal(b"since")).unwrap(), b"since");
}
