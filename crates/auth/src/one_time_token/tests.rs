use serde_json::json;

use crate::testing::{Browser, Reply, TestApp};

async fn app() -> TestApp {
    TestApp::with(|config| config.one_time_token.enabled = true).await
}

async fn token(app: &TestApp, browser: &mut Browser) -> String {
    let reply = browser.get(app, "/one-time-token/generate").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["token"].as_str().unwrap().to_owned()
}

async fn verify(app: &TestApp, browser: &mut Browser, token: &str) -> Reply {
    browser.post(app, "/one-time-token/verify", json!({ "token": token })).await
}

fn message(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.body["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_token_takes_the_session_over_to_another_browser_once() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    let token = token(&app, &mut ada).await;
    let mut other = app.browser();
    let reply = verify(&app, &mut other, &token).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body["user"]["email"], "ada@example.com");
    assert_eq!(reply.body["session"], ada.get(&app, "/get-session").await.body["session"]);
    assert!(other.is_signed_in(&app).await && ada.is_signed_in(&app).await);
    let again = verify(&app, &mut app.browser(), &token).await;
    assert_eq!(message(&again), (400, "Invalid token"));
}

#[tokio::test]
async fn ot_03_of_fifty_at_once_over_two_servers_one_gets_the_session() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    let token = token(&app, &mut ada).await;
    let body = json!({ "token": token });
    let replies = app.at_once(50, "/one-time-token/verify", &body).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(replies.iter().filter(|reply| message(reply) == (400, "Invalid token")).count(), 49);
    assert_eq!(app.sql("select 1 from neon_auth.session").await.len(), 1);
    let events =
        app.sql("select 1 from neon_auth.gatepost_audit where details->>'why' = 'wrong-code'");
    assert_eq!(events.await.len(), 49, "every guess is written down");
}

#[tokio::test]
async fn a_token_dies_of_age_and_with_its_session() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    let old = token(&app, &mut ada).await;
    app.pass(181);
    assert_eq!(message(&verify(&app, &mut app.browser(), &old).await), (400, "Invalid token"));
    let orphan = token(&app, &mut ada).await;
    ada.post(&app, "/sign-out", json!({})).await;
    let reply = verify(&app, &mut app.browser(), &orphan).await;
    assert_eq!(message(&reply), (400, "Session not found"));
    assert!(reply.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn ot_11_the_database_holds_neither_the_token_nor_the_sessions() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    let token = token(&app, &mut ada).await;
    let session = ada.get(&app, "/get-session").await.body["session"]["token"].clone();
    let rows = app.sql("select identifier || value from neon_auth.verification").await;
    let row: String = rows[0].get(0);
    assert!(!row.contains(&token) && !row.contains(session.as_str().unwrap()));
}

#[tokio::test]
async fn a_banned_user_gets_nothing_and_the_token_is_used_up() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    let token = token(&app, &mut ada).await;
    app.sql(r#"update neon_auth."user" set banned = true"#).await;
    let reply = verify(&app, &mut app.browser(), &token).await;
    assert_eq!(reply.code(), "BANNED_USER");
    assert!(reply.headers.get("set-cookie").is_none());
    assert!(app.sql("select 1 from neon_auth.verification").await.is_empty());
}

#[tokio::test]
async fn without_the_cookie_setting_only_the_body_carries_the_session() {
    let app = TestApp::with(|config| {
        config.one_time_token.enabled = true;
        config.one_time_token.set_cookie = false;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let token = token(&app, &mut ada).await;
    let mut other = app.browser();
    let reply = verify(&app, &mut other, &token).await;
    assert_eq!((reply.status.as_u16(), other.cookies.len()), (200, 0));
    assert!(reply.body["session"]["token"].is_string());
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    assert_eq!(ada.get(&app, "/one-time-token/generate").await.status, 404);
}
