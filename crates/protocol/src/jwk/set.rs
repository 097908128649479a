use serde_json::{Value, json};

use super::{KeyError, PublicKey, SigningKey};

/// Larger texts are no key set (JW-19).
const LONGEST: usize = 256 * 1024;
/// More keys than any issuer rotates through; the rest is ignored.
const MOST: usize = 64;

/// The public keys of one issuer (RFC 7517 section 5).
#[derive(Debug, Default)]
pub struct Jwks {
    keys: Vec<PublicKey>,
}

/// The text is not a key set at all: too large, not JSON, without `keys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set")]
pub struct NotAKeySet;

impl Jwks {
    /// Reads a key set. A key that must not be used is skipped and does no harm to the others; of
    /// several with one `kid` the first counts (JW-19).
    ///
    /// # Errors
    /// [`NotAKeySet`]; a set without usable keys is a set.
    pub fn parse(text: &str) -> Result<Self, NotAKeySet> {
        if text.len() > LONGEST {
            return Err(NotAKeySet);
        }
        let set: Value = serde_json::from_str(text).map_err(|_| NotAKeySet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(NotAKeySet)?;
        Ok(keys.iter().take(MOST).filter_map(PublicKey::from_jwk).collect())
    }

    /// The public halves of signing keys.
    ///
    /// # Errors
    /// [`KeyError`] when a public half cannot be read.
    pub fn of<'key>(keys: impl IntoIterator<Item = &'key SigningKey>) -> Result<Self, KeyError> {
        keys.into_iter()
            .map(|key| PublicKey::from_jwk(&key.published_jwk()?).ok_or(KeyError::Malformed))
            .collect()
    }

    /// The key of this id.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The keys, in order.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// How many keys are usable.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no token can be verified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The document to publish: public members only, each key with `kid`, `alg` and `use: "sig"` (JW-21).
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({ "keys": self.keys.iter().map(PublicKey::jwk).collect::<Vec<_>>() }).to_string()
    }
}

impl FromIterator<PublicKey> for Jwks {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        let mut set = Self::default();
        for key in keys {
            if set.get(key.kid()).is_none() {
                set.keys.push(key);
            }
        }
        set
    }
}
