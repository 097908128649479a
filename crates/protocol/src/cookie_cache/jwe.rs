//! JWE (RFC 7516), compact, `alg: dir`, `enc: A256CBC-HS512` (RFC 7518 section 5.2.5).

use aws_lc_rs::{
    cipher::{
        AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
        UnboundCipherKey,
    },
    digest, hkdf, hmac,
    iv::FixedLength,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Read, Written};
use crate::{
    jwk::{decode, encode},
    jws::object,
    random,
    secret::Secret,
};

const SALT: &[u8] = b"better-auth-session";
const INFO: &[u8] = b"BetterAuth.js Generated Encryption Key";
const KEY: usize = 64;
const TAG: usize = 32;

pub(super) struct JweKey {
    /// base64url of the protected header, the same for every cookie.
    header: String,
    kid: String,
    mac: hmac::Key,
    encryption: Zeroizing<[u8; 32]>,
}

struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY
    }
}

#[derive(Serialize)]
struct Dated<'written, 'value> {
    #[serde(flatten)]
    written: &'written Written<'value>,
    iat: i64,
    exp: i64,
    jti: String,
}

impl JweKey {
    /// HKDF-SHA256 of the secret: 32 bytes authenticate, 32 encrypt.
    pub(super) fn derive(secret: &Secret) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(secret.as_bytes())
            .expand(&[INFO], KeyLength)
            .and_then(|material| material.fill(key.as_mut_slice()))
            .ok()?;
        let kid = thumbprint(key.as_slice());
        let header = json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": kid }).to_string();
        let (mac, encryption) = key.split_first_chunk::<32>()?;
        Some(Self {
            header: encode(header),
            kid,
            mac: hmac::Key::new(hmac::HMAC_SHA512, mac),
            encryption: Zeroizing::new(encryption.try_into().ok()?),
        })
    }

    pub(super) fn write(
        &self,
        written: &Written<'_>,
        now: DateTime<Utc>,
        seconds: i64,
    ) -> Option<String> {
        let iat = now.timestamp();
        let exp = iat.checked_add(seconds)?;
        let dated = Dated { written, iat, exp, jti: random::uuid().to_string() };
        self.encrypt(&serde_json::to_vec(&dated).ok()?)
    }

    pub(super) fn encrypt(&self, plain: &[u8]) -> Option<String> {
        let mut text = plain.to_vec();
        let key = UnboundCipherKey::new(&AES_256, self.encryption.as_slice()).ok()?;
        let context = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?.encrypt(&mut text).ok()?;
        let DecryptionContext::Iv128(iv) = &context else { return None };
        let iv: &[u8; 16] = iv.as_ref();
        let tag = hmac::sign(&self.mac, &authenticated(&self.header, iv, &text));
        let tag = encode(tag.as_ref().get(..TAG)?);
        Some(format!("{}..{}.{}.{tag}", self.header, encode(iv), encode(text)))
    }

    /// The payload and the second it ends.
    pub(super) fn read(&self, value: &str) -> Option<(Read, i64)> {
        let mut payload = serde_json::from_slice(&self.decrypt(value)?).ok()?;
        let Value::Object(members) = &mut payload else { return None };
        let expires = members.remove("exp")?.as_i64()?;
        members.remove("iat")?.as_i64()?;
        members.remove("jti");
        Some((serde_json::from_value(payload).ok()?, expires))
    }

    pub(super) fn decrypt(&self, value: &str) -> Option<Vec<u8>> {
        let parts: Vec<&str> = value.split('.').collect();
        let [header, "", iv, text, tag] = parts.as_slice() else { return None };
        if !self.wrote(header)? {
            return None;
        }
        let iv: [u8; 16] = decode(iv)?.try_into().ok()?;
        let (mut text, tag) = (decode(text)?, decode(tag)?);
        let expected = hmac::sign(&self.mac, &authenticated(header, &iv, &text));
        let genuine = subtle::ConstantTimeEq::ct_eq(expected.as_ref().get(..TAG)?, tag.as_slice());
        if !bool::from(genuine) {
            return None;
        }
        let key = UnboundCipherKey::new(&AES_256, self.encryption.as_slice()).ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let plain =
            PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut text, context).ok()?;
        Some(plain.to_vec())
    }

    /// Whether a header is of this key, and says nothing else.
    fn wrote(&self, header: &str) -> Option<bool> {
        let members = object(header)?;
        let known = members.iter().all(|(name, value)| match name.as_str() {
            "alg" => value == "dir",
            "enc" => value == "A256CBC-HS512",
            "kid" => value == self.kid.as_str(),
            _ => false,
        });
        Some(known && members.contains_key("alg") && members.contains_key("enc"))
    }
}

/// What the tag is over: header, initialisation vector, text, bits of the header.
fn authenticated(header: &str, iv: &[u8], text: &[u8]) -> Vec<u8> {
    let bits = u64::try_from(header.len()).unwrap_or(u64::MAX).saturating_mul(8);
    [header.as_bytes(), iv, text, &bits.to_be_bytes()].concat()
}

/// RFC 7638: SHA-256 of the key's required members in alphabetical order.
fn thumbprint(key: &[u8]) -> String {
    let jwk = Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, encode(key)));
    encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}
