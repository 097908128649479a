//! PBKDF2 (RFC 8018) as Django, Werkzeug and PHC strings (Keycloak, passlib) write it.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{
    self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512,
};

use crate::{
    Refused,
    phc::{self, Phc},
    stored::{check_salt, number},
};

/// Iterations times blocks of output: about two seconds.
const MOST_WORK: u64 = 4_000_000;

pub(crate) struct Pbkdf2Hash {
    algorithm: Algorithm,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

/// How long a stored key must be: shorter ones are truncated and would match by their beginning.
enum KeyLength {
    /// The digest's.
    Digest,
    /// The digest's or longer.
    AtLeastDigest,
}

impl Pbkdf2Hash {
    /// `pbkdf2_sha256$iterations$salt$base64`; the salt is the text itself.
    pub(crate) fn parse_django(stored: &str) -> Result<Self, Refused> {
        let parts: Vec<&str> = stored.split('$').collect();
        let [name, iterations, salt, key] = parts.as_slice() else {
            return Err(Refused::Malformed);
        };
        let digest = name.strip_prefix("pbkdf2_").ok_or(Refused::Malformed)?;
        let salt = salt.as_bytes().to_vec();
        Self::new(digest, number(iterations)?, salt, phc::decode(key)?, &KeyLength::Digest)
    }

    /// `pbkdf2:sha256:iterations$salt$hex`; the salt is the text itself.
    pub(crate) fn parse_werkzeug(stored: &str) -> Result<Self, Refused> {
        let parts: Vec<&str> = stored.split('$').collect();
        let [method, salt, key] = parts.as_slice() else { return Err(Refused::Malformed) };
        let method: Vec<&str> = method.split(':').collect();
        let ["pbkdf2", digest, iterations] = method.as_slice() else {
            return Err(Refused::Malformed);
        };
        let key = hex::decode(key).map_err(|_| Refused::Malformed)?;
        let salt = salt.as_bytes().to_vec();
        Self::new(digest, number(iterations)?, salt, key, &KeyLength::Digest)
    }

    /// `$pbkdf2-sha256$i=27500,l=64$salt$hash`, or passlib's `$pbkdf2-sha256$29000$salt$hash` with
    /// `.` for `+`.
    pub(crate) fn parse_phc(stored: &str) -> Result<Self, Refused> {
        let stored = stored.replace('.', "+");
        let phc = Phc::parse(&stored)?;
        let digest = match phc.id {
            "pbkdf2" => "sha1",
            id => id.strip_prefix("pbkdf2-").ok_or(Refused::Malformed)?,
        };
        let iterations = if phc.parameters.contains('l') {
            let [iterations, length] = phc.numbers(["i", "l"])?;
            if u64::try_from(phc.hash.len()) != Ok(length) {
                return Err(Refused::Malformed);
            }
            iterations
        } else if phc.parameters.contains('=') {
            let [iterations] = phc.numbers(["i"])?;
            iterations
        } else {
            number(phc.parameters)?
        };
        if phc.version.is_some() {
            return Err(Refused::Malformed);
        }
        Self::new(digest, iterations, phc.salt, phc.hash, &KeyLength::AtLeastDigest)
    }

    fn new(
        digest: &str,
        iterations: u64,
        salt: Vec<u8>,
        key: Vec<u8>,
        length: &KeyLength,
    ) -> Result<Self, Refused> {
        let (algorithm, size) = match digest {
            "sha1" => (PBKDF2_HMAC_SHA1, 20),
            "sha256" => (PBKDF2_HMAC_SHA256, 32),
            "sha512" => (PBKDF2_HMAC_SHA512, 64),
            _ => return Err(Refused::Unknown),
        };
        let fits = match length {
            KeyLength::Digest => key.len() == size,
            KeyLength::AtLeastDigest => (size..=256).contains(&key.len()),
        };
        if !fits {
            return Err(Refused::Malformed);
        }
        let blocks = u64::try_from(key.len().div_ceil(size)).map_err(|_| Refused::Malformed)?;
        if iterations.checked_mul(blocks).is_none_or(|work| work > MOST_WORK) {
            return Err(Refused::TooCostly);
        }
        let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
        let iterations = iterations.ok_or(Refused::Malformed)?;
        Ok(Self { algorithm, iterations, salt: check_salt(salt)?, key })
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        let password = password.as_bytes();
        Ok(pbkdf2::verify(self.algorithm, self.iterations, &self.salt, password, &self.key).is_ok())
    }
}
