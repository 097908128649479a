//! The token endpoint (RFC 6749 sections 4.1.3 and 6, OpenID Connect Core 1.0 section 3.1.3).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use gatepost_protocol::{
    digest,
    jwk::{Algorithm, KeyError, SigningKey},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    Brand, Client, Failure, Fault, Provider,
    grants::{Consent, TOKEN_LIFE},
    params::{Params, has_word},
    userinfo,
};

/// `POST /token`.
pub(crate) async fn exchange(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let brand = provider.brand(&brand)?;
    let granted = grant(&provider, brand, &headers, &Params::parse(&body));
    let granted = match granted {
        Ok(granted) => granted,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    match granted.consent.fault {
        Some(Fault::Slow) => tokio::time::sleep(provider.0.settings.slow).await,
        Some(Fault::TokenError) => return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        _ => {}
    }
    let tokens = tokens(&provider, brand, &granted)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(tokens)).into_response())
}

struct Granted {
    consent: Arc<Consent>,
    now: DateTime<Utc>,
    access: String,
    /// Handed out with the code only.
    refresh: Option<String>,
}

/// An error of RFC 6749 section 5.2.
struct Refusal(&'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error, description) = self;
        let body = Json(json!({ "error": error, "error_description": description }));
        let no_store = [(header::CACHE_CONTROL, "no-store")];
        if error == "invalid_client" {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="token""#)];
            return (StatusCode::UNAUTHORIZED, challenge, no_store, body).into_response();
        }
        (StatusCode::BAD_REQUEST, no_store, body).into_response()
    }
}

fn grant(
    provider: &Provider,
    brand: &Brand,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Granted, Refusal> {
    if params.has_duplicates() {
        return Err(Refusal("invalid_request", "a parameter stands twice"));
    }
    let client = authenticate(provider, headers, params)?;
    let now = provider.now();
    let is_theirs =
        |consent: &Arc<Consent>| consent.client_id == client.id && consent.brand == brand.id;
    match params.get("grant_type") {
        Some("authorization_code") => {
            let code = params.get("code").ok_or(Refusal("invalid_request", "no code"))?;
            let mut grants = provider.grants();
            let consent = grants.redeem(code, now).filter(is_theirs);
            let consent = consent.ok_or(Refusal("invalid_grant", "unknown or used code"))?;
            check_origin_of_code(&consent, params)?;
            let tokens = grants.issue(&consent, now);
            Ok(Granted { consent, now, access: tokens.access, refresh: Some(tokens.refresh) })
        }
        Some("refresh_token") => {
            let token = params.get("refresh_token");
            let token = token.ok_or(Refusal("invalid_request", "no refresh_token"))?;
            let mut grants = provider.grants();
            let consent = grants.refresh(token, now).filter(is_theirs);
            let consent = consent.ok_or(Refusal("invalid_grant", "unknown refresh token"))?;
            let access = grants.access(&consent, now);
            Ok(Granted { consent, now, access, refresh: None })
        }
        _ => Err(Refusal("unsupported_grant_type", "authorization_code or refresh_token")),
    }
}

/// The code is presented by whoever asked for it: the same redirect URI, and the verifier of the challenge (RFC 7636).
fn check_origin_of_code(consent: &Consent, params: &Params) -> Result<(), Refusal> {
    if params.get("redirect_uri") != Some(&consent.redirect_uri) {
        return Err(Refusal("invalid_grant", "another redirect_uri"));
    }
    match (&consent.challenge, params.get("code_verifier")) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if is_verifier(verifier) => {
            if digest::sha256_base64url(verifier) == *challenge {
                Ok(())
            } else {
                Err(Refusal("invalid_grant", "code_verifier does not fit"))
            }
        }
        (Some(_), _) => Err(Refusal("invalid_grant", "no code_verifier of 43 to 128 characters")),
        // A verifier where no challenge was: somebody took the challenge off (RFC 9700 section 2.1.1).
        (None, Some(_)) => Err(Refusal("invalid_grant", "there was no code_challenge")),
    }
}

/// RFC 7636 section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// By `client_secret_basic` or `client_secret_post`, never both (RFC 6749 section 2.3).
fn authenticate<'a>(
    provider: &'a Provider,
    headers: &HeaderMap,
    params: &Params,
) -> Result<&'a Client, Refusal> {
    let unknown = Refusal("invalid_client", "unknown client or wrong secret");
    let (id, secret) = match headers.get(header::AUTHORIZATION) {
        Some(_) if params.get("client_secret").is_some() => {
            return Err(Refusal("invalid_request", "two ways of client authentication"));
        }
        Some(value) => value.to_str().ok().and_then(basic).ok_or(unknown)?,
        None => {
            let text = |name| params.get(name).unwrap_or_default().to_owned();
            (text("client_id"), text("client_secret"))
        }
    };
    let client = provider.client(&id).filter(|client| client.secret == secret);
    client.ok_or(Refusal("invalid_client", "unknown client or wrong secret"))
}

/// Name and password are form-encoded before they are put together (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = credentials.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(text: &str) -> Option<String> {
    let pair = format!("v={text}");
    let params = Params::parse(pair.as_bytes());
    params.get("v").map(str::to_owned)
}

fn tokens(provider: &Provider, brand: &Brand, granted: &Granted) -> Result<Value, KeyError> {
    let Granted { consent, access, .. } = granted;
    let mut answer = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFE.num_seconds(),
        "scope": consent.scope,
    });
    if let Value::Object(members) = &mut answer {
        if let Some(refresh) = &granted.refresh {
            members.insert("refresh_token".to_owned(), refresh.as_str().into());
        }
        if has_word(&consent.scope, "openid") {
            let token = id_token(provider, brand, granted)?;
            members.insert("id_token".to_owned(), token.into());
        }
    }
    Ok(answer)
}

fn id_token(provider: &Provider, brand: &Brand, granted: &Granted) -> Result<String, KeyError> {
    let Granted { consent, now, access, refresh } = granted;
    let issuer = provider.issuer(brand);
    let mut claims = userinfo::of(consent, &issuer);
    let fault = consent.fault;
    let issued = match fault {
        Some(Fault::ExpiredToken) => *now - TimeDelta::hours(2),
        _ => *now,
    };
    let audience = match fault {
        Some(Fault::WrongAudience) => "somebody-else",
        _ => consent.client_id.as_str(),
    };
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", issuer.as_str().into());
    put("aud", audience.into());
    put("azp", audience.into());
    put("iat", issued.timestamp().into());
    put("exp", (issued + TOKEN_LIFE).timestamp().into());
    put("auth_time", consent.at.timestamp().into());
    put("at_hash", half_hash(access).into());
    // The nonce is that of the sign-in; a refreshed token has none (OpenID Connect Core 1.0 section 12.2).
    match (&consent.nonce, fault) {
        (_, Some(Fault::WrongNonce)) => _ = put("nonce", "of-another-sign-in".into()),
        (Some(nonce), _) if refresh.is_some() => _ = put("nonce", nonce.as_str().into()),
        _ => {}
    }
    sign(provider, fault, &claims)
}

fn sign(
    provider: &Provider,
    fault: Option<Fault>,
    claims: &Map<String, Value>,
) -> Result<String, KeyError> {
    if fault == Some(Fault::WrongSignature) {
        let stranger = SigningKey::generate(Algorithm::Rs256, provider.0.kid.as_str())?;
        return stranger.sign(claims);
    }
    provider.key()?.sign(claims)
}

/// `at_hash` (OpenID Connect Core 1.0 section 3.1.3.6).
fn half_hash(token: &str) -> String {
    let hash = digest::sha256(token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}
