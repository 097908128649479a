//! Keys that verify tokens: a shared secret, a JWK or a JWK set (RFC 7517, 7518, 8037).

use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::error::{ApiError, ErrorKind};

/// Shortest shared secret, bytes.
const SHORTEST_SECRET: usize = 32;

/// A set of verification keys.
#[derive(Clone, Default)]
pub struct Keys(Vec<Key>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Shared(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    k: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

impl Keys {
    /// Reads `jwt-secret`: a key set, a key or a shared secret, the last possibly base64.
    pub fn from_secret(text: &[u8], base64: bool) -> Result<Self, String> {
        let secret = if base64 {
            let standard: Vec<u8> = text
                .trim_ascii()
                .iter()
                .map(|byte| match byte {
                    b'_' => b'/',
                    b'-' => b'+',
                    b'.' => b'=',
                    other => *other,
                })
                .collect();
            STANDARD
                .decode(standard)
                .map_err(|error| format!("jwt-secret is not base64: {error}"))?
        } else {
            text.to_vec()
        };
        if let Ok(keys) = Self::from_json(&secret) {
            return Ok(keys);
        }
        if secret.len() < SHORTEST_SECRET {
            return Err("The JWT secret must be at least 32 characters long.".to_owned());
        }
        Ok(Self(vec![Key {
            kid: None,
            algorithm: Some("HS256".to_owned()),
            material: Material::Shared(secret),
        }]))
    }

    /// Reads a JWK or a JWK set. Keys of unknown kinds are skipped (RFC 7517 section 5).
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        if let Ok(set) = serde_json::from_slice::<JwkSet>(json) {
            return Ok(Self(
                set.keys
                    .into_iter()
                    .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
                    .filter_map(|jwk| jwk.key())
                    .collect(),
            ));
        }
        let jwk: Jwk = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        jwk.key().map(|key| Self(vec![key])).ok_or_else(|| "unsupported key".to_owned())
    }

    /// Whether a key has this id.
    pub fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Checks a signature. The algorithm must be one the key is for: a public key never serves as a shared secret.
    pub fn verify(
        &self,
        algorithm: &str,
        kid: Option<&str>,
        message: &[u8],
        tag: &[u8],
    ) -> Result<(), ApiError> {
        const KNOWN: [&str; 10] = [
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA",
            "Ed25519",
        ];
        if !KNOWN.contains(&algorithm) {
            return Err(ApiError::new(
                ErrorKind::JwtDecode,
                "Wrong or unsupported encoding algorithm",
            )
            .with_details(match algorithm {
                "none" => "JWT is unsecured but expected 'alg' was not 'none'".to_owned(),
                other => format!("The algorithm '{other}' is not supported"),
            }));
        }
        let fitting: Vec<&Key> = self
            .0
            .iter()
            .filter(|key| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid)
            .filter(|key| key.algorithm.as_deref().is_none_or(|allowed| allowed == algorithm))
            .filter(|key| key.material.fits(algorithm))
            .collect();
        if fitting.is_empty() {
            return Err(ApiError::new(ErrorKind::JwtDecode, "No suitable key or wrong key type")
                .with_details("None of the keys was able to decode the JWT"));
        }
        if fitting.iter().any(|key| key.material.verify(algorithm, message, tag)) {
            return Ok(());
        }
        Err(ApiError::new(ErrorKind::JwtDecode, "No suitable key or wrong key type")
            .with_details("None of the keys was able to decode the JWT"))
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok()
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        if self.r#use.as_deref().is_some_and(|used| used != "sig") {
            return None;
        }
        let point = || {
            let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
            Some([vec![4], x, y].concat())
        };
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Material::Shared(bytes(self.k.as_ref())?),
            ("RSA", _) => Material::Rsa { n: bytes(self.n.as_ref())?, e: bytes(self.e.as_ref())? },
            ("EC", Some("P-256")) => Material::P256(point()?),
            ("EC", Some("P-384")) => Material::P384(point()?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(self.x.as_ref())?),
            _ => return None,
        };
        Some(Key { kid: self.kid.clone(), algorithm: self.alg.clone(), material })
    }
}

impl Material {
    fn fits(&self, algorithm: &str) -> bool {
        match self {
            Self::Shared(_) => algorithm.starts_with("HS"),
            Self::Rsa { .. } => algorithm.starts_with("RS"),
            Self::P256(_) => algorithm == "ES256",
            Self::P384(_) => algorithm == "ES384",
            Self::Ed25519(_) => matches!(algorithm, "EdDSA" | "Ed25519"),
        }
    }

    fn verify(&self, algorithm: &str, message: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::Shared(secret) => {
                let kind = match algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::verify(&hmac::Key::new(kind, secret), message, tag).is_ok()
            }
            Self::Rsa { n, e } => {
                let kind = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA512,
                };
                signature::RsaPublicKeyComponents { n, e }.verify(kind, message, tag).is_ok()
            }
            Self::P256(point) => verify(&signature::ECDSA_P256_SHA256_FIXED, point, message, tag),
            Self::P384(point) => verify(&signature::ECDSA_P384_SHA384_FIXED, point, message, tag),
            Self::Ed25519(key) => verify(&signature::ED25519, key, message, tag),
        }
    }
}

fn verify(
    kind: &'static dyn signature::VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    tag: &[u8],
) -> bool {
    signature::UnparsedPublicKey::new(kind, key).verify(message, tag).is_ok()
}
