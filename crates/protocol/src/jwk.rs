//! Keys: signing keys, their JWK form (RFC 7517, RFC 8037), and sets of public keys.

mod base64url;
mod der;
mod edwards;
mod public;
mod set;
mod signing;

pub(crate) use base64url::{decode, encode};
pub use public::PublicKey;
pub use set::{Jwks, NotAKeySet};
pub use signing::{KeyError, SigningKey};

/// The signature algorithms tokens may have: asymmetric ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037), named `EdDSA`.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// The name in `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The curve, for keys that have one.
    #[must_use]
    pub fn curve(self) -> Option<&'static str> {
        match self {
            Self::EdDsa => Some("Ed25519"),
            Self::Es256 => Some("P-256"),
            Self::Rs256 => None,
        }
    }

    /// The algorithm of this exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Rs256].into_iter().find(|known| known.name() == name)
    }
}

#[cfg(test)]
mod tests;
