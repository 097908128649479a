//! Id tokens (OpenID Connect Core 1.0, section 3.1.3.7).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use gatepost_protocol::{digest, jwt::Verifier};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    endpoints::{Endpoints, Issuer},
    known::APPLE,
    provider::Provider,
};
use crate::app::App;

/// Longest life of an id token, in seconds.
const LONGEST_LIFE: u32 = 31 * 24 * 60 * 60;
/// The directory of Microsoft's private accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What an id token says.
pub(super) type Claims = Map<String, Value>;

/// The claims of a genuine id token of this provider for this application (OA-09, OA-10, OA-11); `None`: it is not one.
pub(super) async fn verify(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    token: &str,
    now: DateTime<Utc>,
) -> Option<Claims> {
    let url = endpoints.keys.as_deref()?;
    let issuers = issuers(&endpoints.issuer, token);
    for stale in [false, true] {
        let keys = match provider.keys(app, url, stale, now).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(provider = provider.id, cause = %error, "the provider's keys cannot be read");
                return None;
            }
        };
        for issuer in &issuers {
            let verifier = Verifier {
                issuer: issuer.clone(),
                audiences: provider.audiences(),
                leeway: 30,
                longest_life: LONGEST_LIFE,
                typ: None,
                subject_optional: false,
            };
            match verifier.verify(token, &keys, now) {
                Ok(claims) => return checked(provider, claims.into_all()),
                Err(rejection) => {
                    tracing::debug!(provider = provider.id, why = rejection.reason(), "id token");
                }
            }
        }
    }
    None
}

fn checked(provider: &Provider, claims: Claims) -> Option<Claims> {
    let is_ours = |name: &Value| {
        provider.audiences().iter().any(|audience| name.as_str() == Some(audience.as_str()))
    };
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
    let party = claims.get("azp");
    // Issued to another application, which lists ours among its audiences (OA-11).
    if party.is_some_and(|party| !is_ours(party)) || (several && party.is_none()) {
        return None;
    }
    let wanted = provider.settings.hosted_domain.as_str();
    let domain = claims.get("hd").and_then(Value::as_str).filter(|domain| !domain.is_empty());
    let in_domain = match (wanted, domain) {
        ("", _) | ("*", Some(_)) => true,
        (wanted, domain) => domain == Some(wanted),
    };
    in_domain.then_some(claims)
}

/// The issuers that may have signed this token, all from the settings: of Microsoft's directories the token says which one.
fn issuers(issuer: &Issuer, token: &str) -> Vec<String> {
    match issuer {
        Issuer::One(issuers) => issuers.clone(),
        Issuer::Directories { base, tenant } => {
            let directory = unverified(token)
                .and_then(|claims| claims.get("tid")?.as_str().map(str::to_ascii_lowercase))
                .filter(|directory| Uuid::parse_str(directory).is_ok());
            let Some(directory) = directory else { return Vec::new() };
            let allowed = match tenant.as_str() {
                "common" => true,
                "organizations" => directory != CONSUMERS,
                "consumers" => directory == CONSUMERS,
                one => directory == one.to_ascii_lowercase(),
            };
            if allowed { vec![format!("{base}/{directory}/v2.0")] } else { Vec::new() }
        }
    }
}

/// The claims of a token that nobody vouches for.
pub(super) fn unverified(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The claims of a token without a verifiable signature that came straight from the token endpoint (section 3.1.3.7, 6).
pub(super) fn direct(provider: &Provider, token: &str, now: DateTime<Utc>) -> Option<Claims> {
    let claims = unverified(token)?;
    let audiences = provider.audiences();
    let is_ours = |name: &Value| audiences.iter().any(|ours| name.as_str() == Some(ours.as_str()));
    let for_us = match claims.get("aud")? {
        Value::Array(names) => names.iter().any(is_ours),
        name => is_ours(name),
    };
    let live = claims.get("exp").and_then(Value::as_i64)? > now.timestamp();
    (for_us && live).then_some(claims)
}

/// Whether the token answers the request that was given this nonce (OA-07).
pub(super) fn has_nonce(provider: &Provider, claims: &Claims, nonce: &str) -> bool {
    let Some(found) = claims.get("nonce").and_then(Value::as_str) else { return false };
    // Apple's own libraries hash the nonce of the application.
    let hashed = || hex::encode(digest::sha256(nonce.as_bytes()));
    found == nonce || provider.kind.kind == APPLE && found == hashed()
}

/// Whether a token that an application presents is young enough.
pub(super) fn is_recent(provider: &Provider, claims: &Claims, now: DateTime<Utc>) -> bool {
    let oldest = provider.kind.oldest_id_token;
    let issued = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
    oldest == 0 || now.timestamp() - issued <= oldest
}
