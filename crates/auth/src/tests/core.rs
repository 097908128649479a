use serde_json::json;

use crate::testing::{PASSWORD, TestApp};

#[tokio::test]
async fn a_user_signs_up_is_recognised_gets_a_token_and_signs_out() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;

    let session = ada.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "ada@example.com");
    assert_eq!(session.header("set-auth-jwt").split('.').count(), 3);

    let token = ada.get(&app, "/token").await;
    assert_eq!(token.body["token"].as_str().unwrap().split('.').count(), 3);

    let out = ada.post(&app, "/sign-out", json!({})).await;
    assert_eq!(out.body, json!({ "success": true }));
    assert!(!ada.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_null_session_says_why() {
    let app = TestApp::new().await;
    let mut browser = app.browser();
    let nobody = browser.get(&app, "/get-session").await;
    assert_eq!((nobody.text.as_str(), nobody.header("x-auth-reason")), ("null", "no-cookie"));
    assert_eq!(nobody.header("x-request-id"), nobody.header("x-neon-ret-request-id"));
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_through_the_mailed_link() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let mut browser = app.browser();
    let asked = browser
        .post(
            &app,
            "/request-password-reset",
            json!({ "email": "ada@example.com", "redirectTo": "/new" }),
        )
        .await;
    assert_eq!(asked.body["status"], true);
    let (token, url) = app.last_link("ada@example.com").await;
    let link = browser.get(&app, &url).await;
    assert_eq!(link.status, 302);
    assert_eq!(link.header("location"), format!("https://auth.test/new?token={token}"));

    let new = "correct horse battery staple";
    let reset =
        browser.post(&app, "/reset-password", json!({ "newPassword": new, "token": token })).await;
    assert_eq!(reset.body, json!({ "status": true }));
    assert!(!ada.is_signed_in(&app).await, "all sessions end");
    let sign_in =
        |password: &'static str| json!({ "email": "ada@example.com", "password": password });
    assert_eq!(browser.post(&app, "/sign-in/email", sign_in(PASSWORD)).await.status, 401);
    assert_eq!(browser.post(&app, "/sign-in/email", sign_in(new)).await.status, 200);
}

#[tokio::test]
async fn the_neon_layout_sets_cookies_that_cross_origins() {
    let app = TestApp::new().await;
    let mut ada = app.browser();
    ada.base = "/app/auth".to_owned();
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD });
    let reply = ada.post(&app, "/sign-up/email", body).await;
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("__Secure-neon-auth.session_token="), "{cookie}");
    assert!(
        cookie.ends_with("; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"),
        "{cookie}"
    );
    assert!(ada.is_signed_in(&app).await);
    assert_eq!(reply.header("access-control-allow-origin"), "https://app.test");
}

#[tokio::test]
async fn a_changed_secret_signs_nobody_out_while_the_earlier_one_is_listed() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let rotated = |config: &mut crate::Config| {
        config.previous_secrets = vec![config.secret.clone()];
        config.secret = gatepost_protocol::secret::Secret::generate();
    };
    let (_, router) = app.replica(rotated);
    let request =
        ada.request(http::Method::GET, "/get-session").body(axum::body::Body::empty()).unwrap();
    let reply = crate::testing::send(&router, ada.address, request).await;
    assert_eq!(reply.body["user"]["email"], "ada@example.com", "{}", reply.text);
    assert!(ada.is_signed_in(&app).await, "the replica with the old secret knows the session too");
}
