//! Access tokens: verifying JSON Web Tokens (RFC 7519) as RFC 8725 asks. Signing is
//! [`SigningKey::sign`](crate::jwk::SigningKey::sign).

mod claims;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub use claims::Claims;

use crate::{
    jwk::{Algorithm, Jwks},
    jws::{Parts, object, split},
};

/// Longer tokens are refused before any work (JW-15).
pub const LONGEST: usize = 8 * 1024;
/// The most that clocks may differ, in seconds (JW-08).
const MOST_LEEWAY: i64 = 30;

/// What a token must say to be accepted. Everything is required and compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// `iss`.
    pub issuer: String,
    /// `aud` must contain one of these; at least one.
    pub audiences: Vec<String>,
    /// By how many seconds `nbf` and `iat` may lie ahead; more than 30 count as 30. `exp` has none.
    pub leeway: u32,
    /// The longest life of a token in seconds, from `iat` to `exp`.
    pub longest_life: u32,
    /// The purpose, in the header's `typ`. `None`: an access token, without `typ` or with `JWT`.
    pub typ: Option<String>,
    /// Whether a token may have no `sub`: one that stands for nobody, such as an anonymous one.
    pub subject_optional: bool,
}

/// A token that is not accepted. To the outside there is one refusal; [`Rejection::reason`] is for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is invalid")]
pub struct Rejection(&'static str);

impl Rejection {
    /// Which rule refused the token: for logs, never for an answer. Holds nothing of the token.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.0
    }
}

impl Verifier {
    /// Access tokens of one issuer for one audience: 30 seconds of leeway, a life of at most a day.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            leeway: 30,
            longest_life: 86_400,
            typ: None,
            subject_optional: false,
        }
    }

    /// The claims of a token, if it is genuine, in force, of this issuer and for this audience.
    /// The key comes from `jwks` alone; the token only names it (JW-04).
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn verify(
        &self,
        token: &str,
        jwks: &Jwks,
        now: DateTime<Utc>,
    ) -> Result<Claims, Rejection> {
        if token.len() > LONGEST {
            return Err(Rejection("longer than 8 KiB"));
        }
        let parts = split(token).ok_or(Rejection("not three parts of base64url with a header"))?;
        self.check_signature(&parts, jwks)?;
        let payload = object(parts.payload).ok_or(Rejection("payload is not a JSON object"))?;
        self.check_claims(payload, now.timestamp())
    }

    fn check_signature(&self, parts: &Parts<'_>, jwks: &Jwks) -> Result<(), Rejection> {
        // Members that name keys (`jwk`, `jku`, `x5c`) or change the meaning (`crit`, `b64`, `zip`)
        // are never ours: JW-04, JW-12.
        if parts.header.keys().any(|name| !["alg", "kid", "typ"].contains(&name.as_str())) {
            return Err(Rejection("header has a member besides alg, kid, typ"));
        }
        let member = |name| parts.header.get(name).and_then(Value::as_str);
        let algorithm = member("alg")
            .and_then(Algorithm::from_name)
            .ok_or(Rejection("alg is not EdDSA, ES256 or RS256"))?;
        self.check_type(&parts.header)?;
        let kid = member("kid").ok_or(Rejection("kid is not a string"))?;
        let key = jwks.get(kid).ok_or(Rejection("kid is unknown"))?;
        if key.algorithm() != algorithm {
            return Err(Rejection("alg is not the key's"));
        }
        if key.verify(parts.signed.as_bytes(), &parts.signature) {
            Ok(())
        } else {
            Err(Rejection("signature does not verify"))
        }
    }

    fn check_type(&self, header: &Map<String, Value>) -> Result<(), Rejection> {
        let fits = match (header.get("typ"), &self.typ) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(typ), None) => typ == "JWT",
            (Some(typ), Some(wanted)) => typ == wanted,
        };
        if fits { Ok(()) } else { Err(Rejection("typ is of another purpose")) }
    }

    fn check_claims(&self, claims: Map<String, Value>, now: i64) -> Result<Claims, Rejection> {
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(Rejection("iss is another"));
        }
        if !self.is_for_us(claims.get("aud")) {
            return Err(Rejection("aud is another"));
        }
        let leeway = i64::from(self.leeway).min(MOST_LEEWAY);
        let date = |name| claims.get(name).and_then(Value::as_i64).filter(|&date| date >= 0);
        let expires = date("exp").ok_or(Rejection("exp is not a whole number"))?;
        let issued = date("iat").ok_or(Rejection("iat is not a whole number"))?;
        if expires <= now {
            return Err(Rejection("expired"));
        }
        if issued > now + leeway {
            return Err(Rejection("iat lies ahead"));
        }
        let life = i64::from(self.longest_life);
        // Both: `iat` may be ahead by the leeway, and must not stretch the life.
        if expires - issued > life || expires - now > life {
            return Err(Rejection("lives too long"));
        }
        if claims.contains_key("nbf") {
            let begins = date("nbf").ok_or(Rejection("nbf is not a whole number"))?;
            if begins > now + leeway {
                return Err(Rejection("not yet in force"));
            }
        }
        let subject = match claims.get("sub") {
            None if self.subject_optional => String::new(),
            Some(Value::String(sub)) if !sub.is_empty() => sub.clone(),
            _ => return Err(Rejection("sub is not a string")),
        };
        Ok(Claims::new(subject, issued, expires, claims))
    }

    /// A string, or an array of nothing but strings, that contains one of ours (JW-09).
    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        let ours = |name: &str| !name.is_empty() && self.audiences.iter().any(|our| our == name);
        match audience {
            Some(Value::String(name)) => ours(name),
            Some(Value::Array(names)) => {
                let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
                names.is_some_and(|names| names.into_iter().any(ours))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
