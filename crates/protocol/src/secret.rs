//! The server's secret, and which ones it refuses to start with.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A secret text. Never shows itself: `Debug` prints only the type.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// Written settings show that there is a secret, never which (LG-07).
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(hidden)" })
    }
}

/// Why a secret is not good enough to start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Fewer than 32 characters.
    #[error("the secret has fewer than 32 characters")]
    Short,
    /// A pattern repeated, or too few different characters for 100 bits.
    #[error("the secret is repetitive: use a randomly generated one")]
    Repetitive,
    /// A secret that is printed in somebody's documentation or template.
    #[error("the secret is a well-known example or development secret")]
    Known,
}

/// Fragments that only occur in secrets meant to be replaced.
const PLACEHOLDERS: [&str; 15] = [
    "betterauthsecret",
    "changeme",
    "changethis",
    "changeit",
    "replaceme",
    "replacethis",
    "replacewith",
    "yoursecret",
    "mysecret",
    "supersecret",
    "secretkey",
    "donotuse",
    "notasecret",
    "gatepostdev",
    "reallysecret",
];

/// Estimated bits below which a secret counts as repetitive: 16 random bytes in hexadecimal pass.
const MINIMAL_BITS: f64 = 100.0;

impl Secret {
    /// Takes a text as a secret, unchecked: see [`Secret::check`].
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A fresh secret of 256 bits, as 64 hexadecimal digits.
    #[must_use]
    pub fn generate() -> Self {
        Self(hex::encode(crate::random::bytes::<32>()))
    }

    /// The bytes that keys are made of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text itself, for the few places that hand it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a server may start with this secret.
    ///
    /// # Errors
    /// The first [`Weakness`] found.
    pub fn check(&self) -> Result<(), Weakness> {
        let text = self.0.trim();
        if text.chars().count() < 32 {
            return Err(Weakness::Short);
        }
        let letters: String =
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if PLACEHOLDERS.iter().any(|known| letters.contains(known)) {
            return Err(Weakness::Known);
        }
        if is_repetitive(text) || is_sequential(text) || entropy(text) < MINIMAL_BITS {
            return Err(Weakness::Repetitive);
        }
        Ok(())
    }
}

/// Whether the text is a shorter text written several times.
fn is_repetitive(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=bytes.len() / 2)
        .any(|period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b))
}

/// Whether four of five characters are the neighbours of the one before: `0123456789abcdef…`, `aaaabbbb…`.
fn is_sequential(text: &str) -> bool {
    let bytes = text.as_bytes();
    let steps = bytes.iter().zip(bytes.iter().skip(1)).filter(|(a, b)| a.abs_diff(**b) <= 1);
    steps.count() * 5 > bytes.len() * 4
}

/// Bits of the text: Shannon's entropy of its characters, times its length.
fn entropy(text: &str) -> f64 {
    let length = text.len() as f64;
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let frequencies = counts.iter().filter(|&&count| count > 0).map(|&c| f64::from(c) / length);
    let per_character: f64 = frequencies.map(|frequency| -frequency * frequency.log2()).sum();
    per_character * length
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;
