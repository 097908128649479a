//! Passkeys of a device made of code: ES256 and Ed25519.

mod device;
mod second;

use device::{Algorithm, Device};
use futures_util::future::join_all;
use http::{Method, header};
use serde_json::{Value, json};

use crate::{
    config::Config,
    testing::{APP, Browser, Reply, TestApp},
};

const ADA: &str = "ada@example.com";

fn with_passkeys(config: &mut Config) {
    config.passkey.enabled = true;
}

async fn server() -> TestApp {
    TestApp::with(with_passkeys).await
}

async fn register(app: &TestApp, browser: &mut Browser, device: &mut Device) -> Reply {
    let options = browser.get(app, "/passkey/generate-register-options").await;
    assert_eq!(options.status, 200, "{}", options.text);
    let response = device.create(&options.body, APP);
    let body = json!({ "response": response, "name": "My key" });
    browser.post(app, "/passkey/verify-registration", body).await
}

async fn options(app: &TestApp, browser: &mut Browser) -> Value {
    browser.get(app, "/passkey/generate-authenticate-options").await.body
}

async fn answer(app: &TestApp, browser: &mut Browser, response: &Value) -> Reply {
    let body = json!({ "response": response });
    browser.post(app, "/passkey/verify-authentication", body).await
}

async fn sign_in(app: &TestApp, browser: &mut Browser, device: &mut Device) -> Reply {
    let options = options(app, browser).await;
    let response = device.get(&options, APP);
    answer(app, browser, &response).await
}

#[tokio::test]
async fn a_passkey_is_registered_and_signs_in_without_a_name() {
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
        let app = server().await;
        let mut ada = app.signed_up("ada").await;
        let mut device = Device::new(algorithm);
        let reply = register(&app, &mut ada, &mut device).await;
        assert_eq!(reply.status, 200, "{algorithm:?}: {}", reply.text);
        assert_eq!(reply.body["name"], "My key");
        assert_eq!(reply.body["deviceType"], "singleDevice");
        assert_eq!(reply.body["aaguid"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(ada.get(&app, "/passkey/list-user-passkeys").await.body, json!([reply.body]));

        let mut browser = app.browser();
        let asked = options(&app, &mut browser).await;
        assert!(asked.get("allowCredentials").is_none(), "{asked}");
        let reply = sign_in(&app, &mut browser, &mut device).await;
        assert_eq!(reply.status, 200, "{algorithm:?}: {}", reply.text);
        assert_eq!(reply.body["user"]["email"], ADA);
        assert!(browser.is_signed_in(&app).await);
        let rows = app.sql("select counter from neon_auth.passkey").await;
        assert_eq!(rows[0].get::<_, i32>(0), 1);
    }
}

#[tokio::test]
async fn a_row_as_better_auth_writes_it_signs_in() {
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
        let app = server().await;
        let _ada = app.signed_up("ada").await;
        let mut device = Device::new(algorithm);
        let (id, key) = device.make("auth.test", "somebody");
        app.sql(&format!(
            r#"insert into neon_auth.passkey ("publicKey", "userId", "credentialID", counter, "deviceType", "backedUp", transports)
               select '{key}', id, '{id}', 0, 'singleDevice', false, 'internal' from neon_auth."user""#
        ))
        .await;
        let reply = sign_in(&app, &mut app.browser(), &mut device).await;
        assert_eq!(reply.status, 200, "{algorithm:?}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_challenge_is_good_for_one_answer_of_one_browser_and_one_ceremony() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    register(&app, &mut ada, &mut device).await;

    let mut browser = app.browser();
    let asked = options(&app, &mut browser).await;
    let response = device.get(&asked, APP);
    let mut other = app.browser();
    assert_eq!(answer(&app, &mut other, &response).await.code(), "CHALLENGE_NOT_FOUND");
    let cookies = browser.cookies.clone();
    assert_eq!(answer(&app, &mut browser, &response).await.status, 200);
    browser.cookies = cookies;
    assert_eq!(answer(&app, &mut browser, &response).await.code(), "CHALLENGE_NOT_FOUND");

    let asked = ada.get(&app, "/passkey/generate-register-options").await.body;
    let response = device.get(&asked, APP);
    assert_eq!(answer(&app, &mut ada, &response).await.code(), "CHALLENGE_NOT_FOUND");

    let asked = options(&app, &mut browser).await;
    let response = device.get(&asked, APP);
    app.pass(300);
    assert_eq!(answer(&app, &mut browser, &response).await.code(), "CHALLENGE_NOT_FOUND");
}

#[tokio::test]
async fn ot_03_one_answer_fifty_times_at_once_is_one_session() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    register(&app, &mut ada, &mut device).await;
    let (_second, replica) = app.replica(|_| {});
    let mut browser = app.browser();
    let asked = options(&app, &mut browser).await;
    let body = json!({ "response": device.get(&asked, APP) }).to_string();
    let before = app.sql("select 1 from neon_auth.session").await.len();
    let replies = join_all((0..50).map(|index| {
        let request = browser
            .request(Method::POST, "/passkey/verify-authentication")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.clone().into())
            .unwrap();
        let (app, replica, address) = (&app, &replica, browser.address);
        async move {
            if index % 2 == 0 {
                app.send(address, request).await
            } else {
                crate::testing::send(replica, address, request).await
            }
        }
    }))
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(app.sql("select 1 from neon_auth.session").await.len() - before, 1);
}

#[tokio::test]
async fn wrong_answers_sign_nobody_in() {
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
        let app = server().await;
        let mut ada = app.signed_up("ada").await;
        let mut device = Device::new(algorithm);
        register(&app, &mut ada, &mut device).await;
        let mut browser = app.browser();
        let cases: [(&str, u16, &str); 9] = [
            ("signature", 401, "AUTHENTICATION_FAILED"),
            ("stranger", 401, "AUTHENTICATION_FAILED"),
            ("unknown", 401, "PASSKEY_NOT_FOUND"),
            ("challenge", 400, "AUTHENTICATION_FAILED"),
            ("origin", 400, "AUTHENTICATION_FAILED"),
            ("domain", 400, "AUTHENTICATION_FAILED"),
            ("absent", 400, "AUTHENTICATION_FAILED"),
            ("type", 400, "AUTHENTICATION_FAILED"),
            ("nothing", 401, "PASSKEY_NOT_FOUND"),
        ];
        for (what, status, code) in cases {
            let asked = options(&app, &mut browser).await;
            let response = device.get_wrong(&asked, APP, what);
            let reply = answer(&app, &mut browser, &response).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (status, code),
                "{algorithm:?} {what}"
            );
            assert!(!browser.is_signed_in(&app).await, "{what}");
        }
        assert_eq!(sign_in(&app, &mut browser, &mut device).await.status, 200);
    }
}

#[tokio::test]
async fn a_copied_device_is_noticed_by_its_counter() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    register(&app, &mut ada, &mut device).await;
    let mut copy = device.clone();
    assert_eq!(sign_in(&app, &mut app.browser(), &mut device).await.status, 200);
    let reply = sign_in(&app, &mut app.browser(), &mut copy).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "AUTHENTICATION_FAILED"));
}

#[tokio::test]
async fn a_device_without_a_counter_works_every_time() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    device.counts = false;
    register(&app, &mut ada, &mut device).await;
    for _ in 0..3 {
        assert_eq!(sign_in(&app, &mut app.browser(), &mut device).await.status, 200);
    }
}

#[tokio::test]
async fn wrong_registrations_leave_no_row() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    for origin in ["https://evil.test", "https://auth.test.evil.test", "null", "http://app.test"] {
        let asked = ada.get(&app, "/passkey/generate-register-options").await.body;
        let body = json!({ "response": device.create(&asked, origin) });
        let reply = ada.post(&app, "/passkey/verify-registration", body).await;
        assert_eq!(reply.code(), "FAILED_TO_VERIFY_REGISTRATION", "{origin}");
    }
    let mut other = Device::new(Algorithm::Es256);
    for what in ["domain", "challenge"] {
        let mut asked = ada.get(&app, "/passkey/generate-register-options").await.body;
        if what == "domain" {
            asked["rp"]["id"] = json!("evil.test");
        } else {
            asked["challenge"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        }
        let body = json!({ "response": other.create(&asked, APP) });
        let reply = ada.post(&app, "/passkey/verify-registration", body).await;
        assert_eq!(reply.code(), "FAILED_TO_VERIFY_REGISTRATION", "{what}");
    }
    for junk in [json!(null), json!("x"), json!({}), json!({ "id": 1 })] {
        ada.get(&app, "/passkey/generate-register-options").await;
        let reply =
            ada.post(&app, "/passkey/verify-registration", json!({ "response": junk })).await;
        assert_eq!(reply.code(), "FAILED_TO_VERIFY_REGISTRATION");
    }
    assert!(app.sql("select 1 from neon_auth.passkey").await.is_empty());
}

#[tokio::test]
async fn somebody_elses_registration_is_no_use() {
    let app = server().await;
    let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut device = Device::new(Algorithm::Es256);
    let asked = bob.get(&app, "/passkey/generate-register-options").await.body;
    let body = json!({ "response": device.create(&asked, APP) });
    let cookie = bob.cookies.iter().find(|(name, _)| name.ends_with("passkey")).cloned();
    ada.cookies.extend(cookie);
    let reply = ada.post(&app, "/passkey/verify-registration", body).await;
    assert_eq!(reply.code(), "YOU_ARE_NOT_ALLOWED_TO_REGISTER_THIS_PASSKEY");
}

#[tokio::test]
async fn a_key_belongs_to_one_user_and_there_are_not_too_many() {
    let app = TestApp::with(|config| {
        with_passkeys(config);
        config.passkey.per_user = 2;
    })
    .await;
    let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut device = Device::new(Algorithm::Es256);
    assert_eq!(register(&app, &mut ada, &mut device).await.status, 200);
    device.keeps_id = true;
    assert_eq!(register(&app, &mut bob, &mut device).await.code(), "PREVIOUSLY_REGISTERED");
    let asked = ada.get(&app, "/passkey/generate-register-options").await.body;
    assert_eq!(asked["excludeCredentials"].as_array().unwrap().len(), 1);
    device.keeps_id = false;
    assert_eq!(register(&app, &mut ada, &mut device).await.status, 200);
    assert_eq!(register(&app, &mut ada, &mut device).await.code(), "TOO_MANY_PASSKEYS");
}

#[tokio::test]
async fn keys_are_named_and_removed_by_their_owner_alone() {
    let app = server().await;
    let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut device = Device::new(Algorithm::Es256);
    let id = register(&app, &mut ada, &mut device).await.body["id"].clone();
    let rename = |name: &str| json!({ "id": id, "name": name });
    let stolen = bob.post(&app, "/passkey/update-passkey", rename("Stolen")).await;
    assert_eq!(stolen.code(), "YOU_ARE_NOT_ALLOWED_TO_REGISTER_THIS_PASSKEY");
    let removed = bob.post(&app, "/passkey/delete-passkey", json!({ "id": id })).await;
    assert_eq!((removed.status.as_u16(), removed.text.as_str()), (401, ""));
    for empty in ["", "  "] {
        let reply = ada.post(&app, "/passkey/update-passkey", rename(empty)).await;
        assert_eq!(reply.code(), "VALIDATION_ERROR");
    }
    let reply = ada.post(&app, "/passkey/update-passkey", rename(" Desk ")).await;
    assert_eq!(reply.body["passkey"]["name"], "Desk");
    let nothing = ada.post(&app, "/passkey/delete-passkey", json!({ "id": "x" })).await;
    assert_eq!((nothing.status.as_u16(), nothing.code()), (404, "PASSKEY_NOT_FOUND"));
    let reply = ada.post(&app, "/passkey/delete-passkey", json!({ "id": id })).await;
    assert_eq!(reply.body, json!({ "status": true }));
    let gone = sign_in(&app, &mut app.browser(), &mut device).await;
    assert_eq!(gone.code(), "PASSKEY_NOT_FOUND");
}

#[tokio::test]
async fn adding_and_removing_takes_a_fresh_session_and_a_passkey_makes_one() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    let id = register(&app, &mut ada, &mut device).await.body["id"].clone();
    app.pass(86_400);
    let reply = ada.get(&app, "/passkey/generate-register-options").await;
    assert_eq!(reply.code(), "SESSION_NOT_FRESH");
    let reply = ada.post(&app, "/passkey/delete-passkey", json!({ "id": id })).await;
    assert_eq!(reply.code(), "SESSION_NOT_FRESH");
    assert_eq!(sign_in(&app, &mut ada, &mut device).await.status, 200);
    let reply = ada.post(&app, "/passkey/delete-passkey", json!({ "id": id })).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_banned_user_and_a_deleted_one_have_no_passkeys() {
    let app = server().await;
    let mut ada = app.signed_up("ada").await;
    let mut device = Device::new(Algorithm::Es256);
    register(&app, &mut ada, &mut device).await;
    app.sql(r#"update neon_auth."user" set banned = true"#).await;
    let reply = sign_in(&app, &mut app.browser(), &mut device).await;
    assert_eq!(reply.code(), "BANNED_USER");
    app.sql(r#"delete from neon_auth."user""#).await;
    assert!(app.sql("select 1 from neon_auth.passkey").await.is_empty());
}

#[tokio::test]
async fn the_domain_is_a_setting() {
    let app = TestApp::with(|config| {
        with_passkeys(config);
        config.passkey.rp_id = "app.test".to_owned();
        config.passkey.rp_name = "Acme".to_owned();
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let asked = ada
        .get(&app, "/passkey/generate-register-options?authenticatorAttachment=platform&name=Work")
        .await
        .body;
    assert_eq!(asked["rp"], json!({ "id": "app.test", "name": "Acme" }));
    assert_eq!(asked["user"]["name"], "Work");
    assert_eq!(asked["authenticatorSelection"]["authenticatorAttachment"], "platform");
    let mut device = Device::new(Algorithm::Es256);
    assert_eq!(register(&app, &mut ada, &mut device).await.status, 200);
    assert_eq!(sign_in(&app, &mut app.browser(), &mut device).await.status, 200);
}

#[tokio::test]
async fn without_the_feature_there_are_no_such_routes() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    assert_eq!(ada.get(&app, "/passkey/list-user-passkeys").await.status, 404);
}
