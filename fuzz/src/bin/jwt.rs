//! Tokens, through both doors: PostgREST's and Gatepost's own.
#![no_main]

use std::sync::LazyLock;

use chrono::DateTime;
use gatepost_data_api::verify::{Keys, authorize, bearer, decode};
use gatepost_fuzz::{config, headers};
use gatepost_protocol::jwk::Jwks;
use gatepost_protocol::jwt::Verifier;
use libfuzzer_sys::fuzz_target;

const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fuzz_target!(|bytes: &[u8]| {
    static SECRET: LazyLock<Keys> = LazyLock::new(|| {
        Keys::from_secret(b"reallyreallyreallyreallyverysafe", false).expect("keys")
    });
    static PUBLIC: LazyLock<Keys> =
        LazyLock::new(|| Keys::from_json(SET.as_bytes()).expect("keys"));
    static JWKS: LazyLock<Jwks> = LazyLock::new(|| Jwks::parse(SET).expect("keys"));
    static CONFIG: LazyLock<gatepost_data_api::Config> = LazyLock::new(config);
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let _ = Keys::from_json(bytes);
    let Some(token) = bearer(&headers("authorization", bytes)) else { return };
    for keys in [&*SECRET, &*PUBLIC] {
        if let Ok(claims) = decode(&token, Some(keys)) {
            let _ = authorize(claims, &CONFIG, now);
        }
    }
    // Nobody has the private half of the key: whatever is accepted is a forgery.
    assert!(decode(&token, Some(&PUBLIC)).is_err());
    assert!(Verifier::new("https://a", "https://a").verify(&token, &JWKS, now).is_err());
    // The claims behind the signature, as a holder of the secret could send them.
    if let Ok(serde) = std::str::from_utf8(bytes)
        && let Ok(claims) = serde_json::from_str(serde)
    {
        let _ = authorize(claims, &CONFIG, now);
    }
});
