//! Userinfo, and the claims that id tokens share with it (OpenID Connect Core 1.0 section 5).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use gatepost_protocol::authorization::Authorization;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{Failure, Fault, Provider, grants::Consent, params::has_word};

/// `/userinfo`.
pub(crate) async fn claims(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let issuer = provider.issuer(provider.brand(&brand)?);
    Ok(match bearer(&provider, &brand, &headers) {
        Ok(consent) => Json(of(&consent, &issuer)).into_response(),
        Err(denied) => denied.into_response(),
    })
}

/// Why a bearer is told nothing.
pub(crate) enum Denied {
    /// No token of this provider.
    Token,
    /// [`Fault::UserinfoError`].
    Fault,
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Token => {
                let challenge = [(header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)];
                let body = Json(json!({ "error": "invalid_token", "message": "Bad credentials" }));
                (StatusCode::UNAUTHORIZED, challenge, body).into_response()
            }
            Self::Fault => {
                let body = json!({ "error": "server_error", "message": "Something went wrong" });
                (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
            }
        }
    }
}

/// What the bearer of a token was granted.
pub(crate) fn bearer(
    provider: &Provider,
    brand: &str,
    headers: &HeaderMap,
) -> Result<Arc<Consent>, Denied> {
    let values = headers.get_all(header::AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let Authorization::Bearer(token) = Authorization::parse(values) else {
        return Err(Denied::Token);
    };
    let consent = provider.grants().bearer(token, provider.now());
    let consent = consent.filter(|consent| consent.brand == brand).ok_or(Denied::Token)?;
    if consent.fault == Some(Fault::UserinfoError) {
        return Err(Denied::Fault);
    }
    Ok(consent)
}

/// The claims about a person, as far as the scope goes.
pub(crate) fn of(consent: &Consent, issuer: &str) -> Map<String, Value> {
    let account = &consent.account;
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("sub", account.subject().to_string().into());
    if has_word(&consent.scope, "email") && shares_email(consent) {
        put("email", account.email.as_str().into());
        put("email_verified", is_verified(consent).into());
    }
    if has_word(&consent.scope, "profile") {
        put("name", account.name.as_str().into());
        put("given_name", account.given_name().into());
        put("family_name", account.family_name().into());
        put("preferred_username", account.login().into());
        put("picture", account.picture(issuer).into());
    }
    claims
}

pub(crate) fn shares_email(consent: &Consent) -> bool {
    consent.fault != Some(Fault::NoEmail)
}

pub(crate) fn is_verified(consent: &Consent) -> bool {
    consent.account.verified && consent.fault != Some(Fault::UnverifiedEmail)
}
