//! The endpoints of keys and tokens.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use http::{Method, header};
use serde_json::json;

use super::{
    ring::{Ring, Source},
    token,
};
use crate::{
    app::App,
    config::Config,
    error::{Error, Result},
    http::{Answer, Call, Endpoint, Layout, SET_AUTH_JWT, endpoint::Access},
    session::{self, Current},
    two_factor,
};

/// The endpoints.
pub(crate) fn endpoints(config: &Config) -> Vec<Endpoint> {
    if !config.features.jwt {
        return Vec::new();
    }
    let jwks = Endpoint::get("/jwks", "jwks", Access::Public, jwks)
        .about("The public keys that verify this server's tokens (RFC 7517).");
    vec![
        jwks.also(Method::GET, "/.well-known/jwks.json"),
        // The server SDK of Neon asks for it there.
        jwks.also(Method::GET, "/jwt"),
        // Neon's service has no such path: its clients know the well-known one.
        jwks.only(Layout::BetterAuth),
        Endpoint::get("/.well-known/openid-configuration", "discovery", Access::Public, discovery)
            .about(
                "Where the keys are and which algorithms are used (OpenID Connect Discovery 1.0).",
            ),
        Endpoint::get("/token", "token", Access::Session, token)
            .about("A token for other services, good for 15 minutes."),
        Endpoint::get("/token/anonymous", "anonymous_token", Access::Public, anonymous_token)
            .about("A token for reading what everybody may read, good for an hour."),
    ]
}

/// The keys in use.
///
/// # Errors
/// Unavailable, when they were never read and cannot be now.
pub async fn ring(app: &App) -> Result<Arc<Ring>> {
    let source =
        Source { db: &app.db, sealer: &app.sealer, config: &app.config.jwt, clock: &app.clock };
    app.keys.ring(source).await
}

/// The published keys as JSON.
///
/// # Errors
/// Unavailable, when they were never read and cannot be now.
pub async fn published(app: &App) -> Result<Bytes> {
    Ok(ring(app).await?.published.clone())
}

/// Where the keys are, as verifiers of other vendors look for it.
#[must_use]
pub fn discovery_document(app: &App, base: &str) -> serde_json::Value {
    json!({
        "issuer": app.issuer,
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "id_token_signing_alg_values_supported": ["EdDSA", "ES256", "RS256"],
        "subject_types_supported": ["public"],
        "response_types_supported": ["token"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "email", "emailVerified", "name", "image", "role", "o"],
    })
}

async fn jwks(app: App, _: Call) -> Result<Answer> {
    // Verifiers keep it for minutes; a new key is published an hour before it signs.
    Answer::json_bytes(published(&app).await?)
        .with_header(header::CACHE_CONTROL, "public, max-age=300")
}

async fn discovery(app: App, call: Call) -> Result<Answer> {
    Answer::json(&discovery_document(&app, &call.mount.base))
}

async fn token(app: App, call: Call) -> Result<Answer> {
    let caller = match session::verifier::exchange(&app, &call).await? {
        Some(taken) => {
            two_factor::demand(&app, &call, &taken.signed_in).await?;
            taken
        }
        None => session::required(&app, &call).await?,
    };
    let token = token::session_token(&app, &call, &*ring(&app).await?, &caller)?;
    Answer::json(&json!({ "token": token }))
}

async fn anonymous_token(app: App, call: Call) -> Result<Answer> {
    let expires_at = (call.now + TimeDelta::hours(1)).timestamp();
    let claims = json!({
        "role": "anonymous",
        "iat": call.now.timestamp(),
        "exp": expires_at,
        "iss": app.issuer,
        "aud": app.audience,
    });
    let token =
        ring(&app).await?.signing.sign(&claims).map_err(|error| Error::Internal(error.into()))?;
    Answer::json(&json!({ "token": token, "expires_at": expires_at }))
}

/// Adds `set-auth-jwt` to an answer that tells who is signed in.
///
/// # Errors
/// Unavailable, when the keys were never read and cannot be now.
pub async fn with_session_token(
    app: &App,
    call: &Call,
    caller: &Current,
    answer: Answer,
) -> Result<Answer> {
    if !app.config.features.jwt {
        return Ok(answer);
    }
    let token = token::session_token(app, call, &*ring(app).await?, caller)?;
    answer.with_header(SET_AUTH_JWT, &token)
}
