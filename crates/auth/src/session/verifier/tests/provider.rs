//! The way back from another provider: the development server's stand-in, over real HTTP.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::body::Body;
use gatepost_dev_provider::{Account, Brand, Client, Settings, router};
use gatepost_protocol::secret::Secret;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;
use url::Url;

use super::{SESSION, Visitor, assert_nothing, exchange, sessions, set, verifier_in};
use crate::{
    config::{Config, SocialProvider},
    testing::{APP, Browser, PASSWORD, TestApp},
};

const SECRET: &str = "of-the-provider";

pub(super) struct World {
    pub(super) app: TestApp,
    provider: axum::Router,
}

/// A server that knows a provider.
pub(super) async fn world() -> World {
    world_with(|_| {}).await
}

/// The same with changed settings.
pub(super) async fn world_with(change: impl FnOnce(&mut Config)) -> World {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = TestApp::with(|config| {
        config.outbound.private_networks = true;
        let google = SocialProvider {
            kind: "oidc".to_owned(),
            client_id: "app".to_owned(),
            client_secret: Secret::new(SECRET),
            issuer: format!("{base}/google"),
            scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
            ..SocialProvider::default()
        };
        config.social.providers.insert("google".to_owned(), google);
        change(config);
    })
    .await;
    let clock = app.app.clone();
    let back = |mount: &Arc<crate::http::Mount>| format!("{}/callback/google", mount.base);
    let provider = router(Settings {
        base,
        brands: vec![Brand { id: "google".to_owned(), name: "Google".to_owned() }],
        clients: vec![Client {
            id: "app".to_owned(),
            secret: SECRET.to_owned(),
            name: "App".to_owned(),
            redirect_uris: app.app.mounts.iter().map(back).collect(),
        }],
        accounts: Account::samples(),
        slow: Duration::ZERO,
        clock: Arc::new(move || clock.clock.now()),
    });
    let served = provider.clone();
    tokio::spawn(async move { axum::serve(listener, served).await });
    World { app, provider }
}

impl World {
    /// Starts a sign-in; the address at the provider.
    pub(super) async fn start(&self, page: &mut Browser, more: serde_json::Value) -> String {
        let mut body = json!({ "provider": "google", "callbackURL": format!("{APP}/dash?keep=1") });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = page.post(&self.app, "/sign-in/social", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body["url"].as_str().unwrap().to_owned()
    }

    /// Decides at the provider; the callback address.
    pub(super) async fn decide(&self, url: &str, decision: &str) -> String {
        let path = Url::parse(url).unwrap();
        let uri = format!("{}?{}&{decision}", path.path(), path.query().unwrap());
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let (parts, body) = self.provider.clone().oneshot(request).await.unwrap().into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        assert_eq!(parts.status, StatusCode::FOUND, "{text:?}");
        parts.headers[header::LOCATION].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_sign_in_at_another_provider_is_carried_over_to_the_page_that_started_it() {
    let world = world().await;
    let mut ada = Visitor::new(&world.app);
    let url =
        world.start(&mut ada.page, json!({ "newUserCallbackURL": format!("{APP}/hello") })).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    let reply = ada.tab.get(&world.app, &callback).await;
    let back = Url::parse(reply.header("location")).unwrap();
    assert_eq!(back.path(), "/hello", "{back}");
    let taken = exchange(&world.app, &mut ada.page, &verifier_in(&back)).await;
    assert_eq!(taken.body["user"]["email"], "ada@example.com", "{}", taken.text);
    assert!(ada.page.is_signed_in(&world.app).await);
    assert_eq!(sessions(&world.app).await, 1);
}

#[tokio::test]
async fn oa_02_a_callback_address_that_somebody_else_made_signs_nobody_in_or_out() {
    let world = world().await;
    let mut alice = Visitor::new(&world.app);
    let body = json!({ "name": "Alice", "email": "alice@example.com", "password": PASSWORD });
    assert_eq!(alice.tab.post(&world.app, "/sign-up/email", body).await.status, 200);
    let mut mallory = Visitor::new(&world.app);
    let url = world.start(&mut mallory.page, json!({})).await;
    let callback = world.decide(&url, "account=mallory@example.com").await;

    let reply = alice.tab.get(&world.app, &callback).await;
    assert!(!set(&reply.headers).iter().any(|cookie| cookie.starts_with(SESSION)));
    let session = alice.tab.get(&world.app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "alice@example.com", "{}", session.text);
    let verifier = verifier_in(&Url::parse(reply.header("location")).unwrap());
    let taken = exchange(&world.app, &mut alice.tab, &verifier).await;
    assert_eq!(taken.body["user"]["email"], "alice@example.com", "still herself");
    assert_nothing(&exchange(&world.app, &mut mallory.page, &verifier).await);
}

#[tokio::test]
async fn an_application_on_the_same_site_is_signed_in_by_the_callback_itself() {
    let world = world().await;
    let mut ada = Visitor::new(&world.app);
    let url = world.start(&mut ada.tab, json!({})).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    let reply = ada.tab.get(&world.app, &callback).await;
    assert!(ada.tab.is_signed_in(&world.app).await);
    // The client presents the verifier all the same.
    let verifier = verifier_in(&Url::parse(reply.header("location")).unwrap());
    assert_eq!(exchange(&world.app, &mut ada.tab, &verifier).await.status, 200);
    assert!(ada.tab.is_signed_in(&world.app).await);
    assert_eq!(sessions(&world.app).await, 1);
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_leads_to_the_page_for_errors_without_a_verifier() {
    let world = world().await;
    let failures = [
        ("decision=deny", "access_denied"),
        ("account=ada@example.com&fault=server_error", "server_error"),
        ("account=ada@example.com&fault=no_email", "email_not_found"),
        ("account=ada@example.com&fault=token_error", "invalid_code"),
        ("account=ada@example.com&fault=wrong_nonce", "unable_to_get_user_info"),
        ("account=ada@example.com&fault=expired_token", "unable_to_get_user_info"),
        ("account=ada@example.com&fault=wrong_signature", "unable_to_get_user_info"),
        ("account=ada@example.com&fault=wrong_audience", "unable_to_get_user_info"),
    ];
    for (decision, code) in failures {
        let mut ada = Visitor::new(&world.app);
        let more = json!({ "errorCallbackURL": format!("{APP}/oops") });
        let url = world.start(&mut ada.page, more).await;
        let callback = world.decide(&url, decision).await;
        let reply = ada.tab.get(&world.app, &callback).await;
        let back = Url::parse(reply.header("location")).unwrap();
        assert_eq!(back.path(), "/oops", "{decision}: {back}");
        let error = back.query_pairs().find(|(name, _)| name == "error").unwrap().1.into_owned();
        assert_eq!(error, code, "{decision}");
        assert!(!back.as_str().contains(super::PARAMETER), "{back}");
        assert_eq!(sessions(&world.app).await, 0);
    }
}
