use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::testing::{Browser, PASSWORD, Reply, TestApp};

async fn app() -> TestApp {
    TestApp::with(|config| config.features.username = true).await
}

async fn sign_up(app: &TestApp, email: &str, further: Value) -> (Browser, Reply) {
    let mut body = json!({ "name": "Ada", "email": email, "password": PASSWORD });
    body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let mut browser = app.browser();
    let reply = browser.post(app, "/sign-up/email", body).await;
    (browser, reply)
}

async fn sign_in(app: &TestApp, username: &str, password: &str) -> Reply {
    let body = json!({ "username": username, "password": password });
    app.browser().post(app, "/sign-in/username", body).await
}

fn told(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.code())
}

#[tokio::test]
async fn a_name_signs_in_in_whatever_case_and_is_shown_as_it_was_written() {
    let app = app().await;
    let (_, reply) = sign_up(&app, "ada@example.com", json!({ "username": "Ada_L" })).await;
    let user = &reply.body["user"];
    assert_eq!((&user["username"], &user["displayUsername"]), (&json!("ada_l"), &json!("Ada_L")));
    let reply = sign_in(&app, "ADA_L", PASSWORD).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!((&reply.body["redirect"], reply.body.get("url")), (&json!(false), None));
    assert_eq!(reply.body["user"]["email"], "ada@example.com");
}

#[tokio::test]
async fn a_shown_name_alone_becomes_the_name_where_it_can_be_one() {
    let app = app().await;
    let (_, reply) = sign_up(&app, "a@example.com", json!({ "displayUsername": "Ada.L" })).await;
    assert_eq!(reply.body["user"]["username"], "ada.l");
    let (_, reply) = sign_up(&app, "b@example.com", json!({ "displayUsername": "The Bob!" })).await;
    let user = &reply.body["user"];
    assert_eq!((&user["username"], &user["displayUsername"]), (&Value::Null, &json!("The Bob!")));
}

#[tokio::test]
async fn what_is_no_name_is_refused_before_anything_else() {
    let app = app().await;
    let long = "x".repeat(31);
    for (name, code) in [
        (json!("ab"), (400, "USERNAME_TOO_SHORT")),
        (json!(""), (400, "USERNAME_TOO_SHORT")),
        (json!(long), (400, "USERNAME_TOO_LONG")),
        (json!("has space"), (400, "INVALID_USERNAME")),
        (json!("émile"), (400, "INVALID_USERNAME")),
        (json!("nul\u{0}l"), (400, "INVALID_USERNAME")),
        (json!(5), (422, "FAILED_TO_CREATE_USER")),
        (json!({}), (422, "FAILED_TO_CREATE_USER")),
    ] {
        let reply = app.browser().post(&app, "/sign-up/email", json!({ "username": name })).await;
        assert_eq!(told(&reply), code, "{name}");
    }
    assert_eq!(told(&sign_in(&app, "ab", "x").await), (422, "USERNAME_TOO_SHORT"));
    assert_eq!(told(&sign_in(&app, "", "x").await), (401, "INVALID_USERNAME_OR_PASSWORD"));
    assert_eq!(told(&sign_in(&app, "ada", "").await), (401, "INVALID_USERNAME_OR_PASSWORD"));
    assert!(app.sql(r#"select 1 from neon_auth."user""#).await.is_empty());
}

#[tokio::test]
async fn en_01_an_unknown_name_reads_and_hashes_as_a_wrong_password() {
    let app = app().await;
    sign_up(&app, "ada@example.com", json!({ "username": "ada" })).await;
    let before = app.app.hasher.runs();
    let wrong = sign_in(&app, "ada", "not-the-password").await;
    let between = app.app.hasher.runs();
    let unknown = sign_in(&app, "nobody", "not-the-password").await;
    assert_eq!(between - before, app.app.hasher.runs() - between);
    assert_eq!(told(&wrong), (401, "INVALID_USERNAME_OR_PASSWORD"));
    assert_eq!(wrong.text, unknown.text);
}

#[tokio::test]
async fn of_many_who_want_a_name_at_once_one_gets_it_and_no_half_user_is_left() {
    let app = app().await;
    let one = |index: usize| {
        let app = &app;
        async move {
            let email = format!("user{index}@example.com");
            sign_up(app, &email, json!({ "username": "Wanted" })).await.1
        }
    };
    let replies = join_all((0..8).map(one)).await;
    let taken =
        replies.iter().filter(|reply| told(reply) == (400, "USERNAME_IS_ALREADY_TAKEN")).count();
    assert_eq!((replies.iter().filter(|reply| reply.status == 200).count(), taken), (1, 7));
    assert_eq!(app.sql(r#"select 1 from neon_auth."user""#).await.len(), 1);
    assert_eq!(app.sql("select 1 from neon_auth.account").await.len(), 1);
}

#[tokio::test]
async fn a_user_changes_the_name_and_nobody_takes_anothers() {
    let app = app().await;
    let (mut ada, _) = sign_up(&app, "ada@example.com", json!({ "username": "ada" })).await;
    sign_up(&app, "bob@example.com", json!({ "username": "bob" })).await;
    let taken = ada.post(&app, "/update-user", json!({ "username": "BOB" })).await;
    assert_eq!(told(&taken), (400, "USERNAME_IS_ALREADY_TAKEN"));
    let own = ada.post(&app, "/update-user", json!({ "username": "Ada" })).await;
    assert_eq!(own.body, json!({ "status": true }));
    let new = json!({ "username": "Countess", "displayUsername": "The Countess", "name": "A. L." });
    assert_eq!(ada.post(&app, "/update-user", new).await.status, 200);
    let user = ada.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!(
        (&user["username"], &user["displayUsername"], &user["name"]),
        (&json!("countess"), &json!("The Countess"), &json!("A. L."))
    );
    assert_eq!(sign_in(&app, "ada", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&app, "countess", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_name_can_be_for_ever_and_some_are_nobodys() {
    let app = TestApp::with(|config| {
        config.features.username = true;
        config.username.immutable = true;
        config.username.reserved = vec!["admin".to_owned()];
    })
    .await;
    let (mut ada, _) = sign_up(&app, "ada@example.com", json!({ "username": "ada" })).await;
    for name in [json!("other"), Value::Null] {
        let reply = ada.post(&app, "/update-user", json!({ "username": name })).await;
        assert_eq!(told(&reply), (400, "USERNAME_IS_IMMUTABLE"));
    }
    assert_eq!(ada.post(&app, "/update-user", json!({ "username": "ADA" })).await.status, 200);
    let (_, reply) = sign_up(&app, "eve@example.com", json!({ "username": "Admin" })).await;
    assert_eq!(told(&reply), (400, "USERNAME_IS_ALREADY_TAKEN"));
    let free = json!({ "username": "admin" });
    let reply = app.browser().post(&app, "/is-username-available", free).await;
    assert_eq!(reply.body, json!({ "available": false }));
}

#[tokio::test]
async fn an_unproven_address_signs_in_by_name_no_sooner_than_by_address() {
    let app = TestApp::with(|config| {
        config.features.username = true;
        config.email_password.require_verification = true;
    })
    .await;
    let (_, reply) = sign_up(&app, "ada@example.com", json!({ "username": "ada" })).await;
    assert_eq!(reply.body["token"], Value::Null);
    assert_eq!(told(&sign_in(&app, "ada", PASSWORD).await), (403, "EMAIL_NOT_VERIFIED"));
    assert_eq!(
        told(&sign_in(&app, "ada", "not-the-password").await),
        (401, "INVALID_USERNAME_OR_PASSWORD")
    );
    // Somebody signs up with the address again: the answer tells nothing, and the name is not lost.
    let (_, again) = sign_up(&app, "ada@example.com", json!({ "username": "Other" })).await;
    assert_eq!(again.body["user"]["displayUsername"], "Other");
    assert!(app.sql("select 1 from neon_auth.\"user\" where username = 'other'").await.is_empty());
}

#[tokio::test]
async fn without_the_feature_there_are_neither_routes_nor_names() {
    let app = TestApp::new().await;
    assert_eq!(sign_in(&app, "ada", PASSWORD).await.status, 404);
    let (_, reply) = sign_up(&app, "ada@example.com", json!({ "username": "ada" })).await;
    assert_eq!((reply.status.as_u16(), reply.body["user"].get("username")), (200, None));
}
