//! The opaque token of a session.

use std::fmt;

use gatepost_protocol::{digest, random};

use super::TokenStorage;

/// A token as its holder presents it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A token as the database holds it. Never printed: stored plain, it is the token itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoredToken(pub String);

impl Token {
    const LENGTH: usize = 32;

    /// A new one: 32 letters and digits, 190 bits.
    #[must_use]
    pub fn generate() -> Self {
        Self(random::token(Self::LENGTH))
    }

    /// What may be looked up at all: letters and digits of a sensible length, so that junk costs no query (SE-25).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plausible =
            (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        plausible.then(|| Self(text.to_owned()))
    }

    /// The text itself, for the cookie and for bodies.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What stands in the database. A presented value is hashed exactly once: a stored hash is no credential (SE-08).
    #[must_use]
    pub fn stored(&self, storage: TokenStorage) -> StoredToken {
        StoredToken(match storage {
            TokenStorage::Hashed => digest::sha256_base64url(&self.0),
            TokenStorage::Plain => self.0.clone(),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredToken(…)")
    }
}
