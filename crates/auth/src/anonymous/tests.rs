use serde_json::{Value, json};

use crate::testing::{Authenticator, Browser, PASSWORD, TestApp};

async fn app() -> TestApp {
    TestApp::with(|config| config.features.anonymous = true).await
}

async fn guest(app: &TestApp) -> (Browser, String) {
    let mut browser = app.browser();
    let reply = browser.post(app, "/sign-in/anonymous", json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let user = &reply.body["user"];
    assert_eq!((&user["name"], &user["isAnonymous"]), (&json!("Anonymous"), &json!(true)));
    (browser, user["id"].as_str().unwrap().to_owned())
}

async fn exists(app: &TestApp, id: &str) -> bool {
    !app.sql(&format!(r#"select 1 from neon_auth."user" where id = '{id}'"#)).await.is_empty()
}

#[tokio::test]
async fn a_guest_has_a_session_and_no_address_that_mail_reaches() {
    let app = app().await;
    let (mut browser, _) = guest(&app).await;
    let session = browser.get(&app, "/get-session").await.body;
    let email = session["user"]["email"].as_str().unwrap();
    assert!(email.ends_with("@anonymous.placeholder.invalid"), "{email}");
    let again = browser.post(&app, "/sign-in/anonymous", json!({})).await;
    assert_eq!(again.code(), "ANONYMOUS_USERS_CANNOT_SIGN_IN_AGAIN_ANONYMOUSLY");
    let reset = json!({ "email": email });
    app.browser().post(&app, "/request-password-reset", reset).await;
    assert!(app.mails(email).await.is_empty());
}

#[tokio::test]
async fn a_guest_who_signs_in_hands_over_what_is_owned_and_is_gone() {
    let app = app().await;
    app.sql(
        "create table public.cart (owner uuid references neon_auth.\"user\" on delete cascade)",
    )
    .await;
    app.sql(
        "create or replace function neon_auth.gatepost_guest_linked(guest uuid, account uuid) returns void
         language sql as 'update public.cart set owner = account where owner = guest'",
    )
    .await;
    app.signed_up("ada").await;
    let (mut browser, id) = guest(&app).await;
    app.sql(&format!("insert into public.cart values ('{id}')")).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let reply = browser.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(!exists(&app, &id).await);
    let rows = app
        .sql("select u.email from public.cart c join neon_auth.\"user\" u on u.id = c.owner")
        .await;
    assert_eq!(rows[0].get::<_, String>(0), "ada@example.com");
    let events = app
        .sql("select details->>'guest' from neon_auth.gatepost_audit where event = 'guest-linked'")
        .await;
    assert_eq!(events[0].get::<_, String>(0), id);
}

#[tokio::test]
async fn a_guest_who_signs_up_or_follows_a_code_is_gone_too() {
    let app = app().await;
    let (mut browser, id) = guest(&app).await;
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(browser.post(&app, "/sign-up/email", body).await.status, 200);
    assert!(!exists(&app, &id).await);
    assert_eq!(
        browser.get(&app, "/get-session").await.body["user"]["isAnonymous"],
        Value::Bool(false)
    );
}

#[tokio::test]
async fn a_failed_hand_over_signs_nobody_in_and_keeps_the_guest() {
    let app = app().await;
    app.sql(
        "create or replace function neon_auth.gatepost_guest_linked(guest uuid, account uuid) returns void
         language plpgsql as 'begin raise exception $$no$$; end'",
    )
    .await;
    app.signed_up("ada").await;
    let (mut browser, id) = guest(&app).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(browser.post(&app, "/sign-in/email", body).await.status, 500);
    assert!(exists(&app, &id).await);
    let user = browser.get(&app, "/get-session").await.body["user"]["id"].clone();
    assert_eq!(user, json!(id));
}

#[tokio::test]
async fn nobody_elses_guest_ends_with_a_sign_in() {
    let app = app().await;
    let (_, other) = guest(&app).await;
    let (mut browser, own) = guest(&app).await;
    browser.cookies.iter_mut().for_each(|(_, value)| value.push('x'));
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(browser.post(&app, "/sign-up/email", body).await.status, 200);
    assert!(exists(&app, &other).await && exists(&app, &own).await);
}

#[tokio::test]
async fn a_user_may_become_a_guest_and_stays() {
    let app = app().await;
    let mut ada = app.signed_up("ada").await;
    assert_eq!(ada.post(&app, "/sign-in/anonymous", json!({})).await.status, 200);
    assert_eq!(app.sql(r#"select 1 from neon_auth."user""#).await.len(), 2);
}

#[tokio::test]
async fn only_guests_remove_themselves_so() {
    let app = app().await;
    let (mut browser, id) = guest(&app).await;
    let reply = browser.post(&app, "/delete-anonymous-user", json!({})).await;
    assert_eq!(reply.body, json!({ "success": true }));
    assert!(!exists(&app, &id).await && !browser.is_signed_in(&app).await);
    let mut ada = app.signed_up("ada").await;
    let reply = ada.post(&app, "/delete-anonymous-user", json!({})).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (403, "USER_IS_NOT_ANONYMOUS"));
    let reply = app.browser().post(&app, "/delete-anonymous-user", json!({})).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn guests_can_be_kept() {
    let app = TestApp::with(|config| {
        config.features.anonymous = true;
        config.anonymous.keep = true;
        config.anonymous.email_domain = "guests.example.com".to_owned();
    })
    .await;
    let (mut browser, id) = guest(&app).await;
    let reply = browser.post(&app, "/delete-anonymous-user", json!({})).await;
    assert_eq!(reply.code(), "DELETE_ANONYMOUS_USER_DISABLED");
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD });
    browser.post(&app, "/sign-up/email", body).await;
    assert!(exists(&app, &id).await);
}

#[tokio::test]
async fn guests_without_a_session_are_removed_in_time_and_no_others() {
    let app = app().await;
    let (_, gone) = guest(&app).await;
    app.signed_up("ada").await;
    app.pass(40 * 24 * 60 * 60);
    let (_, fresh) = guest(&app).await;
    let conn = app.app.db.get().await.unwrap();
    let before = app.app.clock.now() - chrono::TimeDelta::days(30);
    assert_eq!(super::purge(&conn, before).await.unwrap(), 1);
    assert!(!exists(&app, &gone).await && exists(&app, &fresh).await);
    assert_eq!(app.sql(r#"select 1 from neon_auth."user""#).await.len(), 2);
}

#[tokio::test]
async fn a_member_of_the_body_makes_no_guest() {
    let app = app().await;
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD, "isAnonymous": true });
    let reply = app.browser().post(&app, "/sign-up/email", body).await;
    assert_eq!(reply.body["user"]["isAnonymous"], false);
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::new().await;
    assert_eq!(app.browser().post(&app, "/sign-in/anonymous", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_guest_whose_sign_in_waits_for_a_second_factor_is_linked_when_it_is_proven() {
    let app = app().await;
    let (authenticator, _) = Authenticator::enrolled(&app, &mut app.signed_up("ada").await).await;
    let (mut browser, id) = guest(&app).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let reply = browser.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true, "{}", reply.text);
    let wrong = browser.post(&app, "/two-factor/verify-totp", json!({ "code": "000000" })).await;
    assert_eq!(wrong.status, 401);
    assert!(exists(&app, &id).await, "nobody is signed in yet");
    let right = json!({ "code": authenticator.code(&app, 0) });
    let reply = browser.post(&app, "/two-factor/verify-totp", right).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(!exists(&app, &id).await);
    let events = app
        .sql("select details->>'guest', user_id::text from neon_auth.gatepost_audit where event = 'guest-linked'")
        .await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].get::<_, String>(0), id);
    let user = browser.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!(json!(events[0].get::<_, String>(1)), user["id"]);
    assert_eq!(user["email"], "ada@example.com");
}

#[tokio::test]
async fn a_guest_who_is_somebody_by_then_or_whose_hand_over_fails_stays() {
    let app = app().await;
    let (authenticator, _) = Authenticator::enrolled(&app, &mut app.signed_up("ada").await).await;
    let (mut browser, id) = guest(&app).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    browser.post(&app, "/sign-in/email", body).await;
    app.sql(
        "create or replace function neon_auth.gatepost_guest_linked(guest uuid, account uuid) returns void
         language plpgsql as 'begin raise exception $$no$$; end'",
    )
    .await;
    let right = json!({ "code": authenticator.code(&app, 0) });
    let reply = browser.post(&app, "/two-factor/verify-totp", right.clone()).await;
    assert_eq!(reply.status, 500);
    assert!(exists(&app, &id).await && !browser.clone().is_signed_in(&app).await);
    app.sql(&format!(r#"update neon_auth."user" set "isAnonymous" = false where id = '{id}'"#))
        .await;
    let reply = browser.post(&app, "/two-factor/verify-totp", right).await;
    assert_eq!(reply.status, 200, "the sign-in waited on: {}", reply.text);
    assert!(exists(&app, &id).await);
}
