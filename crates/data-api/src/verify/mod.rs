//! Verify: who is calling. A bearer token becomes a role and claims.

mod cache;
mod keys;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use cache::Cache;
pub use keys::Keys;

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};

/// Clocks may differ by this many seconds.
const LEEWAY: i64 = 30;

/// Who is calling.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Role to become.
    pub role: String,
    /// Claims of the token, empty without one.
    pub claims: Map<String, Value>,
}

impl Identity {
    /// Claims as SQL sees them: with the role that was chosen.
    pub fn claims_json(&self) -> String {
        let role = Value::String(self.role.clone());
        let chosen = self
            .claims
            .iter()
            .map(|(name, value)| (name.as_str(), if name == "role" { &role } else { value }));
        let added = (!self.claims.contains_key("role")).then_some(("role", &role));
        serde_json::to_string(&Members(chosen.chain(added).collect())).unwrap_or_default()
    }
}

/// A JSON object in the order of its members.
struct Members<'a>(Vec<(&'a str, &'a Value)>);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// The token of `Authorization: Bearer …`, if any; possibly empty.
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = crate::request::header(headers, "authorization")?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value.as_str(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start().to_owned())
}

fn decode_error(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::JwtDecode, message)
}

fn claims_error(message: &str) -> ApiError {
    ApiError::new(ErrorKind::JwtClaims, message)
}

/// The key that a token names, believed in nothing.
pub(crate) fn kid(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    Some(header.get("kid")?.as_str()?.to_owned())
}

/// Checks a token's form and signature and returns its claims.
pub fn decode(token: &str, keys: Option<&Keys>) -> Result<Map<String, Value>, ApiError> {
    let Some(keys) = keys else {
        return Err(ApiError::new(ErrorKind::NoJwtSecret, "Server lacks JWT secret"));
    };
    if token.is_empty() {
        return Err(decode_error("Empty JWT is sent in Authorization header"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(decode_error(format!("Expected 3 parts in JWT; got {}", parts.len())));
    };
    let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
    let crypto = || decode_error("JWT cryptographic operation failed");
    let header: Value = URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(crypto)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| crypto())?;
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let kid = header.get("kid").and_then(Value::as_str);
    // RFC 7515 section 4.1.11: an extension this server does not know must be refused.
    if header.get("crit").is_some() {
        return Err(crypto());
    }
    keys.verify(algorithm, kid, signed.as_bytes(), &signature)?;
    let claims: Option<Value> =
        URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match claims {
        Some(Value::Object(claims)) => Ok(claims),
        _ => Err(claims_error("Parsing claims failed")),
    }
}

/// Checks the claims against the clock and the configuration and finds the role.
pub fn authorize(
    claims: Map<String, Value>,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Identity, ApiError> {
    check_times(&claims, now.timestamp())?;
    check_audience(&claims, config.jwt_aud.as_deref())?;
    let claims = Value::Object(claims);
    let role = match config.jwt_role_claim_key.find(&claims) {
        Some(Value::String(role)) => Some(role.clone()),
        Some(other) => Some(other.to_string()),
        None => config.db_anon_role.clone(),
    };
    let Value::Object(claims) = claims else { return Err(claims_error("Parsing claims failed")) };
    let role =
        role.ok_or_else(|| ApiError::new(ErrorKind::JwtRequired, "Anonymous access is disabled"))?;
    let allowed = &config.safety.allowed_roles;
    if !allowed.is_empty() && !allowed.contains(&role) {
        return Err(claims_error("The role of the JWT is not allowed"));
    }
    Ok(Identity { role, claims })
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), ApiError> {
    let number = |name: &str, message: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(seconds(number))),
        Some(_) => Err(claims_error(message)),
    };
    if number("exp", "The JWT 'exp' claim must be a number")?.is_some_and(|exp| now - LEEWAY > exp)
    {
        return Err(claims_error("JWT expired"));
    }
    if number("nbf", "The JWT 'nbf' claim must be a number")?.is_some_and(|nbf| now + LEEWAY < nbf)
    {
        return Err(claims_error("JWT not yet valid"));
    }
    if number("iat", "The JWT 'iat' claim must be a number")?.is_some_and(|iat| now + LEEWAY < iat)
    {
        return Err(claims_error("JWT issued at future"));
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, which is what a far time means"
)]
fn seconds(number: &serde_json::Number) -> i64 {
    number.as_i64().unwrap_or_else(|| number.as_f64().map_or(0, |number| number.floor() as i64))
}

fn check_audience(claims: &Map<String, Value>, wanted: Option<&str>) -> Result<(), ApiError> {
    let shape = || claims_error("The JWT 'aud' claim must be a string or an array of strings");
    let audiences: Vec<&str> = match claims.get("aud") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(audiences)) => {
            let audiences: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            audiences.ok_or_else(shape)?
        }
        Some(_) => return Err(shape()),
    };
    match wanted {
        Some(wanted) if !audiences.is_empty() && !audiences.contains(&wanted) => {
            Err(claims_error("JWT not in audience"))
        }
        _ => Ok(()),
    }
}
