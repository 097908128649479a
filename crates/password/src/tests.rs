use serde_json::Value;

use super::{Format, Refused, Scheme, Verdict, dummy, hash, identify, verify};

mod foreign;
mod hostile;

const VECTORS: &str = include_str!("../../../conformance/better-auth/vectors.json");
const MATCH: Result<Verdict, Refused> = Ok(Verdict::Match { rehash: false });
const FOREIGN: Result<Verdict, Refused> = Ok(Verdict::Match { rehash: true });
const MISMATCH: Result<Verdict, Refused> = Ok(Verdict::Mismatch);

#[test]
fn hashes_recorded_from_better_auth_verify() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let samples = vectors["password"]["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 4);
    for sample in samples {
        let (stored, password) =
            (sample["hash"].as_str().unwrap(), sample["password"].as_str().unwrap());
        assert_eq!(identify(stored), Some(Format::BetterAuth));
        assert_eq!(verify(stored, password), MATCH, "{password}");
        assert_eq!(verify(stored, &format!("{password} ")), MISMATCH, "{password}");
    }
}

#[test]
fn the_password_is_normalised_as_better_auth_does() {
    let stored = hash("pässwörd-Å-ﬁ", Scheme::Scrypt).unwrap();
    // Decomposed letters, the Ångström sign and plain `fi` are the same under NFKC.
    assert_eq!(verify(&stored, "pa\u{308}sswo\u{308}rd-\u{212b}-fi"), MATCH);
    assert_eq!(verify(&stored, "passwörd-Å-ﬁ"), MISMATCH);
}

#[test]
fn new_hashes_have_the_announced_formats_and_fresh_salts() {
    let (first, second) =
        (hash("one", Scheme::Scrypt).unwrap(), hash("one", Scheme::Scrypt).unwrap());
    assert_ne!(first, second);
    assert_eq!(first.len(), 32 + 1 + 128);
    assert_eq!(identify(&first), Some(Format::BetterAuth));
    assert_eq!(verify(&first, "one"), MATCH);

    let argon = hash("one", Scheme::Argon2id).unwrap();
    assert!(argon.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon}");
    assert_eq!(identify(&argon), Some(Format::Argon2));
    assert_eq!((verify(&argon, "one"), verify(&argon, "two")), (MATCH, MISMATCH));
}

#[test]
fn pw_01_an_oversized_password_is_refused_before_any_work() {
    let long = "x".repeat(4097);
    let stored = "00".repeat(16) + ":" + &"00".repeat(64);
    assert_eq!(verify(&stored, &long), Err(Refused::PasswordTooLong));
    assert_eq!(hash(&long, Scheme::Scrypt), Err(Refused::PasswordTooLong));
    assert_eq!(hash(&long, Scheme::Argon2id), Err(Refused::PasswordTooLong));
}

#[test]
fn pw_02_passwords_differ_by_every_character_space_and_case() {
    let password = format!("{}Zz", "a".repeat(126));
    for scheme in [Scheme::Scrypt, Scheme::Argon2id] {
        let stored = hash(&password, scheme).unwrap();
        assert_eq!(verify(&stored, &password), MATCH);
        for position in [0, 71, 72, 73, 126, 127] {
            let mut other = password.clone().into_bytes();
            other[position] ^= 0x01;
            let other = String::from_utf8(other).unwrap();
            assert_eq!(verify(&stored, &other), MISMATCH, "{position}");
        }
        for other in [
            format!("{password} "),
            format!(" {password}"),
            format!("{password}\0"),
            password.to_lowercase(),
            password[..127].to_owned(),
        ] {
            assert_eq!(verify(&stored, &other), MISMATCH, "{other:?}");
        }
    }
}

#[test]
fn the_work_for_unknown_users_runs_to_its_end() {
    // A malformed constant would return at once: the same texts must compare, not be refused.
    dummy("Passw0rd!golden", Scheme::Scrypt);
    dummy("anything", Scheme::Argon2id);
    assert_eq!(verify(super::DUMMY_SCRYPT, "anything"), MISMATCH);
    assert_eq!(verify(super::DUMMY_ARGON2ID, "anything"), MISMATCH);
}
