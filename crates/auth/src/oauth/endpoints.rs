//! Where a provider is reached, and the keys that its id tokens are signed with: from the table, or by discovery.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use gatepost_outbound::Request;
use gatepost_protocol::jwk::Jwks;
use serde::Deserialize;

use super::{Failure, provider::Provider};
use crate::app::App;

/// The addresses of a provider.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    /// Where the user agrees.
    pub(super) authorization: String,
    /// Where codes become tokens.
    pub(super) token: String,
    /// Where the profile is.
    pub(super) userinfo: Option<String>,
    /// The keys that sign id tokens; `None`: they cannot be verified.
    pub(super) keys: Option<String>,
    /// Who signs id tokens.
    pub(super) issuer: Issuer,
    /// The provider always names itself in `iss` of its answer (RFC 9207).
    pub(super) names_itself: bool,
    /// It is an OpenID Connect provider by its own word.
    pub(super) openid: bool,
    /// The token endpoint takes the secret in the header only.
    pub(super) basic: bool,
}

/// Who signs id tokens. Never taken from a token (OA-10).
#[derive(Clone, Debug)]
pub(super) enum Issuer {
    /// One issuer, in its spellings; none: nobody.
    One(Vec<String>),
    /// `{base}/{directory}/v2.0` of Microsoft's directories that `tenant` allows.
    Directories {
        /// Scheme and host.
        base: String,
        /// An id, `common`, `organizations` or `consumers`.
        tenant: String,
    },
}

impl Issuer {
    /// Whether `iss` of an authorization answer names this provider (OA-08); unknown issuers are not judged.
    pub(super) fn allows(&self, named: &str) -> bool {
        match self {
            Self::One(issuers) => issuers.is_empty() || issuers.iter().any(|one| one == named),
            Self::Directories { base, .. } => named.starts_with(&format!("{base}/")),
        }
    }
}

/// What discovery found, and when.
#[derive(Debug)]
pub(super) struct Found {
    endpoints: Arc<Endpoints>,
    at: DateTime<Utc>,
}

/// Keys, and when they were read.
#[derive(Debug)]
pub(super) struct Keys {
    set: Arc<Jwks>,
    at: DateTime<Utc>,
}

const KEPT: TimeDelta = TimeDelta::hours(1);
/// A token signed by an unknown key makes the keys be read again, this often at most.
const READ_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// The members that count (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    jwks_uri: Option<String>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Provider {
    /// The addresses; asks the issuer once an hour.
    ///
    /// # Errors
    /// The provider cannot be reached, or does not describe itself as the issuer that was configured.
    pub(super) async fn endpoints(
        &self,
        app: &App,
        now: DateTime<Utc>,
    ) -> Result<Arc<Endpoints>, Failure> {
        if let Some(fixed) = &self.fixed {
            return Ok(Arc::clone(fixed));
        }
        // Held while asking: many at once ask once.
        let mut found = self.found.lock().await;
        if let Some(found) = found.as_ref().filter(|found| now < found.at + KEPT) {
            return Ok(Arc::clone(&found.endpoints));
        }
        let endpoints = Arc::new(self.discover(app).await?);
        *found = Some(Found { endpoints: Arc::clone(&endpoints), at: now });
        Ok(endpoints)
    }

    async fn discover(&self, app: &App) -> Result<Endpoints, Failure> {
        let url = self.discovery_url().map_err(|error| Failure::Odd(error.to_string()))?;
        let answer = app.outbound.send(Request::get(&url)).await?;
        if answer.status != http::StatusCode::OK {
            return Err(Failure::Status(answer.status));
        }
        let document: Document = answer.json()?;
        // The issuer is the one that was configured, to the letter (OA-08).
        let expected = self.expected_issuer();
        if expected.as_deref() != Some(document.issuer.as_str()) {
            return Err(Failure::Odd(format!("the document at {url} is another issuer's")));
        }
        let settings = &self.settings;
        let own = |own: &str, found: Option<String>| {
            if own.is_empty() { found } else { Some(own.to_owned()) }
        };
        let missing = |name: &str| Failure::Odd(format!("the document at {url} has no {name}"));
        let methods = document.token_endpoint_auth_methods_supported;
        let basic = methods.is_some_and(|methods| {
            let has = |method: &str| methods.iter().any(|other| other == method);
            has("client_secret_basic") && !has("client_secret_post")
        });
        Ok(Endpoints {
            authorization: own(&settings.authorization_url, document.authorization_endpoint)
                .ok_or_else(|| missing("authorization_endpoint"))?,
            token: own(&settings.token_url, document.token_endpoint)
                .ok_or_else(|| missing("token_endpoint"))?,
            userinfo: own(&settings.userinfo_url, document.userinfo_endpoint),
            keys: own(&settings.jwks_url, document.jwks_uri),
            issuer: Issuer::One(vec![document.issuer]),
            names_itself: document.authorization_response_iss_parameter_supported,
            openid: !document.id_token_signing_alg_values_supported.is_empty(),
            basic,
        })
    }

    /// The keys at `url`, not older than an hour; `stale`: a token did not verify under those last given out.
    ///
    /// # Errors
    /// The provider cannot be reached, or has no keys there.
    pub(super) async fn keys(
        &self,
        app: &App,
        url: &str,
        stale: bool,
        now: DateTime<Utc>,
    ) -> Result<Arc<Jwks>, Failure> {
        let mut keys = self.keys.lock().await;
        let kept = if stale { READ_AGAIN } else { KEPT };
        if let Some(keys) = keys.as_ref().filter(|keys| now < keys.at + kept) {
            return Ok(Arc::clone(&keys.set));
        }
        let answer = app.outbound.send(Request::get(url)).await?;
        if answer.status != http::StatusCode::OK {
            return Err(Failure::Status(answer.status));
        }
        let text = std::str::from_utf8(&answer.body)
            .map_err(|_| Failure::Odd(format!("{url} is not text")))?;
        let set = Jwks::parse(text).map_err(|error| Failure::Odd(format!("{url}: {error}")))?;
        let set = Arc::new(set);
        *keys = Some(Keys { set: Arc::clone(&set), at: now });
        Ok(set)
    }
}
