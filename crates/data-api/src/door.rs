//! The two doors: PostgREST's own, and the one within Gatepost's server (Neon's layout).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use gatepost_protocol::jwk::Jwks;
use gatepost_protocol::jwt::{Claims, Verifier};
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::error::{ApiError, ErrorKind, ErrorParts};
use crate::state::State;
use crate::verify::{self, Identity};

/// Asks whether the session a token was made for is still alive.
pub type SessionCheck = Arc<dyn Fn(Claims) -> BoxFuture<'static, bool> + Send + Sync>;

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
    keys: Arc<RwLock<Arc<Jwks>>>,
    session: Option<SessionCheck>,
}

impl fmt::Debug for NeonDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeonDoor").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl NeonDoor {
    /// Accepts tokens `verifier` accepts under `keys`; with `session`, only while their session lives.
    pub fn new(verifier: Verifier, keys: Jwks, session: Option<SessionCheck>) -> Self {
        Self { verifier: Arc::new(verifier), keys: Arc::new(RwLock::new(Arc::new(keys))), session }
    }

    /// Replaces the keys, after a rotation.
    pub fn set_keys(&self, keys: Jwks) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    async fn identify(
        &self,
        config: &Config,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Result<Identity, ApiError> {
        let Some(token) = verify::bearer(headers).filter(|token| !token.is_empty()) else {
            return Err(missing());
        };
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let claims = self.verifier.verify(&token, &keys, now).map_err(|rejection| {
            tracing::debug!(reason = rejection.reason(), "token refused");
            ApiError::new(ErrorKind::JwtDecode, "The token is invalid")
        })?;
        let role = claims.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
        // DA-04: only roles made for callers, never one the database happens to grant.
        if !config.safety.allowed_roles.contains(&role) {
            return Err(ApiError::new(ErrorKind::JwtClaims, "The role of the JWT is not allowed"));
        }
        if let Some(check) = &self.session
            && !check(claims.clone()).await
        {
            return Err(ApiError::new(ErrorKind::JwtClaims, "The session has ended"));
        }
        Ok(Identity { role, claims: claims.into_all() })
    }
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
    let claims = verify::decode(&token, remote.as_deref().or(config.jwt_keys.as_ref()))?;
    state.cache().put(&token, Arc::new(claims.clone()));
    verify::authorize(claims, config, now)
}
