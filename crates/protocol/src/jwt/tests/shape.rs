use serde_json::json;

use super::{LONGEST, NOW, World, claims, encode};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"kid-1"}"#;

#[test]
fn jw_14_base64url_has_one_spelling() {
    let world = World::new();
    let token = world.key.sign(&claims()).unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let same = |spelling: String| assert!(world.check(&spelling).is_err(), "{spelling}");
    for (index, part) in [header, payload, signature].into_iter().enumerate() {
        let replaced = |other: &str| {
            let mut parts = [header, payload, signature];
            parts[index] = other;
            parts.join(".")
        };
        for other in [
            format!("{part}="),
            format!("{part}=="),
            format!("{part} "),
            format!("{part}\n"),
            format!(" {part}"),
            format!("{part}\0"),
            format!("\u{feff}{part}"),
            format!("{}%3D", part),
            part.chars().rev().collect(),
        ] {
            same(replaced(&other));
        }
        if part.contains(['-', '_']) {
            same(replaced(&part.replace('-', "+").replace('_', "/")));
        }
    }
    // 64 bytes leave four bits over in the last character: all but one spelling are refused.
    let (body, last) = token.split_at(token.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let spelling = format!("{body}{other}");
        assert_eq!(world.check(&spelling).is_ok(), last == other.to_string(), "{spelling}");
    }
    // A byte order mark and trailing text inside, under the right signature.
    for payload in ["\u{feff}", ""].map(|mark| format!("{mark}{} x", claims())) {
        same(world.signed(HEADER, &payload));
    }
    same(world.signed(&format!("\u{feff}{HEADER}"), &claims().to_string()));
}

#[test]
fn jw_15_other_shapes_and_sizes_are_refused() {
    let world = World::new();
    let token = world.key.sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    for text in [
        parts[..2].join("."),
        format!("{token}.{}", parts[2]),
        format!("{token}.."),
        [parts[0], "", parts[1], parts[2], parts[2]].join("."),
        format!(".{token}"),
        format!("{token}."),
    ] {
        assert!(world.check(&text).is_err(), "{text}");
    }
    for payload in ["[]", "null", "1", "\"text\"", "true", "", "{", "[{}]", "\u{0}"] {
        assert!(world.check(&world.signed(HEADER, payload)).is_err(), "{payload}");
    }
    for header in ["[]", "null", "\"EdDSA\"", "", "{}"] {
        assert!(world.check(&world.signed(header, &claims().to_string())).is_err(), "{header}");
    }
    // Deep nesting within the size.
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(2_000), "]".repeat(2_000));
    assert!(world.check(&world.signed(HEADER, &deep)).is_err());
    assert!(world.check(&world.signed(&deep, "{}")).is_err());
    // Not UTF-8.
    let signed = format!("{}.{}", encode(HEADER), encode([0x7b, 0xff, 0x7d]));
    assert!(world.check(&format!("{signed}.{}", world.signature(&signed))).is_err());
}

#[test]
fn jw_15_tokens_beyond_8_kib_are_refused_whatever_they_hold() {
    let world = World::new();
    let padded = |length: usize| {
        let mut claims = claims();
        claims["pad"] = json!("x".repeat(length));
        world.key.sign(&claims).unwrap()
    };
    let fits = padded(5_500);
    assert!(fits.len() < LONGEST && world.check(&fits).is_ok());
    let long = padded(6_500);
    assert!(long.len() > LONGEST);
    assert_eq!(world.check(&long), Err("longer than 8 KiB"));
    for text in ["A".repeat(1 << 20), ".".repeat(1 << 20), format!("{}{fits}", "{".repeat(1 << 20))]
    {
        assert_eq!(world.check(&text), Err("longer than 8 KiB"));
    }
}

#[test]
fn jw_17_no_flipped_bit_verifies() {
    let world = World::new();
    for index in 0..20 {
        let mut claims = claims();
        claims["jti"] = json!(format!("{index}-{NOW}"));
        let token = world.key.sign(&claims).unwrap();
        assert!(world.check(&token).is_ok());
        for position in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let Ok(other) = String::from_utf8(bytes) else { continue };
                assert!(world.check(&other).is_err(), "{other}");
            }
        }
    }
}

#[test]
fn se_25_cut_extended_and_folded_tokens_are_refused() {
    let world = World::new();
    let token = world.key.sign(&claims()).unwrap();
    for length in 0..token.len() {
        assert!(world.check(&token[..length]).is_err());
        assert!(world.check(&token[token.len() - length..]).is_err());
    }
    for junk in ["x", "\0", " ", "\t", "\n", ".", "=", "ü"] {
        assert!(world.check(&format!("{token}{junk}")).is_err());
        assert!(world.check(&format!("{junk}{token}")).is_err());
    }
    assert!(
        world.check(&token.to_lowercase()).is_err() && world.check(&token.to_uppercase()).is_err()
    );
}
