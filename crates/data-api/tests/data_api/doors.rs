//! The door within the server, keys by URL, and what reloads change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use gatepost_data_api::{
    Config, Door, NeonDoor, SessionCheck, State, refresh_keys, reload, router,
};
use gatepost_protocol::jwk::Jwks;
use gatepost_protocol::jwt::Verifier;
use http::StatusCode;
use serde_json::json;

use crate::support::Server;

const ISSUER: &str = "https://auth.example.com";

fn key_set(key: &Ed25519KeyPair) -> String {
    let x = B64.encode(key.public_key());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "x": x }] })
        .to_string()
}

fn token(key: &Ed25519KeyPair, claims: &serde_json::Value) -> String {
    let header = json!({ "alg": "EdDSA", "kid": "k1", "typ": "JWT" }).to_string();
    let signed = format!("{}.{}", B64.encode(header), B64.encode(claims.to_string()));
    format!("{signed}.{}", B64.encode(key.sign(signed.as_bytes()).as_ref()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are made for the moment the server will read"
)]
fn claims(role: &str) -> serde_json::Value {
    let now = chrono::Utc::now().timestamp();
    json!({ "sub": "alice", "role": role, "iss": ISSUER, "aud": ISSUER, "iat": now, "exp": now + 900 })
}

/// A server behind the door of Neon's layout, with a switch for the session.
async fn neon(key: &Ed25519KeyPair) -> (Server, Arc<AtomicBool>) {
    let mut server = Server::start("", |_| ()).await;
    let uri = server.state.config().db_uri.clone();
    let alive = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&alive);
    let check: SessionCheck = Arc::new(move |_| {
        let alive = switch.load(Ordering::Relaxed);
        Box::pin(async move { alive })
    });
    let keys = Jwks::parse(&key_set(key)).unwrap();
    let door = Door::Neon(NeonDoor::new(Verifier::new(ISSUER, ISSUER), keys, Some(check)));
    let config = Config::neon(&uri, &["api".to_owned()]).unwrap();
    server.state = State::with_door(config, door).unwrap();
    assert!(reload(&server.state).await);
    (server, alive)
}

async fn with_token(server: &Server, token: &str, target: &str) -> crate::support::Answer {
    let header = format!("Bearer {token}");
    server.call("-", "GET", target, &[("authorization", &header)], "").await
}

#[tokio::test]
async fn gatepost_tokens_open_the_door_and_a_missing_one_is_refused_as_neon_refuses_it() {
    let key = Ed25519KeyPair::generate().unwrap();
    let (server, _) = neon(&key).await;
    let answer = with_token(&server, &token(&key, &claims("authenticated")), "/rpc/whoami").await;
    assert_eq!(answer.body, r#""authenticated:alice""#);
    let missing = server.get("-", "/rpc/whoami").await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        missing.body,
        r#"{"message":"missing authentication credentials: required authorization bearer token in JWT format"}"#
    );
    let anonymous =
        with_token(&server, &token(&key, &claims("anonymous")), "/labels?limit=1").await;
    assert_eq!(anonymous.status, StatusCode::OK);
}

#[tokio::test]
async fn da_04_other_roles_and_other_keys_are_refused_at_the_door() {
    let key = Ed25519KeyPair::generate().unwrap();
    let (server, _) = neon(&key).await;
    for role in ["postgres", "authenticator", "neon_superuser", ""] {
        let answer = with_token(&server, &token(&key, &claims(role)), "/rpc/whoami").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{role}");
    }
    let other = Ed25519KeyPair::generate().unwrap();
    let answer = with_token(&server, &token(&other, &claims("authenticated")), "/rpc/whoami").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_session_ends_access_at_once() {
    let key = Ed25519KeyPair::generate().unwrap();
    let (server, alive) = neon(&key).await;
    let token = token(&key, &claims("authenticated"));
    assert_eq!(with_token(&server, &token, "/rpc/whoami").await.status, StatusCode::OK);
    alive.store(false, Ordering::Relaxed);
    assert_eq!(with_token(&server, &token, "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn keys_are_fetched_from_a_url_and_again_after_a_rotation() {
    let keys: Vec<_> = (0..2).map(|_| Ed25519KeyPair::generate().unwrap()).collect();
    let published = Arc::new(std::sync::Mutex::new(key_set(&keys[0])));
    let served = Arc::clone(&published);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move || {
        let text = served.lock().unwrap().clone();
        async move { text }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let server = Server::start("", |config| {
        config.jwt_keys = None;
        config.jwt_keys_url = Some(url);
    })
    .await;
    refresh_keys(&server.state).await;
    let first = token(&keys[0], &claims("authenticated"));
    assert_eq!(with_token(&server, &first, "/rpc/whoami").await.body, r#""authenticated:alice""#);
    *published.lock().unwrap() = key_set(&keys[1]);
    refresh_keys(&server.state).await;
    assert_eq!(with_token(&server, &first, "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
    let second = token(&keys[1], &claims("authenticated"));
    assert_eq!(with_token(&server, &second, "/rpc/whoami").await.body, r#""authenticated:alice""#);
}

#[tokio::test]
async fn a_request_during_a_reload_is_answered_from_the_old_catalogue() {
    let server = Server::start("", |_| ()).await;
    server.sql("CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO anonymous").await;
    assert_eq!(server.get("-", "/fresh").await.status, StatusCode::NOT_FOUND);
    let (reloaded, meanwhile) =
        tokio::join!(reload(&server.state), server.get("-", "/labels?limit=1"));
    assert!(reloaded);
    assert_eq!(meanwhile.status, StatusCode::OK);
    assert_eq!(server.get("-", "/fresh").await.body, "[]");
}

#[tokio::test]
async fn the_router_can_be_mounted_below_a_path() {
    use tower::ServiceExt as _;
    let server = Server::start("", |_| ()).await;
    let app = axum::Router::new().nest("/project/rest/v1", router(server.state.clone()));
    let request = http::Request::get("/project/rest/v1/labels?limit=1")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-location"], "/labels?limit=1");
}
