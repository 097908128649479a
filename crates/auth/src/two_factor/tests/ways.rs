//! The second factor after first factors other than a password.

use serde_json::json;

use super::{ADA, Enrolled, code, enrolled, verify};
use crate::{
    mail::Message,
    testing::{PASSWORD, TestApp},
    two_factor::FirstFactors,
};

async fn link(app: &TestApp) -> String {
    app.browser().post(app, "/sign-in/magic-link", json!({ "email": ADA })).await;
    app.last_link(ADA).await.0
}

async fn sign_in_code(app: &TestApp) -> String {
    let body = json!({ "email": ADA, "type": "sign-in" });
    app.browser().post(app, "/email-otp/send-verification-otp", body).await;
    let mails = app.mails(ADA).await;
    let otp = mails.iter().rev().find_map(|mail| match mail {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        _ => None,
    });
    otp.unwrap()
}

#[tokio::test]
async fn a_mailed_link_is_one_factor() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = app.browser();
    let body = json!({ "token": link(&app).await, "callbackURL": "/dash" });
    let reply = browser.post(&app, "/magic-link/verify", body).await;
    assert_eq!(
        reply.header("location"),
        "https://auth.test/dash?twoFactorRedirect=true&twoFactorMethods=totp"
    );
    assert!(!browser.is_signed_in(&app).await);
    assert_eq!(verify(&app, &mut browser, &code(&app, &uri, 0)).await.status, 200);
    assert!(browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_mailed_code_is_one_factor_and_another_mailed_code_no_second() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    let mut browser = app.browser();
    let body = json!({ "email": ADA, "otp": sign_in_code(&app).await });
    let reply = browser.post(&app, "/sign-in/email-otp", body).await;
    assert_eq!(reply.body, json!({ "twoFactorRedirect": true, "twoFactorMethods": ["totp"] }));
    assert!(!browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_setting_asks_after_passwords_only() {
    let app =
        TestApp::with(|config| config.two_factor.first_factors = FirstFactors::Password).await;
    enrolled(&app).await;
    let mut browser = app.browser();
    let body = json!({ "email": ADA, "otp": sign_in_code(&app).await });
    browser.post(&app, "/sign-in/email-otp", body).await;
    assert!(browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_link_that_proves_an_address_signs_nobody_in_past_the_second_factor() {
    let app = TestApp::with(|config| config.email_verification.auto_sign_in = true).await;
    enrolled(&app).await;
    app.sql(r#"update neon_auth."user" set "emailVerified" = false"#).await;
    app.browser().post(&app, "/send-verification-email", json!({ "email": ADA })).await;
    let (_, url) = app.last_link(ADA).await;
    let mut browser = app.browser();
    browser.get(&app, &url).await;
    assert!(!browser.is_signed_in(&app).await);
    let body = json!({ "email": ADA, "password": PASSWORD });
    let reply = browser.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true);
}
