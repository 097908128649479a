//! Sealing at rest: Better Auth's `symmetricEncrypt`.
//!
//! `hex(nonce24 || XChaCha20-Poly1305 ciphertext || tag16)` under SHA-256(secret); with a versioned
//! list of secrets the text is prefixed by `$ba$<version>$`.

use std::fmt;

use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};

use crate::{random, secret::Secret};

const NONCE: usize = 24;
const TAG: usize = 16;
const PREFIX: &str = "$ba$";
/// More than any key or token that is ever sealed.
const LONGEST: usize = 1 << 20;

/// Seals under the current secret and opens what any known secret sealed.
#[derive(Clone)]
pub struct Sealer {
    current: Version,
    older: Vec<Version>,
    /// Open what was written without a version, the likeliest first.
    bare: Vec<XChaCha20Poly1305>,
}

#[derive(Clone)]
struct Version {
    /// `None` seals without a prefix, as a server with a single secret does.
    number: Option<u32>,
    cipher: XChaCha20Poly1305,
}

/// The text is not something this server's secrets have sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// Not hexadecimal, too short, too long, or a malformed version.
    #[error("not a sealed value")]
    Malformed,
    /// Sealed under a version that is no longer listed.
    #[error("sealed under secret version {0}, which is not configured")]
    UnknownVersion(u32),
    /// Sealed before secrets had versions, and no such secret is configured.
    #[error("sealed under an unversioned secret, which is not configured")]
    UnknownBare,
    /// The secret is another one, or the text was altered.
    #[error("sealed under another secret, or altered")]
    Refused,
}

impl Sealer {
    /// One secret without a version, as most Better Auth servers have; `earlier` ones still open.
    #[must_use]
    pub fn single(secret: &Secret, earlier: &[Secret]) -> Self {
        Self {
            current: Version { number: None, cipher: cipher(secret) },
            older: Vec::new(),
            bare: std::iter::once(secret).chain(earlier).map(cipher).collect(),
        }
    }

    /// A rotation list: `current` seals, `older` ones still open; `bare` opens what was sealed
    /// before secrets had versions.
    #[must_use]
    pub fn versioned(
        current: (u32, &Secret),
        older: &[(u32, Secret)],
        bare: Option<&Secret>,
    ) -> Self {
        let version = |number, secret| Version { number: Some(number), cipher: cipher(secret) };
        Self {
            current: version(current.0, current.1),
            older: older.iter().map(|(number, secret)| version(*number, secret)).collect(),
            bare: bare.map(cipher).into_iter().collect(),
        }
    }

    /// Whether `sealed` was written under the current secret, so that rotation can skip it.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        split(sealed).is_ok_and(|(version, _)| version == self.current.number)
    }

    /// Seals `plain` under the current secret with a fresh nonce.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> String {
        let nonce = random::bytes::<NONCE>();
        let Ok(ciphertext) = self.current.cipher.encrypt(&XNonce::from(nonce), plain) else {
            // Only fails beyond 256 GiB.
            std::process::abort();
        };
        let text = [hex::encode(nonce), hex::encode(ciphertext)].concat();
        match self.current.number {
            Some(number) => format!("{PREFIX}{number}${text}"),
            None => text,
        }
    }

    /// Opens what [`Sealer::seal`] or Better Auth's `symmetricEncrypt` wrote.
    ///
    /// # Errors
    /// [`Unsealable`] when the text is malformed, altered or of an unknown secret.
    pub fn open(&self, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let (version, text) = split(sealed)?;
        let ciphers: Vec<&XChaCha20Poly1305> = match version {
            Some(number) => vec![
                self.versions()
                    .find(|known| known.number == Some(number))
                    .map(|known| &known.cipher)
                    .ok_or(Unsealable::UnknownVersion(number))?,
            ],
            None if self.bare.is_empty() => return Err(Unsealable::UnknownBare),
            None => self.bare.iter().collect(),
        };
        if text.len() > LONGEST {
            return Err(Unsealable::Malformed);
        }
        let bytes = hex::decode(text).map_err(|_| Unsealable::Malformed)?;
        let (nonce, ciphertext) =
            bytes.split_first_chunk::<NONCE>().ok_or(Unsealable::Malformed)?;
        if ciphertext.len() < TAG {
            return Err(Unsealable::Malformed);
        }
        let nonce = XNonce::from(*nonce);
        ciphers
            .iter()
            .find_map(|cipher| cipher.decrypt(&nonce, ciphertext).ok())
            .ok_or(Unsealable::Refused)
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

fn cipher(secret: &Secret) -> XChaCha20Poly1305 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    let mut key = Key::default();
    for (target, byte) in key.iter_mut().zip(digest.as_ref()) {
        *target = *byte;
    }
    XChaCha20Poly1305::new(&key)
}

fn split(sealed: &str) -> Result<(Option<u32>, &str), Unsealable> {
    let Some(rest) = sealed.strip_prefix(PREFIX) else { return Ok((None, sealed)) };
    let (number, text) = rest.split_once('$').ok_or(Unsealable::Malformed)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unsealable::Malformed);
    }
    Ok((Some(number.parse().map_err(|_| Unsealable::Malformed)?), text))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealer(version {:?}, {} older)", self.current.number, self.older.len())
    }
}

#[cfg(test)]
mod tests;
