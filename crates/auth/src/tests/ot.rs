//! Short codes, where more than one feature sends them.

use serde_json::{Value, json};

use super::{
    requests::everything,
    world::{browser_at, number},
};
use crate::{config::LimitRule, mail::Message, testing::TestApp};

const ADA: &str = "ada@example.com";
const NUMBER: &str = "+15555550123";

async fn last_code(app: &TestApp, to: &str) -> Option<String> {
    app.mails(to).await.iter().rev().find_map(|message| match message {
        Message::EmailOtp { otp, .. } => Some(otp.clone()),
        Message::PhoneOtp(code) => Some(code.otp.clone()),
        _ => None,
    })
}

#[tokio::test]
async fn ot_04_asking_again_buys_sixty_guesses_a_day_at_most_from_however_many_addresses() {
    let app = everything(|config| {
        config.rate_limit.enabled = true;
        config.rate_limit.rules.insert("/**".to_owned(), LimitRule { window: 60, max: 0 });
    })
    .await;
    let mut wrong = 0;
    for round in 0..24 {
        for attempt in 0..3 {
            let mut browser = browser_at(&app, round * 10 + attempt);
            let body = json!({ "email": ADA, "type": "sign-in" });
            let path = "/email-otp/send-verification-otp";
            assert_eq!(browser.post(&app, path, body).await.status, 200);
            for _ in 0..4 {
                wrong += number(&app, LIVE).await;
                let body = json!({ "email": ADA, "otp": "no code" });
                browser.post(&app, "/sign-in/email-otp", body).await;
            }
        }
        app.pass(3600);
    }
    assert!((50..=60).contains(&wrong), "{wrong}");
}

/// Codes that the next guess is compared with.
const LIVE: &str = "select count(*) from neon_auth.verification where value !~ ':[3-9]$'";

#[tokio::test]
async fn ot_12_what_is_no_code_is_refused_and_counted_at_most_once() {
    let app = TestApp::new().await;
    app.signed_up("ada").await;
    let body = json!({ "email": ADA, "type": "sign-in" });
    app.browser().post(&app, "/email-otp/send-verification-otp", body).await;
    let paths = [
        "/sign-in/email-otp",
        "/email-otp/verify-email",
        "/email-otp/reset-password",
        "/email-otp/check-verification-otp",
    ];
    for path in paths {
        for otp in [json!(123_456), json!(["123456"]), json!({}), json!(true), Value::Null] {
            let body = json!({ "email": ADA, "otp": otp, "type": "sign-in", "password": "correct horse battery" });
            let reply = app.browser().post(&app, path, body).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "VALIDATION_ERROR"), "{path}");
        }
        let huge = json!({ "email": ADA, "otp": "1".repeat(1 << 20), "type": "sign-in" });
        assert_eq!(app.browser().post(&app, path, huge).await.status, 413, "{path}");
    }
    let tries = "select right(value, 1)::bigint from neon_auth.verification";
    assert_eq!(number(&app, tries).await, 0);
    for (index, otp) in ["123456\u{0}", " 123456", "１２３４５６"].into_iter().enumerate() {
        let body = json!({ "email": ADA, "otp": otp });
        let reply = app.browser().post(&app, "/sign-in/email-otp", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "INVALID_OTP"), "{otp:?}");
        assert_eq!(number(&app, tries).await, i64::try_from(index + 1).unwrap());
    }
}

#[tokio::test]
async fn ot_17_what_the_server_does_for_itself_has_no_address() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    for path in [
        "/email-otp/create-verification-otp",
        "/email-otp/get-verification-otp",
        "/create-verification-otp",
        "/get-verification-otp",
        "/phone-number/consume-otp",
        "/consume-phone-number-otp",
        "/two-factor/view-backup-codes",
        "/two-factor/generate-totp",
        "/totp/generate",
        "/set-password",
        "/organization/add-member",
        "/sign-jwt",
        "/verify-jwt",
        "/api-key/verify",
        "/api-key/delete-all-expired-api-keys",
    ] {
        let posted = ada.post(&app, path, json!({ "email": ADA, "type": "sign-in" })).await;
        assert_eq!((posted.status.as_u16(), posted.text.as_str()), (404, ""), "{path}");
        let got = ada.get(&app, &format!("{path}?email={ADA}&type=sign-in")).await;
        assert_eq!((got.status.as_u16(), got.text.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn ot_18_no_answer_carries_a_code_whatever_is_asked() {
    let app = everything(|config| config.phone_number.sign_up = true).await;
    let mut ada = app.signed_up("ada").await;
    let extra = json!({ "returnCode": true, "debug": true, "returnOtp": true });
    let asked = [
        (ADA, "/email-otp/send-verification-otp", json!({ "email": ADA, "type": "sign-in" })),
        (ADA, "/email-otp/request-password-reset", json!({ "email": ADA })),
        (NUMBER, "/phone-number/send-otp", json!({ "phoneNumber": NUMBER })),
    ];
    for (to, path, mut body) in asked {
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let reply = ada.post(&app, &format!("{path}?returnCode=true"), body).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        let code = last_code(&app, to).await.unwrap();
        assert!(!reply.text.contains(&code) && !format!("{:?}", reply.headers).contains(&code));
    }
    let audit = app.sql("select string_agg(a::text, ' ') from neon_auth.gatepost_audit a").await;
    let audit: String = audit[0].get(0);
    for to in [ADA, NUMBER] {
        assert!(!audit.contains(&last_code(&app, to).await.unwrap()));
    }
}
