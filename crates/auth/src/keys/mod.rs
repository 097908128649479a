//! Signing keys and the tokens they sign.
//!
//! Private keys are sealed at rest. A new key is published before it signs, so that every verifier knows it in time, and
//! an old one stays published until the last token it signed has expired.

use serde::{Deserialize, Serialize};

mod ring;
pub mod routes;
pub mod store;
mod token;

pub use ring::{Keys, Source, rotate};
pub use routes::with_session_token;
pub use token::session_token;

/// Signing keys and tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Algorithm of new keys.
    pub algorithm: Algorithm,
    /// Seconds a token is good for.
    pub expires_in: u32,
    /// `iss`; empty: the origin of the public URL.
    pub issuer: String,
    /// `aud`; empty: the origin of the public URL.
    pub audience: String,
    /// What stands in the `role` claim.
    pub role: RoleClaim,
    /// Put the session's id into tokens, as `sid`: a Data API that looks it up (`data_api.live_sessions`) does so by itself.
    pub session_id: bool,
    /// Seconds a new key is published before it signs.
    pub publish_ahead: u32,
    /// Seconds after which a new key is made; 0: only by `gatepost keys rotate`.
    pub rotate_after: u32,
    /// Say `"use":"sig"` in the published keys.
    pub publish_use: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EdDsa,
            expires_in: 15 * 60,
            issuer: String::new(),
            audience: String::new(),
            role: RoleClaim::Authenticated,
            session_id: false,
            publish_ahead: 60 * 60,
            rotate_after: 0,
            publish_use: true,
        }
    }
}

/// Algorithm of new keys.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 (RFC 7518).
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5 with 2048 bits (RFC 7518).
    #[serde(rename = "RS256")]
    Rs256,
}

/// What stands in the `role` claim.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum RoleClaim {
    /// `authenticated`, the database role of the Data API, as Neon does.
    #[default]
    Authenticated,
    /// The user's role of the admin feature, as Better Auth does.
    User,
}

impl From<Algorithm> for gatepost_protocol::jwk::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDsa => Self::EdDsa,
            Algorithm::Es256 => Self::Es256,
            Algorithm::Rs256 => Self::Rs256,
        }
    }
}
