use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    mail::Message,
    testing::{PASSWORD, TestApp},
};

const ADA: &str = "ada@example.com";

/// Asks for a code and reads it from the mail.
async fn code(app: &TestApp, kind: &str) -> String {
    let body = json!({ "email": ADA, "type": kind });
    let reply = app.browser().post(app, "/email-otp/send-verification-otp", body).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &json!({ "success": true })));
    last_code(app, ADA).await
}

async fn last_code(app: &TestApp, to: &str) -> String {
    let mails = app.mails(to).await;
    let found = mails.iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        _ => None,
    });
    found.expect("a mail with a code")
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

fn sign_in(otp: &str) -> Value {
    json!({ "email": ADA, "otp": otp })
}

#[tokio::test]
async fn a_code_signs_a_newcomer_in_once() {
    let app = TestApp::new().await;
    let otp = code(&app, "sign-in").await;
    assert!(otp.len() == 6 && otp.bytes().all(|byte| byte.is_ascii_digit()));
    let mut ada = app.browser();
    let reply = ada.post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body["user"]["emailVerified"], true);
    assert!(ada.is_signed_in(&app).await);
    let again = app.browser().post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!((again.status, again.code()), (StatusCode::BAD_REQUEST, "INVALID_OTP"));
}

#[tokio::test]
async fn ot_01_after_three_wrong_tries_not_even_the_right_code_helps() {
    let app = TestApp::new().await;
    let otp = code(&app, "sign-in").await;
    let mut codes = Vec::new();
    for guess in [another(&otp), another(&otp), another(&otp), &otp, &otp] {
        let reply = app.browser().post(&app, "/sign-in/email-otp", sign_in(guess)).await;
        codes.push((reply.status.as_u16(), reply.code().to_owned()));
    }
    let invalid = (400, "INVALID_OTP".to_owned());
    let refused = (403, "TOO_MANY_ATTEMPTS".to_owned());
    assert_eq!(codes, [invalid.clone(), invalid.clone(), invalid.clone(), refused, invalid]);
}

#[tokio::test]
async fn ot_02_fifty_guesses_at_once_over_two_servers_are_fifty_tries() {
    let app = TestApp::with(|config| config.email_otp.attempts = 50).await;
    let otp = code(&app, "sign-in").await;
    let replies = app.at_once(50, "/sign-in/email-otp", &sign_in(another(&otp))).await;
    assert!(replies.iter().all(|reply| reply.code() == "INVALID_OTP"));
    let rows = app.sql("select value from neon_auth.verification").await;
    assert!(rows[0].get::<_, String>(0).ends_with(":50"));
    let last = app.browser().post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!(last.code(), "TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn ot_03_of_many_right_codes_at_once_over_two_servers_one_signs_in() {
    let app = TestApp::new().await;
    let otp = code(&app, "sign-in").await;
    let replies = app.at_once(50, "/sign-in/email-otp", &sign_in(&otp)).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(app.sql("select id from neon_auth.session").await.len(), 1);
}

#[tokio::test]
async fn ot_05_a_code_is_good_for_its_purpose_alone() {
    let app = TestApp::new().await;
    app.signed_up("ada").await;
    let otp = code(&app, "sign-in").await;
    let reset = json!({ "email": ADA, "otp": otp, "password": "correct horse battery" });
    for (path, body) in
        [("/email-otp/verify-email", sign_in(&otp)), ("/email-otp/reset-password", reset)]
    {
        assert_eq!(app.browser().post(&app, path, body).await.code(), "INVALID_OTP", "{path}");
    }
}

#[tokio::test]
async fn ot_07_a_code_can_be_bound_to_the_browser_that_asked() {
    let app = TestApp::with(|config| config.email_otp.same_browser = true).await;
    let mut ada = app.browser();
    let body = json!({ "email": ADA, "type": "sign-in" });
    ada.post(&app, "/email-otp/send-verification-otp", body).await;
    let otp = last_code(&app, ADA).await;
    let mut mallory = app.browser();
    let body = json!({ "email": "mallory@example.com", "type": "sign-in" });
    mallory.post(&app, "/email-otp/send-verification-otp", body).await;
    let reply = mallory.post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::BAD_REQUEST, "INVALID_OTP"));
    let tries = app.sql("select 1 from neon_auth.verification where value like '%:1'").await;
    assert_eq!(tries.len(), 1, "counted");
    assert_eq!(ada.post(&app, "/sign-in/email-otp", sign_in(&otp)).await.status, 200);
    let app = TestApp::new().await;
    let otp = code(&app, "sign-in").await;
    assert_eq!(app.browser().post(&app, "/sign-in/email-otp", sign_in(&otp)).await.status, 200);
}

#[tokio::test]
async fn ot_08_a_code_dies_of_age() {
    let app = TestApp::new().await;
    let otp = code(&app, "sign-in").await;
    app.pass(301);
    let mut browser = app.browser();
    let old = browser.post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!(old.code(), "OTP_EXPIRED");
    let older = browser.post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!(older.code(), "INVALID_OTP");
}

#[tokio::test]
async fn ot_11_ot_09_only_the_newest_code_lives_and_not_in_clear() {
    let app = TestApp::new().await;
    let first = code(&app, "sign-in").await;
    let second = code(&app, "sign-in").await;
    let rows = app.sql("select value from neon_auth.verification").await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].get::<_, String>(0).contains(&second));
    if first != second {
        let reply = app.browser().post(&app, "/sign-in/email-otp", sign_in(&first)).await;
        assert_eq!(reply.code(), "INVALID_OTP");
    }
    let reply = app.browser().post(&app, "/sign-in/email-otp", sign_in(&second)).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn ot_14_a_code_takes_over_a_planted_user_without_what_the_stranger_left() {
    let app = TestApp::new().await;
    let mut mallory = app.signed_up("ada").await;
    let otp = code(&app, "sign-in").await;
    let mut ada = app.browser();
    assert_eq!(ada.post(&app, "/sign-in/email-otp", sign_in(&otp)).await.status, 200);
    assert!(!mallory.is_signed_in(&app).await);
    assert!(ada.is_signed_in(&app).await);
    let body = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(app.browser().post(&app, "/sign-in/email", body).await.status, 401);
}

#[tokio::test]
async fn ot_15_a_change_of_address_is_bound_to_its_user_and_address() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let mut bob = app.signed_up("bob").await;
    let current = code(&app, "email-verification").await;
    let body = json!({ "newEmail": "new@example.com" });
    let without = ada.post(&app, "/email-otp/request-email-change", body).await;
    assert_eq!(without.body["message"], "OTP is required to verify current email");
    let body = json!({ "newEmail": "new@example.com", "otp": current });
    assert_eq!(ada.post(&app, "/email-otp/request-email-change", body).await.status, 200);
    let otp = last_code(&app, "new@example.com").await;
    let change = |new: &str| json!({ "newEmail": new, "otp": otp });
    let path = "/email-otp/change-email";
    assert_eq!(bob.post(&app, path, change("new@example.com")).await.code(), "INVALID_OTP");
    assert_eq!(ada.post(&app, path, change("other@example.com")).await.code(), "INVALID_OTP");
    assert_eq!(ada.post(&app, path, change("new@example.com")).await.status, 200);
    let session = ada.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "new@example.com");
}

#[tokio::test]
async fn ot_19_a_bad_password_does_not_use_the_code_up() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let otp = code(&app, "forget-password").await;
    let reset = |password: &str| json!({ "email": ADA, "otp": otp, "password": password });
    let mut browser = app.browser();
    let path = "/email-otp/passcode";
    assert_eq!(browser.post(&app, path, reset("a")).await.code(), "PASSWORD_TOO_SHORT");
    let new = "correct horse battery staple";
    assert_eq!(browser.post(&app, path, reset(new)).await.body, json!({ "success": true }));
    assert_eq!(browser.post(&app, path, reset(new)).await.code(), "INVALID_OTP");
    assert!(!ada.is_signed_in(&app).await, "all sessions end");
    let body = json!({ "email": ADA, "password": new });
    assert_eq!(browser.post(&app, "/sign-in/email", body).await.status, 200);
}

#[tokio::test]
async fn en_06_an_unknown_address_answers_and_writes_as_a_known_one() {
    let app = TestApp::with(|config| config.email_otp.sign_up = false).await;
    app.signed_up("ada").await;
    let mut answers = Vec::new();
    for email in [ADA, "nobody@example.com"] {
        let mut browser = app.browser();
        let mut told = Vec::new();
        let count = app.sql("select 1 from neon_auth.gatepost_mail").await.len();
        for kind in ["sign-in", "forget-password", "email-verification"] {
            let body = json!({ "email": email, "type": kind });
            let sent = browser.post(&app, "/email-otp/send-verification-otp", body).await;
            told.push(sent.text);
            for _ in 0..5 {
                let body = json!({ "email": email, "type": kind, "otp": "x" });
                told.push(browser.post(&app, "/email-otp/check-verification-otp", body).await.text);
            }
        }
        told.push(format!(
            "{}",
            app.sql("select 1 from neon_auth.gatepost_mail").await.len() - count
        ));
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
    assert!(app.mails("nobody@example.com").await.is_empty());
}

#[tokio::test]
async fn rl_17_a_mailbox_is_not_flooded_and_keeps_its_code() {
    let app = TestApp::with(|config| {
        config.rate_limit.enabled = true;
        let rule = crate::config::LimitRule { window: 60, max: 0 };
        config.rate_limit.rules.insert("/**".to_owned(), rule);
    })
    .await;
    for _ in 0..8 {
        code(&app, "sign-in").await;
    }
    assert_eq!(app.mails(ADA).await.len(), 5);
    let otp = last_code(&app, ADA).await;
    let reply = app.browser().post(&app, "/sign-in/email-otp", sign_in(&otp)).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::with(|config| config.email_otp.enabled = false).await;
    let reply = app.browser().post(&app, "/sign-in/email-otp", sign_in("000000")).await;
    assert_eq!(reply.status, 404);
}
