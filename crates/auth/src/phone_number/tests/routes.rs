use serde_json::{Value, json};

use super::{NUMBER, another, app, code, last_code, right, send, told, verify, with, with_number};
use crate::{
    config::LimitRule,
    phone_number::PhoneNumber,
    testing::{PASSWORD, Reply, TestApp},
};

#[test]
fn only_e_164_is_a_number() {
    for good in ["+15555550123", "+4930123", "+12", "+123456789012345"] {
        assert!(PhoneNumber::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "+",
        "+1",
        "15555550123",
        "+05555550123",
        "+1234567890123456",
        "+1 555 5550123",
        "+1-555-5550123",
        "+1555555012a",
        "+１５５５",
        "+15555550123\n",
        "++15555550123",
        "tel:+15555550123",
    ] {
        assert!(PhoneNumber::parse(bad).is_none(), "{bad:?}");
    }
    let number = PhoneNumber::parse(NUMBER).unwrap();
    assert_eq!((number.digits(), number.range()), ("15555550123", "+1555555"));
}

#[tokio::test]
async fn a_right_code_signs_a_newcomer_up_and_then_in() {
    let app = app().await;
    let mut browser = app.browser();
    let reply = verify(&app, &mut browser, right(&code(&app).await)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let user = &reply.body["user"];
    assert_eq!((&user["phoneNumber"], &user["name"]), (&json!(NUMBER), &json!(NUMBER)));
    assert_eq!(user["phoneNumberVerified"], true);
    assert_eq!(user["email"], "15555550123@phone.placeholder.invalid");
    assert!(browser.is_signed_in(&app).await);
    let again = verify(&app, &mut app.browser(), right(&code(&app).await)).await;
    assert_eq!(again.body["user"]["id"], user["id"]);
    let mut body = right(&code(&app).await);
    body["disableSession"] = json!(true);
    let mut without = app.browser();
    let reply = verify(&app, &mut without, body).await;
    assert_eq!((&reply.body["token"], without.cookies.len()), (&Value::Null, 0));
}

#[tokio::test]
async fn a_taken_placeholder_address_does_not_keep_the_owner_of_the_number_out() {
    let app = app().await;
    let squatter = json!({ "name": "x", "email": "15555550123@phone.placeholder.invalid", "password": PASSWORD });
    assert_eq!(app.browser().post(&app, "/sign-up/email", squatter).await.status, 200);
    let reply = verify(&app, &mut app.browser(), right(&code(&app).await)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let email = reply.body["user"]["email"].as_str().unwrap();
    assert!(email.starts_with("15555550123-"), "{email}");
}

#[tokio::test]
async fn ot_01_after_three_wrong_tries_not_even_the_right_code_helps_a_number() {
    let app = app().await;
    let code = code(&app).await;
    let mut answers = Vec::new();
    for guess in [another(&code), another(&code), another(&code), &code, &code] {
        let reply = verify(&app, &mut app.browser(), right(guess)).await;
        answers.push((reply.status.as_u16(), reply.code().to_owned()));
    }
    let invalid = (400, "INVALID_OTP".to_owned());
    let gone = (400, "OTP_NOT_FOUND".to_owned());
    let refused = (403, "TOO_MANY_ATTEMPTS".to_owned());
    assert_eq!(answers, [invalid.clone(), invalid.clone(), invalid, refused, gone]);
}

async fn at_once(app: &TestApp, guess: &str) -> Vec<Reply> {
    app.at_once(50, "/phone-number/verify", &right(guess)).await
}

#[tokio::test]
async fn ot_02_fifty_guesses_at_a_texted_code_at_once_over_two_servers_are_fifty_tries() {
    let app = with(|config| config.phone_number.attempts = 50).await;
    let code = code(&app).await;
    let replies = at_once(&app, another(&code)).await;
    assert!(replies.iter().all(|reply| reply.code() == "INVALID_OTP"));
    let rows = app.sql("select value from neon_auth.verification").await;
    assert!(rows[0].get::<_, String>(0).ends_with(":50"));
    let last = verify(&app, &mut app.browser(), right(&code)).await;
    assert_eq!(told(&last), (403, "TOO_MANY_ATTEMPTS"));
}

#[tokio::test]
async fn ot_03_of_fifty_right_texted_codes_at_once_over_two_servers_one_signs_in() {
    let app = app().await;
    let code = code(&app).await;
    let replies = at_once(&app, &code).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(app.sql("select 1 from neon_auth.session").await.len(), 1);
    assert_eq!(app.sql(r#"select 1 from neon_auth."user""#).await.len(), 1);
}

#[tokio::test]
async fn ot_05_a_code_for_one_number_or_purpose_is_good_for_no_other() {
    let app = app().await;
    with_number(&app, "ada").await;
    let code = code(&app).await;
    let other = json!({ "phoneNumber": "+15555550124", "code": code });
    assert_eq!(told(&verify(&app, &mut app.browser(), other).await), (400, "OTP_NOT_FOUND"));
    let reset =
        json!({ "phoneNumber": NUMBER, "otp": code, "newPassword": "correct horse battery" });
    let reply = app.browser().post(&app, "/phone-number/reset-password", reset).await;
    assert_eq!(told(&reply), (400, "OTP_NOT_FOUND"));
    assert_eq!(verify(&app, &mut app.browser(), right(&code)).await.status, 200);
}

#[tokio::test]
async fn ot_08_a_texted_code_dies_of_age() {
    let app = app().await;
    let code = code(&app).await;
    app.pass(301);
    let old = verify(&app, &mut app.browser(), right(&code)).await;
    assert_eq!(told(&old), (400, "OTP_EXPIRED"));
    let older = verify(&app, &mut app.browser(), right(&code)).await;
    assert_eq!(told(&older), (400, "OTP_NOT_FOUND"));
}

#[tokio::test]
async fn ot_11_a_texted_code_stands_nowhere_in_clear() {
    let app = app().await;
    let code = code(&app).await;
    for sql in [
        "select v::text from neon_auth.verification v",
        "select m::text from neon_auth.gatepost_mail m",
        "select a::text from neon_auth.gatepost_audit a",
    ] {
        for row in app.sql(sql).await {
            assert!(!row.get::<_, String>(0).contains(&code), "{sql}");
        }
    }
}

#[tokio::test]
async fn ot_14_a_number_that_was_planted_is_taken_over_without_what_the_stranger_left() {
    let app = app().await;
    let mut mallory = app.signed_up("mallory").await;
    let sql = format!(
        r#"update neon_auth."user" set "phoneNumber" = '{NUMBER}', "phoneNumberVerified" = false"#
    );
    app.sql(&sql).await;
    let mut owner = app.browser();
    assert_eq!(verify(&app, &mut owner, right(&code(&app).await)).await.status, 200);
    assert!(owner.is_signed_in(&app).await && !mallory.is_signed_in(&app).await);
    let body = json!({ "phoneNumber": NUMBER, "password": PASSWORD });
    let reply = app.browser().post(&app, "/sign-in/phone-number", body).await;
    assert_eq!(told(&reply), (401, "INVALID_PHONE_NUMBER_OR_PASSWORD"));
}

#[tokio::test]
async fn who_is_signed_in_gets_the_number_unless_somebody_has_it() {
    let app = app().await;
    let mut ada = with_number(&app, "ada").await;
    let user = ada.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!(
        (&user["phoneNumber"], &user["phoneNumberVerified"]),
        (&json!(NUMBER), &json!(true))
    );
    let mut bob = app.signed_up("bob").await;
    let update =
        |code: &str| json!({ "phoneNumber": NUMBER, "code": code, "updatePhoneNumber": true });
    let reply = verify(&app, &mut bob, update(&code(&app).await)).await;
    assert_eq!(told(&reply), (400, "PHONE_NUMBER_EXIST"));
    assert!(app.sql("select 1 from neon_auth.verification").await.is_empty(), "used up");
    let reply = verify(&app, &mut app.browser(), update(&code(&app).await)).await;
    assert_eq!(told(&reply), (401, "USER_NOT_FOUND"));
}

#[tokio::test]
async fn a_number_comes_by_proof_alone_and_can_be_given_up() {
    let app = app().await;
    let mut ada = with_number(&app, "ada").await;
    let other = json!({ "phoneNumber": "+15555550124" });
    let reply = ada.post(&app, "/update-user", other).await;
    assert_eq!(told(&reply), (400, "PHONE_NUMBER_CANNOT_BE_UPDATED"));
    let mine = json!({ "name": "E", "email": "eve@example.com", "password": PASSWORD, "phoneNumber": "+15555550124" });
    let reply = app.browser().post(&app, "/sign-up/email", mine).await;
    assert_eq!(told(&reply), (400, "PHONE_NUMBER_CANNOT_BE_SET"));
    let reply = ada.post(&app, "/update-user", json!({ "phoneNumber": null })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let user = ada.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!((&user["phoneNumber"], &user["phoneNumberVerified"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn en_01_an_unknown_number_reads_and_hashes_as_a_wrong_password() {
    let app = app().await;
    with_number(&app, "ada").await;
    let sign_in = async |number: &str, password: &str| {
        let body = json!({ "phoneNumber": number, "password": password });
        let before = app.app.hasher.runs();
        let reply = app.browser().post(&app, "/sign-in/phone-number", body).await;
        (reply, app.app.hasher.runs() - before)
    };
    let (wrong, work) = sign_in(NUMBER, "not-the-password").await;
    let (unknown, same) = sign_in("+15555550124", "not-the-password").await;
    assert_eq!((wrong.text.as_str(), work), (unknown.text.as_str(), same));
    assert_eq!(told(&wrong), (401, "INVALID_PHONE_NUMBER_OR_PASSWORD"));
    assert_eq!(sign_in(NUMBER, PASSWORD).await.0.body["user"]["email"], "ada@example.com");
    assert_eq!(told(&sign_in("abc", PASSWORD).await.0), (400, "INVALID_PHONE_NUMBER"));
}

#[tokio::test]
async fn an_unproven_number_gets_a_code_only_after_the_right_password() {
    let app = app().await;
    app.signed_up("ada").await;
    app.sql(&format!(r#"update neon_auth."user" set "phoneNumber" = '{NUMBER}'"#)).await;
    let sign_in = async |password: &str| {
        let body = json!({ "phoneNumber": NUMBER, "password": password });
        app.browser().post(&app, "/sign-in/phone-number", body).await
    };
    assert_eq!(told(&sign_in("wrong-one").await), (401, "INVALID_PHONE_NUMBER_OR_PASSWORD"));
    assert_eq!(last_code(&app, NUMBER).await, None);
    assert_eq!(told(&sign_in(PASSWORD).await), (401, "PHONE_NUMBER_NOT_VERIFIED"));
    assert!(last_code(&app, NUMBER).await.is_some());
}

#[tokio::test]
async fn en_07_without_sign_up_an_unknown_number_reads_and_writes_as_a_known_one() {
    let app = with(|config| config.phone_number.sign_up = false).await;
    with_number(&app, "ada").await;
    let mut told = Vec::new();
    for number in [NUMBER, "+15555550124"] {
        let mut answers = vec![send(&app, &mut app.browser(), number).await.text];
        let body = json!({ "phoneNumber": number });
        let path = "/phone-number/request-password-reset";
        answers.push(app.browser().post(&app, path, body).await.text);
        for _ in 0..5 {
            let guess = json!({ "phoneNumber": number, "code": "x", "otp": "x", "newPassword": "correct horse battery" });
            answers.push(verify(&app, &mut app.browser(), guess.clone()).await.text);
            let path = "/phone-number/reset-password";
            answers.push(app.browser().post(&app, path, guess).await.text);
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(last_code(&app, "+15555550124").await, None, "no message costs money");
    let decoys = app.sql("select 1 from neon_auth.gatepost_mail where decoy").await;
    assert_eq!(decoys.len(), 2);
}

#[tokio::test]
async fn a_new_password_by_code_ends_sessions_and_a_bad_one_does_not_use_the_code_up() {
    let app = app().await;
    let mut ada = with_number(&app, "ada").await;
    let request = json!({ "phoneNumber": NUMBER });
    let path = "/phone-number/request-password-reset";
    let reply = app.browser().post(&app, path, request).await;
    assert_eq!(reply.body, json!({ "status": true }));
    let otp = last_code(&app, NUMBER).await.unwrap();
    let reset = async |password: &str| {
        let body = json!({ "phoneNumber": NUMBER, "otp": otp, "newPassword": password });
        app.browser().post(&app, "/phone-number/reset-password", body).await
    };
    assert_eq!(told(&reset("short").await), (400, "PASSWORD_TOO_SHORT"));
    assert_eq!(reset("correct horse battery").await.body, json!({ "status": true }));
    assert_eq!(told(&reset("correct horse battery").await), (400, "OTP_NOT_FOUND"));
    assert!(!ada.is_signed_in(&app).await);
    let body = json!({ "phoneNumber": NUMBER, "password": "correct horse battery" });
    assert_eq!(app.browser().post(&app, "/sign-in/phone-number", body).await.status, 200);
    let body = json!({ "phoneNumber": "no number" });
    let reply = app.browser().post(&app, path, body).await;
    assert_eq!(reply.body, json!({ "status": true }));
}

#[tokio::test]
async fn a_banned_user_gets_no_code_and_is_not_signed_in() {
    let app = app().await;
    with_number(&app, "ada").await;
    let code = code(&app).await;
    app.sql(r#"update neon_auth."user" set banned = true"#).await;
    let reply = verify(&app, &mut app.browser(), right(&code)).await;
    assert_eq!(told(&reply), (403, "BANNED_USER"));
    let before = app.mails(NUMBER).await.len();
    assert_eq!(send(&app, &mut app.browser(), NUMBER).await.status, 200);
    assert_eq!(app.mails(NUMBER).await.len(), before);
}

/// Limits that count messages alone, not requests.
fn limited(config: &mut crate::config::Config) {
    config.rate_limit.enabled = true;
    config.rate_limit.rules.insert("/**".to_owned(), LimitRule { window: 60, max: 0 });
}

#[tokio::test]
async fn rl_17_a_number_gets_five_messages_an_hour_and_keeps_its_code() {
    let app = with(limited).await;
    for index in 0..8 {
        let mut browser = app.browser();
        browser.address = format!("198.51.{index}.7").parse().unwrap();
        let reply = send(&app, &mut browser, NUMBER).await;
        assert_eq!(reply.status.as_u16(), if index < 5 { 200 } else { 429 });
        assert_eq!(reply.header("x-retry-after").is_empty(), index < 5);
    }
    assert_eq!(app.mails(NUMBER).await.len(), 5);
    let code = last_code(&app, NUMBER).await.unwrap();
    assert_eq!(verify(&app, &mut app.browser(), right(&code)).await.status, 200);
    let mut day = 5;
    for _ in 0..20 {
        app.pass(3601);
        day += usize::from(send(&app, &mut app.browser(), NUMBER).await.status == 200);
    }
    assert_eq!(day, 10, "ten a day");
}

#[tokio::test]
async fn rl_17_numbers_side_by_side_and_callers_of_one_network_are_not_pumped() {
    let app = with(limited).await;
    let mut sent = 0;
    for index in 0..60 {
        let mut browser = app.browser();
        browser.address = format!("198.51.{index}.7").parse().unwrap();
        let number = format!("+1555555{index:04}");
        sent += usize::from(send(&app, &mut browser, &number).await.status == 200);
    }
    assert_eq!(sent, 50, "one block of ten thousand numbers");
    let mut sent = 0;
    for index in 0..25 {
        let mut browser = app.browser();
        browser.address = format!("203.0.113.{index}").parse().unwrap();
        let number = format!("+1556{index:03}0000");
        sent += usize::from(send(&app, &mut browser, &number).await.status == 200);
    }
    assert_eq!(sent, 20, "one network");
}

#[tokio::test]
async fn only_the_allowed_countries_get_messages() {
    let app = with(|config| config.phone_number.allowed_prefixes = vec!["+49".to_owned()]).await;
    let reply = send(&app, &mut app.browser(), NUMBER).await;
    assert_eq!(told(&reply), (400, "INVALID_PHONE_NUMBER"));
    assert_eq!(send(&app, &mut app.browser(), "+4930123456").await.status, 200);
}

#[tokio::test]
async fn ot_12_what_is_no_code_is_refused_and_counted_at_most_once() {
    let app = app().await;
    code(&app).await;
    for guess in [json!(123_456), json!([]), json!({}), Value::Null] {
        let body = json!({ "phoneNumber": NUMBER, "code": guess });
        let reply = verify(&app, &mut app.browser(), body).await;
        assert_eq!(told(&reply), (400, "VALIDATION_ERROR"), "{guess}");
    }
    let rows = app.sql("select value from neon_auth.verification").await;
    assert!(rows[0].get::<_, String>(0).ends_with(":0"));
    for guess in ["123456\u{0}", " 123456 ", "１２３４５６"] {
        let reply = verify(&app, &mut app.browser(), right(guess)).await;
        assert_eq!(told(&reply), (400, "INVALID_OTP"), "{guess:?}");
    }
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::new().await;
    assert_eq!(send(&app, &mut app.browser(), NUMBER).await.status, 404);
}
