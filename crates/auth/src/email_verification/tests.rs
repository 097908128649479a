use axum::body::Body;
use http::{Method, header};
use serde_json::{Value, json};

use crate::{
    config::Config,
    mail::Message,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

const VIC: &str = "vic@example.com";

async fn app() -> TestApp {
    with(|_| {}).await
}

async fn with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::with(|config| {
        config.email_verification.send_on_sign_up = Some(true);
        change(config);
    })
    .await
}

/// The last link to an address that moves a user or proves an address: token and address.
async fn link(app: &TestApp, to: &str) -> (String, String) {
    app.last_link(to).await
}

/// Presses a button of the page that a link shows.
async fn press(
    app: &TestApp,
    browser: &mut Browser,
    url: &str,
    token: &str,
    answer: &str,
) -> Reply {
    let request = browser
        .request(Method::POST, url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("token={token}&answer={answer}")))
        .unwrap();
    browser.exchange(app, request).await
}

async fn password_works(app: &TestApp, email: &str) -> bool {
    let body = json!({ "email": email, "password": PASSWORD });
    app.browser().post(app, "/sign-in/email", body).await.status == 200
}

async fn verified(app: &TestApp) -> bool {
    app.sql(r#"select "emailVerified" from neon_auth."user""#).await[0].get(0)
}

#[tokio::test]
async fn ml_16_a_link_of_a_strangers_sign_up_asks_its_reader_and_shuts_the_stranger_out() {
    let app = app().await;
    let mut mallory = app.signed_up("vic").await;
    let (token, url) = link(&app, VIC).await;
    let mut vic = app.browser();
    for _ in 0..3 {
        let page = vic.get(&app, &url).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("It was not me") && page.headers.get("set-cookie").is_none());
        assert!(!verified(&app).await, "neither a scanner nor a reader proves it by looking");
    }
    let reply = press(&app, &mut vic, &url, &token, "not-mine").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(verified(&app).await);
    assert!(!mallory.is_signed_in(&app).await && !password_works(&app, VIC).await);
    assert!(app.sql("select 1 from neon_auth.account").await.is_empty());
    // The link is good for nothing more, whoever opens it.
    assert_eq!(press(&app, &mut mallory, &url, &token, "mine").await.body["status"], true);
    assert!(!mallory.is_signed_in(&app).await);
}

#[tokio::test]
async fn the_browser_that_signed_up_is_not_asked_and_another_of_the_same_user_says_so() {
    for require_verification in [false, true] {
        let app = with(|config| {
            config.email_password.require_verification = require_verification;
        })
        .await;
        let mut vic = app.signed_up("vic").await;
        let (_, url) = link(&app, VIC).await;
        assert_eq!(vic.get(&app, &url).await.status, 302, "{require_verification}");
        assert!(verified(&app).await && password_works(&app, VIC).await);
    }
    let app = app().await;
    app.signed_up("vic").await;
    let (token, url) = link(&app, VIC).await;
    let mut telephone = app.browser();
    assert_eq!(telephone.get(&app, &url).await.status, 200);
    assert_eq!(press(&app, &mut telephone, &url, &token, "mine").await.status, 200);
    assert!(verified(&app).await && password_works(&app, VIC).await);
}

#[tokio::test]
async fn programs_are_not_asked() {
    let app = app().await;
    app.signed_up("vic").await;
    let (token, _) = link(&app, VIC).await;
    let mut script = app.browser();
    script.headers.push(("sec-fetch-mode".to_owned(), "cors".to_owned()));
    let reply = script.get(&app, &format!("/verify-email?token={token}")).await;
    assert_eq!(reply.body, json!({ "status": true, "user": null }));
    let app = self::app().await;
    app.signed_up("vic").await;
    let (token, _) = link(&app, VIC).await;
    let path = format!("/verify-email?token={token}");
    let reply = app.browser().post(&app, &path, json!({})).await;
    assert_eq!(reply.body, json!({ "status": true, "user": null }));
}

#[tokio::test]
async fn a_sign_up_that_must_not_tell_marks_the_browser_either_way() {
    let app = with(|config| config.email_password.require_verification = true).await;
    let body = json!({ "name": "x", "email": VIC, "password": PASSWORD });
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut browser = app.browser();
        browser.post(&app, "/sign-up/email", body.clone()).await;
        names.push(browser.cookies.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0], ["__Secure-better-auth.sign_up"]);
}

/// Mallory signs up with vic's address and asks for a change to her own: the token she gets.
async fn planted(app: &TestApp) -> (Browser, String) {
    let mut mallory = app.signed_up("vic").await;
    let body = json!({ "newEmail": "m@evil.example.com" });
    assert_eq!(mallory.post(app, "/change-email", body).await.status, 200);
    let (token, _) = link(app, "m@evil.example.com").await;
    (mallory, token)
}

async fn dead(app: &TestApp, token: &str) {
    for answer in [None, Some("mine")] {
        let mut mallory = app.browser();
        let path = format!("/verify-email?token={token}");
        let reply = match answer {
            None => mallory.get(app, &path).await,
            Some(answer) => press(app, &mut mallory, &path, token, answer).await,
        };
        assert_eq!(reply.status, 401, "{}", reply.text);
        assert!(reply.headers.get("set-cookie").is_none());
    }
    let moved = "select 1 from neon_auth.\"user\" where email = 'm@evil.example.com'";
    assert!(app.sql(moved).await.is_empty());
}

async fn code(app: &TestApp, to: &str, kind: &str) -> String {
    let body = json!({ "email": to, "type": kind });
    app.browser().post(app, "/email-otp/send-verification-otp", body).await;
    let mails = app.mails(to).await;
    let otp = mails.iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        _ => None,
    });
    otp.unwrap()
}

#[tokio::test]
async fn ml_15_a_change_of_address_asked_for_by_a_stranger_dies_when_the_owner_takes_the_account() {
    // By a mailed code.
    let app = app().await;
    let (_, token) = planted(&app).await;
    let body = json!({ "email": VIC, "otp": code(&app, VIC, "sign-in").await });
    assert_eq!(app.browser().post(&app, "/sign-in/email-otp", body).await.status, 200);
    dead(&app, &token).await;

    // By a mailed link.
    let app = self::app().await;
    let (_, token) = planted(&app).await;
    app.browser().post(&app, "/sign-in/magic-link", json!({ "email": VIC })).await;
    let (magic, _) = link(&app, VIC).await;
    let body = json!({ "token": magic });
    assert_eq!(app.browser().post(&app, "/magic-link/verify", body).await.status, 200);
    dead(&app, &token).await;

    // By a new password, through a link and through a code.
    let app = self::app().await;
    let (_, token) = planted(&app).await;
    app.browser().post(&app, "/request-password-reset", json!({ "email": VIC })).await;
    let (reset, _) = link(&app, VIC).await;
    let body = json!({ "newPassword": "correct horse battery", "token": reset });
    assert_eq!(app.browser().post(&app, "/reset-password", body).await.status, 200);
    dead(&app, &token).await;

    let app = self::app().await;
    let (_, token) = planted(&app).await;
    let otp = code(&app, VIC, "forget-password").await;
    let body = json!({ "email": VIC, "otp": otp, "password": "correct horse battery" });
    assert_eq!(app.browser().post(&app, "/email-otp/reset-password", body).await.status, 200);
    dead(&app, &token).await;

    // By the link that proves the address.
    let app = self::app().await;
    let (_, token) = planted(&app).await;
    let (proof, url) = link(&app, VIC).await;
    press(&app, &mut app.browser(), &url, &proof, "not-mine").await;
    dead(&app, &token).await;
}

#[tokio::test]
async fn ml_15_a_change_of_address_dies_with_the_account_and_when_the_address_changes_hands() {
    let app = app().await;
    let (mut mallory, token) = planted(&app).await;
    assert_eq!(mallory.post(&app, "/delete-user", json!({})).await.status, 200);
    app.signed_up("vic").await;
    dead(&app, &token).await;

    let app = self::app().await;
    let (mut alice, old) = planted(&app).await;
    let body = json!({ "newEmail": "alice@new.example.com" });
    alice.post(&app, "/change-email", body).await;
    let (moving, _) = link(&app, "alice@new.example.com").await;
    let path = format!("/verify-email?token={moving}");
    assert_eq!(alice.get(&app, &path).await.body["status"], true);
    app.signed_up("vic").await;
    dead(&app, &old).await;
    dead(&app, &moving).await;
}

#[tokio::test]
async fn ml_18_an_address_changes_only_when_both_mailboxes_agree() {
    let app = app().await;
    let mut alice = app.signed_up("vic").await;
    app.sql(r#"update neon_auth."user" set "emailVerified" = true"#).await;
    let new = "new@example.com";
    alice.post(&app, "/change-email", json!({ "newEmail": new })).await;
    assert!(app.mails(new).await.is_empty(), "the old mailbox is asked first");
    let (confirmation, _) = link(&app, VIC).await;
    let email = async |browser: &mut Browser| {
        browser.get(&app, "/get-session").await.body["user"]["email"].clone()
    };
    alice.get(&app, &format!("/verify-email?token={confirmation}")).await;
    assert_eq!(email(&mut alice).await, VIC, "the old mailbox alone moves nobody");
    let (proof, _) = link(&app, new).await;
    assert_ne!(proof, confirmation);
    alice.get(&app, &format!("/verify-email?token={proof}")).await;
    let user = alice.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!((&user["email"], &user["emailVerified"]), (&json!(new), &Value::Bool(true)));
    let again = alice.get(&app, &format!("/verify-email?token={proof}")).await;
    assert_eq!(again.code(), "INVALID_TOKEN");
}
