//! Firebase's modified scrypt: the scrypt key encrypts the project's signer key (AES-256-CTR), and
//! that is the hash. Stored with the project's parameters, as Supabase does:
//! `$fbscrypt$v=1,n=<log2 N>,r=,p=,ss=<salt separator>,sk=<signer key>$salt$hash`, all in base64.

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use zeroize::Zeroizing;

use crate::{
    Refused, phc,
    scrypt::Cost,
    scrypt_text::{check_cost, derive, power},
    stored::{check_salt, equal, number},
};

pub(crate) struct FirebaseHash {
    cost: Cost,
    /// The user's salt, then the project's separator.
    salt: Vec<u8>,
    signer_key: Zeroizing<Vec<u8>>,
    hash: Vec<u8>,
}

impl FirebaseHash {
    pub(crate) fn parse(stored: &str) -> Result<Self, Refused> {
        let parts: Vec<&str> = stored.split('$').collect();
        let ["", "fbscrypt", parameters, salt, hash] = parts.as_slice() else {
            return Err(Refused::Malformed);
        };
        let parameters: Vec<&str> = parameters.split(',').collect();
        let ["v=1", n, r, p, rest @ ..] = parameters.as_slice() else {
            return Err(Refused::Malformed);
        };
        let (separator, signer_key) = match rest {
            [separator, signer_key] => (named(separator, "ss=")?, signer_key),
            [signer_key] => ("", signer_key),
            _ => return Err(Refused::Malformed),
        };
        let cost = check_cost(
            power(number(named(n, "n=")?)?)?,
            number(named(r, "r=")?)?,
            number(named(p, "p=")?)?,
        )?;
        let signer_key = Zeroizing::new(phc::decode(named(signer_key, "sk=")?)?);
        let hash = phc::decode(hash)?;
        // The hash is the encrypted signer key: same length, or it was cut off.
        if signer_key.len() < 32 || hash.len() != signer_key.len() {
            return Err(Refused::Malformed);
        }
        let mut salt = check_salt(phc::decode(salt)?)?;
        salt.extend(phc::decode(separator)?);
        Ok(Self { cost, salt, signer_key, hash })
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        let mut key = Zeroizing::new([0; 32]);
        derive(password, &self.salt, self.cost, key.as_mut_slice())?;
        let mut encrypted = self.signer_key.clone();
        let zero = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        UnboundCipherKey::new(&AES_256, key.as_slice())
            .and_then(EncryptingKey::ctr)
            .and_then(|key| key.less_safe_encrypt(&mut encrypted, zero))
            .map_err(|_| Refused::Failed)?;
        Ok(equal(&encrypted, &self.hash))
    }
}

fn named<'text>(parameter: &'text str, name: &str) -> Result<&'text str, Refused> {
    parameter.strip_prefix(name).ok_or(Refused::Malformed)
}
