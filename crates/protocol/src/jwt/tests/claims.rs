use serde_json::{Value, json};

use super::{ISSUER, NOW, World, claims};

/// The claims as text, with one member's JSON replaced: some of it serde_json would not write.
fn text_with(name: &str, value: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    let rest = claims.to_string();
    format!("{{\"{name}\":{value},{}", &rest[1..])
}

const HEADER: &str = r#"{"alg":"EdDSA","kid":"kid-1"}"#;

/// What no date may be.
const NO_DATES: [&str; 14] = [
    "\"99999999999\"",
    "1e400",
    "-1",
    "-1e10",
    "1795204700.5",
    "1795204700.0",
    "1.7952047e9",
    "null",
    "true",
    "[]",
    "[1795204700]",
    "{}",
    "18446744073709551615",
    "99999999999999999999999999",
];

#[test]
fn jw_07_exp_is_a_whole_number_between_now_and_the_longest_life() {
    let world = World::new();
    for value in NO_DATES {
        assert!(world.check(&world.signed(HEADER, &text_with("exp", value))).is_err(), "{value}");
    }
    assert!(world.with(|claims| drop(claims.as_object_mut().unwrap().remove("exp"))).is_err());
    let expires = |at: i64| world.with(|claims| claims["exp"] = json!(at));
    for at in [0, NOW - 1, NOW, NOW + 86_401, NOW + 10 * 31_536_000, i64::MAX, i64::MIN] {
        assert!(expires(at).is_err(), "{at}");
    }
    for at in [NOW + 1, NOW + 900, NOW + 86_400] {
        assert!(expires(at).is_ok(), "{at}");
    }
    // Issued long ago with the right end: it has lived too long.
    assert!(world.with(|claims| claims["iat"] = json!(NOW - 31_536_000)).is_err());
    assert!(world.with(|claims| claims["iat"] = json!(0)).is_err());
}

#[test]
fn jw_08_iat_and_nbf_may_lie_ahead_by_30_seconds() {
    let world = World::new();
    for name in ["iat", "nbf"] {
        for value in NO_DATES {
            let token = world.signed(HEADER, &text_with(name, value));
            assert!(world.check(&token).is_err(), "{name} {value}");
        }
        let ahead = |seconds: i64| world.with(|claims| claims[name] = json!(NOW + seconds));
        for seconds in [-1, 0, 29, 30] {
            assert!(ahead(seconds).is_ok(), "{name} {seconds}");
        }
        for seconds in [31, 60, 800, i64::MAX - NOW] {
            assert!(ahead(seconds).is_err(), "{name} {seconds}");
        }
    }
    assert!(world.with(|claims| drop(claims.as_object_mut().unwrap().remove("iat"))).is_err());
    // More leeway cannot be configured.
    let mut lax = World::new();
    lax.verifier.leeway = u32::MAX;
    assert!(lax.with(|claims| claims["nbf"] = json!(NOW + 30)).is_ok());
    assert!(lax.with(|claims| claims["nbf"] = json!(NOW + 31)).is_err());
    let mut strict = World::new();
    strict.verifier.leeway = 0;
    assert!(strict.with(|claims| claims["nbf"] = json!(NOW)).is_ok());
    assert!(strict.with(|claims| claims["nbf"] = json!(NOW + 1)).is_err());
}

#[test]
fn jw_09_aud_must_contain_ours() {
    let world = World::new();
    let audience = |value: Value| world.with(|claims| claims["aud"] = value);
    for value in [
        json!(""),
        json!([]),
        json!(null),
        json!("https://other.example"),
        json!(["https://other.example"]),
        json!([1]),
        json!([1, ISSUER]),
        json!([ISSUER, null]),
        json!([[ISSUER]]),
        json!({ISSUER: 1}),
        json!(1),
        json!(true),
        json!(format!("{ISSUER}/")),
        json!(ISSUER.to_uppercase()),
        json!(format!("{ISSUER} https://other.example")),
        json!(vec!["x"; 10_000]),
    ] {
        assert!(audience(value.clone()).is_err(), "{value:.60}");
    }
    assert!(world.with(|claims| drop(claims.as_object_mut().unwrap().remove("aud"))).is_err());
    assert!(audience(json!(["https://other.example", ISSUER])).is_ok());
    // A verifier without an audience accepts nothing, not everything.
    let mut unset = World::new();
    unset.verifier.audiences = Vec::new();
    assert!(unset.with(|_| ()).is_err());
    unset.verifier.audiences = vec![String::new()];
    assert!(unset.with(|claims| claims["aud"] = json!("")).is_err());
}

#[test]
fn jw_10_iss_is_compared_exactly() {
    let world = World::new();
    for issuer in [
        json!("https://auth.example.test/"),
        json!("http://auth.example.test"),
        json!("https://AUTH.example.test"),
        json!("https://auth.example.test:443"),
        json!("https://auth.example.test/other-tenant"),
        json!(" https://auth.example.test"),
        json!([ISSUER]),
        json!(null),
        json!(""),
    ] {
        assert!(world.with(|claims| claims["iss"] = issuer.clone()).is_err(), "{issuer}");
    }
    assert!(world.with(|claims| drop(claims.as_object_mut().unwrap().remove("iss"))).is_err());
}

#[test]
fn sub_is_a_string_with_something_in_it() {
    let world = World::new();
    for subject in [json!(null), json!(""), json!(1), json!(["user-1"])] {
        assert!(world.with(|claims| claims["sub"] = subject.clone()).is_err(), "{subject}");
    }
    assert!(world.with(|claims| drop(claims.as_object_mut().unwrap().remove("sub"))).is_err());
}
