//! Browsers that skip the second factor.

use serde_json::json;

use super::{ADA, Enrolled, code, enrolled, sign_in};
use crate::testing::{Browser, PASSWORD, TestApp};

/// A browser that Ada trusts, signed out.
async fn trusted(app: &TestApp, uri: &str) -> Browser {
    let mut browser = app.browser();
    sign_in(app, &mut browser).await;
    let body = json!({ "code": code(app, uri, 0), "trustDevice": true });
    let reply = browser.post(app, "/two-factor/verify-totp", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    browser.post(app, "/sign-out", json!({})).await;
    assert!(browser.cookie("trust_device").is_some());
    browser
}

async fn is_asked(app: &TestApp, browser: &mut Browser) -> bool {
    sign_in(app, browser).await.body["twoFactorRedirect"] == true
}

#[tokio::test]
async fn a_trusted_browser_is_not_asked_and_its_cookie_changes_every_time() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = trusted(&app, &uri).await;
    let old = browser.clone();
    assert!(!is_asked(&app, &mut browser).await);
    assert!(browser.is_signed_in(&app).await);
    assert_ne!(browser.cookie("trust_device"), old.cookie("trust_device"));
    // A copy of the cookie from before is worthless.
    let mut copy = old;
    assert!(is_asked(&app, &mut copy).await);
    assert!(copy.cookie("trust_device").is_none());
    assert!(!is_asked(&app, &mut browser).await);
}

#[tokio::test]
async fn trust_ends_after_thirty_days_without_a_sign_in() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = trusted(&app, &uri).await;
    app.pass(29 * 86_400);
    assert!(!is_asked(&app, &mut browser).await);
    app.pass(30 * 86_400);
    assert!(is_asked(&app, &mut browser).await);
}

#[tokio::test]
async fn trust_ends_with_the_second_factor_and_with_the_password() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, uri, .. } = enrolled(&app).await;
    let mut browser = trusted(&app, &uri).await;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": "another Passw0rd!" });
    assert_eq!(ada.post(&app, "/change-password", body).await.status, 200);
    let body = json!({ "email": ADA, "password": "another Passw0rd!" });
    let reply = browser.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true);

    app.pass(30);
    let reply = ada.post(&app, "/two-factor/disable", json!({ "password": "another Passw0rd!" }));
    assert_eq!(reply.await.status, 200);
    let left = app.sql("select 1 from neon_auth.verification where identifier like 'trust-%'");
    assert!(left.await.is_empty());
}

#[tokio::test]
async fn trust_is_one_users_and_cannot_be_made_up() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let browser = trusted(&app, &uri).await;
    // The same cookie for somebody else.
    let mut bob = app.signed_up("bob").await;
    let body = json!({ "password": PASSWORD, "method": "otp" });
    assert_eq!(bob.post(&app, "/two-factor/enable", body).await.status, 200);
    let mut shared = browser.clone();
    let body = json!({ "email": "bob@example.com", "password": PASSWORD });
    let reply = shared.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true);
    // A forged one.
    let mut forged = browser;
    for (name, value) in &mut forged.cookies {
        if name.ends_with("trust_device") {
            *value = value.replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
        }
    }
    assert!(is_asked(&app, &mut forged).await);
}

#[tokio::test]
async fn where_no_browser_may_be_trusted_none_is() {
    let app = TestApp::with(|config| config.two_factor.trust_device = 0).await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = app.browser();
    sign_in(&app, &mut browser).await;
    let body = json!({ "code": code(&app, &uri, 0), "trustDevice": true });
    assert_eq!(browser.post(&app, "/two-factor/verify-totp", body).await.status, 200);
    assert!(browser.cookie("trust_device").is_none());
}
