use subtle::ConstantTimeEq;

use crate::{
    Format, Refused, argon2id::Argon2Hash, bcrypt::BcryptHash, better_auth::BetterAuthHash,
    firebase::FirebaseHash, pbkdf2::Pbkdf2Hash, scrypt_text::ScryptHash,
};

/// Longer texts are no hash of any format.
const LONGEST: usize = 1024;
/// Longer salts are nobody's.
const LONGEST_SALT: usize = 256;

/// A parsed hash, its cost within the caps.
pub(crate) enum Stored {
    BetterAuth(BetterAuthHash),
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
    Scrypt(ScryptHash),
    Firebase(FirebaseHash),
    Pbkdf2(Pbkdf2Hash),
}

pub(crate) fn identify(stored: &str) -> Option<Format> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| stored.starts_with(prefix));
    if begins(&["$argon2id$", "$argon2i$", "$argon2d$"]) {
        Some(Format::Argon2)
    } else if begins(&["$2a$", "$2b$", "$2y$"]) {
        Some(Format::Bcrypt)
    } else if begins(&["$scrypt$"]) {
        Some(Format::ScryptPhc)
    } else if begins(&["scrypt:"]) {
        Some(Format::ScryptWerkzeug)
    } else if begins(&["$fbscrypt$"]) {
        Some(Format::FirebaseScrypt)
    } else if begins(&["pbkdf2_"]) {
        Some(Format::Pbkdf2Django)
    } else if begins(&["pbkdf2:"]) {
        Some(Format::Pbkdf2Werkzeug)
    } else if begins(&["$pbkdf2-", "$pbkdf2$"]) {
        Some(Format::Pbkdf2Phc)
    } else {
        BetterAuthHash::resembles(stored).then_some(Format::BetterAuth)
    }
}

impl Stored {
    pub(crate) fn parse(stored: &str) -> Result<Self, Refused> {
        if stored.len() > LONGEST {
            return Err(Refused::Malformed);
        }
        match identify(stored).ok_or(Refused::Unknown)? {
            Format::BetterAuth => BetterAuthHash::parse(stored).map(Self::BetterAuth),
            Format::Argon2 => Argon2Hash::parse(stored).map(Self::Argon2),
            Format::Bcrypt => BcryptHash::parse(stored).map(Self::Bcrypt),
            Format::ScryptPhc => ScryptHash::parse_phc(stored).map(Self::Scrypt),
            Format::ScryptWerkzeug => ScryptHash::parse_werkzeug(stored).map(Self::Scrypt),
            Format::FirebaseScrypt => FirebaseHash::parse(stored).map(Self::Firebase),
            Format::Pbkdf2Django => Pbkdf2Hash::parse_django(stored).map(Self::Pbkdf2),
            Format::Pbkdf2Werkzeug => Pbkdf2Hash::parse_werkzeug(stored).map(Self::Pbkdf2),
            Format::Pbkdf2Phc => Pbkdf2Hash::parse_phc(stored).map(Self::Pbkdf2),
        }
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        match self {
            Self::BetterAuth(hash) => hash.matches(password),
            Self::Argon2(hash) => hash.matches(password),
            Self::Bcrypt(hash) => hash.matches(password),
            Self::Scrypt(hash) => hash.matches(password),
            Self::Firebase(hash) => hash.matches(password),
            Self::Pbkdf2(hash) => hash.matches(password),
        }
    }

    /// Neither Better Auth's format nor argon2id of today's cost.
    pub(crate) fn is_outdated(&self) -> bool {
        match self {
            Self::BetterAuth(_) => false,
            Self::Argon2(hash) => hash.is_outdated(),
            Self::Bcrypt(_) | Self::Scrypt(_) | Self::Firebase(_) | Self::Pbkdf2(_) => true,
        }
    }
}

/// Compares derived keys in constant time.
pub(crate) fn equal(derived: &[u8], stored: &[u8]) -> bool {
    derived.ct_eq(stored).into()
}

/// A salt must have something in it, and an end (PW-13).
pub(crate) fn check_salt(salt: Vec<u8>) -> Result<Vec<u8>, Refused> {
    if salt.is_empty() || salt.len() > LONGEST_SALT { Err(Refused::Malformed) } else { Ok(salt) }
}

/// A decimal number without sign, leading zeros or spaces.
pub(crate) fn number(text: &str) -> Result<u64, Refused> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(Refused::Malformed);
    }
    // More digits than fit are more than any cap.
    text.parse().map_err(|_| Refused::TooCostly)
}
