use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::{Router, body::Bytes, extract::OriginalUri, http::HeaderMap, routing::post};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost_protocol::secret::Secret;
use http::StatusCode;
use serde_json::{Value, json};

use super::{NUMBER, code, with};
use crate::{
    mail::deliver::{Outcome, deliver_due},
    phone_number::{Delivery, Encoding, Preset},
    testing::TestApp,
};

/// What a service was sent.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: String,
}

type Sink = Arc<Mutex<Vec<Seen>>>;

/// A service that answers what it is told to, in order, and 200 from then on.
async fn service(answers: &[(u16, &'static str)]) -> (String, Sink) {
    let sink = Sink::default();
    let left = Arc::new(Mutex::new(answers.to_vec()));
    let seen = Arc::clone(&sink);
    let take = move |OriginalUri(uri): OriginalUri, headers: HeaderMap, body: Bytes| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        seen.lock().unwrap().push(Seen { path: uri.to_string(), headers, body });
        let mut left = left.lock().unwrap();
        let answer = if left.is_empty() { (200, "") } else { left.remove(0) };
        async move { (StatusCode::from_u16(answer.0).unwrap(), answer.1) }
    };
    let router = Router::new().fallback(post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, sink)
}

async fn through_gateway(
    url: String,
    change: impl FnOnce(&mut crate::phone_number::Gateway),
) -> TestApp {
    with(|config| {
        config.app_name = "Ada & Söhne \"{secret}\"".to_owned();
        let phone = &mut config.phone_number;
        phone.delivery = Delivery::Gateway;
        phone.gateway.url = url;
        phone.gateway.from = "+15005550006".to_owned();
        phone.gateway.account = "AC1".to_owned();
        phone.gateway.secret = Secret::new("s3cret");
        change(&mut phone.gateway);
    })
    .await
}

async fn deliver(app: &TestApp) -> Outcome {
    let now = app.app.clock.now();
    let mut reports = deliver_due(&app.app.db, &app.app.outbox, now).await.unwrap();
    assert_eq!(reports.len(), 1);
    reports.remove(0).outcome
}

#[tokio::test]
async fn a_preset_asks_the_service_in_its_own_way() {
    let (origin, sink) = service(&[]).await;
    let url = format!("{origin}/Accounts/{{account}}/Messages.json");
    let app = through_gateway(url, |gateway| gateway.preset = Preset::Twilio).await;
    let code = code(&app).await;
    assert_eq!(deliver(&app).await, Outcome::Delivered);
    let seen = sink.lock().unwrap().remove(0);
    assert_eq!(seen.path, "/Accounts/AC1/Messages.json");
    assert_eq!(seen.headers["authorization"], "Basic QUMxOnMzY3JldA==");
    let form: BTreeMap<String, String> =
        url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
    assert_eq!((form["To"].as_str(), form["From"].as_str()), (NUMBER, "+15005550006"));
    let text = format!("{code} is your Ada & Söhne \"{{secret}}\" code. Never give it to anybody.");
    assert_eq!(form["Body"], text, "a name is never read as a template");
}

#[tokio::test]
async fn a_custom_service_is_described_by_the_configuration() {
    let (origin, sink) = service(&[]).await;
    let app = through_gateway(format!("{origin}/send?to={{to}}"), |gateway| {
        gateway.encoding = Some(Encoding::Json);
        gateway.body = r#"{"n":"{digits}","t":"{text}","c":"{code}","k":"{unknown}"}"#.to_owned();
        gateway.headers.insert("X-Api-Key".to_owned(), Secret::new("key {secret}"));
    })
    .await;
    let code = code(&app).await;
    assert_eq!(deliver(&app).await, Outcome::Delivered);
    let seen = sink.lock().unwrap().remove(0);
    assert_eq!(seen.path, "/send?to=%2B15555550123");
    assert_eq!(seen.headers["x-api-key"], "key s3cret");
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!((&body["n"], &body["c"]), (&json!("15555550123"), &json!(code)));
    assert_eq!(body["k"], "{unknown}");
}

#[tokio::test]
async fn every_preset_makes_a_body_that_its_encoding_allows() {
    for preset in [
        Preset::Twilio,
        Preset::Vonage,
        Preset::Messagebird,
        Preset::Plivo,
        Preset::Telnyx,
        Preset::Sinch,
        Preset::Brevo,
    ] {
        let (origin, sink) = service(&[(200, r#"{"messages":[{"status": "0"}]}"#)]).await;
        let app = through_gateway(origin, |gateway| gateway.preset = preset).await;
        let code = code(&app).await;
        assert_eq!(deliver(&app).await, Outcome::Delivered, "{preset:?}");
        let seen = sink.lock().unwrap().remove(0);
        assert!(seen.body.contains(&code), "{preset:?}");
        if seen.headers["content-type"] == "application/json" {
            serde_json::from_str::<Value>(&seen.body).unwrap();
        }
    }
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_a_refusal_is_final() {
    let (origin, sink) = service(&[(503, ""), (200, r#"{"status":"4"}"#)]).await;
    let app = through_gateway(origin, |gateway| gateway.preset = Preset::Vonage).await;
    code(&app).await;
    assert!(matches!(deliver(&app).await, Outcome::Postponed { .. }));
    app.pass(10);
    assert!(matches!(deliver(&app).await, Outcome::GaveUp { .. }), "200 is not all it takes");
    assert_eq!(sink.lock().unwrap().len(), 2);
    let rows = app.sql("select last_error from neon_auth.gatepost_mail").await;
    let error: String = rows[0].get(0);
    assert!(!error.contains("s3cret") && !error.contains(NUMBER), "{error}");
}

#[tokio::test]
async fn nobody_pays_for_a_code_that_has_expired() {
    let (origin, sink) = service(&[(500, "")]).await;
    let app = through_gateway(origin, |gateway| gateway.preset = Preset::Twilio).await;
    code(&app).await;
    assert!(matches!(deliver(&app).await, Outcome::Postponed { .. }));
    app.pass(400);
    assert!(matches!(deliver(&app).await, Outcome::GaveUp { .. }));
    assert_eq!(sink.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn db_08_a_service_that_is_away_is_asked_again() {
    let app = through_gateway("http://127.0.0.1:9/".to_owned(), |gateway| {
        gateway.preset = Preset::Twilio;
    })
    .await;
    code(&app).await;
    assert!(matches!(deliver(&app).await, Outcome::Postponed { .. }));
}

#[tokio::test]
async fn the_application_can_send_messages_itself_and_knows_who_asks() {
    let (origin, sink) = service(&[(503, "")]).await;
    let app = with(|config| {
        config.phone_number.delivery = Delivery::Webhook;
        config.phone_number.webhook.url = format!("{origin}/hooks");
    })
    .await;
    let code = code(&app).await;
    assert!(matches!(deliver(&app).await, Outcome::Postponed { .. }));
    app.pass(10);
    assert_eq!(deliver(&app).await, Outcome::Delivered);
    let [first, second] = <[Seen; 2]>::try_from(sink.lock().unwrap().clone()).unwrap();
    assert_eq!(first.headers["x-neon-event-id"], second.headers["x-neon-event-id"]);
    assert_eq!(second.headers["x-neon-delivery-attempt"], "2");
    assert_eq!(second.headers["x-neon-event-type"], "send.otp");
    let body: Value = serde_json::from_str(&second.body).unwrap();
    assert_eq!(body["user"]["phone_number"], NUMBER);
    assert_eq!(body["event_data"]["otp_code"], json!(code));
    assert_eq!(body["event_data"]["delivery_preference"], "sms");

    let keys = app.browser().get(&app, "/jwks").await.body["keys"].clone();
    let text = |name: &str| second.headers[name].to_str().unwrap();
    let key =
        keys.as_array().unwrap().iter().find(|key| key["kid"] == text("x-neon-signature-kid"));
    let key = URL_SAFE_NO_PAD.decode(key.unwrap()["x"].as_str().unwrap()).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, key);
    let (header, signature) = text("x-neon-signature").split_once("..").unwrap();
    let payload = format!("{}.{}", text("x-neon-timestamp"), URL_SAFE_NO_PAD.encode(&second.body));
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn a_delivered_code_is_erased_where_no_inbox_shows_it() {
    let (origin, _sink) = service(&[]).await;
    let app = with(|config| {
        config.phone_number.delivery = Delivery::Gateway;
        config.phone_number.gateway.url = origin;
        config.phone_number.gateway.preset = Preset::Twilio;
        config.inbox.enabled = false;
    })
    .await;
    code(&app).await;
    assert_eq!(deliver(&app).await, Outcome::Delivered);
    let rows = app.sql("select payload is null from neon_auth.gatepost_mail").await;
    assert!(rows[0].get::<_, bool>(0));
}

#[tokio::test]
async fn the_inbox_shows_a_message_as_it_would_be_sent() {
    let app = with(|_| {}).await;
    let code = code(&app).await;
    let messages = app.mails(NUMBER).await;
    let look = crate::mail::Look::new(&app.app.config.mail).unwrap();
    let rendered = look.render(&messages[0], "en").unwrap();
    assert!(rendered.text.contains(&format!("{code} is your Gatepost code.")));
}

#[tokio::test]
async fn a_gateway_without_a_place_to_go_does_not_start() {
    for change in [
        |config: &mut crate::config::Config| config.phone_number.delivery = Delivery::Gateway,
        |config: &mut crate::config::Config| config.phone_number.delivery = Delivery::Webhook,
    ] {
        let mut config = crate::config::Config {
            public_url: crate::testing::ORIGIN.to_owned(),
            ..Default::default()
        };
        config.features.phone_number = true;
        change(&mut config);
        let sealer = gatepost_protocol::sealed::Sealer::single(&config.secret, &[]);
        let made = crate::phone_number::Texts::new(&config, &sealer, &crate::Clock::System);
        assert!(made.unwrap_err().to_string().contains("phone_number."));
    }
}
