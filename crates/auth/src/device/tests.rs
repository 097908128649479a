use axum::body::Body;
use futures_util::future::join_all;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    session::TokenStorage,
    testing::{Browser, Reply, TestApp, send},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn served() -> TestApp {
    TestApp::with(|config| config.device.enabled = true).await
}

struct Codes {
    device: String,
    user: String,
}

async fn asked(app: &TestApp) -> Codes {
    let body = json!({ "client_id": "cli", "scope": "read write" });
    let reply = app.browser().post(app, "/device/code", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let text = |name: &str| reply.body[name].as_str().unwrap().to_owned();
    Codes { device: text("device_code"), user: text("user_code") }
}

async fn poll(app: &TestApp, codes: &Codes) -> Reply {
    let body = json!({ "grant_type": GRANT, "device_code": codes.device, "client_id": "cli" });
    app.browser().post(app, "/device/token", body).await
}

async fn look_up(app: &TestApp, browser: &mut Browser, code: &str) -> Reply {
    browser.get(app, &format!("/device?user_code={code}")).await
}

async fn approve(app: &TestApp, browser: &mut Browser, code: &str) -> Reply {
    browser.post(app, "/device/approve", json!({ "userCode": code })).await
}

fn error(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.body["error"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_device_signs_in_once_after_its_code_was_approved_elsewhere() {
    let app = served().await;
    let codes = asked(&app).await;
    assert_eq!(error(&poll(&app, &codes).await), (400, "authorization_pending"));

    let mut ada = app.signed_up("ada").await;
    let typed = format!("{}-{}", &codes.user[..4], codes.user[4..].to_lowercase());
    let shown = look_up(&app, &mut ada, &typed).await;
    assert_eq!(
        shown.body,
        json!({ "user_code": typed, "status": "pending", "client_id": "cli", "scope": "read write" })
    );
    assert_eq!(approve(&app, &mut ada, &typed).await.body, json!({ "success": true }));
    let again = approve(&app, &mut ada, &codes.user).await;
    assert_eq!(again.body["error_description"], "Device code already processed");

    app.pass(5);
    let token = poll(&app, &codes).await;
    assert_eq!(token.status, 200, "{}", token.text);
    assert_eq!(token.headers.get(header::SET_COOKIE), None);
    assert_eq!((token.header("cache-control"), token.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(token.body["token_type"], "Bearer");
    assert_eq!(token.body["scope"], "read write");
    assert_eq!(token.body["expires_in"], 7 * 24 * 60 * 60);

    let mut device = app.browser();
    let bearer = format!("Bearer {}", token.body["access_token"].as_str().unwrap());
    device.headers.push(("authorization".to_owned(), bearer));
    let session = device.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "ada@example.com");
    assert_eq!(error(&poll(&app, &codes).await), (400, "invalid_grant"));
}

#[tokio::test]
async fn of_many_polls_at_once_over_two_servers_one_signs_in() {
    let app = served().await;
    let codes = asked(&app).await;
    let mut ada = app.signed_up("ada").await;
    look_up(&app, &mut ada, &codes.user).await;
    approve(&app, &mut ada, &codes.user).await;
    let before = app.sql("select from neon_auth.session").await.len();
    let (_second, router) = app.replica(|_| {});
    let polls = (0..20).map(|index| {
        let body = json!({ "grant_type": GRANT, "device_code": codes.device, "client_id": "cli" });
        let browser = app.browser();
        let request = browser
            .request(Method::POST, "/device/token")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into())
            .unwrap();
        let (app, router) = (&app, &router);
        async move {
            if index % 2 == 0 {
                app.send(browser.address, request).await.status
            } else {
                send(router, browser.address, request).await.status
            }
        }
    });
    let answers = join_all(polls).await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1);
    assert_eq!(app.sql("select from neon_auth.session").await.len(), before + 1);
}

#[tokio::test]
async fn a_device_that_polls_too_often_is_slowed_down_and_one_that_waits_is_not() {
    let app = served().await;
    let codes = asked(&app).await;
    assert_eq!(error(&poll(&app, &codes).await), (400, "authorization_pending"));
    app.pass(4);
    assert_eq!(error(&poll(&app, &codes).await), (400, "slow_down"));
    app.pass(1);
    assert_eq!(error(&poll(&app, &codes).await), (400, "authorization_pending"));
}

#[tokio::test]
async fn a_denied_device_and_one_that_waited_too_long_are_told_once() {
    let app = served().await;
    let denied = asked(&app).await;
    let mut ada = app.signed_up("ada").await;
    look_up(&app, &mut ada, &denied.user).await;
    let reply = ada.post(&app, "/device/deny", json!({ "userCode": denied.user })).await;
    assert_eq!(reply.body, json!({ "success": true }));
    assert_eq!(error(&poll(&app, &denied).await), (400, "access_denied"));
    assert_eq!(error(&poll(&app, &denied).await), (400, "invalid_grant"));

    let late = asked(&app).await;
    app.pass(30 * 60 + 1);
    assert_eq!(error(&look_up(&app, &mut ada, &late.user).await), (400, "expired_token"));
    assert_eq!(error(&approve(&app, &mut ada, &late.user).await), (400, "expired_token"));
    assert_eq!(error(&poll(&app, &late).await), (400, "expired_token"));
    assert_eq!(error(&poll(&app, &late).await), (400, "invalid_grant"));
}

#[tokio::test]
async fn only_who_looked_a_code_up_first_decides_and_learns_who_asks() {
    let app = served().await;
    let codes = asked(&app).await;
    let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let unclaimed = approve(&app, &mut ada, &codes.user).await;
    assert!(unclaimed.body["error_description"].as_str().unwrap().contains("not been claimed"));
    let stranger = look_up(&app, &mut app.browser(), &codes.user).await;
    assert_eq!(stranger.body, json!({ "user_code": codes.user, "status": "pending" }));

    look_up(&app, &mut ada, &codes.user).await;
    let shown = look_up(&app, &mut bob, &codes.user).await;
    assert_eq!(shown.body, json!({ "user_code": codes.user, "status": "pending" }));
    for path in ["/device/approve", "/device/deny"] {
        let reply = bob.post(&app, path, json!({ "userCode": codes.user })).await;
        assert_eq!(error(&reply), (403, "access_denied"));
    }
    assert_eq!(approve(&app, &mut ada, &codes.user).await.status, 200);
    let nobody = approve(&app, &mut app.browser(), &codes.user).await;
    assert_eq!(error(&nobody), (401, "unauthorized"));
}

#[tokio::test]
async fn the_device_of_a_user_who_was_shut_out_or_deleted_meanwhile_does_not_sign_in() {
    let app = served().await;
    let (shut_out, orphan) = (asked(&app).await, asked(&app).await);
    let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    for (browser, codes) in [(&mut ada, &shut_out), (&mut bob, &orphan)] {
        look_up(&app, browser, &codes.user).await;
        assert_eq!(approve(&app, browser, &codes.user).await.status, 200);
    }
    app.sql("update neon_auth.\"user\" set banned = true where email = 'ada@example.com'").await;
    app.sql("delete from neon_auth.\"user\" where email = 'bob@example.com'").await;
    let reply = poll(&app, &shut_out).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::FORBIDDEN, "BANNED_USER"));
    assert_eq!(error(&poll(&app, &orphan).await), (400, "access_denied"));
}

#[tokio::test]
async fn codes_are_stored_hashed_unless_the_table_is_shared() {
    let stored = "select \"deviceCode\", \"userCode\" from neon_auth.\"deviceCode\"";
    for plain in [false, true] {
        let app = TestApp::with(|config| {
            config.device.enabled = true;
            config.device.store_codes = plain.then_some(TokenStorage::Plain);
        })
        .await;
        let codes = asked(&app).await;
        let rows = app.sql(stored).await;
        let (device, user): (String, String) = (rows[0].get(0), rows[0].get(1));
        assert_eq!((device == codes.device, user == codes.user), (plain, plain));
        assert_eq!(user.len(), if plain { 8 } else { 43 });
        assert_eq!(error(&poll(&app, &codes).await), (400, "authorization_pending"));
        assert_eq!(look_up(&app, &mut app.browser(), &codes.user).await.status, 200);
    }
}

#[tokio::test]
async fn a_code_of_another_process_is_found_to_the_letter() {
    let app = TestApp::with(|config| {
        config.device.enabled = true;
        config.device.store_codes = Some(TokenStorage::Plain);
    })
    .await;
    app.sql(
        "insert into neon_auth.\"deviceCode\" (\"deviceCode\", \"userCode\", \"expiresAt\", status, \"clientId\")
values ('d', 'blue-Horse', '2099-01-01', 'pending', 'cli')",
    )
    .await;
    assert_eq!(look_up(&app, &mut app.browser(), "blue-Horse").await.status, 200);
    assert_eq!(look_up(&app, &mut app.browser(), "blue-horse").await.status, 400);
}

#[tokio::test]
async fn programs_are_admitted_by_their_ids_and_a_code_belongs_to_its_program() {
    let app = TestApp::with(|config| {
        config.device.enabled = true;
        config.device.clients = vec!["cli".to_owned(), "tv".to_owned(), "lost".to_owned()];
        config.device.blocked_clients = vec!["lost".to_owned()];
    })
    .await;
    let codes = asked(&app).await;
    for client in ["other", "lost", "CLI"] {
        let reply = app.browser().post(&app, "/device/code", json!({ "client_id": client })).await;
        assert_eq!(error(&reply), (400, "invalid_client"), "{client}");
    }
    for (client, expected) in [("tv", "invalid_grant"), ("other", "invalid_client")] {
        let body = json!({ "grant_type": GRANT, "device_code": codes.device, "client_id": client });
        let reply = app.browser().post(&app, "/device/token", body).await;
        assert_eq!(error(&reply), (400, expected), "{client}");
    }
    let long = json!({ "client_id": "x".repeat(256) });
    let reply = app.browser().post(&app, "/device/code", long).await;
    assert_eq!(error(&reply), (400, "invalid_client"));
}

#[tokio::test]
async fn parameters_come_once_and_empty_ones_do_not_count() {
    let app = served().await;
    let post = |text: &'static str| {
        let request = app
            .browser()
            .request(Method::POST, "/device/code")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(text.into())
            .unwrap();
        app.send(app.browser().address, request)
    };
    assert_eq!(post("client_id=cli&client_id=").await.status, 200);
    for (text, words) in [
        ("client_id=cli&client_id=b", "client_id must not be repeated"),
        ("client_id=cli&scope=a&scope=b", "scope must not be repeated"),
        ("client_id=", "client_id is required"),
        ("scope=a", "[body.client_id] Invalid input: expected string, received undefined"),
    ] {
        let reply = post(text).await;
        assert_eq!(error(&reply), (400, "invalid_request"), "{text}");
        assert_eq!(reply.body["error_description"], words, "{text}");
    }
}

#[tokio::test]
async fn guessing_short_codes_ends_soon_for_a_client_and_for_a_user() {
    let app = TestApp::with(|config| {
        config.device.enabled = true;
        config.rate_limit.enabled = true;
    })
    .await;
    let mut stranger = app.browser();
    for _ in 0..5 {
        assert_eq!(look_up(&app, &mut stranger, "NOPENOPE").await.status, 400);
    }
    let codes = asked(&app).await;
    assert_eq!(look_up(&app, &mut stranger, &codes.user).await.status, 429);

    let mut ada = app.signed_up("ada").await;
    for index in 0..20 {
        ada.address = format!("198.51.100.{index}").parse().unwrap();
        assert_eq!(approve(&app, &mut ada, "NOPENOPE").await.status, 400);
    }
    ada.address = "198.51.100.77".parse().unwrap();
    assert_eq!(approve(&app, &mut ada, &codes.user).await.status, 429);
}

fn form(browser: &Browser, code: &str, decision: &str) -> Request<Body> {
    browser
        .request(Method::POST, "/device/page")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("user_code={code}&decision={decision}").into())
        .unwrap()
}

#[tokio::test]
async fn the_page_asks_before_anything_happens_and_its_buttons_decide() {
    let app = served().await;
    let codes = asked(&app).await;
    let page = format!("/device/page?user_code={}", codes.user);
    let stranger = app.browser().get(&app, &page).await;
    assert_eq!(stranger.status, 401);
    assert!(!stranger.text.contains("cli"));

    let mut ada = app.signed_up("ada").await;
    for _ in 0..2 {
        let shown = ada.get(&app, &page).await;
        for part in
            [&format!("{}-{}", &codes.user[..4], &codes.user[4..]), "cli", "ada@example.com"]
        {
            assert!(shown.text.contains(part), "{part}: {}", shown.text);
        }
        assert_eq!(
            (shown.header("x-frame-options"), shown.header("cache-control")),
            ("DENY", "no-store")
        );
    }
    let rows = app.sql("select \"userId\" from neon_auth.\"deviceCode\"").await;
    assert_eq!(rows[0].get::<_, Option<String>>(0), None, "looking at the page changes nothing");

    let mut mallory = ada.clone();
    mallory.headers = vec![("origin".to_owned(), "https://evil.test".to_owned())];
    let forged = mallory.exchange(&app, form(&mallory, &codes.user, "approve")).await;
    assert_eq!(forged.status, 403);
    assert_eq!(error(&poll(&app, &codes).await), (400, "authorization_pending"));

    let approved = ada.exchange(&app, form(&ada, &codes.user, "approve")).await;
    assert!(approved.text.contains("Device approved"), "{}", approved.text);
    let again = ada.exchange(&app, form(&ada, &codes.user, "deny")).await;
    assert_eq!(again.status, 400);
    app.pass(5);
    assert_eq!(poll(&app, &codes).await.status, 200);
}

#[tokio::test]
async fn names_on_the_page_are_text() {
    let app = served().await;
    let body = json!({ "client_id": "<img src=x>", "scope": "\"><script>" });
    let reply = app.browser().post(&app, "/device/code", body).await;
    let code = reply.body["user_code"].as_str().unwrap().to_owned();
    let mut ada = app.signed_up("ada").await;
    let page = ada.get(&app, &format!("/device/page?user_code={code}")).await;
    assert!(page.text.contains("&lt;img src=x&gt;"), "{}", page.text);
    assert!(!page.text.contains("<img") && !page.text.contains("<script"));
}

#[tokio::test]
async fn the_address_for_people_is_the_own_page_or_what_is_configured() {
    for (configured, expected) in [
        ("", "https://auth.test/api/auth/device/page"),
        ("/device", "https://auth.test/device"),
        ("https://app.test/connect?from=tv", "https://app.test/connect?from=tv"),
    ] {
        let app = TestApp::with(|config| {
            config.device.enabled = true;
            config.device.verification_uri = configured.to_owned();
        })
        .await;
        let reply = app.browser().post(&app, "/device/code", json!({ "client_id": "cli" })).await;
        assert_eq!(reply.body["verification_uri"], expected);
        let mark = if expected.contains('?') { '&' } else { '?' };
        let code = reply.body["user_code"].as_str().unwrap();
        let complete = format!("{expected}{mark}user_code={code}");
        assert_eq!(reply.body["verification_uri_complete"], Value::from(complete));
    }
}
