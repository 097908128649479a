//! The auth server: one folder per feature.
//!
//! [`router`] is the whole of it: the endpoints of every feature that is on, under every mount.

pub mod account;
pub mod admin;
pub mod anonymous;
pub mod api_key;
pub mod app;
pub mod captcha;
pub mod config;
pub mod database;
pub mod device;
pub mod email_otp;
pub mod email_verification;
pub mod error;
pub mod events;
pub mod http;
pub mod keys;
pub mod last_login_method;
pub mod limits;
pub mod magic_link;
pub mod mail;
pub mod metrics;
mod multi_session;
mod next_step;
pub mod oauth;
pub mod one_time_token;
pub mod openapi;
pub mod organization;
pub mod passkey;
pub mod password;
pub mod permissions;
pub mod phone_number;
pub mod session;
mod system;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod two_factor;
pub mod user;
pub mod username;
pub mod users_sync;
pub mod verification;
pub mod wire;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::IntoResponse,
    routing::get,
};

pub use app::{App, Clock};
pub use config::Config;
use http::Endpoint;

/// Every endpoint that is on: the table of contents.
#[must_use]
pub fn endpoints(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    endpoints.extend(password::endpoints(config));
    endpoints.extend(email_verification::endpoints());
    endpoints.extend(magic_link::endpoints(config));
    endpoints.extend(email_otp::endpoints(config));
    endpoints.extend(oauth::endpoints(config));
    endpoints.extend(device::endpoints(config));
    endpoints.extend(username::endpoints(config));
    endpoints.extend(phone_number::endpoints(config));
    endpoints.extend(anonymous::endpoints(config));
    endpoints.extend(one_time_token::endpoints(config));
    endpoints.extend(two_factor::endpoints(config));
    endpoints.extend(passkey::endpoints(config));
    endpoints.extend(session::routes::endpoints());
    endpoints.extend(multi_session::endpoints(config));
    endpoints.extend(user::endpoints());
    endpoints.extend(account::routes::endpoints());
    endpoints.extend(admin::endpoints(config));
    endpoints.extend(api_key::endpoints(config));
    endpoints.extend(organization::endpoints(config));
    endpoints.extend(keys::routes::endpoints(config));
    endpoints.extend(next_step::endpoints(config));
    endpoints.extend(users_sync::endpoints(config));
    endpoints.extend(system::endpoints());
    endpoints
}

/// The auth API under every mount, and what verifiers look for at the root of the host.
///
/// Needs the peer's address: serve it with `into_make_service_with_connect_info::<SocketAddr>()`.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for mount in &app.mounts {
        let (app, mount) = (app.clone(), Arc::clone(mount));
        let path = format!("{}/{{*rest}}", mount.path);
        let serve = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>| {
            http::serve(app.clone(), Arc::clone(&mount), peer.ip(), request)
        };
        router = router.route(&path, axum::routing::any(serve));
    }
    let jwks = app.clone();
    let discovery = app.clone();
    router
        .route("/.well-known/jwks.json", get(async move || root_jwks(&jwks).await))
        .route("/.well-known/openid-configuration", get(async move || root_discovery(&discovery)))
}

async fn root_jwks(app: &App) -> axum::response::Response {
    match keys::routes::published(app).await {
        Ok(keys) => (
            [("content-type", "application/json"), ("cache-control", "public, max-age=300")],
            [("access-control-allow-origin", "*")],
            keys,
        )
            .into_response(),
        Err(error) => {
            tracing::warn!(cause = ?error, "the published keys cannot be read");
            error.wire().0.into_response()
        }
    }
}

fn root_discovery(app: &App) -> axum::response::Response {
    axum::Json(keys::routes::discovery_document(app, &app.issuer)).into_response()
}
