//! Sign-in at other providers (OAuth 2.0, OpenID Connect).
//!
//! The browser goes to the provider with a state that only this browser can bring back, a challenge that only this
//! server can answer (PKCE) and, where there is an id token, a nonce that the token must hold. What comes back is
//! believed only from the issuer of the settings, under its keys. An identity is a provider and its subject; an
//! address joins it to a user only when both sides have proven the address.
//!
//! Providers are data: `known.rs` has a row for each kind, the settings name which are used and how often. The protocol
//! is written here on `gatepost_protocol`'s tokens and keys and on the one outbound client.

mod apple;
mod authorize;
mod by_id_token;
mod callback;
pub mod config;
mod endpoints;
mod exchange;
mod id_token;
mod known;
mod link;
mod profile;
mod provider;
mod seal;
mod sign_in;
mod state;
mod tokens;

use gatepost_outbound as outbound;
use http::StatusCode;

use crate::{
    app::App,
    config::Config,
    error::Refusal,
    http::{Call, Endpoint},
};

pub use provider::{Provider, Providers};

const PROVIDER_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "PROVIDER_NOT_FOUND", "Provider not found");
const PROVIDER_UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "PROVIDER_UNAVAILABLE",
    "The provider cannot be reached. Please try again.",
);
const ID_TOKEN_NOT_SUPPORTED: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "ID_TOKEN_NOT_SUPPORTED", "id_token not supported");
const INVALID_TOKEN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "Invalid token");
const FAILED_TO_GET_USER_INFO: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "FAILED_TO_GET_USER_INFO", "Failed to get user info");
const USER_EMAIL_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "USER_EMAIL_NOT_FOUND", "User email not found");

/// Why a provider gave nothing that can be used: for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It could not be called, or broke off.
    #[error(transparent)]
    Call(#[from] outbound::Failure),
    /// It refused.
    #[error("the provider answered {0}")]
    Status(StatusCode),
    /// It answered something else than it should have.
    #[error("{0}")]
    Odd(String),
}

/// The endpoints. Those of a signed-in user's accounts are there without a provider too: accounts may be older.
pub(crate) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = sign_in::endpoints(config);
    endpoints.extend(callback::endpoints(config));
    endpoints.extend(tokens::endpoints());
    endpoints
}

/// Whether a request is a provider's own form (Apple's `form_post`), which brings no authority: it is answered by a
/// redirect to the same place, where the state is judged.
pub(crate) fn is_form_post(app: &App, endpoint: &Endpoint, call: &Call) -> bool {
    let provider = call.parameter.as_deref().and_then(|id| app.providers.get(id));
    let origin = provider.and_then(|provider| provider.posts_from());
    endpoint.name == callback::POSTED
        && origin.is_some()
        && call.header("origin") == origin.as_deref()
}
