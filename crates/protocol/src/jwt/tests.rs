use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{LONGEST, Rejection, Verifier};
use crate::jwk::{Algorithm, Jwks, SigningKey, encode};

mod claims;
mod shape;

const NOW: i64 = 1_795_204_663;
const ISSUER: &str = "https://auth.example.test";

/// One active Ed25519 key, issuer and audience configured.
struct World {
    key: SigningKey,
    jwks: Jwks,
    verifier: Verifier,
}

impl World {
    fn new() -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa, "kid-1").unwrap();
        let jwks = Jwks::of([&key]).unwrap();
        Self { key, jwks, verifier: Verifier::new(ISSUER, ISSUER) }
    }

    fn check(&self, token: &str) -> Result<super::Claims, &'static str> {
        let now: DateTime<Utc> = DateTime::from_timestamp(NOW, 0).unwrap();
        self.verifier.verify(token, &self.jwks, now).map_err(Rejection::reason)
    }

    /// A token with this payload text, signed by the right key.
    fn signed(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        format!("{signed}.{}", self.signature(&signed))
    }

    fn signature(&self, signed: &str) -> String {
        // The same key signs any text: take its seed.
        let private: Value = serde_json::from_str(&self.key.private_jwk().unwrap()).unwrap();
        let seed = crate::jwk::decode(private["d"].as_str().unwrap()).unwrap();
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        encode(pair.sign(signed.as_bytes()))
    }

    /// Accepted apart from what `change` does to the claims.
    fn with(&self, change: impl FnOnce(&mut Value)) -> Result<super::Claims, &'static str> {
        let mut claims = claims();
        change(&mut claims);
        self.check(&self.key.sign(&claims).unwrap())
    }

    fn with_header(&self, header: &Value) -> Result<super::Claims, &'static str> {
        self.check(&self.signed(&header.to_string(), &claims().to_string()))
    }
}

fn claims() -> Value {
    json!({
        "sub": "user-1", "iss": ISSUER, "aud": ISSUER, "iat": NOW, "exp": NOW + 900,
        "role": "authenticated"
    })
}

#[test]
fn a_token_of_each_algorithm_verifies_by_its_own_key() {
    let keys: Vec<SigningKey> = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
        .into_iter()
        .map(|algorithm| SigningKey::generate(algorithm, algorithm.name()).unwrap())
        .collect();
    let world =
        World { jwks: Jwks::parse(&Jwks::of(&keys).unwrap().to_json()).unwrap(), ..World::new() };
    for key in &keys {
        let claims = world.check(&key.sign(&claims()).unwrap()).unwrap();
        assert_eq!(claims.subject(), "user-1");
        assert_eq!((claims.issued_at(), claims.expires_at()), (NOW, NOW + 900));
        assert_eq!(claims.get("role"), Some(&json!("authenticated")));
    }
}

#[test]
fn jw_01_alg_none_is_refused_in_every_spelling() {
    let world = World::new();
    let header = |alg: Value| json!({"alg": alg, "kid": "kid-1"});
    for alg in ["none", "None", "NONE", "nOnE", "", "eddsa", "EDDSA", "EdDSA ", "Ed25519"] {
        let header = header(json!(alg));
        assert!(world.with_header(&header).is_err(), "{alg}");
        let unsigned = format!("{}.{}.", encode(header.to_string()), encode(claims().to_string()));
        assert!(world.check(&unsigned).is_err(), "{alg}");
    }
    for alg in [json!(null), json!(["EdDSA"]), json!({"EdDSA": 1}), json!(0), json!(true)] {
        assert!(world.with_header(&header(alg.clone())).is_err(), "{alg}");
    }
    assert!(world.with_header(&json!({"kid": "kid-1"})).is_err());
    // A good header without a signature, and nothing but dots.
    let good = world.key.sign(&claims()).unwrap();
    assert!(world.check(&good).is_ok());
    assert!(world.check(&good[..=good.rfind('.').unwrap()]).is_err());
    for text in ["", ".", "..", "...", "a.b.c"] {
        assert!(world.check(text).is_err(), "{text}");
    }
}

#[test]
fn jw_02_hmac_keyed_with_the_public_key_is_refused() {
    let world = World::new();
    let jwk = world.key.published_jwk().unwrap();
    let x = jwk["x"].as_str().unwrap().to_owned();
    let raw = crate::jwk::decode(&x).unwrap();
    let der = [hex::decode("302a300506032b6570032100").unwrap(), raw.clone()].concat();
    let pem = {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der))
    };
    let secrets: [Vec<u8>; 7] = [
        jwk.to_string().into_bytes(),
        world.jwks.to_json().into_bytes(),
        raw,
        x.into_bytes(),
        pem.into_bytes(),
        der,
        Vec::new(),
    ];
    let algorithms =
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
    for (name, algorithm) in algorithms {
        for secret in &secrets {
            for alg in [name, "EdDSA"] {
                let header = json!({"alg": alg, "kid": "kid-1"}).to_string();
                let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
                assert!(world.check(&format!("{signed}.{}", encode(tag))).is_err());
            }
        }
    }
}

#[test]
fn jw_03_the_algorithm_must_be_the_keys() {
    let world = World::new();
    for alg in ["RS256", "ES256", "PS256", "Ed448", "ES384", "RS512", "HS256"] {
        assert!(world.with_header(&json!({"alg": alg, "kid": "kid-1"})).is_err(), "{alg}");
    }
    // Each key under the name of each other algorithm.
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    for signer in algorithms {
        let key = SigningKey::generate(signer, "kid-1").unwrap();
        for published in algorithms {
            let other = SigningKey::generate(published, "kid-1").unwrap();
            let jwks = Jwks::of([if signer == published { &key } else { &other }]).unwrap();
            let world = World { jwks, ..World::new() };
            let verdict = world.check(&key.sign(&claims()).unwrap());
            assert_eq!(verdict.is_ok(), signer == published, "{signer:?} {published:?}");
        }
    }
}

#[test]
fn jw_04_a_key_in_the_token_is_refused() {
    let world = World::new();
    let attacker = SigningKey::generate(Algorithm::EdDsa, "kid-1").unwrap();
    let jwk = attacker.published_jwk().unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://attacker.test/jwks")),
        ("x5u", json!("https://attacker.test/cert")),
        ("x5c", json!(["MII"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
    ] {
        let mut header = json!({"alg": "EdDSA", "kid": "kid-1"});
        header[name] = value;
        // Even under the right signature such a header is not ours.
        assert!(world.with_header(&header).is_err(), "{name}");
    }
    assert!(world.check(&attacker.sign(&claims()).unwrap()).is_err());
}

#[test]
fn jw_05_any_other_kid_is_refused() {
    let world = World::new();
    let long = "k".repeat(10_000);
    for kid in [
        json!("../../dev/null"),
        json!("' or 1=1--"),
        json!("https://attacker.test/jwks"),
        json!(long),
        json!(1),
        json!(null),
        json!(["kid-1"]),
        json!({"kid-1": 1}),
        json!(true),
        json!("kid-1\0"),
        json!("\0"),
        json!(""),
        json!("KID-1"),
        json!(" kid-1"),
        json!("\n\u{1b}[31mforged log line"),
    ] {
        let header = json!({"alg": "EdDSA", "kid": kid});
        let reason = world.with_header(&header).unwrap_err();
        // The reason goes to logs: it holds nothing of the token.
        assert!(reason.is_ascii() && !reason.contains('\n') && reason.len() < 60, "{reason}");
    }
    assert!(world.with_header(&json!({"alg": "EdDSA"})).is_err());
    // Another tenant's key of the same id.
    let other = World::new();
    assert!(world.check(&other.key.sign(&claims()).unwrap()).is_err());
}

#[test]
fn jw_11_tokens_of_another_purpose_are_refused_by_typ() {
    let world = World::new();
    for typ in ["logout+jwt", "better-auth.session-cache+jwt", "at+jwt", "secevent+jwt", "jwt", ""]
    {
        assert!(world.check(&world.key.sign_typed(typ, &claims()).unwrap()).is_err(), "{typ}");
    }
    assert!(world.check(&world.key.sign_typed("JWT", &claims()).unwrap()).is_ok());
    for typ in [json!(null), json!(["JWT"]), json!(1)] {
        assert!(world.with_header(&json!({"alg": "EdDSA", "kid": "kid-1", "typ": typ})).is_err());
    }
    // An id token is for a client, not for us.
    assert!(world.with(|claims| claims["aud"] = json!("some-client")).is_err());

    // And an access token at a place for another purpose.
    let mut other = World { verifier: Verifier::new(ISSUER, ISSUER), ..World::new() };
    other.verifier.typ = Some("webhook+jwt".to_owned());
    assert!(other.check(&other.key.sign(&claims()).unwrap()).is_err());
    assert!(other.check(&other.key.sign_typed("JWT", &claims()).unwrap()).is_err());
    assert!(other.check(&other.key.sign_typed("webhook+jwt", &claims()).unwrap()).is_ok());
}

#[test]
fn jw_12_critical_and_unknown_headers_are_refused() {
    let world = World::new();
    for extra in [
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"crit": ["x"], "x": 1}),
        json!({"crit": []}),
        json!({"crit": null}),
        json!({"zip": "DEF"}),
        json!({"enc": "A256GCM"}),
        json!({"cty": "JWT"}),
    ] {
        let mut header = json!({"alg": "EdDSA", "kid": "kid-1"});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert!(world.with_header(&header).is_err(), "{header}");
    }
    assert!(world.with_header(&json!({"alg": "EdDSA", "kid": "kid-1"})).is_ok());
}

#[test]
fn jw_29_every_refusal_reads_the_same_to_the_outside() {
    let world = World::new();
    let now = DateTime::from_timestamp(NOW, 0).unwrap();
    for token in ["", "a.b.c", &world.key.sign(&json!({})).unwrap()] {
        let rejection = world.verifier.verify(token, &world.jwks, now).unwrap_err();
        assert_eq!(rejection.to_string(), "the token is invalid");
    }
}
