use serde_json::{Value, json};

use super::{Algorithm, Jwks, KeyError, PublicKey, SigningKey, encode};

const ALL: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

fn key(algorithm: Algorithm, kid: &str) -> SigningKey {
    SigningKey::generate(algorithm, kid).unwrap()
}

/// A usable published key to spoil.
fn published(algorithm: Algorithm) -> Value {
    key(algorithm, "k").published_jwk().unwrap()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn keys_survive_their_private_jwk() {
    for algorithm in ALL {
        let original = key(algorithm, "kid-1");
        let private = original.private_jwk().unwrap();
        let restored = SigningKey::from_private_jwk(&private, "kid-1").unwrap();
        assert_eq!(restored.algorithm(), algorithm);
        assert_eq!(restored.public_jwk().unwrap(), original.public_jwk().unwrap());
        let token = restored.sign(&json!({"a": 1})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = PublicKey::from_jwk(&original.published_jwk().unwrap()).unwrap();
        assert!(public.verify(signed.as_bytes(), &super::decode(signature).unwrap()));
    }
}

#[test]
fn headers_are_those_of_better_auth_and_neon() {
    let token = key(Algorithm::EdDsa, "the-kid").sign(&json!({})).unwrap();
    let header = super::decode(token.split('.').next().unwrap()).unwrap();
    assert_eq!(String::from_utf8(header).unwrap(), r#"{"alg":"EdDSA","kid":"the-kid"}"#);
}

#[test]
fn damaged_private_keys_are_refused() {
    let other = key(Algorithm::EdDsa, "k").public_jwk().unwrap();
    let text = key(Algorithm::EdDsa, "k").private_jwk().unwrap();
    let private: Value = serde_json::from_str(&text).unwrap();
    for (jwk, error) in [
        (with(private.clone(), "x", other["x"].clone()), KeyError::Malformed),
        (with(private.clone(), "d", json!("AAAA")), KeyError::Malformed),
        (with(private.clone(), "d", json!("!")), KeyError::Malformed),
        (with(private.clone(), "d", json!(null)), KeyError::Malformed),
        (with(private.clone(), "crv", json!("Ed448")), KeyError::Unsupported),
        (with(private, "kty", json!("oct")), KeyError::Unsupported),
        (json!({"kty": "oct", "k": "AAAA"}), KeyError::Unsupported),
        (json!([]), KeyError::Malformed),
    ] {
        assert_eq!(
            SigningKey::from_private_jwk(&jwk.to_string(), "k").unwrap_err(),
            error,
            "{jwk}"
        );
    }
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let text = key(algorithm, "k").private_jwk().unwrap();
        let wrong = key(algorithm, "k").private_jwk().unwrap();
        let mut jwk: Value = serde_json::from_str(&text).unwrap();
        jwk["d"] = serde_json::from_str::<Value>(&wrong).unwrap()["d"].clone();
        let error = SigningKey::from_private_jwk(&jwk.to_string(), "k").unwrap_err();
        assert_eq!(error, KeyError::Malformed);
    }
}

#[test]
fn jw_21_the_published_set_has_public_members_alone() {
    let keys: Vec<SigningKey> =
        ALL.iter().map(|&algorithm| key(algorithm, algorithm.name())).collect();
    let set: Value = serde_json::from_str(&Jwks::of(&keys).unwrap().to_json()).unwrap();
    let names = |index: usize| {
        let mut names: Vec<String> =
            set["keys"][index].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(0), ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(names(1), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(names(2), ["alg", "e", "kid", "kty", "n", "use"]);
    for (index, algorithm) in ALL.iter().enumerate() {
        assert_eq!(set["keys"][index]["alg"], algorithm.name());
        assert_eq!(set["keys"][index]["kid"], algorithm.name());
        assert_eq!(set["keys"][index]["use"], "sig");
    }
    // Members that somebody added are not passed on.
    let extra = with(published(Algorithm::EdDsa), "x5c", json!(["MII"]));
    assert!(PublicKey::from_jwk(&extra).unwrap().jwk().get("x5c").is_none());
}

#[test]
fn jw_19_a_bad_key_is_skipped_and_does_not_drop_the_others() {
    let good = published(Algorithm::EdDsa);
    let private: Value =
        serde_json::from_str(&key(Algorithm::EdDsa, "k").private_jwk().unwrap()).unwrap();
    let bad = [
        json!(null),
        json!("key"),
        json!([]),
        json!({}),
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"}),
        with(with(private, "kid", json!("private")), "alg", json!("EdDSA")),
        with(good.clone(), "k", json!("AAAA")),
        with(good.clone(), "kid", json!(7)),
        with(good.clone(), "kid", json!("")),
        with(good.clone(), "kid", json!("k".repeat(257))),
        with(good.clone(), "x", json!("AAAA")),
        with(good.clone(), "x", json!(format!("{}=", good["x"].as_str().unwrap()))),
        with(good.clone(), "kty", json!("okp")),
    ];
    for jwk in &bad {
        assert!(PublicKey::from_jwk(jwk).is_none(), "{jwk}");
    }
    let mut keys = bad.to_vec();
    keys.push(good.clone());
    let set = Jwks::parse(&json!({ "keys": keys }).to_string()).unwrap();
    assert_eq!(set.len(), 1);
    assert!(set.get("k").is_some());
}

#[test]
fn jw_19_what_is_no_key_set_is_refused_and_size_is_bounded() {
    for text in
        ["", "<html>", "[]", "{}", "{\"keys\":{}}", "null", "{\"keys\":[]", &"[".repeat(100_000)]
    {
        assert!(Jwks::parse(text).is_err(), "{text:.20}");
    }
    assert!(Jwks::parse(&format!("{{\"keys\":[]{}}}", " ".repeat(10 << 20))).is_err());
    assert!(Jwks::parse("{\"keys\":[]}").unwrap().is_empty());
    let jwk = published(Algorithm::EdDsa);
    let many: Vec<Value> =
        (0..1_000).map(|index| with(jwk.clone(), "kid", json!(index.to_string()))).collect();
    assert_eq!(Jwks::parse(&json!({ "keys": many }).to_string()).unwrap().len(), 64);
    // Of two with one kid the first counts.
    let second = published(Algorithm::EdDsa);
    let twice = Jwks::parse(&json!({"keys": [jwk, second]}).to_string()).unwrap();
    assert_eq!((twice.len(), &twice.get("k").unwrap().jwk()["x"]), (1, &jwk["x"]));
}

#[test]
fn jw_03_keys_of_another_type_curve_size_or_purpose_are_refused() {
    let (ed, ec, rsa) =
        (published(Algorithm::EdDsa), published(Algorithm::Es256), published(Algorithm::Rs256));
    let bad = [
        with(ed.clone(), "use", json!("enc")),
        with(ed.clone(), "use", json!(null)),
        with(ed.clone(), "key_ops", json!(["sign"])),
        with(ed.clone(), "key_ops", json!("verify")),
        with(ed.clone(), "alg", json!("RS256")),
        with(ed.clone(), "alg", json!("HS256")),
        with(ed.clone(), "alg", json!("none")),
        with(ed.clone(), "alg", json!(null)),
        with(ed.clone(), "crv", json!("Ed448")),
        with(ed.clone(), "crv", json!("X25519")),
        with(ed.clone(), "crv", json!(null)),
        with(ec.clone(), "crv", json!("P-384")),
        with(ec.clone(), "crv", json!("secp256k1")),
        with(ec.clone(), "alg", json!("ES384")),
        with(ec.clone(), "y", ec["x"].clone()),
        with(ec.clone(), "x", json!("AA")),
        with(rsa.clone(), "alg", json!("PS256")),
        with(rsa.clone(), "alg", json!("RS512")),
        with(rsa.clone(), "e", json!("AQ")),
        with(rsa.clone(), "e", json!("AA")),
        with(rsa.clone(), "e", json!("AQAC")),
        with(rsa.clone(), "e", json!("AQAAAAAAAAAB")),
        // 1024 bits, and 2048 bits written with a leading zero.
        with(rsa.clone(), "n", json!(encode([0xff; 128]))),
        with(rsa.clone(), "n", json!(encode([&[0][..], &[0xff; 255]].concat()))),
        with(rsa.clone(), "n", json!(encode([0xff; 4096]))),
        with(rsa.clone(), "crv", json!("Ed25519")),
    ];
    for jwk in &bad {
        assert!(PublicKey::from_jwk(jwk).is_none(), "{jwk}");
    }
    for jwk in [ed, ec, rsa] {
        assert!(PublicKey::from_jwk(&with(jwk.clone(), "key_ops", json!(["verify"]))).is_some());
        let mut bare = jwk;
        bare.as_object_mut().unwrap().retain(|name, _| name != "use" && name != "alg");
        assert!(PublicKey::from_jwk(&bare).is_some());
    }
}

#[test]
fn jw_16_weak_and_non_canonical_ed25519_keys_are_refused() {
    // y of the points of order 1, 2, 4 and 8, each with both signs; then y + p, which is the same
    // point in another spelling; then all spellings from p to 2^255 - 1.
    let mut weak: Vec<[u8; 32]> = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    .iter()
    .map(|text| hex::decode(text).unwrap().try_into().unwrap())
    .collect();
    for low in 0xed..=0xff_u8 {
        let mut spelling = [0xff; 32];
        spelling[0] = low;
        spelling[31] = 0x7f;
        weak.push(spelling);
    }
    for mut point in weak {
        for sign in [0x00, 0x80] {
            point[31] = point[31] & 0x7f | sign;
            let jwk = with(published(Algorithm::EdDsa), "x", json!(encode(point)));
            assert!(PublicKey::from_jwk(&jwk).is_none(), "{}", hex::encode(point));
        }
    }
    // Not on the curve at all.
    let jwk = with(published(Algorithm::EdDsa), "x", json!(encode([2; 32])));
    let loaded = PublicKey::from_jwk(&jwk);
    assert!(loaded.is_none_or(|key| !key.verify(b"", &[0; 64])));
}

#[test]
fn jw_16_ed25519_signatures_have_one_spelling() {
    // RFC 8032 section 7.1, test 2.
    let public =
        hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
    let signature = hex::decode("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00").unwrap();
    let jwk = with(published(Algorithm::EdDsa), "x", json!(encode(public)));
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert!(key.verify(&[0x72], &signature));

    // S + L, S + 2L, ...: same point, other bytes, as long as they fit.
    let order =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut other = signature.clone();
    for _ in 0..15 {
        let mut carry = 0_u16;
        for (byte, add) in other[32..].iter_mut().zip(&order) {
            carry += u16::from(*byte) + u16::from(*add);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(carry, 0);
        assert!(!key.verify(&[0x72], &other), "{}", hex::encode(&other));
    }

    let mut refused: Vec<Vec<u8>> = vec![
        vec![0; 64],
        vec![0xff; 64],
        signature[..63].to_vec(),
        [signature.as_slice(), &[0]].concat(),
        Vec::new(),
        [&signature[32..], &signature[..32]].concat(),
        // R of small order, with S zero and with the right S.
        [&[1][..], &[0; 63]].concat(),
        [&[1][..], &[0; 31], &signature[32..]].concat(),
        [&[0; 32][..], &signature[32..]].concat(),
        // R = p + 1: the neutral point in another spelling.
        [&[0xee][..], &[0xff; 30], &[0x7f], &[0; 32]].concat(),
        [&signature[..32], &[0; 32]].concat(),
        [&signature[..32], order.as_slice()].concat(),
    ];
    for position in 0..64 {
        for bit in 0..8 {
            let mut flipped = signature.clone();
            flipped[position] ^= 1 << bit;
            refused.push(flipped);
        }
    }
    for other in refused {
        assert!(!key.verify(&[0x72], &other), "{}", hex::encode(&other));
    }
    assert!(!key.verify(&[0x73], &signature) && !key.verify(&[], &signature));
}

#[test]
fn jw_16_the_key_of_order_one_would_accept_anything_and_is_not_loaded() {
    // With A neutral, R neutral and S zero every message verifies in a lax verifier.
    let neutral = [&[1][..], &[0; 31]].concat();
    let jwk = with(published(Algorithm::EdDsa), "x", json!(encode(&neutral)));
    assert!(PublicKey::from_jwk(&jwk).is_none());
}

#[test]
fn es256_signatures_are_64_bytes_and_zero_is_none() {
    let signing = key(Algorithm::Es256, "k");
    let public = PublicKey::from_jwk(&signing.published_jwk().unwrap()).unwrap();
    let token = signing.sign(&json!({})).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = super::decode(signature).unwrap();
    assert_eq!(signature.len(), 64);
    assert!(public.verify(signed.as_bytes(), &signature));
    // CVE-2022-21449: r and s zero.
    assert!(!public.verify(signed.as_bytes(), &[0; 64]));
    assert!(!public.verify(signed.as_bytes(), &signature[..63]));
    assert!(!public.verify(signed.as_bytes(), &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00]));
}
