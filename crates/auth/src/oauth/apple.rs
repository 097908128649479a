//! Apple's client secret: a token that this application signs.

use anyhow::{Context, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::config;

/// The key, and whose it is.
pub(super) struct AppleKey {
    team_id: String,
    key_id: String,
    pair: EcdsaKeyPair,
}

/// Seconds that a secret is good for: one call.
const LIFE: i64 = 300;
const AUDIENCE: &str = "https://appleid.apple.com";

impl AppleKey {
    /// Reads the `.p8` file's text.
    ///
    /// # Errors
    /// What is missing or unreadable.
    pub(super) fn new(settings: &config::Provider) -> anyhow::Result<Self> {
        ensure!(!settings.team_id.is_empty(), "team_id is missing");
        ensure!(!settings.key_id.is_empty(), "key_id is missing");
        let text = String::from_utf8_lossy(settings.private_key.as_bytes());
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der =
            STANDARD.decode(body.trim()).context("private_key is not the text of a .p8 file")?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|error| anyhow::anyhow!("private_key is not a P-256 key: {error}"))?;
        Ok(Self { team_id: settings.team_id.clone(), key_id: settings.key_id.clone(), pair })
    }

    /// A secret for one call; `None`, when the library fails.
    pub(super) fn secret(&self, client_id: &str, now: DateTime<Utc>) -> Option<String> {
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let issued = now.timestamp();
        let claims = json!({
            "iss": self.team_id, "iat": issued, "exp": issued + LIFE, "aud": AUDIENCE, "sub": client_id,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
