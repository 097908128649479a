//! Tokens the server writes for itself: HS256 keyed with its secret, as Better Auth's e-mail
//! verification tokens. One kind of token is not accepted as another (JW-11): the claims of each are
//! a type that knows exactly its own members, and no verifier of access tokens knows HS256.

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    jwk::encode,
    jws::{Parts, object, split},
    secret::Secret,
};

/// base64url of `{"alg":"HS256"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiJ9";

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Genuine, but too old.
    #[error("the token has expired")]
    Expired,
    /// Anything else: altered, of another secret, of another kind, no token at all.
    #[error("the token is invalid")]
    Invalid,
}

/// The claims of a link that proves an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailVerification {
    /// The user's address, in lower case.
    pub email: String,
    /// The address that shall replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_to: Option<String>,
    /// Which step of a change of address this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_type: Option<String>,
    /// The user, so that a token does not outlive an account (Better Auth 1.7.24 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The hash of a challenge that the browser holds which asked for the link: Neon's way back to another site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_challenge: Option<String>,
}

#[derive(Serialize)]
struct Dated<'claims, T> {
    #[serde(flatten)]
    claims: &'claims T,
    iat: i64,
    exp: i64,
}

/// A token of these claims. `claims` must serialise as a JSON object and be refused by its own
/// `Deserialize` when members are missing or unknown.
///
/// # Errors
/// [`Refused::Invalid`] when the claims are no JSON object.
pub fn issue<T: Serialize>(
    secret: &Secret,
    claims: &T,
    now: DateTime<Utc>,
    seconds: i64,
) -> Result<String, Refused> {
    let iat = now.timestamp();
    let dated = Dated { claims, iat, exp: iat.saturating_add(seconds) };
    let payload = serde_json::to_vec(&dated).map_err(|_| Refused::Invalid)?;
    let signed = format!("{HEADER}.{}", encode(payload));
    let tag = hmac::sign(&key(secret), signed.as_bytes());
    Ok(format!("{signed}.{}", encode(tag)))
}

/// The claims of a token that [`issue`] wrote for the same kind `T`.
///
/// # Errors
/// [`Refused`]; a token is only called expired once its signature is right.
pub fn verify<T: DeserializeOwned>(
    secret: &Secret,
    token: &str,
    now: DateTime<Utc>,
) -> Result<T, Refused> {
    const LONGEST: usize = 8 * 1024;
    if token.len() > LONGEST {
        return Err(Refused::Invalid);
    }
    verify_any_length(secret, token, now).map(|(claims, _)| claims)
}

/// Like [`verify`] for tokens bounded elsewhere; also says when it expires.
pub(crate) fn verify_any_length<T: DeserializeOwned>(
    secret: &Secret,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(T, i64), Refused> {
    let Parts { header, signed, payload, signature } = split(token).ok_or(Refused::Invalid)?;
    let of_ours = header.iter().all(|(name, value)| match name.as_str() {
        "alg" => value == "HS256",
        "typ" => value == "JWT",
        _ => false,
    });
    if !of_ours || !header.contains_key("alg") {
        return Err(Refused::Invalid);
    }
    hmac::verify(&key(secret), signed.as_bytes(), &signature).map_err(|_| Refused::Invalid)?;
    let mut claims = object(payload).ok_or(Refused::Invalid)?;
    let mut date = |name| claims.remove(name).as_ref().and_then(Value::as_i64);
    let (Some(_), Some(expires)) = (date("iat"), date("exp")) else { return Err(Refused::Invalid) };
    let typed = serde_json::from_value(Value::Object(claims)).map_err(|_| Refused::Invalid)?;
    if expires <= now.timestamp() { Err(Refused::Expired) } else { Ok((typed, expires)) }
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

#[cfg(test)]
mod tests;
