//! Guesses, one after another and at the same time, over two servers on one database.

use axum::{Router, body::Body};
use futures_util::future::join_all;
use http::{Method, Request, header};
use serde_json::{Value, json};

use super::{ADA, Enrolled, code, enrolled, mailed, sign_in, verify, waiting};
use crate::testing::{Browser, PASSWORD, Reply, TestApp, send};

fn posted(browser: &Browser, path: &str, body: &Value) -> Request<Body> {
    browser
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// Fifty requests at once, half of them to the other server.
async fn fifty(
    app: &TestApp,
    replica: &Router,
    browser: &Browser,
    path: &str,
    code: impl Fn(usize) -> String,
) -> Vec<Reply> {
    let all = (0..50).map(|index| {
        let request = posted(browser, path, &json!({ "code": code(index) }));
        async move {
            if index % 2 == 0 {
                app.send(browser.address, request).await
            } else {
                send(replica, browser.address, request).await
            }
        }
    });
    join_all(all).await
}

fn count(replies: &[Reply], code: &str) -> usize {
    replies.iter().filter(|reply| reply.code() == code).count()
}

async fn sessions(app: &TestApp) -> usize {
    app.sql("select id from neon_auth.session").await.len()
}

async fn failures(app: &TestApp) -> i32 {
    app.sql(r#"select "failedVerificationCount" from neon_auth."twoFactor""#).await[0].get(0)
}

#[tokio::test]
async fn ot_01_five_wrong_codes_end_a_sign_in() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = waiting(&app).await;
    for wrong in 1..=5 {
        let reply = verify(&app, &mut browser, &format!("00000{wrong}")).await;
        assert_eq!(reply.code(), "INVALID_CODE");
    }
    let cookies = browser.cookies.clone();
    let right = code(&app, &uri, 0);
    let reply = verify(&app, &mut browser, &right).await;
    assert_eq!(reply.code(), "TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE");
    assert!(browser.cookie("two_factor").is_none());
    browser.cookies = cookies;
    assert_eq!(verify(&app, &mut browser, &right).await.code(), "INVALID_TWO_FACTOR_COOKIE");
}

#[tokio::test]
async fn ot_04_ten_wrong_codes_over_any_sign_ins_lock_the_factor_for_a_quarter_of_an_hour() {
    let app = TestApp::new().await;
    let Enrolled { uri, codes, .. } = enrolled(&app).await;
    for _ in 0..2 {
        let mut browser = waiting(&app).await;
        for wrong in 1..=5 {
            verify(&app, &mut browser, &format!("00000{wrong}")).await;
        }
    }
    let mut browser = waiting(&app).await;
    let reply = verify(&app, &mut browser, &code(&app, &uri, 0)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (429, "ACCOUNT_TEMPORARILY_LOCKED"));
    let backup = json!({ "code": codes[0] });
    let reply = browser.post(&app, "/two-factor/verify-backup-code", backup).await;
    assert_eq!(reply.code(), "ACCOUNT_TEMPORARILY_LOCKED");
    app.pass(15 * 60);
    let mut browser = waiting(&app).await;
    assert_eq!(verify(&app, &mut browser, &code(&app, &uri, 0)).await.status, 200);
    assert_eq!(failures(&app).await, 0);
}

#[tokio::test]
async fn ot_04_new_mailed_codes_are_no_new_budget() {
    let app = TestApp::with(|config| config.rate_limit.enabled = true).await;
    let mut ada = app.signed_up("ada").await;
    app.pass(60);
    let body = json!({ "password": PASSWORD, "method": "otp" });
    assert_eq!(ada.post(&app, "/two-factor/enable", body).await.status, 200);
    let mut compared = 0;
    for _ in 0..10 {
        app.pass(60);
        let mut browser = app.browser();
        sign_in(&app, &mut browser).await;
        for _ in 0..2 {
            browser.post(&app, "/two-factor/send-otp", json!({})).await;
            app.pass(11);
            let reply =
                browser.post(&app, "/two-factor/verify-otp", json!({ "code": "bad" })).await;
            compared += usize::from(reply.code() == "INVALID_CODE");
        }
    }
    assert!(compared <= 12, "{compared}");
}

#[tokio::test]
async fn ot_02_fifty_guesses_at_once_are_compared_five_times() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    let (_second, replica) = app.replica(|_| {});
    let browser = waiting(&app).await;
    let path = "/two-factor/verify-totp";
    let replies = fifty(&app, &replica, &browser, path, |index| format!("{index:06}")).await;
    assert_eq!(count(&replies, "INVALID_CODE"), 5);
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 0);
    assert_eq!(failures(&app).await, 5);
}

#[tokio::test]
async fn ot_02_fifty_guesses_at_once_are_fifty_tries() {
    let generous = |config: &mut crate::config::Config| {
        config.two_factor.challenge_attempts = 1000;
        config.two_factor.lockout_attempts = 1000;
        config.two_factor.otp.attempts = 1000;
    };
    let app = TestApp::with(generous).await;
    enrolled(&app).await;
    let (_second, replica) = app.replica(|_| {});
    let mut browser = waiting(&app).await;
    let totp = "/two-factor/verify-totp";
    let replies = fifty(&app, &replica, &browser, totp, |index| format!("{index:06}")).await;
    assert_eq!(count(&replies, "INVALID_CODE"), 50);
    assert_eq!(failures(&app).await, 50);
    let backup = "/two-factor/verify-backup-code";
    let replies = fifty(&app, &replica, &browser, backup, |index| format!("{index:06}")).await;
    assert_eq!(count(&replies, "INVALID_BACKUP_CODE"), 50);
    assert_eq!(failures(&app).await, 100);
    let rows =
        app.sql("select value from neon_auth.verification where identifier like '2fa-attempts-%'");
    assert_eq!(rows.await[0].get::<_, String>(0), "100");
    browser.post(&app, "/two-factor/send-otp", json!({})).await;
    let otp = "/two-factor/verify-otp";
    let replies = fifty(&app, &replica, &browser, otp, |index| format!("x{index}")).await;
    assert_eq!(count(&replies, "INVALID_CODE"), 50);
    let rows =
        app.sql("select value from neon_auth.verification where identifier like '2fa-otp-%'").await;
    assert!(rows[0].get::<_, String>(0).ends_with(":50"));
}

#[tokio::test]
async fn ot_03_the_right_code_fifty_times_at_once_is_one_session() {
    let app = TestApp::new().await;
    let Enrolled { uri, codes, .. } = enrolled(&app).await;
    let (_second, replica) = app.replica(|_| {});
    let right = code(&app, &uri, 0);
    let mut browser = waiting(&app).await;
    browser.post(&app, "/two-factor/send-otp", json!({})).await;
    let otp = mailed(&app).await;
    for (path, right) in [
        ("/two-factor/verify-totp", right),
        ("/two-factor/verify-backup-code", codes[0].clone()),
        ("/two-factor/verify-otp", otp),
    ] {
        if path != "/two-factor/verify-totp" {
            browser = waiting(&app).await;
        }
        let mut right = right;
        if path == "/two-factor/verify-otp" {
            browser.post(&app, "/two-factor/send-otp", json!({})).await;
            right = mailed(&app).await;
        }
        let before = sessions(&app).await;
        let replies = fifty(&app, &replica, &browser, path, |_| right.clone()).await;
        let admitted = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!((admitted, sessions(&app).await - before), (1, 1), "{path}");
        assert!(replies.iter().all(|reply| reply.status.as_u16() < 500), "{path}");
    }
}

#[tokio::test]
async fn a_code_of_the_authenticator_counts_once_over_all_sign_ins() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let (_second, replica) = app.replica(|_| {});
    let right = code(&app, &uri, 0);
    let browsers = join_all((0..6).map(|_| waiting(&app))).await;
    let replies = join_all(browsers.iter().enumerate().map(|(index, browser)| {
        let request = posted(browser, "/two-factor/verify-totp", &json!({ "code": right }));
        let (app, replica) = (&app, &replica);
        async move {
            if index % 2 == 0 {
                app.send(browser.address, request).await
            } else {
                send(replica, browser.address, request).await
            }
        }
    }))
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(count(&replies, "INVALID_CODE"), 5);
    // Neither does one of a step before.
    let mut browser = waiting(&app).await;
    app.pass(30);
    assert_eq!(verify(&app, &mut browser, &right).await.code(), "INVALID_CODE");
    assert_eq!(verify(&app, &mut browser, &code(&app, &uri, 0)).await.status, 200);
}

#[tokio::test]
async fn a_stolen_session_does_not_guess_either() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, .. } = enrolled(&app).await;
    for wrong in 0..10 {
        let reply = verify(&app, &mut ada, &format!("00000{wrong}")).await;
        assert_eq!(reply.code(), "INVALID_CODE");
    }
    assert_eq!(verify(&app, &mut ada, "000000").await.code(), "ACCOUNT_TEMPORARILY_LOCKED");
}

#[tokio::test]
async fn somebody_elses_waiting_sign_in_helps_nobody() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut forged = waiting(&app).await;
    for (_, value) in &mut forged.cookies {
        *value = format!("{}x", value.trim_end_matches("%3D"));
    }
    let right = code(&app, &uri, 0);
    assert_eq!(verify(&app, &mut forged, &right).await.code(), "INVALID_TWO_FACTOR_COOKIE");
    let mut nobody = app.browser();
    assert_eq!(verify(&app, &mut nobody, &right).await.code(), "INVALID_TWO_FACTOR_COOKIE");
    let reply = nobody.post(&app, "/two-factor/send-otp", json!({ "email": ADA })).await;
    assert_eq!(reply.code(), "INVALID_TWO_FACTOR_COOKIE");
}
