use http::StatusCode;
use serde_json::{Value, json};

use crate::testing::{Browser, PASSWORD, Reply, TestApp};

const ADA: &str = "ada@example.com";

async fn asked(app: &TestApp, body: Value) -> (String, String) {
    let reply = app.browser().post(app, "/sign-in/magic-link", body).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &json!({ "status": true })));
    app.last_link(ADA).await
}

async fn confirm(app: &TestApp, browser: &mut Browser, token: &str) -> Reply {
    browser.post(app, "/magic-link/verify", json!({ "token": token, "callbackURL": "/dash" })).await
}

#[tokio::test]
async fn ml_01_opening_the_link_shows_a_page_and_only_its_button_signs_in_once() {
    let app = TestApp::new().await;
    let (token, url) =
        asked(&app, json!({ "email": ADA, "name": "Ada", "callbackURL": "/dash" })).await;
    let mut ada = app.browser();
    for _ in 0..5 {
        let page = ada.get(&app, &url).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<form method=post>"), "{}", page.text);
        assert!(ada.cookies.is_empty());
    }
    let reply = confirm(&app, &mut ada, &token).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (StatusCode::FOUND, "https://auth.test/dash")
    );
    assert!(ada.is_signed_in(&app).await);

    let mut other = app.browser();
    let again = confirm(&app, &mut other, &token).await;
    assert_eq!(again.header("location"), "https://auth.test/dash?error=INVALID_TOKEN");
    assert!(!other.is_signed_in(&app).await);
}

#[tokio::test]
async fn ml_02_a_link_dies_of_age() {
    let app = TestApp::new().await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    app.pass(301);
    let reply = confirm(&app, &mut app.browser(), &token).await;
    assert_eq!(reply.header("location"), "https://auth.test/dash?error=INVALID_TOKEN");
}

#[tokio::test]
async fn ml_03_of_many_at_once_with_one_link_one_is_signed_in() {
    let app = TestApp::new().await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    let body = json!({ "token": token });
    let replies = app.at_once(20, "/magic-link/verify", &body).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(app.sql("select id from neon_auth.session").await.len(), 1);
}

#[tokio::test]
async fn ml_04_the_database_holds_only_a_hash() {
    let app = TestApp::new().await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    let rows = app.sql("select identifier || value from neon_auth.verification").await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].get::<_, String>(0).contains(&token));
}

#[tokio::test]
async fn ml_05_the_page_names_both_accounts_and_nothing_changes_before_its_button() {
    let app = TestApp::new().await;
    let mut bob = app.signed_up("bob").await;
    let (token, url) = asked(&app, json!({ "email": ADA })).await;
    let page = bob.get(&app, &url).await;
    assert!(page.text.contains("As <b>ada@example.com</b>."), "{}", page.text);
    assert!(page.text.contains("signed in as <b>bob@example.com</b>"), "{}", page.text);
    let user = bob.get(&app, "/get-session").await.body["user"]["email"].clone();
    assert_eq!(user, "bob@example.com");
    confirm(&app, &mut bob, &token).await;
    let user = bob.get(&app, "/get-session").await.body["user"]["email"].clone();
    assert_eq!(user, ADA);
}

#[tokio::test]
async fn ml_12_an_untrusted_target_is_refused_before_the_link_is_used_up() {
    let app = TestApp::new().await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    for name in ["callbackURL", "errorCallbackURL", "newUserCallbackURL"] {
        let url = format!("/magic-link/verify?token={token}&{name}=https%3A%2F%2Fevil.test");
        assert_eq!(app.browser().get(&app, &url).await.code(), "INVALID_CALLBACK_URL");
        let body = json!({ "token": token, name: "https://evil.test" });
        assert_eq!(app.browser().post(&app, "/magic-link/verify", body).await.status, 403);
    }
    assert_eq!(
        confirm(&app, &mut app.browser(), &token).await.header("location"),
        "https://auth.test/dash"
    );
}

#[tokio::test]
async fn ot_14_a_link_takes_over_a_planted_user_without_what_the_stranger_left() {
    let app = TestApp::new().await;
    let mut mallory = app.signed_up("ada").await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    let mut ada = app.browser();
    assert_eq!(confirm(&app, &mut ada, &token).await.status, 302);
    assert!(!mallory.is_signed_in(&app).await);
    assert!(ada.is_signed_in(&app).await);
    let body = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(app.browser().post(&app, "/sign-in/email", body).await.status, 401);
}

#[tokio::test]
async fn a_banned_user_is_refused_and_the_link_is_used_up() {
    let app = TestApp::new().await;
    app.signed_up("ada").await;
    app.sql(r#"update neon_auth."user" set banned = true, "emailVerified" = true"#).await;
    let (token, _) = asked(&app, json!({ "email": ADA })).await;
    assert_eq!(confirm(&app, &mut app.browser(), &token).await.code(), "BANNED_USER");
    assert!(app.sql("select 1 from neon_auth.verification").await.is_empty());
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::with(|config| config.magic_link.enabled = false).await;
    let reply = app.browser().post(&app, "/sign-in/magic-link", json!({ "email": ADA })).await;
    assert_eq!(reply.status, 404);
}
