//! What clients read beforehand, and what they call at the end.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde_json::json;
use url::Url;

use crate::{Failure, Fault, Provider, page, params::Params};

/// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 4).
pub(crate) async fn document(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
) -> Result<Response, Failure> {
    let issuer = provider.issuer(provider.brand(&brand)?);
    let faults: Vec<&str> = Fault::ALL.into_iter().map(Fault::as_str).collect();
    Ok(readable(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "scopes_supported": ["openid", "email", "profile", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "email", "email_verified", "name",
            "given_name", "family_name", "preferred_username", "picture",
        ],
        "authorization_response_iss_parameter_supported": true,
        "faults_supported": faults,
    })))
}

/// `/jwks`.
pub(crate) async fn keys(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
) -> Result<Response, Failure> {
    provider.brand(&brand)?;
    Ok(readable(json!({ "keys": [provider.key()?.published_jwk()?] })))
}

fn readable(document: serde_json::Value) -> Response {
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(document)).into_response()
}

/// `/logout` (OpenID Connect RP-Initiated Logout 1.0). Nobody is signed in here, so there is only the way back: to where
/// a client's redirect URIs lead, nowhere else.
pub(crate) async fn logout(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let brand = provider.brand(&brand)?;
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let target = params.get("post_logout_redirect_uri").and_then(|target| Url::parse(target).ok());
    let known = |target: &Url| {
        let mut uris = provider.0.settings.clients.iter().flat_map(|client| &client.redirect_uris);
        uris.any(|uri| Url::parse(uri).is_ok_and(|uri| uri.origin() == target.origin()))
    };
    let Some(mut target) = target.filter(known) else {
        return page::notice(
            StatusCode::OK,
            brand,
            "You are signed out",
            "Nothing was kept here. You can close this page.",
        );
    };
    if let Some(state) = params.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Ok((StatusCode::FOUND, [(header::LOCATION, target.as_str())]).into_response())
}
