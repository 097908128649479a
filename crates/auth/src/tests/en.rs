//! Area B: whether an address is known.

use serde_json::{Value, json};

use super::world::{browser_at, credentials, number, seen};
use crate::testing::{PASSWORD, TestApp};

/// Alice (proven), Olga (signs in elsewhere), Ben (shut out), Uma (not proven).
async fn people() -> TestApp {
    let app = TestApp::with(|config| {
        config.email_password.require_verification = true;
        config.mail.smtp =
            serde_json::from_value(json!({ "host": "127.0.0.1", "port": 1 })).unwrap();
    })
    .await;
    for name in ["alice", "olga", "ben", "uma"] {
        app.signed_up(name).await;
    }
    app.sql(r#"update neon_auth."user" set "emailVerified" = true where name <> 'uma'"#).await;
    app.sql(r#"update neon_auth."user" set banned = true where name = 'ben'"#).await;
    app.sql(
        r#"update neon_auth.account set "providerId" = 'google', password = null
        where "userId" = (select id from neon_auth."user" where name = 'olga')"#,
    )
    .await;
    app
}

async fn rows(app: &TestApp) -> [i64; 3] {
    [
        number(app, "select count(*) from neon_auth.verification").await,
        number(app, "select count(*) from neon_auth.gatepost_mail").await,
        number(app, "select count(*) from neon_auth.gatepost_audit").await,
    ]
}

#[tokio::test]
async fn en_01_every_wrong_sign_in_reads_the_same() {
    let app = people().await;
    let mut answers = Vec::new();
    for name in ["nobody", "alice", "olga", "ben", "uma"] {
        let (runs, before) = (app.app.hasher.runs(), rows(&app).await);
        let mut mallory = app.browser();
        let reply = mallory.post(&app, "/sign-in/email", credentials(name, "wrong password")).await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.code(), "INVALID_EMAIL_OR_PASSWORD");
        assert!(mallory.cookies.is_empty());
        let after = rows(&app).await;
        let written: Vec<i64> = after.iter().zip(before).map(|(after, b)| after - b).collect();
        answers.push((seen(&reply), app.app.hasher.runs() - runs, written));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    for (name, code) in [("ben", "BANNED_USER"), ("uma", "EMAIL_NOT_VERIFIED")] {
        let reply = app.browser().post(&app, "/sign-in/email", credentials(name, PASSWORD)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (403, code), "{}", reply.text);
    }
}

#[tokio::test]
async fn en_04_what_is_wrong_with_a_sign_up_is_told_before_anybody_is_looked_up() {
    let app = people().await;
    let before = app.app.hasher.runs();
    let faults: [(Value, Value); 5] = [
        (json!("Al"), json!("short")),
        (json!("Al"), json!("password123")),
        (json!("Al"), json!("x".repeat(129))),
        (json!(7), json!(PASSWORD)),
        (Value::Null, json!("")),
    ];
    for (name, password) in faults {
        let mut answers = Vec::new();
        for email in ["alice@example.com", "someone@example.com"] {
            let body = json!({ "name": name, "email": email, "password": password });
            let reply = app.browser().post(&app, "/sign-up/email", body).await;
            assert_eq!(reply.status, 400, "{}", reply.text);
            answers.push(seen(&reply));
        }
        assert_eq!(answers[0], answers[1]);
    }
    assert_eq!(app.app.hasher.runs(), before);
}

#[tokio::test]
async fn en_06_asking_for_a_reset_reads_the_same_and_writes_the_same() {
    let app = people().await;
    let mut answers = Vec::new();
    for (i, name) in ["nobody", "alice", "olga", "ben", "uma"].iter().enumerate() {
        let before = rows(&app).await;
        let body = json!({ "email": format!("{name}@example.com"), "redirectTo": "/r" });
        let reply = browser_at(&app, i).post(&app, "/request-password-reset", body).await;
        assert_eq!(reply.status, 200);
        let after = rows(&app).await;
        let written: Vec<i64> = after.iter().zip(before).map(|(after, b)| after - b).collect();
        answers.push((seen(&reply), written));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    // Delivered after the answer, and only to those who may have it.
    let resets =
        "select count(*) from neon_auth.gatepost_mail where kind = 'reset-password' and not decoy";
    assert_eq!(number(&app, resets).await, 3);
}

#[tokio::test]
async fn en_07_a_code_for_nobody_reads_and_writes_as_one_for_somebody() {
    let app = TestApp::with(|config| config.email_otp.sign_up = false).await;
    app.signed_up("alice").await;
    let mut answers = Vec::new();
    for (i, name) in ["alice", "nobody"].iter().enumerate() {
        let before = rows(&app).await;
        let body = json!({ "email": format!("{name}@example.com"), "type": "sign-in" });
        let reply = browser_at(&app, i).post(&app, "/email-otp/send-verification-otp", body).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, r#"{"success":true}"#));
        let after = rows(&app).await;
        let written: Vec<i64> = after.iter().zip(before).map(|(after, b)| after - b).collect();
        answers.push((seen(&reply), written));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(app.mails("alice@example.com").await.len(), 1);
    assert_eq!(app.mails("nobody@example.com").await.len(), 0);
}

#[tokio::test]
async fn en_08_wrong_codes_read_the_same_for_nobody_and_somebody_to_the_last_try() {
    let app = TestApp::with(|config| config.email_otp.sign_up = false).await;
    app.signed_up("alice").await;
    for (path, kind) in [
        ("/sign-in/email-otp", "sign-in"),
        ("/email-otp/check-verification-otp", "sign-in"),
        ("/email-otp/verify-email", "email-verification"),
        ("/email-otp/reset-password", "forget-password"),
    ] {
        let mut answers = Vec::new();
        for (i, name) in ["alice", "nobody"].iter().enumerate() {
            let email = format!("{name}@example.com");
            let ask = json!({ "email": email, "type": kind });
            browser_at(&app, i).post(&app, "/email-otp/send-verification-otp", ask).await;
            let mut tries = Vec::new();
            for _ in 0..5 {
                // Six letters: no code is that.
                let body =
                    json!({ "email": email, "type": kind, "otp": "abcdef", "password": PASSWORD });
                let reply = browser_at(&app, i).post(&app, path, body).await;
                tries.push((reply.code().to_owned(), seen(&reply)));
            }
            answers.push(tries);
        }
        assert_eq!(answers[0], answers[1], "{path}");
        let codes: Vec<&str> = answers[0].iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(codes[0], "INVALID_OTP", "{path}");
        assert!(codes.contains(&"TOO_MANY_ATTEMPTS"), "{path}: {codes:?}");
    }
}
