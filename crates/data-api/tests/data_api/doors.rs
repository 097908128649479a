//! The door within the server, keys by URL, and what reloads change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use gatepost_data_api::{
    Check, Config, Door, DoorSettings, KeySource, NeonDoor, State, keep_keys_fresh, refresh_keys,
    reload, router,
};
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

/// What the rest of the server would tell the door.
struct World {
    server: Server,
    published: Arc<Mutex<Option<String>>>,
    /// `None`: nobody can be asked.
    alive: Arc<Mutex<Option<bool>>>,
}

/// A server behind the door of Neon's layout.
async fn neon(key: &Ed25519KeyPair) -> World {
    neon_with(key, |_| ()).await
}

async fn neon_with(key: &Ed25519KeyPair, adjust: impl FnOnce(&mut DoorSettings)) -> World {
    let mut server = Server::start("", |_| ()).await;
    let published = Arc::new(Mutex::new(Some(key_set(key))));
    let alive = Arc::new(Mutex::new(Some(true)));
    let (keys, switch) = (Arc::clone(&published), Arc::clone(&alive));
    let keys: KeySource = Arc::new(move || {
        let keys = keys.lock().unwrap().clone().map(bytes::Bytes::from);
        Box::pin(async move { keys })
    });
    let check: Check = Arc::new(move |_, _| {
        let alive = *switch.lock().unwrap();
        Box::pin(async move { alive })
    });
    let door = Door::Neon(NeonDoor::new(Verifier::new(ISSUER, ISSUER), keys, Some(check)));
    let mut settings = DoorSettings::new(&server.state.config().db_uri, &["api".to_owned()]);
    adjust(&mut settings);
    server.state = State::with_door(Config::door(&settings).unwrap(), door).unwrap();
    assert!(reload(&server.state).await);
    World { server, published, alive }
}

async fn with_token(server: &Server, token: &str, target: &str) -> crate::support::Answer {
    let header = format!("Bearer {token}");
    server.call("-", "GET", target, &[("authorization", &header)], "").await
}

#[tokio::test]
async fn gatepost_tokens_open_the_door_and_a_missing_one_is_refused_as_neon_refuses_it() {
    let key = Ed25519KeyPair::generate().unwrap();
    let World { server, .. } = neon(&key).await;
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
    let World { server, .. } = neon(&key).await;
    let mut all: Vec<serde_json::Value> =
        ["postgres", "authenticator", "neon_superuser", "pg_read_all_data", "AUTHENTICATED", ""]
            .map(claims)
            .to_vec();
    for role in [json!(["authenticated"]), json!(null), json!(1), json!({ "a": 1 })] {
        let mut claims = claims("authenticated");
        claims["role"] = role;
        all.push(claims);
    }
    let mut none = claims("authenticated");
    none.as_object_mut().unwrap().remove("role");
    all.push(none);
    for claims in all {
        let answer = with_token(&server, &token(&key, &claims), "/rpc/whoami").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{claims}");
    }
    let other = Ed25519KeyPair::generate().unwrap();
    let answer = with_token(&server, &token(&other, &claims("authenticated")), "/rpc/whoami").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_session_ends_access_at_once() {
    let key = Ed25519KeyPair::generate().unwrap();
    let World { server, alive, .. } = neon(&key).await;
    let token = token(&key, &claims("authenticated"));
    assert_eq!(with_token(&server, &token, "/rpc/whoami").await.status, StatusCode::OK);
    *alive.lock().unwrap() = Some(false);
    assert_eq!(with_token(&server, &token, "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
    // No verdict is no access, and not the caller's fault either.
    *alive.lock().unwrap() = None;
    assert_eq!(
        with_token(&server, &token, "/rpc/whoami").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_rotated_key_ends_what_the_old_one_signed() {
    let (key, other) = (Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap());
    let World { server, published, .. } = neon(&key).await;
    let (old, new) =
        (token(&key, &claims("authenticated")), token(&other, &claims("authenticated")));
    assert_eq!(with_token(&server, &old, "/rpc/whoami").await.status, StatusCode::OK);
    *published.lock().unwrap() = Some(key_set(&other));
    assert_eq!(with_token(&server, &old, "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(with_token(&server, &new, "/rpc/whoami").await.status, StatusCode::OK);
}

#[tokio::test]
async fn jw_30_no_token_a_bad_token_and_missing_keys_are_told_apart() {
    let key = Ed25519KeyPair::generate().unwrap();
    let World { server, published, .. } = neon(&key).await;
    let good = token(&key, &claims("authenticated"));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let reversed: String = signature.chars().rev().collect();
    let bad = format!("{signed}.{reversed}");
    assert_eq!(server.get("-", "/rpc/whoami").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(with_token(&server, &bad, "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
    *published.lock().unwrap() = None;
    for token in [&good, &bad] {
        let answer = with_token(&server, token, "/rpc/whoami").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn an_anonymous_token_needs_no_subject_and_no_other_goes_without() {
    let key = Ed25519KeyPair::generate().unwrap();
    let World { server, alive, .. } = neon(&key).await;
    // Nobody is behind it whose session could end.
    *alive.lock().unwrap() = Some(false);
    let nobody = |role: &str| {
        let mut claims = claims(role);
        claims.as_object_mut().unwrap().remove("sub");
        token(&key, &claims)
    };
    let answer = with_token(&server, &nobody("anonymous"), "/rpc/whoami").await;
    assert_eq!(answer.body, r#""anonymous:""#);
    let answer = with_token(&server, &nobody("authenticated"), "/rpc/whoami").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn da_21_one_users_slow_requests_leave_room_for_others() {
    let key = Ed25519KeyPair::generate().unwrap();
    let World { server, .. } = neon_with(&key, |settings| {
        settings.pool_size = 2;
        settings.authenticated.concurrent_per_user = 1;
        settings.authenticated.statement_timeout = 60_000;
    })
    .await;
    // The first one holds a lock that all of hers wait for: no time is measured.
    let (admin, _task) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    admin.batch_execute("BEGIN; LOCK TABLE api.notes").await.unwrap();
    let (alice, mut bob) = (token(&key, &claims("authenticated")), claims("authenticated"));
    bob["sub"] = "bob".into();
    let slow = futures_util::future::join_all(
        (0..20).map(|_| with_token(&server, &alice, "/notes?select=id")),
    );
    let quick = async {
        let answer = with_token(&server, &token(&key, &bob), "/rpc/whoami").await;
        admin.batch_execute("ROLLBACK").await.unwrap();
        answer
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(quick.body, r#""authenticated:bob""#);
    assert!(slow.iter().all(|answer| answer.status == StatusCode::OK), "{slow:?}");
}

#[tokio::test]
async fn da_32_a_powerful_login_is_named_with_what_it_may_do() {
    let server = Server::start("", |_| ()).await;
    let looked_at = |uri: &str| {
        let settings = DoorSettings::new(uri, &["api".to_owned()]);
        let config = Config::door(&settings).unwrap();
        async move { gatepost_data_api::login(&config).await.unwrap() }
    };
    let good = looked_at(&server.state.config().db_uri).await;
    assert_eq!((good.powers, good.missing), (vec![], vec![]), "{}", good.name);
    let superuser = looked_at(&server.admin_url).await;
    assert!(superuser.powers.iter().any(|power| power == "is a superuser"), "{superuser:?}");
    assert!(superuser.powers.iter().any(|power| power.starts_with("owns tables")), "{superuser:?}");
    // A role of callers may have no such power either.
    let role = format!("caller_{}", std::process::id());
    server
        .sql(&format!(
            "CREATE ROLE {role} BYPASSRLS; GRANT {role} TO authenticator; GRANT SELECT ON neon_auth.\"user\" TO {role}"
        ))
        .await;
    let mut settings = DoorSettings::new(&server.state.config().db_uri, &["api".to_owned()]);
    settings.roles.insert(role.clone(), settings.authenticated);
    let login = gatepost_data_api::login(&Config::door(&settings).unwrap()).await.unwrap();
    let powers =
        ["bypasses row level security", "reads tables of schema neon_auth"].map(str::to_owned);
    assert_eq!(login.callers, [(role.clone(), powers.to_vec())]);
    server.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn keys_are_fetched_from_a_url_and_again_after_a_rotation() {
    let keys: Vec<_> = (0..2).map(|_| Ed25519KeyPair::generate().unwrap()).collect();
    let published = Arc::new(Mutex::new(key_set(&keys[0])));
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
async fn jw_18_a_flood_of_unknown_keys_asks_the_issuer_once_and_delays_nobody() {
    let key = Ed25519KeyPair::generate().unwrap();
    let published = key_set(&key);
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move || {
        let text = published.clone();
        counted.fetch_add(1, Ordering::SeqCst);
        async move { text }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let server = Server::start("", |config| {
        config.jwt_keys = None;
        config.jwt_keys_url = Some(url);
    })
    .await;
    let good = token(&key, &claims("authenticated"));
    let early = with_token(&server, &good, "/rpc/whoami").await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE, "JW-30: no keys, no verdict");
    refresh_keys(&server.state).await;
    let keeping = tokio::spawn(keep_keys_fresh(server.state.clone()));
    for round in 0..2000 {
        let header = json!({ "alg": "EdDSA", "kid": format!("k-{round}") }).to_string();
        let signed =
            format!("{}.{}", B64.encode(header), B64.encode(claims("authenticated").to_string()));
        let forged = format!("{signed}.{}", B64.encode(key.sign(signed.as_bytes()).as_ref()));
        let answer = with_token(&server, &forged, "/rpc/whoami").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        if round % 100 == 0 {
            let answer = with_token(&server, &good, "/rpc/whoami").await;
            assert_eq!(answer.status, StatusCode::OK);
        }
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1, "the pause is not over");
    keeping.abort();
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
