//! Password hashes: the formats Gatepost writes and those it can take over.
//!
//! Hashing is slow on purpose and takes up to 32 MiB (the default scheme): call it from a bounded
//! pool of blocking threads, and check the length of a password before (at most 128 characters).
#![warn(missing_docs, unreachable_pub)]

mod argon2id;
mod bcrypt;
mod better_auth;
mod firebase;
mod pbkdf2;
mod phc;
mod scrypt;
mod scrypt_text;
mod stored;

use argon2id::Argon2Hash;
use better_auth::BetterAuthHash;
use stored::Stored;

/// Longer passwords are refused before any work, whatever the caller allows (PW-01).
pub const LONGEST_PASSWORD: usize = 4096;

const DUMMY_SCRYPT: &str = concat!(
    "000102030405060708090a0b0c0d0e0f:",
    "00000000000000000000000000000000000000000000000000000000000000000",
    "000000000000000000000000000000000000000000000000000000000000000",
);
const DUMMY_ARGON2ID: &str = concat!(
    "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$",
    "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8",
);

/// How a new hash is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Better Auth's: scrypt, N=16384, r=16, p=1. Both servers can read it.
    #[default]
    Scrypt,
    /// argon2id, 19 MiB, two passes, one lane, as a PHC string.
    Argon2id,
}

/// The format of a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Better Auth's `hex(salt):hex(key)`.
    BetterAuth,
    /// `$argon2id$…`, `$argon2i$…`, `$argon2d$…`.
    Argon2,
    /// `$2a$…`, `$2b$…`, `$2y$…`: Laravel, Supabase, Auth0, Clerk, Devise.
    Bcrypt,
    /// `$scrypt$ln=…,r=…,p=…$…`.
    ScryptPhc,
    /// Werkzeug's (Flask) `scrypt:N:r:p$salt$hex`.
    ScryptWerkzeug,
    /// Firebase's modified scrypt, `$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$hash`.
    FirebaseScrypt,
    /// `pbkdf2_sha256$iterations$salt$base64`.
    Pbkdf2Django,
    /// `pbkdf2:sha256:iterations$salt$hex`.
    Pbkdf2Werkzeug,
    /// `$pbkdf2-sha256$i=…,l=…$…`, also with bare iterations as passlib writes it.
    Pbkdf2Phc,
}

/// The outcome of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is the one that was hashed.
    Match {
        /// The hash is of a foreign or weaker format: replace it by [`hash`] of this password.
        rehash: bool,
    },
    /// It is another password.
    Mismatch,
}

/// Why a hash or password is not even compared. To the person it is a wrong password; the operator
/// should hear of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No format of [`Format`] begins like this.
    #[error("the stored hash has an unknown format")]
    Unknown,
    /// The format is known, the rest is not as it should be: empty salt, truncated, wrong alphabet.
    #[error("the stored hash is malformed")]
    Malformed,
    /// The parameters ask for more memory or time than a sign-in may take (PW-13).
    #[error("the stored hash has parameters beyond the allowed cost")]
    TooCostly,
    /// Longer than [`LONGEST_PASSWORD`], or than the 72 bytes that bcrypt looks at (PW-02).
    #[error("the password is too long for this hash")]
    PasswordTooLong,
    /// The library failed, as when memory is exhausted.
    #[error("the hash could not be computed")]
    Failed,
}

/// The format of a stored hash by its shape, without any check of its parameters.
#[must_use]
pub fn identify(stored: &str) -> Option<Format> {
    stored::identify(stored)
}

/// Compares a password with a stored hash in constant time. Nothing is trimmed, truncated or folded;
/// only Better Auth's format normalises (NFKC), as it did when the hash was made.
///
/// # Errors
/// [`Refused`] when the hash is malformed or too costly, before any expensive work.
pub fn verify(stored: &str, password: &str) -> Result<Verdict, Refused> {
    check_length(password)?;
    let stored = Stored::parse(stored)?;
    let matches = stored.matches(password)?;
    Ok(if matches { Verdict::Match { rehash: stored.is_outdated() } } else { Verdict::Mismatch })
}

/// Hashes a password with a fresh random salt.
///
/// # Errors
/// [`Refused::PasswordTooLong`], or [`Refused::Failed`] when memory is exhausted.
pub fn hash(password: &str, scheme: Scheme) -> Result<String, Refused> {
    check_length(password)?;
    match scheme {
        Scheme::Scrypt => BetterAuthHash::create(password),
        Scheme::Argon2id => Argon2Hash::create(password),
    }
}

/// Does the work of [`verify`] for an account that does not exist or has no password, so that time
/// does not tell the difference. Give the scheme that most stored hashes have.
pub fn dummy(password: &str, scheme: Scheme) {
    let stored = match scheme {
        Scheme::Scrypt => DUMMY_SCRYPT,
        Scheme::Argon2id => DUMMY_ARGON2ID,
    };
    let _ = std::hint::black_box(verify(stored, password));
}

fn check_length(password: &str) -> Result<(), Refused> {
    if password.len() > LONGEST_PASSWORD { Err(Refused::PasswordTooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
