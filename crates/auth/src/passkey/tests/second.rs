//! Passkeys and second factors.

use serde_json::json;

use super::{ADA, Algorithm, Device, answer, options, register, sign_in, with_passkeys};
use crate::testing::{APP, Browser, PASSWORD, TestApp};

/// Ada with a passkey and mailed codes as her second factor.
async fn both(app: &TestApp, device: &mut Device) -> Browser {
    let mut ada = app.signed_up("ada").await;
    assert_eq!(register(app, &mut ada, device).await.status, 200);
    let body = json!({ "password": PASSWORD, "method": "otp" });
    assert_eq!(ada.post(app, "/two-factor/enable", body).await.status, 200);
    ada
}

async fn proved_password(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    let body = json!({ "email": ADA, "password": PASSWORD });
    let reply = browser.post(app, "/sign-in/email", body).await;
    assert_eq!(
        reply.body,
        json!({ "twoFactorRedirect": true, "twoFactorMethods": ["otp", "passkey"] })
    );
    browser
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_after_a_password() {
    let app = TestApp::with(with_passkeys).await;
    let mut device = Device::new(Algorithm::Es256);
    device.verifies_user = false;
    both(&app, &mut device).await;
    let mut browser = proved_password(&app).await;
    let asked = options(&app, &mut browser).await;
    assert_eq!(asked["allowCredentials"].as_array().unwrap().len(), 1);
    let response = device.get(&asked, APP);
    assert_eq!(answer(&app, &mut browser, &response).await.status, 200);
    assert!(browser.is_signed_in(&app).await);
    assert!(browser.cookie("two_factor").is_none());
}

#[tokio::test]
async fn a_passkey_whose_holder_was_verified_is_two_factors() {
    let app = TestApp::with(with_passkeys).await;
    let mut device = Device::new(Algorithm::Es256);
    both(&app, &mut device).await;
    let mut browser = app.browser();
    assert_eq!(sign_in(&app, &mut browser, &mut device).await.status, 200);
    assert!(browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_passkey_whose_holder_was_only_present_is_one_factor() {
    let app = TestApp::with(with_passkeys).await;
    let mut device = Device::new(Algorithm::Es256);
    device.verifies_user = false;
    both(&app, &mut device).await;
    let mut browser = app.browser();
    let reply = sign_in(&app, &mut browser, &mut device).await;
    assert_eq!(reply.body, json!({ "twoFactorRedirect": true, "twoFactorMethods": ["otp"] }));
    assert!(!browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn somebody_elses_passkey_does_not_finish_a_sign_in() {
    let app = TestApp::with(with_passkeys).await;
    let (mut device, mut stranger) = (Device::new(Algorithm::Es256), Device::new(Algorithm::Es256));
    both(&app, &mut device).await;
    let mut bob = app.signed_up("bob").await;
    register(&app, &mut bob, &mut stranger).await;
    let mut browser = proved_password(&app).await;
    let reply = sign_in(&app, &mut browser, &mut stranger).await;
    assert_eq!(reply.code(), "AUTHENTICATION_FAILED");
    assert!(!browser.is_signed_in(&app).await);
}
