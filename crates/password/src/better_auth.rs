//! Better Auth's own format: `hex(salt16) ":" hex(key64)`, scrypt over the NFKC password. The salt
//! that is hashed is the hexadecimal text, not its bytes.

use std::borrow::Cow;

use gatepost_protocol::random;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Refused,
    scrypt::{self, Cost},
    stored::equal,
};

const COST: Cost = Cost { n: 16384, r: 16, p: 1 };
/// 32 MiB and the little besides that a run takes.
const MEMORY: usize = 33 << 20;
const SALT: usize = 32;
const KEY: usize = 64;

pub(crate) struct BetterAuthHash {
    salt: String,
    key: [u8; KEY],
}

impl BetterAuthHash {
    /// Whether a text looks like this format, perhaps damaged.
    pub(crate) fn resembles(stored: &str) -> bool {
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        stored
            .split_once(':')
            .is_some_and(|(salt, key)| hexadecimal(salt) && !key.is_empty() && hexadecimal(key))
    }

    pub(crate) fn parse(stored: &str) -> Result<Self, Refused> {
        let (salt, hexadecimal) = stored.split_once(':').ok_or(Refused::Malformed)?;
        let mut key = [0; KEY];
        if salt.len() != SALT || hex::decode_to_slice(hexadecimal, &mut key).is_err() {
            return Err(Refused::Malformed);
        }
        Ok(Self { salt: salt.to_owned(), key })
    }

    pub(crate) fn create(password: &str) -> Result<String, Refused> {
        let salt = hex::encode(random::bytes::<16>());
        let key = derive(password, &salt)?;
        Ok(format!("{salt}:{}", hex::encode(key.as_slice())))
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        Ok(equal(derive(password, &self.salt)?.as_slice(), &self.key))
    }
}

fn derive(password: &str, salt: &str) -> Result<Zeroizing<[u8; KEY]>, Refused> {
    let mut normalized = normalize(password);
    let mut key = Zeroizing::new([0; KEY]);
    let done = scrypt::derive(normalized.as_bytes(), salt.as_bytes(), COST, MEMORY, &mut *key);
    if let Cow::Owned(copy) = &mut normalized {
        copy.zeroize();
    }
    if done { Ok(key) } else { Err(Refused::Failed) }
}

/// NFKC. Sized beforehand, so that growing leaves no copy behind.
fn normalize(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    let mut text = String::with_capacity(password.nfkc().map(char::len_utf8).sum());
    text.extend(password.nfkc());
    Cow::Owned(text)
}
