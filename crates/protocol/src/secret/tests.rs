use super::{Secret, Weakness};

fn check(text: &str) -> Result<(), Weakness> {
    Secret::new(text).check()
}

#[test]
fn jw_22_short_secrets_are_refused() {
    for text in ["", "secret", "0123456789", &"x9K2".repeat(7), "hG7kPq2LmZx8Vc4NbT6yRd1Ws3Fj5Ea"] {
        assert_eq!(check(text), Err(Weakness::Short), "{text}");
    }
    // Padding with spaces does not lengthen a secret.
    assert_eq!(check(&format!("{:40}", "hG7kPq2LmZx8")), Err(Weakness::Short));
}

#[test]
fn jw_22_repeated_and_patterned_secrets_are_refused() {
    for text in [
        "a".repeat(64),
        "ab".repeat(20),
        "x9K2mQ7v".repeat(5),
        "0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccc".to_owned(),
        "111111111111111111111111111111112".to_owned(),
    ] {
        assert_eq!(check(&text), Err(Weakness::Repetitive), "{text}");
    }
}

#[test]
fn jw_22_default_and_development_secrets_are_refused() {
    for text in [
        "better-auth-secret-12345678901234567890",
        "better-auth-secret-123456789012345678901234567890",
        "change-me-change-me-change-me-change-me",
        "CHANGE_ME_please_0192837465_qwertyuiop",
        "please-replace-with-a-long-random-value-8261",
        "your-secret-key-goes-here-0192837465ab",
        "my-super-secret-value-that-is-long-enough",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "gatepost-dev-7f3kq9x2m5v8c1z4b6n0p7r5",
    ] {
        assert_eq!(check(text), Err(Weakness::Known), "{text}");
    }
}

#[test]
fn random_secrets_and_the_recorded_one_are_accepted() {
    assert_eq!(check("golden-secret-0123456789abcdefghijklmnopqrstuvwxyz"), Ok(()));
    assert_eq!(check("hG7kPq2LmZx8Vc4NbT6yRd1Ws3Fj5EaQ"), Ok(()));
    assert_eq!(check("9f86d081884c7d659a2feaa0c55ad015"), Ok(()));
    assert_eq!(check("correct horse battery staple plus seven words"), Ok(()));
    for _ in 0..1_000 {
        assert_eq!(Secret::generate().check(), Ok(()));
    }
}

#[test]
fn lg_07_debug_shows_nothing_of_a_secret() {
    assert_eq!(format!("{:?}", Secret::new("hG7kPq2LmZx8")), "Secret(…)");
}
