use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};

use super::breached::OnFailure;
use crate::{
    mail::Message,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

const STOLEN: &str = "stolen-Horse-7-battery";
const PADDING: &str = "padded-Horse-7-battery";
const FINE: &str = "another-Horse-7-battery";

/// The range API: it knows one password, and pads with another. Keeps what it was asked.
#[derive(Clone, Default)]
struct Service {
    asked: Arc<Mutex<Vec<String>>>,
    answer: Option<(StatusCode, &'static str)>,
}

fn sha1(password: &str) -> String {
    hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
}

async fn range(
    State(service): State<Service>,
    Path(prefix): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    assert_eq!(headers["add-padding"], "true");
    service.asked.lock().unwrap().push(prefix.clone());
    if let Some((status, text)) = service.answer {
        return (status, text.to_owned());
    }
    let mut lines = vec!["0018A45C4D1DEF81644B54AB7F969B88D65:3".to_owned()];
    for (password, count) in [(STOLEN, 12), (PADDING, 0)] {
        if let Some(rest) = sha1(password).strip_prefix(&prefix) {
            lines.push(format!("{rest}:{count}"));
        }
    }
    (StatusCode::OK, lines.join("\r\n"))
}

async fn url(service: &Service) -> String {
    let router = Router::new().route("/range/{prefix}", get(range)).with_state(service.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn checked(url: String, on_failure: OnFailure) -> TestApp {
    TestApp::with(|config| {
        config.outbound.private_networks = true;
        config.email_password.breached.enabled = true;
        config.email_password.breached.url = url;
        config.email_password.breached.on_failure = on_failure;
    })
    .await
}

async fn code(app: &TestApp, email: &str) -> String {
    let ask = json!({ "email": email, "type": "forget-password" });
    app.browser().post(app, "/email-otp/send-verification-otp", ask).await;
    let mails = app.mails(email).await;
    let code = mails.iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        _ => None,
    });
    code.unwrap()
}

/// Every way to set a password, from the most public one on.
async fn ways(app: &TestApp, password: &str) -> Vec<(&'static str, Value)> {
    let ask = json!({ "email": "ada@example.com" });
    app.browser().post(app, "/request-password-reset", ask).await;
    let (token, _) = app.last_link("ada@example.com").await;
    let code = code(app, "ada@example.com").await;
    vec![
        (
            "/sign-up/email",
            json!({ "name": "N", "email": "new@example.com", "password": password }),
        ),
        ("/change-password", json!({ "currentPassword": PASSWORD, "newPassword": password })),
        ("/reset-password", json!({ "newPassword": password, "token": token })),
        (
            "/email-otp/reset-password",
            json!({ "email": "ada@example.com", "otp": code, "password": password }),
        ),
    ]
}

async fn sign_up(app: &TestApp, password: &str) -> Reply {
    let mut browser: Browser = app.browser();
    let body = json!({ "name": "N", "email": "new@example.com", "password": password });
    browser.post(app, "/sign-up/email", body).await
}

#[tokio::test]
async fn pw_04_a_password_known_from_breaches_is_refused_wherever_one_is_set() {
    let service = Service::default();
    let app = checked(url(&service).await, OnFailure::Refuse).await;
    let mut ada = app.signed_up("ada").await;
    for (path, body) in ways(&app, STOLEN).await {
        let reply = ada.post(&app, path, body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "PASSWORD_COMPROMISED"), "{path}");
    }
    let ways = ways(&app, FINE).await;
    // The refusals used nothing up; the later ways end the sessions of the earlier ones.
    for (path, body) in [&ways[0], &ways[3]] {
        let reply = app.browser().post(&app, path, body.clone()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_service_learns_five_digits_and_padding_is_no_match() {
    let service = Service::default();
    let app = checked(url(&service).await, OnFailure::Refuse).await;
    assert_eq!(sign_up(&app, PADDING).await.status, 200);
    assert_eq!(*service.asked.lock().unwrap(), [sha1(PADDING)[..5].to_owned()]);
}

#[tokio::test]
async fn nobody_is_asked_for_a_wrong_code_token_or_password() {
    let service = Service::default();
    let app = checked(url(&service).await, OnFailure::Refuse).await;
    let mut ada = app.signed_up("ada").await;
    let before = service.asked.lock().unwrap().len();
    for (path, body) in [
        ("/change-password", json!({ "currentPassword": "wrong-Horse-1", "newPassword": FINE })),
        ("/reset-password", json!({ "newPassword": FINE, "token": "wrong" })),
        (
            "/email-otp/reset-password",
            json!({ "email": "ada@example.com", "otp": "000000", "password": FINE }),
        ),
    ] {
        assert_eq!(ada.post(&app, path, body).await.status, 400, "{path}");
    }
    assert_eq!(service.asked.lock().unwrap().len(), before);
}

#[tokio::test]
async fn pw_04_a_service_that_fails_lets_in_or_refuses_as_it_is_set() {
    for answer in [
        (StatusCode::TOO_MANY_REQUESTS, ""),
        (StatusCode::OK, "<html>maintenance</html>"),
        (StatusCode::OK, "{}"),
    ] {
        let service = Service { answer: Some(answer), ..Service::default() };
        let url = url(&service).await;
        let open = checked(url.clone(), OnFailure::Allow).await;
        assert_eq!(sign_up(&open, FINE).await.status, 200, "{answer:?}");
        let closed = checked(url, OnFailure::Refuse).await;
        let reply = sign_up(&closed, FINE).await;
        let expected = (503, "PASSWORD_CHECK_UNAVAILABLE");
        assert_eq!((reply.status.as_u16(), reply.code()), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn pw_04_a_service_that_falls_silent_is_not_waited_for() {
    // It takes connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = TestApp::with(|config| {
        config.outbound.private_networks = true;
        config.email_password.breached.enabled = true;
        config.email_password.breached.url = url;
        config.email_password.breached.timeout = 1;
    })
    .await;
    assert_eq!(sign_up(&app, FINE).await.status, 200);
}
