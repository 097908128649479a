//! Area I: passwords and reset.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::world::{address, browser_at, credentials, number, posted, signed_in};
use crate::{
    mail::Message,
    testing::{Browser, PASSWORD, TestApp, send},
};

const NEW: &str = "another-Passw0rd";

/// A reset token as the mail carries it.
async fn reset_token(app: &TestApp, name: &str) -> String {
    let ask = json!({ "email": format!("{name}@example.com") });
    let reply = app.browser().post(app, "/request-password-reset", ask).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    app.last_link(&format!("{name}@example.com")).await.0
}

/// A reset code as the mail carries it.
async fn reset_code(app: &TestApp, name: &str) -> String {
    let email = format!("{name}@example.com");
    let ask = json!({ "email": email, "type": "forget-password" });
    app.browser().post(app, "/email-otp/send-verification-otp", ask).await;
    let mails = app.mails(&email).await;
    let code = mails.iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        _ => None,
    });
    code.unwrap()
}

async fn reset(app: &TestApp, token: &str) -> (u16, String) {
    let body = json!({ "newPassword": NEW, "token": token });
    let reply = app.browser().post(app, "/reset-password", body).await;
    (reply.status.as_u16(), reply.code().to_owned())
}

fn invalid() -> (u16, String) {
    (400, "INVALID_TOKEN".to_owned())
}

async fn sign_in(app: &TestApp, name: &str, password: &str) -> u16 {
    let body = credentials(name, password);
    app.browser().post(app, "/sign-in/email", body).await.status.as_u16()
}

/// Every endpoint that takes a password, with `password` in the place given.
fn password_bodies(password: &str, token: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("/sign-in/email", credentials("alice", password)),
        (
            "/sign-up/email",
            json!({ "name": "N", "email": "new@example.com", "password": password }),
        ),
        ("/change-password", json!({ "currentPassword": PASSWORD, "newPassword": password })),
        ("/change-password", json!({ "currentPassword": password, "newPassword": NEW })),
        ("/reset-password", json!({ "newPassword": password, "token": token })),
        (
            "/email-otp/reset-password",
            json!({ "email": "alice@example.com", "otp": "123456", "password": password }),
        ),
        ("/verify-password", json!({ "password": password })),
        ("/delete-user", json!({ "password": password })),
    ]
}

#[tokio::test]
async fn pw_01_an_oversized_password_is_refused_before_any_hash_everywhere() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let token = reset_token(&app, "alice").await;
    let before = app.app.hasher.runs();
    for (length, status) in [(129, 400), (10 * 1024 * 1024, 413)] {
        for (path, body) in password_bodies(&"x7".repeat(length)[..length], &token) {
            let reply = alice.post(&app, path, body).await;
            assert_eq!(reply.status, status, "{path} {length}");
            if status == 400 {
                assert_eq!(reply.code(), "PASSWORD_TOO_LONG", "{path}");
            }
        }
    }
    assert_eq!(app.app.hasher.runs(), before);
    assert_eq!(reset(&app, &token).await.0, 200, "the token is not spent");
}

#[tokio::test]
async fn pw_04_a_common_password_is_refused_wherever_one_is_set() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let token = reset_token(&app, "alice").await;
    let code = reset_code(&app, "alice").await;
    let before = app.app.hasher.runs();
    for common in ["password123", "12345678", "qwertyuiop"] {
        for (path, body) in [
            (
                "/sign-up/email",
                json!({ "name": "N", "email": "new@example.com", "password": common }),
            ),
            ("/change-password", json!({ "currentPassword": PASSWORD, "newPassword": common })),
            ("/reset-password", json!({ "newPassword": common, "token": token })),
            (
                "/email-otp/reset-password",
                json!({ "email": "alice@example.com", "otp": code, "password": common }),
            ),
        ] {
            let reply = alice.post(&app, path, body).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (400, "PASSWORD_TOO_COMMON"),
                "{path}"
            );
        }
    }
    assert_eq!(app.app.hasher.runs(), before);
    assert_eq!(sign_in(&app, "alice", PASSWORD).await, 200);
}

#[tokio::test]
async fn pw_05_a_change_needs_the_current_password_and_a_live_session() {
    let app = TestApp::with(|config| config.session.cookie_cache.enabled = true).await;
    let mut alice = app.signed_up("alice").await;
    for (current, code) in [
        (json!("wrong password"), "INVALID_PASSWORD"),
        (json!(""), "INVALID_PASSWORD"),
        (Value::Null, "VALIDATION_ERROR"),
        (json!([PASSWORD]), "VALIDATION_ERROR"),
    ] {
        let body = json!({ "currentPassword": current, "newPassword": NEW });
        let reply = alice.post(&app, "/change-password", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, code), "{current}");
    }
    let reply = alice.post(&app, "/change-password", json!({ "newPassword": NEW })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "VALIDATION_ERROR"));

    assert!(alice.cookie("session_data").is_some());
    app.sql("delete from neon_auth.session").await;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    assert_eq!(alice.post(&app, "/change-password", body).await.status, 401);
    assert_eq!(sign_in(&app, "alice", PASSWORD).await, 200);
}

#[tokio::test]
async fn pw_06_of_twenty_uses_of_one_reset_token_one_wins() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let token = reset_token(&app, "alice").await;
    let (_second, router) = app.replica(|_| {});
    let password = |i: usize| format!("Passw0rd-of-attempt-{i}");
    let uses = (0..20).map(|i| {
        let (app, router) = (&app, &router);
        let body = json!({ "newPassword": password(i), "token": token });
        let request = posted(&app.browser(), "/reset-password", &body);
        async move {
            if i % 2 == 0 {
                app.send(address(i), request).await
            } else {
                send(router, address(i), request).await
            }
        }
    });
    let replies = join_all(uses).await;
    let winners: Vec<usize> = (0..20).filter(|i| replies[*i].status == 200).collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "INVALID_TOKEN"));
    }
    assert_eq!(sign_in(&app, "alice", &password(winners[0])).await, 200);
    assert_eq!(reset(&app, &token).await, invalid());
}

#[tokio::test]
async fn pw_07_older_and_orphaned_reset_tokens_are_dead() {
    let app = TestApp::with(|config| config.change_email.update_without_verification = true).await;
    app.signed_up("alice").await;
    let older = reset_token(&app, "alice").await;
    let newer = reset_token(&app, "alice").await;
    assert_eq!(reset(&app, &older).await, invalid());
    assert_eq!(reset(&app, &newer).await.0, 200);
    assert_eq!(reset(&app, &newer).await, invalid());

    let mut bob = app.signed_up("bob").await;
    let token = reset_token(&app, "bob").await;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": "a-third-Passw0rd" });
    assert_eq!(bob.post(&app, "/change-password", body).await.status, 200);
    assert_eq!(reset(&app, &token).await, invalid(), "after a change of password");

    let token = reset_token(&app, "bob").await;
    let moved = bob.post(&app, "/change-email", json!({ "newEmail": "robert@example.com" })).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    assert_eq!(reset(&app, &token).await, invalid(), "after a change of address");

    let mut carol = app.signed_up("carol").await;
    let token = reset_token(&app, "carol").await;
    let body = json!({ "newEmail": "caroline@example.com" });
    app.sql(r#"update neon_auth."user" set "emailVerified" = true where name = 'carol'"#).await;
    assert_eq!(carol.post(&app, "/change-email", body).await.status, 200);
    for to in ["carol@example.com", "caroline@example.com"] {
        let (_, link) = app.last_link(to).await;
        assert!(carol.get(&app, &link).await.status.is_redirection());
    }
    assert_eq!(reset(&app, &token).await, invalid(), "after a confirmed change of address");

    app.signed_up("frank").await;
    let token = reset_token(&app, "frank").await;
    let code = reset_code(&app, "frank").await;
    let body = json!({ "email": "frank@example.com", "otp": code, "password": "a-third-Passw0rd" });
    let reply = app.browser().post(&app, "/email-otp/reset-password", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reset(&app, &token).await, invalid(), "after a reset by code");

    app.signed_up("dave").await;
    let token = reset_token(&app, "dave").await;
    app.sql(r#"update neon_auth."user" set banned = true where name = 'dave'"#).await;
    assert_eq!(reset(&app, &token).await, invalid(), "after a ban");

    let mut erin = app.signed_up("erin").await;
    let token = reset_token(&app, "erin").await;
    assert_eq!(erin.post(&app, "/delete-user", json!({})).await.status, 200);
    assert_eq!(reset(&app, &token).await, invalid(), "after deletion");
}

#[tokio::test]
async fn pw_08_a_reset_token_is_long_hashed_and_short_lived() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let token = reset_token(&app, "alice").await;
    // 62 letters and digits: 24 of them are 142 bits.
    assert!(token.len() >= 24 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let everything = "select string_agg(v::text, ' ') from neon_auth.verification v";
    let rows: String = app.sql(everything).await[0].get(0);
    assert!(!rows.contains(&token), "{rows}");
    let lives = r#"select extract(epoch from "expiresAt" - "createdAt")::bigint from neon_auth.verification"#;
    assert!(number(&app, lives).await <= 60 * 60);
    app.pass(60 * 60);
    assert_eq!(reset(&app, &token).await, invalid());
}

#[tokio::test]
async fn pw_09_a_reset_token_is_good_for_its_owner_alone() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let mut bob = app.signed_up("bob").await;
    let id = bob.get(&app, "/get-session").await.body["user"]["id"].clone();
    let token = reset_token(&app, "alice").await;
    let body =
        json!({ "newPassword": NEW, "token": token, "userId": id, "email": "bob@example.com" });
    assert_eq!(app.browser().post(&app, "/reset-password", body).await.status, 200);
    assert_eq!(sign_in(&app, "bob", PASSWORD).await, 200);
    assert_eq!(sign_in(&app, "bob", NEW).await, 401);
    assert_eq!(sign_in(&app, "alice", NEW).await, 200);
    assert!(bob.is_signed_in(&app).await);
}

#[tokio::test]
async fn pw_13_a_hostile_stored_hash_is_a_wrong_password() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let salt = "AAECAwQFBgcICQoLDA0ODw";
    let key = "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8";
    for stored in [
        format!("$argon2id$v=19$m=4194304,t=1000000,p=1${salt}${key}"),
        format!("$scrypt$ln=40,r=8,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1$${key}"),
        format!(":{}", "0".repeat(128)),
        "00:00".to_owned(),
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        "$unknown$x".to_owned(),
        String::new(),
    ] {
        app.sql(&format!("update neon_auth.account set password = '{stored}'")).await;
        assert_eq!(sign_in(&app, "alice", PASSWORD).await, 401, "{stored}");
        assert_eq!(sign_in(&app, "alice", "").await, 401, "{stored}");
    }
}

#[tokio::test]
async fn pw_15_verify_password_is_no_oracle() {
    let app = TestApp::with(|config| config.rate_limit.enabled = true).await;
    let alice = app.signed_up("alice").await;
    let nobody =
        app.browser().post(&app, "/verify-password", json!({ "password": PASSWORD })).await;
    assert_eq!(nobody.status, 401);
    let before = app.app.hasher.runs();
    let mut statuses = Vec::new();
    for i in 0..50 {
        let mut thief = Browser { address: address(i), ..alice.clone() };
        let body = json!({ "password": format!("wrong-{i}") });
        statuses.push(thief.post(&app, "/verify-password", body).await.status.as_u16());
    }
    assert_eq!(statuses[..5], [400; 5]);
    assert_eq!(statuses[5..], [429; 45]);
    assert_eq!(app.app.hasher.runs() - before, 5);
    let body = credentials("alice", "wrong");
    let elsewhere = browser_at(&app, 100).post(&app, "/sign-in/email", body).await;
    assert_eq!(elsewhere.status, 429, "failures count for the account");
}

/// Keeps every value that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        *self.0.lock().unwrap() += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn pw_18_a_password_in_the_query_is_refused_and_written_nowhere() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let token = reset_token(&app, "alice").await;
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let before = app.app.hasher.runs();
    for (path, body) in password_bodies(PASSWORD, &token) {
        for name in ["password", "newPassword", "currentPassword"] {
            let path = format!("{path}?{name}=canary-Passw0rd");
            let reply = alice.post(&app, &path, body.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "PASSWORD_IN_QUERY"), "{path}");
            assert!(!reply.text.contains("canary"));
        }
    }
    let get = alice.get(&app, "/sign-in/email?password=canary-Passw0rd").await;
    assert_eq!(get.status, 404);
    assert_eq!(app.app.hasher.runs(), before);
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("sign_in_email"), "something is logged: {log}");
    assert!(!log.contains("canary"), "{log}");
    let audit = "select count(*) from neon_auth.gatepost_audit a where a::text like '%canary%'";
    assert_eq!(number(&app, audit).await, 0);
    signed_in(&app, "alice").await;
}
