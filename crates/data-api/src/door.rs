//! The two doors: PostgREST's own, and the one within Gatepost's server (Neon's layout).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use gatepost_protocol::jwk::Jwks;
use gatepost_protocol::jwt::{Claims, Verifier};
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::error::{ApiError, ErrorKind, ErrorParts};
use crate::state::State;
use crate::verify::{self, Cache, Identity};

/// Finds the published key set, as JSON. `None`: it was never read, and cannot be now.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// Asks whether what a token says still holds. `None`: nobody could be asked.
pub type Check =
    Arc<dyn Fn(Claims, DateTime<Utc>) -> BoxFuture<'static, Option<bool>> + Send + Sync>;

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub enum Door {
    /// `jwt-secret`, `jwt-aud`, an anonymous role for callers without a token.
    PostgRest,
    /// Gatepost's access tokens, always required; the keys are in this process.
    Neon(NeonDoor),
}

/// The door at `/{project}/rest/v1`.
#[derive(Clone)]
pub struct NeonDoor {
    verifier: Arc<Verifier>,
    keys: KeySource,
    known: Arc<RwLock<Arc<Known>>>,
    session: Option<Check>,
}

/// A key set, and the tokens that were verified under it.
#[derive(Default)]
struct Known {
    published: Bytes,
    keys: Jwks,
    tokens: Cache<Claims>,
}

/// Tokens remembered as verified.
const MOST_TOKENS: usize = 4096;

impl fmt::Debug for NeonDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeonDoor").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl NeonDoor {
    /// Accepts tokens `verifier` accepts under the keys that `keys` finds; with `session`, only while it says so.
    pub fn new(verifier: Verifier, keys: KeySource, session: Option<Check>) -> Self {
        let verifier = Arc::new(Verifier { subject_optional: true, ..verifier });
        Self { verifier, keys, known: Arc::default(), session }
    }

    /// The keys of now. They never come from a token, and an unknown `kid` fetches nothing (JW-04, JW-18).
    async fn known(&self) -> Result<Arc<Known>, ApiError> {
        let published = (self.keys)().await.ok_or_else(unavailable)?;
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        if known.published == published {
            return Ok(known);
        }
        let keys = std::str::from_utf8(&published).ok().and_then(|text| Jwks::parse(text).ok());
        let keys = keys.ok_or_else(unavailable)?;
        let known = Arc::new(Known { published, keys, tokens: Cache::new(MOST_TOKENS) });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&known);
        Ok(known)
    }

    /// The claims of a genuine token that is in force.
    pub(crate) async fn claims(
        &self,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Result<Arc<Claims>, ApiError> {
        let Some(token) = verify::bearer(headers).filter(|token| !token.is_empty()) else {
            return Err(missing());
        };
        let known = self.known().await?;
        if let Some(claims) =
            known.tokens.get(&token).filter(|claims| claims.expires_at() > now.timestamp())
        {
            return Ok(claims);
        }
        let claims = self.verifier.verify(&token, &known.keys, now).map_err(|rejection| {
            tracing::debug!(reason = rejection.reason(), "token refused");
            ApiError::new(ErrorKind::JwtDecode, "The token is invalid")
        })?;
        let claims = Arc::new(claims);
        known.tokens.put(&token, Arc::clone(&claims));
        Ok(claims)
    }

    async fn identify(
        &self,
        config: &Config,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Result<Identity, ApiError> {
        let claims = self.claims(headers, now).await?;
        let role = claims.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
        // DA-04: only roles made for callers, never one the database happens to grant.
        if !config.safety.allowed_roles.contains(&role) {
            return Err(ApiError::new(ErrorKind::JwtClaims, "The role of the JWT is not allowed"));
        }
        let anonymous = config.db_anon_role.as_ref() == Some(&role);
        if claims.subject().is_empty() && !anonymous {
            return Err(ApiError::new(ErrorKind::JwtClaims, "The JWT names nobody"));
        }
        if let Some(check) = self.session.as_ref().filter(|_| !claims.subject().is_empty()) {
            match check((*claims).clone(), now).await {
                Some(true) => {}
                Some(false) => {
                    return Err(ApiError::new(ErrorKind::JwtClaims, "The session has ended"));
                }
                None => return Err(unavailable()),
            }
        }
        Ok(Identity { role, claims: claims.all().clone() })
    }
}

/// Whoever knows the keys or the sessions cannot be asked: no verdict on the caller.
pub(crate) fn unavailable() -> ApiError {
    ApiError::new(ErrorKind::Connection, "The caller cannot be verified at the moment.")
}

/// What Neon's Data API answers without a token.
fn missing() -> ApiError {
    ErrorParts {
        status: 400,
        reason: None,
        code: String::new(),
        message:
            "missing authentication credentials: required authorization bearer token in JWT format"
                .to_owned(),
        details: None,
        hint: None,
        headers: Vec::new(),
    }
    .into()
}

/// Finds out who is calling.
pub(crate) async fn identify(
    state: &State,
    config: &Config,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Identity, ApiError> {
    if let Door::Neon(door) = state.door() {
        return door.identify(config, headers, now).await;
    }
    let Some(token) = verify::bearer(headers) else {
        return verify::authorize(Map::new(), config, now);
    };
    if let Some(claims) = state.cache().get(&token) {
        return verify::authorize(claims.as_ref().clone(), config, now);
    }
    let remote = state.remote_keys();
    if config.jwt_keys_url.is_some() && remote.is_none() {
        return Err(unavailable());
    }
    let claims = verify::decode(&token, remote.as_deref().or(config.jwt_keys.as_ref()))
        .inspect_err(|_| {
            let known = |kid: String| remote.as_ref().is_some_and(|keys| keys.has(&kid));
            if verify::kid(&token).is_some_and(|kid| !known(kid)) {
                state.want_keys();
            }
        })?;
    state.cache().put(&token, Arc::new(claims.clone()));
    verify::authorize(claims, config, now)
}
