mod delivery;
mod routes;

use serde_json::{Value, json};

use crate::{
    config::Config,
    mail::Message,
    testing::{Browser, Reply, TestApp},
};

/// A number of the range that is set aside for stories.
const NUMBER: &str = "+15555550123";

async fn app() -> TestApp {
    with(|_| {}).await
}

async fn with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::with(|config| {
        config.features.phone_number = true;
        config.phone_number.sign_up = true;
        change(config);
    })
    .await
}

/// The last code texted to a number.
async fn last_code(app: &TestApp, number: &str) -> Option<String> {
    let messages = app.mails(number).await;
    messages.iter().rev().find_map(|message| match message {
        Message::PhoneOtp(code) => Some(code.otp.clone()),
        _ => None,
    })
}

async fn send(app: &TestApp, browser: &mut Browser, number: &str) -> Reply {
    browser.post(app, "/phone-number/send-otp", json!({ "phoneNumber": number })).await
}

/// Asks for a code as a stranger and reads it.
async fn code(app: &TestApp) -> String {
    let reply = send(app, &mut app.browser(), NUMBER).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!({ "message": "code sent" })));
    last_code(app, NUMBER).await.expect("a code")
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

fn right(code: &str) -> Value {
    json!({ "phoneNumber": NUMBER, "code": code })
}

async fn verify(app: &TestApp, browser: &mut Browser, body: Value) -> Reply {
    browser.post(app, "/phone-number/verify", body).await
}

fn told(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.code())
}

/// A user with a password who has proven to hold [`NUMBER`].
async fn with_number(app: &TestApp, name: &str) -> Browser {
    let mut browser = app.signed_up(name).await;
    send(app, &mut browser, NUMBER).await;
    let code = last_code(app, NUMBER).await.expect("a code");
    let body = json!({ "phoneNumber": NUMBER, "code": code, "updatePhoneNumber": true });
    let reply = verify(app, &mut browser, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    browser
}
