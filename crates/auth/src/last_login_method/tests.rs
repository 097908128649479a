use http::header;
use serde_json::{Value, json};

use crate::{
    mail::Message,
    testing::{PASSWORD, TestApp},
};

const COOKIE: &str = "better-auth.last_used_login_method";

async fn app() -> TestApp {
    TestApp::with(|config| {
        config.features.last_login_method = true;
        config.features.username = true;
    })
    .await
}

#[tokio::test]
async fn the_last_way_in_is_in_a_cookie_that_pages_read_and_in_the_user() {
    let app = app().await;
    let mut ada = app.browser();
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD, "username": "ada" });
    let reply = ada.post(&app, "/sign-up/email", body).await;
    assert_eq!(reply.body["user"]["lastLoginMethod"], "email");
    let cookies = reply.headers.get_all(header::SET_COOKIE).iter();
    let cookie = cookies
        .filter_map(|cookie| cookie.to_str().ok())
        .find(|cookie| cookie.starts_with(COOKIE))
        .unwrap()
        .to_owned();
    assert!(cookie.contains("Max-Age=2592000") && !cookie.contains("HttpOnly"), "{cookie}");
    assert_eq!(ada.cookie(COOKIE), Some("email"));

    let body = json!({ "email": "ada@example.com", "type": "sign-in" });
    ada.post(&app, "/email-otp/send-verification-otp", body).await;
    let otp = app.mails("ada@example.com").await.into_iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp),
        _ => None,
    });
    let body = json!({ "email": "ada@example.com", "otp": otp });
    let reply = ada.post(&app, "/sign-in/email-otp", body).await;
    assert_eq!(reply.body["user"]["lastLoginMethod"], "email-otp");
    assert_eq!(ada.cookie(COOKIE), Some("email-otp"));
    let session = ada.get(&app, "/get-session").await.body;
    assert_eq!(session["user"]["lastLoginMethod"], "email-otp");
}

#[tokio::test]
async fn a_way_that_better_auth_does_not_name_and_a_failed_one_leave_what_was_there() {
    let app = app().await;
    let mut ada = app.browser();
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD, "username": "ada" });
    ada.post(&app, "/sign-up/email", body).await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    let reply = ada.post(&app, "/sign-in/username", body).await;
    assert_eq!(reply.body["user"]["lastLoginMethod"], "email");
    let mut other = app.browser();
    let body = json!({ "email": "ada@example.com", "password": "not-the-password" });
    other.post(&app, "/sign-in/email", body).await;
    assert_eq!(other.cookie(COOKIE), None);
}

#[tokio::test]
async fn without_the_feature_there_is_neither_cookie_nor_member() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    assert_eq!(ada.cookie(COOKIE), None);
    let user = ada.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!(user.get("lastLoginMethod"), None::<&Value>);
}
