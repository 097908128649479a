//! Mailed links, where more than one feature mails them.

use axum::body::Body;
use http::{Method, header};
use serde_json::{Value, json};

use super::requests::everything;
use crate::{
    mail::Message,
    testing::{Browser, ORIGIN, PASSWORD, TestApp},
};

const ADA: &str = "ada@example.com";
const NEW: &str = "correct horse battery staple";

/// What mails a link, and the body for it.
fn asking() -> [(&'static str, Value); 3] {
    [
        ("/request-password-reset", json!({ "email": ADA, "redirectTo": "/new" })),
        ("/sign-in/magic-link", json!({ "email": ADA })),
        ("/send-verification-email", json!({ "email": ADA })),
    ]
}

/// A POST with other headers than a browser would send.
async fn post(app: &TestApp, path: &str, headers: &[(&str, &str)], body: &Value) -> u16 {
    let mut browser = app.browser();
    browser.headers.clear();
    let mut request = browser.request(Method::POST, path);
    let table = request.headers_mut().unwrap();
    for (name, value) in headers {
        let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        if name == header::HOST {
            table.remove(header::HOST);
        }
        table.append(name, value.parse().unwrap());
    }
    let request = request
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    app.send(browser.address, request).await.status.as_u16()
}

fn links(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .filter_map(|message| message.data().get("url").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn ml_08_no_header_of_a_request_gets_into_a_link() {
    let app = TestApp::new().await;
    app.signed_up("ada").await;
    let poisons: [&[(&str, &str)]; 7] = [
        &[("host", "evil.test")],
        &[("host", "auth.test:@evil.test")],
        &[("host", "evil.test:443")],
        &[("x-forwarded-host", "evil.test"), ("x-forwarded-proto", "http")],
        &[("forwarded", "host=evil.test;proto=http")],
        &[("x-host", "evil.test"), ("x-original-url", "https://evil.test/")],
        &[("x-forwarded-server", "evil.test"), ("x-forwarded-prefix", "/evil")],
    ];
    for headers in poisons {
        for (path, body) in asking() {
            post(&app, path, headers, &body).await;
        }
    }
    let links = links(&app.mails(ADA).await);
    assert!(links.len() >= 3 * poisons.len(), "{}", links.len());
    for link in links {
        assert!(link.starts_with(&format!("{ORIGIN}/api/auth/")), "{link}");
        assert!(!link.contains("evil"), "{link}");
    }
}

#[tokio::test]
async fn ml_09_the_first_request_ever_teaches_the_server_nothing() {
    let app = TestApp::new().await;
    post(&app, "/sign-in/magic-link", &[("host", "evil.test")], &json!({ "email": ADA })).await;
    app.signed_up("ada").await;
    let mut browser = app.browser();
    for (path, body) in asking() {
        assert_eq!(browser.post(&app, path, body).await.status, 200);
    }
    for link in links(&app.mails(ADA).await) {
        assert!(link.starts_with(ORIGIN) && !link.contains("evil"), "{link}");
    }
}

#[tokio::test]
async fn ml_11_a_foreign_page_mails_and_texts_nobody() {
    let app = everything(|config| config.phone_number.sign_up = true).await;
    app.signed_up("ada").await;
    let before = app.mails(ADA).await.len();
    let mut asked = asking().to_vec();
    asked.push(("/email-otp/send-verification-otp", json!({ "email": ADA, "type": "sign-in" })));
    asked.push(("/phone-number/send-otp", json!({ "phoneNumber": "+15555550123" })));
    for (path, body) in asked {
        for headers in [[("origin", "https://evil.test")], [("referer", "https://evil.test/x")]] {
            assert_eq!(post(&app, path, &headers, &body).await, 403, "{path}");
        }
    }
    assert_eq!(app.mails(ADA).await.len(), before);
    assert!(app.mails("+15555550123").await.is_empty());
}

#[tokio::test]
async fn ml_13_only_the_token_of_a_link_says_whose_it_is() {
    let app = TestApp::new().await;
    app.signed_up("bob").await;
    app.browser().post(&app, "/sign-in/magic-link", json!({ "email": ADA, "name": "Ada" })).await;
    let (token, _) = app.last_link(ADA).await;
    let body = json!({
        "token": token, "email": "bob@example.com", "name": "Bob", "userId": "x",
    });
    let path = "/magic-link/verify?email=bob%40example.com&name=Bob";
    let reply = app.browser().post(&app, path, body).await;
    assert_eq!(
        (&reply.body["user"]["email"], &reply.body["user"]["name"]),
        (&json!(ADA), &json!("Ada"))
    );
    let path = "/magic-link/verify?token=x&newUserCallbackURL=https%3A%2F%2Fevil.test";
    assert_eq!(app.browser().get(&app, path).await.code(), "INVALID_CALLBACK_URL");
}

/// Every kind of token that is mailed or handed out, by its name.
async fn tokens(app: &TestApp, ada: &mut Browser) -> Vec<(&'static str, String)> {
    let mut tokens = Vec::new();
    for (kind, (path, body)) in ["reset", "magic", "verify"].into_iter().zip(asking()) {
        ada.post(app, path, body).await;
        tokens.push((kind, app.last_link(ADA).await.0));
    }
    ada.post(app, "/change-email", json!({ "newEmail": "new@example.com" })).await;
    tokens.push(("move", app.last_link("new@example.com").await.0));
    ada.post(app, "/delete-user", json!({})).await;
    tokens.push(("delete", app.last_link(ADA).await.0));
    let one_time = ada.get(app, "/one-time-token/generate").await.body["token"].clone();
    tokens.push(("one-time", one_time.as_str().unwrap().to_owned()));
    let access = ada.get(app, "/token").await.body["token"].clone();
    tokens.push(("access", access.as_str().unwrap().to_owned()));
    let session = ada.get(app, "/get-session").await.body["session"]["token"].clone();
    tokens.push(("session", session.as_str().unwrap().to_owned()));
    tokens
}

#[tokio::test]
async fn ml_17_a_token_of_one_kind_is_good_nowhere_else() {
    let app = everything(|config| config.delete_user.confirm_by_mail = true).await;
    let mut ada = app.signed_up("ada").await;
    for (kind, token) in tokens(&app, &mut ada).await {
        let consuming = [
            ("reset", "/reset-password", json!({ "newPassword": NEW, "token": token })),
            ("magic", "/magic-link/verify", json!({ "token": token })),
            ("verify", "/verify-email", json!({ "token": token })),
            ("delete", "/delete-user", json!({ "token": token })),
            ("one-time", "/one-time-token/verify", json!({ "token": token })),
        ];
        for (own, path, body) in consuming {
            // A move is another statement of the same kind of link.
            if kind == own || (kind, own) == ("move", "verify") {
                continue;
            }
            let mut browser = if own == "delete" { ada.clone() } else { app.browser() };
            let reply = browser.post(&app, path, body).await;
            let refused = reply.status.is_client_error()
                || reply.header("location").contains("error=INVALID_TOKEN");
            assert!(refused, "{kind} at {path}: {} {}", reply.status, reply.text);
        }
    }
    assert!(ada.is_signed_in(&app).await);
    let body = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(app.browser().post(&app, "/sign-in/email", body).await.status, 200);
}

#[tokio::test]
async fn a_planted_passkey_and_second_factor_end_when_the_owner_of_the_mailbox_comes() {
    let app = TestApp::with(|config| config.magic_link.confirm = false).await;
    app.signed_up("victim").await;
    app.sql(r#"insert into neon_auth.passkey ("publicKey", "userId", "credentialID", counter, "deviceType", "backedUp")
select 'k', id, 'c', 0, 'singleDevice', false from neon_auth."user""#)
        .await;
    app.sql(r#"insert into neon_auth."twoFactor" (secret, "backupCodes", "userId") select 's', 'b', id from neon_auth."user""#).await;
    app.sql(r#"update neon_auth."user" set "twoFactorEnabled" = true"#).await;
    let mut owner = app.browser();
    let body = serde_json::json!({ "email": "victim@example.com" });
    assert_eq!(owner.post(&app, "/sign-in/magic-link", body).await.status, 200);
    let (token, _) = app.last_link("victim@example.com").await;
    owner.get(&app, &format!("/magic-link/verify?token={token}")).await;
    assert!(owner.is_signed_in(&app).await);
    let left = app
        .sql(r#"select (select count(*) from neon_auth.passkey) + (select count(*) from neon_auth."twoFactor")"#)
        .await;
    assert_eq!(left[0].get::<_, i64>(0), 0);
    let asked = app.sql(r#"select "twoFactorEnabled" from neon_auth."user""#).await;
    assert!(!asked[0].get::<_, bool>(0));
}
