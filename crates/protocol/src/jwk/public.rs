use std::fmt;

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};
use serde_json::{Map, Value};

use super::{Algorithm, decode, edwards};

/// Longer key ids are nobody's.
const LONGEST_KID: usize = 256;
/// Members of a private or symmetric key: whoever publishes them has no key any more (JW-19).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key that verifies tokens of exactly one algorithm.
pub struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    /// Exactly the members that are published.
    jwk: Value,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// Reads one member of a key set; `None` for whatever must not verify tokens: other key types
    /// and curves, `use` or `alg` of another purpose, private members, RSA below 2048 bits, weak or
    /// non-canonical Ed25519 points (JW-03, JW-16, JW-19).
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let members = jwk.as_object()?;
        let kid = text(members, "kid").filter(|kid| !kid.is_empty() && kid.len() <= LONGEST_KID)?;
        if PRIVATE.iter().any(|name| members.contains_key(*name)) || !verifies(members) {
            return None;
        }
        let (algorithm, key, names): (_, _, &[&str]) =
            match (text(members, "kty")?, text(members, "crv")) {
                ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, ed25519(members)?, &["crv", "x"]),
                ("EC", Some("P-256")) => (Algorithm::Es256, p256(members)?, &["crv", "x", "y"]),
                ("RSA", None) => (Algorithm::Rs256, rsa(members)?, &["n", "e"]),
                _ => return None,
            };
        if members.get("alg").is_some_and(|alg| alg != algorithm.name()) {
            return None;
        }
        let mut published = Map::new();
        published.insert("alg".to_owned(), algorithm.name().into());
        for name in names.iter().chain(&["kty", "kid"]) {
            published.insert((*name).to_owned(), members.get(*name)?.clone());
        }
        published.insert("use".to_owned(), "sig".into());
        Some(Self { kid: kid.to_owned(), algorithm, jwk: Value::Object(published), key })
    }

    /// The id tokens name it by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// As published: public members, `kid`, `alg`, `use`.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let sound = match self.algorithm {
            Algorithm::EdDsa => {
                signature.len() == 64
                    && signature
                        .split_first_chunk::<32>()
                        .is_some_and(|(r, _)| edwards::is_sound(r))
            }
            Algorithm::Es256 => signature.len() == 64,
            Algorithm::Rs256 => true,
        };
        sound && self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.jwk)
    }
}

fn text<'jwk>(members: &'jwk Map<String, Value>, name: &str) -> Option<&'jwk str> {
    members.get(name)?.as_str()
}

/// `use` and `key_ops` allow verifying signatures, or are absent.
fn verifies(members: &Map<String, Value>) -> bool {
    let operations = members.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| list.iter().any(|name| name == "verify"))
    });
    operations && members.get("use").is_none_or(|purpose| purpose == "sig")
}

fn ed25519(members: &Map<String, Value>) -> Option<ParsedPublicKey> {
    let point = decode(text(members, "x")?)?;
    edwards::is_sound(&point).then(|| ParsedPublicKey::new(&ED25519, point).ok())?
}

fn p256(members: &Map<String, Value>) -> Option<ParsedPublicKey> {
    let (x, y) = (decode(text(members, "x")?)?, decode(text(members, "y")?)?);
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[0x04], x.as_slice(), &y].concat()).ok()
}

fn rsa(members: &Map<String, Value>) -> Option<ParsedPublicKey> {
    let (n, e) = (decode(text(members, "n")?)?, decode(text(members, "e")?)?);
    let large = n.first().is_some_and(|&first| first >= 0x80) && (256..=1024).contains(&n.len());
    let exponent = e.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    let odd = e.len() <= 4 && exponent >= 3 && exponent % 2 == 1;
    if !large || !odd {
        return None;
    }
    PublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()
}
