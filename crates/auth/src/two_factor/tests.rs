//! What users and guessers see of the second factor.

mod demanded;
mod guessing;
mod trusted;
mod ways;

use gatepost_protocol::totp;
use http::StatusCode;
use serde_json::{Value, json};

use super::svg;
use crate::{
    config::Config,
    mail::Message,
    testing::{Authenticator, Browser, PASSWORD, Reply, TestApp},
};

const ADA: &str = "ada@example.com";

/// The code that an authenticator shows now, or some steps later.
fn code(app: &TestApp, uri: &str, later: u64) -> String {
    Authenticator::of(uri).code(app, later)
}

/// Ada, an authenticator's link and her backup codes.
struct Enrolled {
    ada: Browser,
    uri: String,
    codes: Vec<String>,
}

async fn enrolled(app: &TestApp) -> Enrolled {
    let mut ada = app.signed_up("ada").await;
    app.sql(r#"update neon_auth."user" set "emailVerified" = true"#).await;
    let reply = ada.post(app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let uri = reply.body["totpURI"].as_str().unwrap().to_owned();
    let codes = reply.body["backupCodes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let reply = verify(app, &mut ada, &code(app, &uri, 0)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    // The next step of the authenticator.
    app.pass(30);
    Enrolled { ada, uri, codes }
}

async fn verify(app: &TestApp, browser: &mut Browser, code: &str) -> Reply {
    browser.post(app, "/two-factor/verify-totp", json!({ "code": code })).await
}

async fn sign_in(app: &TestApp, browser: &mut Browser) -> Reply {
    let body = json!({ "email": ADA, "password": PASSWORD });
    browser.post(app, "/sign-in/email", body).await
}

/// A browser that proved the password and waits.
async fn waiting(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    let reply = sign_in(app, &mut browser).await;
    assert_eq!(reply.body["twoFactorRedirect"], true, "{}", reply.text);
    browser
}

/// The last code mailed to Ada.
async fn mailed(app: &TestApp) -> String {
    let mails = app.mails(ADA).await;
    let otp = mails.iter().rev().find_map(|mail| match mail {
        Message::TwoFactorOtp { otp } => Some(otp.clone()),
        _ => None,
    });
    otp.unwrap()
}

#[tokio::test]
async fn an_authenticator_is_set_up_confirmed_and_asked_for() {
    let app = TestApp::with(|config| config.features.two_factor = true).await;
    let mut ada = app.signed_up("ada").await;
    let reply = ada.post(&app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    let uri = reply.body["totpURI"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("otpauth://totp/Gatepost:ada%40example.com?secret="), "{uri}");
    assert_eq!(reply.body["backupCodes"].as_array().unwrap().len(), 10);
    // Nothing is asked for before a first code proved it.
    assert_eq!(sign_in(&app, &mut app.browser()).await.body["redirect"], false);

    let before = ada.cookie("session_token").unwrap().to_owned();
    assert_eq!(verify(&app, &mut ada, "000000").await.code(), "INVALID_CODE");
    assert_eq!(verify(&app, &mut ada, &code(&app, &uri, 0)).await.status, 200);
    assert_ne!(ada.cookie("session_token").unwrap(), before);
    assert_eq!(ada.get(&app, "/get-session").await.body["user"]["twoFactorEnabled"], true);
    let again = ada.post(&app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    assert_eq!(again.code(), "TOTP_ALREADY_ENABLED");

    let mut other = app.browser();
    let reply = sign_in(&app, &mut other).await;
    assert_eq!(
        reply.body,
        json!({ "twoFactorRedirect": true, "twoFactorMethods": ["totp", "otp"] })
    );
    assert!(!other.is_signed_in(&app).await);
    let reply = verify(&app, &mut other, &code(&app, &uri, 1)).await;
    assert_eq!(reply.body["user"]["email"], ADA, "{}", reply.text);
    assert!(other.is_signed_in(&app).await);
    assert!(other.cookie("two_factor").is_none());
}

#[tokio::test]
async fn se_18_a_sign_in_that_waits_for_its_second_factor_opens_nothing() {
    let app = TestApp::with(|config| config.session.cookie_cache.enabled = true).await;
    enrolled(&app).await;
    let browser = waiting(&app).await;
    let rows = app.sql("select 1 from neon_auth.session").await.len();
    for (name, value) in &browser.cookies {
        let mut program = app.browser();
        program.headers.push(("authorization".to_owned(), format!("Bearer {value}")));
        assert_ne!(program.get(&app, "/list-sessions").await.status, 200, "{name}");
        for name in ["session_token", "session_data"] {
            let mut forged = app.browser();
            forged.cookies = vec![(format!("__Secure-better-auth.{name}"), value.clone())];
            assert!(!forged.is_signed_in(&app).await, "{name}");
        }
    }
    let names: Vec<&str> = browser.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["__Secure-better-auth.two_factor"]);
    assert_eq!(app.sql("select 1 from neon_auth.session").await.len(), rows);
}

#[tokio::test]
async fn a_sign_in_waits_ten_minutes() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = waiting(&app).await;
    app.pass(600);
    let reply = verify(&app, &mut browser, &code(&app, &uri, 0)).await;
    assert_eq!(reply.code(), "INVALID_TWO_FACTOR_COOKIE");
}

#[tokio::test]
async fn not_being_remembered_survives_the_second_factor() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let mut browser = app.browser();
    let body = json!({ "email": ADA, "password": PASSWORD, "rememberMe": false });
    browser.post(&app, "/sign-in/email", body).await;
    let reply = verify(&app, &mut browser, &code(&app, &uri, 0)).await;
    let cookies = reply.headers.get_all("set-cookie").iter();
    let session = cookies.filter(|cookie| cookie.to_str().unwrap().contains("session_token="));
    assert!(session.into_iter().all(|cookie| !cookie.to_str().unwrap().contains("Max-Age")));
}

#[tokio::test]
async fn pw_11_a_reset_password_does_not_skip_the_second_factor() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    app.browser().post(&app, "/request-password-reset", json!({ "email": ADA })).await;
    let (token, _) = app.last_link(ADA).await;
    let mut browser = app.browser();
    let body = json!({ "newPassword": "another Passw0rd!", "token": token });
    assert_eq!(browser.post(&app, "/reset-password", body).await.status, 200);
    assert!(!browser.is_signed_in(&app).await);
    let body = json!({ "email": ADA, "password": "another Passw0rd!" });
    let reply = browser.post(&app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true);
    assert!(!browser.is_signed_in(&app).await);
    assert_eq!(verify(&app, &mut browser, &code(&app, &uri, 0)).await.status, 200);
    assert!(browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn ot_11_secret_and_codes_are_sealed_at_rest_and_the_mailed_code_is_hashed() {
    let app = TestApp::new().await;
    let Enrolled { uri, codes, .. } = enrolled(&app).await;
    let mut browser = waiting(&app).await;
    browser.post(&app, "/two-factor/send-otp", json!({})).await;
    let otp = mailed(&app).await;
    let rows = app
        .sql(r#"select secret || "backupCodes" from neon_auth."twoFactor" union all select identifier || value from neon_auth.verification"#)
        .await;
    let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let plain = String::from_utf8(totp::key(&format!("base32:{secret}")).unwrap()).unwrap();
    let cookie = browser.cookie("two_factor").unwrap();
    let waiting = cookie.split('.').next().unwrap().trim_start_matches("2fa-");
    for row in rows {
        let row: String = row.get(0);
        assert!(!row.contains(&plain) && !row.contains(waiting), "{row}");
        assert!(codes.iter().all(|code| !row.contains(code)), "{row}");
        assert!(!row.starts_with(&otp) && !row.contains(&format!("{otp}:")), "{row}");
    }
}

#[tokio::test]
async fn mailed_codes_are_a_second_factor_of_their_own() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let body = json!({ "password": PASSWORD, "method": "otp" });
    assert_eq!(ada.post(&app, "/two-factor/enable", body).await.body, json!({ "method": "otp" }));
    let mut browser = app.browser();
    let reply = sign_in(&app, &mut browser).await;
    assert_eq!(reply.body["twoFactorMethods"], json!(["otp"]));
    let early = browser.post(&app, "/two-factor/verify-otp", json!({ "code": "123456" })).await;
    assert_eq!(early.code(), "OTP_HAS_EXPIRED");
    assert_eq!(verify(&app, &mut browser, "123456").await.code(), "TOTP_NOT_ENABLED");
    browser.post(&app, "/two-factor/send-otp", Value::Null).await;
    let otp = mailed(&app).await;
    let wrong = browser.post(&app, "/two-factor/verify-otp", json!({ "code": "bad" })).await;
    assert_eq!(wrong.code(), "INVALID_CODE");
    let right = browser.post(&app, "/two-factor/verify-otp", json!({ "code": otp })).await;
    assert_eq!(right.status, 200, "{}", right.text);
    assert!(browser.is_signed_in(&app).await);
    let again = browser.post(&app, "/two-factor/verify-otp", json!({ "code": otp })).await;
    assert_eq!(again.code(), "OTP_HAS_EXPIRED");
}

#[tokio::test]
async fn ot_08_a_mailed_code_dies_after_three_minutes() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    for (wait, expected) in [(179, StatusCode::OK), (180, StatusCode::BAD_REQUEST)] {
        let mut browser = waiting(&app).await;
        browser.post(&app, "/two-factor/send-otp", json!({})).await;
        let body = json!({ "code": mailed(&app).await });
        app.pass(wait);
        assert_eq!(browser.post(&app, "/two-factor/verify-otp", body).await.status, expected);
    }
}

#[tokio::test]
async fn ot_05_codes_of_one_way_are_worth_nothing_in_another() {
    let app = TestApp::new().await;
    let Enrolled { uri, codes, .. } = enrolled(&app).await;
    let mut browser = waiting(&app).await;
    browser.post(&app, "/two-factor/send-otp", json!({})).await;
    let mailed = mailed(&app).await;
    let shown = code(&app, &uri, 0);
    for (path, wrong) in [
        ("/two-factor/verify-totp", &mailed),
        ("/two-factor/verify-totp", &codes[0]),
        ("/two-factor/verify-otp", &shown),
        ("/two-factor/verify-backup-code", &mailed),
    ] {
        let reply = browser.post(&app, path, json!({ "code": wrong })).await;
        assert_eq!(reply.status, 401, "{path}: {}", reply.text);
    }
    let body = json!({ "email": ADA, "otp": mailed });
    assert_eq!(app.browser().post(&app, "/sign-in/email-otp", body).await.code(), "INVALID_OTP");
}

#[tokio::test]
async fn ot_05_a_mailed_code_is_bound_to_the_sign_in_that_asked_for_it() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    let (mut ada, mut mallory) = (waiting(&app).await, waiting(&app).await);
    ada.post(&app, "/two-factor/send-otp", json!({})).await;
    let body = json!({ "code": mailed(&app).await });
    let reply = mallory.post(&app, "/two-factor/verify-otp", body.clone()).await;
    assert_eq!(reply.code(), "OTP_HAS_EXPIRED");
    assert_eq!(ada.post(&app, "/two-factor/verify-otp", body).await.status, 200);
}

#[tokio::test]
async fn ot_12_other_forms_of_a_code_are_refused_and_nothing_breaks() {
    let app = TestApp::new().await;
    let Enrolled { uri, .. } = enrolled(&app).await;
    let shown = code(&app, &uri, 0);
    let mut browser = waiting(&app).await;
    for wrong in [json!(123_456), json!([shown]), json!({}), json!(null)] {
        for path in ["verify-totp", "verify-otp", "verify-backup-code"] {
            let path = format!("/two-factor/{path}");
            let reply = browser.post(&app, &path, json!({ "code": wrong })).await;
            assert_eq!(reply.code(), "VALIDATION_ERROR");
        }
    }
    let full_width: String =
        shown.chars().map(|digit| char::from_u32(u32::from(digit) + 0xfee0).unwrap()).collect();
    for wrong in [format!("{shown}\0"), format!(" {shown}"), full_width, "1".repeat(50_000)] {
        assert_eq!(verify(&app, &mut browser, &wrong).await.code(), "INVALID_CODE");
    }
    assert_eq!(verify(&app, &mut browser, &shown).await.status, 200);
}

#[tokio::test]
async fn ot_17_nobody_reads_backup_codes_over_the_wire() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, .. } = enrolled(&app).await;
    for path in ["/two-factor/view-backup-codes", "/two-factor/generate-totp", "/totp/generate"] {
        assert_eq!(ada.post(&app, path, json!({ "userId": "x" })).await.status, 404);
        assert_eq!(ada.get(&app, path).await.status, 404);
    }
}

#[tokio::test]
async fn ot_18_a_mailed_code_is_in_the_mail_and_nowhere_else() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    let mut browser = waiting(&app).await;
    let reply = browser.post(&app, "/two-factor/send-otp", json!({ "returnCode": true })).await;
    let otp = mailed(&app).await;
    assert!(!reply.text.contains(&otp) && !format!("{:?}", reply.headers).contains(&otp));
    for row in app.sql("select details::text from neon_auth.gatepost_audit").await {
        assert!(!row.get::<_, Option<String>>(0).unwrap_or_default().contains(&otp));
    }
}

#[tokio::test]
async fn a_backup_code_works_once_and_new_ones_replace_the_old() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, codes, .. } = enrolled(&app).await;
    let path = "/two-factor/verify-backup-code";
    let mut browser = waiting(&app).await;
    assert_eq!(browser.post(&app, path, json!({ "code": codes[0] })).await.status, 200);
    assert!(browser.is_signed_in(&app).await);
    let mut browser = waiting(&app).await;
    let again = browser.post(&app, path, json!({ "code": codes[0] })).await;
    assert_eq!(again.code(), "INVALID_BACKUP_CODE");
    let wrong = json!({ "password": "not the password" });
    let refused = ada.post(&app, "/two-factor/generate-backup-codes", wrong).await;
    assert_eq!(refused.code(), "INVALID_PASSWORD");
    let body = json!({ "password": PASSWORD });
    let reply = ada.post(&app, "/two-factor/generate-backup-codes", body).await;
    let old = browser.post(&app, path, json!({ "code": codes[1] })).await;
    assert_eq!(old.code(), "INVALID_BACKUP_CODE");
    let new = json!({ "code": reply.body["backupCodes"][0], "disableSession": true });
    let reply = browser.post(&app, path, new).await;
    assert_eq!(reply.body["user"]["email"], ADA);
    assert!(!browser.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_secret_imported_by_better_auth_works() {
    let app = TestApp::new().await;
    enrolled(&app).await;
    let sealed = app.app.sealer.seal(b"base32:MZXW6YTBOI");
    app.sql(&format!(r#"update neon_auth."twoFactor" set secret = '{sealed}', verified = null"#))
        .await;
    let mut browser = waiting(&app).await;
    let shown = code(&app, "?secret=MZXW6YTBOI", 1);
    assert_eq!(verify(&app, &mut browser, &shown).await.status, 200);
}

#[tokio::test]
async fn without_a_second_factor_nobody_is_asked_any_more() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, .. } = enrolled(&app).await;
    let wrong = json!({ "password": "not the password" });
    assert_eq!(ada.post(&app, "/two-factor/disable", wrong).await.code(), "INVALID_PASSWORD");
    let before = ada.cookie("session_token").unwrap().to_owned();
    let reply = ada.post(&app, "/two-factor/disable", json!({ "password": PASSWORD })).await;
    assert_eq!(reply.body, json!({ "status": true }));
    assert_ne!(ada.cookie("session_token").unwrap(), before);
    assert!(ada.is_signed_in(&app).await);
    assert_eq!(sign_in(&app, &mut app.browser()).await.body["redirect"], false);
    assert!(app.sql(r#"select 1 from neon_auth."twoFactor""#).await.is_empty());
}

#[tokio::test]
async fn the_link_is_shown_again_for_the_password() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, uri, .. } = enrolled(&app).await;
    let reply = ada.post(&app, "/two-factor/get-totp-uri", json!({ "password": PASSWORD })).await;
    assert_eq!(reply.body, json!({ "totpURI": uri }));
    let picture = svg(&uri).unwrap();
    assert!(picture.contains("<svg") && !picture.contains("<script"), "{picture}");
}

#[tokio::test]
async fn without_the_feature_there_are_no_such_routes() {
    let app = TestApp::with(|config: &mut Config| config.two_factor.enabled = false).await;
    let mut ada = app.signed_up("ada").await;
    let reply = ada.post(&app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    assert_eq!(reply.status, 404);
}
