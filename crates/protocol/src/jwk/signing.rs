use std::fmt;

use aws_lc_rs::{
    encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Algorithm, decode, der, encode};

/// A private key that signs tokens, with the id under which its public half is published.
pub struct SigningKey {
    kid: String,
    material: Material,
    /// `base64url(header) + "."`, the same for every token.
    prefix: String,
}

enum Material {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
}

/// A key that cannot be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private JWK of a supported kind.
    #[error("not a private key of a supported kind (Ed25519, P-256, RSA)")]
    Unsupported,
    /// Members are missing, malformed or do not belong together.
    #[error("the private key is malformed or inconsistent")]
    Malformed,
    /// The library refused the operation.
    #[error("the cryptographic library refused the operation")]
    Refused,
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written as JSON")]
    Claims,
}

/// Private members, only ever between the library and sealed storage.
#[derive(Deserialize)]
struct PrivateJwk<'json> {
    kty: &'json str,
    crv: Option<&'json str>,
    d: Option<&'json str>,
    x: Option<&'json str>,
    y: Option<&'json str>,
    n: Option<&'json str>,
    e: Option<&'json str>,
    p: Option<&'json str>,
    q: Option<&'json str>,
    dp: Option<&'json str>,
    dq: Option<&'json str>,
    qi: Option<&'json str>,
}

impl SigningKey {
    /// A fresh key; RSA has 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library fails.
    pub fn generate(algorithm: Algorithm, kid: impl Into<String>) -> Result<Self, KeyError> {
        let material = match algorithm {
            Algorithm::EdDsa => Material::EdDsa(Ed25519KeyPair::generate().map_err(refused)?),
            Algorithm::Es256 => Material::Es256(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(refused)?,
            ),
            Algorithm::Rs256 => {
                Material::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused)?))
            }
        };
        Ok(Self::new(kid.into(), material))
    }

    /// Reads a private JWK, as Better Auth stores it once unsealed.
    ///
    /// # Errors
    /// [`KeyError`] when it is of another kind or its members do not fit each other.
    pub fn from_private_jwk(jwk: &str, kid: impl Into<String>) -> Result<Self, KeyError> {
        let jwk: PrivateJwk<'_> = serde_json::from_str(jwk).map_err(|_| KeyError::Malformed)?;
        let material = match (jwk.kty, jwk.crv) {
            ("OKP", Some("Ed25519")) => Material::EdDsa(ed25519(&jwk)?),
            ("EC", Some("P-256")) => Material::Es256(p256(&jwk)?),
            ("RSA", None) => Material::Rs256(Box::new(rsa(&jwk)?)),
            _ => return Err(KeyError::Unsupported),
        };
        Ok(Self::new(kid.into(), material))
    }

    fn new(kid: String, material: Material) -> Self {
        let alg = material.algorithm().name();
        // As Better Auth: no `typ`.
        let header = json!({ "alg": alg, "kid": kid }).to_string();
        Self { prefix: format!("{}.", encode(header)), kid, material }
    }

    /// The id under which verifiers find the public half.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.material.algorithm()
    }

    /// The public JWK as Better Auth stores it: without `kid`, `alg` and `use`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the library hands out something unexpected.
    pub fn public_jwk(&self) -> Result<Value, KeyError> {
        match &self.material {
            Material::EdDsa(pair) => {
                Ok(json!({ "crv": "Ed25519", "x": encode(pair.public_key()), "kty": "OKP" }))
            }
            Material::Es256(pair) => {
                let (x, y) = point(pair.public_key().as_ref())?;
                Ok(json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }))
            }
            Material::Rs256(pair) => {
                let integers = der::integers(pair.public_key().as_ref());
                let Some([n, e]) = integers.as_deref() else { return Err(KeyError::Malformed) };
                Ok(json!({ "kty": "RSA", "n": encode(n), "e": encode(e) }))
            }
        }
    }

    /// The public JWK as it is published: with `kid`, `alg` and `use: "sig"`.
    ///
    /// # Errors
    /// As [`SigningKey::public_jwk`].
    pub fn published_jwk(&self) -> Result<Value, KeyError> {
        let mut jwk = self.public_jwk()?;
        if let Value::Object(members) = &mut jwk {
            members.insert("alg".to_owned(), self.algorithm().name().into());
            members.insert("kid".to_owned(), self.kid.as_str().into());
            members.insert("use".to_owned(), "sig".into());
        }
        Ok(jwk)
    }

    /// The private JWK as JSON text: for sealing, for nothing else.
    ///
    /// # Errors
    /// [`KeyError`] when the library does not hand out the key.
    pub fn private_jwk(&self) -> Result<Zeroizing<String>, KeyError> {
        let mut jwk = self.public_jwk()?;
        let Value::Object(members) = &mut jwk else { return Err(KeyError::Malformed) };
        let mut put = |name: &str, bytes: &[u8]| {
            members.insert(name.to_owned(), encode(bytes).into());
        };
        match &self.material {
            Material::EdDsa(pair) => {
                let seed = pair.seed().map_err(refused)?;
                put("d", seed.as_be_bytes().map_err(refused)?.as_ref());
            }
            Material::Es256(pair) => {
                let key: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(refused)?;
                put("d", key.as_ref());
            }
            Material::Rs256(pair) => {
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
                let key = der::pkcs8_private_key(document.as_ref()).ok_or(KeyError::Malformed)?;
                let integers = der::integers(key).ok_or(KeyError::Malformed)?;
                let [_version, _n, _e, d, p, q, dp, dq, qi] = integers.as_slice() else {
                    return Err(KeyError::Malformed);
                };
                let members = [("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)];
                members.into_iter().for_each(|(name, bytes)| put(name, bytes));
            }
        }
        Ok(Zeroizing::new(jwk.to_string()))
    }

    /// Signs claims: a compact JWS with the header `{"alg", "kid"}`, as Better Auth and Neon write it.
    ///
    /// # Errors
    /// [`KeyError::Claims`] when the claims are no JSON, [`KeyError::Refused`] when the library fails.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        self.sign_under(&self.prefix, claims)
    }

    /// Signs claims for one purpose, named by the header's `typ` (RFC 8725 section 3.11).
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn sign_typed(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = json!({ "alg": self.algorithm().name(), "kid": self.kid, "typ": typ });
        self.sign_under(&format!("{}.", encode(header.to_string())), claims)
    }

    /// Signs bytes that travel by another way: a compact JWS without its payload (RFC 7515 appendix F).
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library fails.
    pub fn sign_detached(&self, payload: &[u8]) -> Result<String, KeyError> {
        let signed = format!("{}{}", self.prefix, encode(payload));
        let signature = self.material.sign(signed.as_bytes())?;
        Ok(format!("{}.{}", self.prefix, encode(signature)))
    }

    fn sign_under(&self, prefix: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let payload = serde_json::to_vec(claims).map_err(|_| KeyError::Claims)?;
        let mut token = String::with_capacity(prefix.len() + payload.len() * 4 / 3 + 352);
        token.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.material.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl Material {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::EdDsa(pair) => Ok(pair.try_sign(message).map_err(refused)?.as_ref().to_vec()),
            Self::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(refused)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(refused)?;
                Ok(signature)
            }
        }
    }
}

/// The private half does not show itself.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({:?}, kid {:?})", self.algorithm(), self.kid)
    }
}

fn refused(_: aws_lc_rs::error::Unspecified) -> KeyError {
    KeyError::Refused
}

fn member(text: Option<&str>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    text.and_then(decode).map(Zeroizing::new).ok_or(KeyError::Malformed)
}

fn ed25519(jwk: &PrivateJwk<'_>) -> Result<Ed25519KeyPair, KeyError> {
    Ed25519KeyPair::from_seed_and_public_key(&member(jwk.d)?, &member(jwk.x)?)
        .map_err(|_| KeyError::Malformed)
}

fn p256(jwk: &PrivateJwk<'_>) -> Result<EcdsaKeyPair, KeyError> {
    let public = [&[0x04], member(jwk.x)?.as_slice(), member(jwk.y)?.as_slice()].concat();
    EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &member(jwk.d)?,
        &public,
    )
    .map_err(|_| KeyError::Malformed)
}

fn rsa(jwk: &PrivateJwk<'_>) -> Result<RsaKeyPair, KeyError> {
    RsaKeyPair::from_components(&aws_lc_rs::rsa::KeyPairComponents {
        public_key: PublicKeyComponents { n: member(jwk.n)?, e: member(jwk.e)? },
        d: member(jwk.d)?,
        p: member(jwk.p)?,
        q: member(jwk.q)?,
        dP: member(jwk.dp)?,
        dQ: member(jwk.dq)?,
        qInv: member(jwk.qi)?,
    })
    .map_err(|_| KeyError::Malformed)
}

/// The coordinates of an uncompressed P-256 point.
fn point(bytes: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    match bytes.split_first() {
        Some((0x04, coordinates)) if coordinates.len() == 64 => Ok(coordinates.split_at(32)),
        _ => Err(KeyError::Malformed),
    }
}
