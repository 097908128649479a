use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{EmailVerification, Refused, issue, verify};
use crate::{
    jwk::{Algorithm, Jwks, SigningKey, encode},
    jwt::Verifier,
    secret::Secret,
};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");
const ISSUED: i64 = 1_795_204_663;

fn secret() -> Secret {
    Secret::new("golden-secret-0123456789abcdefghijklmnopqrstuvwxyz")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(ISSUED, 0).unwrap()
}

fn claims() -> EmailVerification {
    EmailVerification {
        email: "alice@example.com".to_owned(),
        update_to: None,
        request_type: None,
        user_id: None,
        session_challenge: None,
    }
}

fn read(token: &str) -> Result<EmailVerification, Refused> {
    verify(&secret(), token, now())
}

/// Any header and payload, signed with the server's own secret.
fn forge(header: &Value, payload: &Value) -> String {
    use aws_lc_rs::hmac;
    let signed = format!("{}.{}", encode(header.to_string()), encode(payload.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret().as_bytes());
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
}

#[test]
fn recorded_tokens_verify_and_ours_are_the_same_bytes() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let recorded = &vectors["emailVerificationToken"];
    let lifetime = 2_110_564_663 - ISSUED;
    let change = EmailVerification {
        update_to: Some("new@example.com".to_owned()),
        request_type: Some("change-email-verification".to_owned()),
        ..claims()
    };
    for (name, expected) in [("sample", claims()), ("changeEmail", change)] {
        let token = recorded[name].as_str().unwrap();
        assert_eq!(read(token), Ok(expected.clone()));
        assert_eq!(issue(&secret(), &expected, now(), lifetime).unwrap(), token);
    }
}

#[test]
fn a_token_ends_at_its_second() {
    let token = issue(&secret(), &claims(), now(), 3600).unwrap();
    let after = |seconds| now() + TimeDelta::seconds(seconds);
    let at = |time| verify::<EmailVerification>(&secret(), &token, time);
    assert_eq!(at(after(3599)), Ok(claims()));
    assert_eq!(at(after(3600)), Err(Refused::Expired));
    // Only a genuine token is called expired.
    let forged = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(verify::<EmailVerification>(&secret(), &forged, after(3600)), Err(Refused::Invalid));
    let other = Secret::generate();
    assert_eq!(verify::<EmailVerification>(&other, &token, after(3600)), Err(Refused::Invalid));
}

#[test]
fn jw_11_a_mail_token_is_no_other_token_and_no_other_token_is_a_mail_token() {
    let header = json!({"alg": "HS256"});
    let dates = json!({"iat": ISSUED, "exp": ISSUED + 60});
    let with = |members: Value| {
        let mut payload = dates.clone();
        for (name, value) in members.as_object().unwrap() {
            payload[name] = value.clone();
        }
        forge(&header, &payload)
    };
    assert!(read(&with(json!({"email": "a@b"}))).is_ok());
    // The cookie cache, one-time tokens, access tokens: same secret, other claims.
    for payload in [
        json!({"session": {}, "user": {"email": "a@b"}, "updatedAt": 1, "version": "1"}),
        json!({"email": "a@b", "session": {}}),
        json!({"email": "a@b", "sub": "1", "iss": "x", "aud": "x"}),
        json!({}),
        json!({"email": ["a@b"]}),
        json!({"email": null}),
    ] {
        assert_eq!(read(&with(payload.clone())), Err(Refused::Invalid), "{payload}");
    }

    // An access token is no mail token, whatever it claims, and the reverse.
    let key = SigningKey::generate(Algorithm::EdDsa, "k").unwrap();
    let access = key.sign(&json!({"email": "a@b", "iat": ISSUED, "exp": ISSUED + 60})).unwrap();
    assert_eq!(read(&access), Err(Refused::Invalid));
    let mail = with(json!({"email": "a@b", "iss": "i", "aud": "a", "sub": "s"}));
    let rejection = Verifier::new("i", "a").verify(&mail, &Jwks::of([&key]).unwrap(), now());
    assert_eq!(rejection.unwrap_err().reason(), "alg is not EdDSA, ES256 or RS256");
}

#[test]
fn other_headers_and_dates_are_refused() {
    let payload = json!({"email": "a@b", "iat": ISSUED, "exp": ISSUED + 60});
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS512"}),
        json!({"alg": ["HS256"]}),
        json!({}),
        json!({"typ": "JWT"}),
        json!({"alg": "HS256", "typ": "at+jwt"}),
        json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        json!({"alg": "HS256", "zip": "DEF"}),
        json!(["HS256"]),
    ] {
        assert_eq!(read(&forge(&header, &payload)), Err(Refused::Invalid), "{header}");
    }
    assert!(read(&forge(&json!({"alg": "HS256", "typ": "JWT"}), &payload)).is_ok());
    for dates in [
        json!({"email": "a@b", "exp": ISSUED + 60}),
        json!({"email": "a@b", "iat": ISSUED}),
        json!({"email": "a@b", "iat": ISSUED, "exp": "9999999999"}),
        json!({"email": "a@b", "iat": ISSUED, "exp": 1e300}),
        json!({"email": "a@b", "iat": ISSUED, "exp": null}),
        json!([1]),
    ] {
        assert_eq!(
            read(&forge(&json!({"alg": "HS256"}), &dates)),
            Err(Refused::Invalid),
            "{dates}"
        );
    }
}

#[test]
fn se_25_cut_and_extended_tokens_are_refused() {
    let token = issue(&secret(), &claims(), now(), 60).unwrap();
    for length in 0..token.len() {
        assert_eq!(read(&token[..length]), Err(Refused::Invalid));
    }
    for junk in [".", "=", " ", "\n", "\0", "A", ".A"] {
        assert_eq!(read(&format!("{token}{junk}")), Err(Refused::Invalid));
        assert_eq!(read(&format!("{junk}{token}")), Err(Refused::Invalid));
    }
    assert_eq!(read(&"A".repeat(1 << 20)), Err(Refused::Invalid));
}
