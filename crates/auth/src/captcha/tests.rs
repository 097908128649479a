use std::sync::{Arc, Mutex};

use axum::{
    Router, extract::State, http::StatusCode as Status, response::IntoResponse, routing::post,
};
use serde_json::{Value, json};

use super::Provider;
use crate::{
    config::Config,
    mail::Message,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

/// What the provider of a test was asked, and what it answers to which widget answer.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

async fn judge(State(asked): State<Asked>, body: String) -> impl IntoResponse {
    asked.0.lock().unwrap().push(body.clone());
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    let yes = |more: Value| {
        let mut answer = json!({ "success": true, "hostname": "app.test", "action": "login" });
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (Status::OK, answer.to_string())
    };
    match field("response") {
        _ if field("secret") != "site-secret" => (
            Status::OK,
            json!({ "success": false, "error-codes": ["invalid-input-secret"] }).to_string(),
        ),
        "person" => yes(json!({})),
        "sure" => yes(json!({ "score": 0.9 })),
        "doubtful" => yes(json!({ "score": 0.3 })),
        "other-action" => yes(json!({ "action": "comment" })),
        "other-host" => yes(json!({ "hostname": "evil.test" })),
        "nowhere" => (Status::OK, json!({ "success": true }).to_string()),
        "stringly" => (Status::OK, json!({ "success": "true" }).to_string()),
        "broken" => (Status::OK, "<html>busy</html>".to_owned()),
        "down" => (Status::BAD_GATEWAY, String::new()),
        _ => (
            Status::OK,
            json!({ "success": false, "error-codes": ["invalid-input-response"] }).to_string(),
        ),
    }
}

struct Guarded {
    app: TestApp,
    asked: Asked,
}

async fn guarded(provider: Provider, change: impl FnOnce(&mut Config)) -> Guarded {
    let asked = Asked::default();
    let router = Router::new().route("/siteverify", post(judge)).with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let app = TestApp::with(|config| {
        config.outbound.private_networks = true;
        config.captcha.provider = provider;
        config.captcha.secret_key = gatepost_protocol::secret::Secret::new("site-secret");
        config.captcha.verify_url = url;
        change(config);
    })
    .await;
    Guarded { app, asked }
}

fn with_response(app: &TestApp, response: &str) -> Browser {
    let mut browser = app.browser();
    if !response.is_empty() {
        browser.headers.push(("x-captcha-response".to_owned(), response.to_owned()));
    }
    browser
}

impl Guarded {
    async fn sign_up(&self, response: &str) -> Reply {
        let name = if response.is_empty() { "nobody" } else { response };
        let body =
            json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        with_response(&self.app, response).post(&self.app, "/sign-up/email", body).await
    }

    async fn outcome(&self, response: &str) -> (u16, String) {
        let reply = self.sign_up(response).await;
        (reply.status.as_u16(), reply.code().to_owned())
    }
}

fn outcome(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn rl_16_without_a_right_answer_of_the_widget_nothing_happens() {
    for provider in [Provider::CloudflareTurnstile, Provider::GoogleRecaptcha, Provider::Hcaptcha] {
        let guarded = guarded(provider, |_| {}).await;
        assert_eq!(guarded.outcome("").await, outcome(400, "MISSING_RESPONSE"));
        assert!(guarded.asked.0.lock().unwrap().is_empty());
        for wrong in ["wrong", "&success=true"] {
            assert_eq!(
                guarded.outcome(wrong).await,
                outcome(403, "VERIFICATION_FAILED"),
                "{wrong}"
            );
        }
        assert_eq!(guarded.outcome(&"x".repeat(9000)).await, outcome(403, "VERIFICATION_FAILED"));
        assert_eq!(guarded.app.sql("select from neon_auth.\"user\"").await.len(), 0);
        assert_eq!(guarded.outcome("person").await, outcome(200, ""));
        let asked = guarded.asked.0.lock().unwrap().clone();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(asked[2].contains("remoteip=192.0.2.1"), "{asked:?}");
    }
}

#[tokio::test]
async fn rl_16_a_provider_that_is_away_or_talks_nonsense_lets_nobody_in() {
    let guarded = guarded(Provider::CloudflareTurnstile, |_| {}).await;
    for response in ["down", "broken", "stringly"] {
        assert_eq!(
            guarded.outcome(response).await,
            outcome(503, "SERVICE_UNAVAILABLE"),
            "{response}"
        );
    }
    let away = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let guarded =
        self::guarded(Provider::Hcaptcha, |config| config.captcha.verify_url = away).await;
    assert_eq!(guarded.outcome("person").await, outcome(503, "SERVICE_UNAVAILABLE"));
    assert_eq!(guarded.app.sql("select from neon_auth.\"user\"").await.len(), 0);
}

#[tokio::test]
async fn rl_16_an_answer_for_another_action_or_host_is_not_taken() {
    let guarded = guarded(Provider::CloudflareTurnstile, |config| {
        config.captcha.expected_action = "login".to_owned();
        config.captcha.allowed_hostnames = vec!["app.test".to_owned()];
    })
    .await;
    for response in ["other-action", "other-host", "nowhere"] {
        assert_eq!(
            guarded.outcome(response).await,
            outcome(403, "VERIFICATION_FAILED"),
            "{response}"
        );
    }
    assert_eq!(guarded.outcome("person").await, outcome(200, ""));
}

#[tokio::test]
async fn recaptcha_v3_needs_its_score_and_v2_has_none() {
    let guarded = guarded(Provider::GoogleRecaptcha, |_| {}).await;
    for (response, expected) in [
        ("doubtful", outcome(403, "VERIFICATION_FAILED")),
        ("sure", outcome(200, "")),
        ("person", outcome(200, "")),
    ] {
        assert_eq!(guarded.outcome(response).await, expected, "{response}");
    }
}

#[tokio::test]
async fn a_wrong_secret_lets_nobody_in() {
    let guarded = guarded(Provider::GoogleRecaptcha, |config| {
        config.captcha.secret_key = gatepost_protocol::secret::Secret::new("another-site");
    })
    .await;
    assert_eq!(guarded.outcome("person").await, outcome(403, "VERIFICATION_FAILED"));
}

#[tokio::test]
async fn rl_16_other_spellings_of_a_guarded_endpoint_are_guarded_and_other_endpoints_are_not() {
    let guarded = guarded(Provider::Hcaptcha, |config| {
        config.captcha.site_key = "site".to_owned();
    })
    .await;
    let app = &guarded.app;
    let ask = json!({ "email": "somebody@example.com" });
    for (base, path) in [
        ("/api/auth", "/request-password-reset"),
        ("/api/auth", "/forget-password"),
        ("/app/auth", "/request-password-reset"),
    ] {
        let mut stranger = app.browser();
        base.clone_into(&mut stranger.base);
        let reply = stranger.post(app, path, ask.clone()).await;
        assert_eq!(reply.code(), "MISSING_RESPONSE", "{base}{path}");
    }
    assert_eq!(app.browser().post(app, "/sign-in//email", ask.clone()).await.status, 404);
    let reply = app.browser().post(app, "/sign-in/magic-link", ask.clone()).await;
    assert_eq!(reply.status, 200);
    assert!(matches!(
        app.mails("somebody@example.com").await.as_slice(),
        [Message::MagicLink { .. }]
    ));
    let reply = with_response(app, "person").post(app, "/forget-password", ask).await;
    assert_eq!(reply.status, 200);
    assert!(guarded.asked.0.lock().unwrap()[0].contains("sitekey=site"));
}

#[tokio::test]
async fn further_endpoints_are_named_by_pattern() {
    let guarded = guarded(Provider::CloudflareTurnstile, |config| {
        config.captcha.endpoints = vec!["/sign-in/*".to_owned()];
    })
    .await;
    let ask = json!({ "email": "ada@example.com" });
    let reply = guarded.app.browser().post(&guarded.app, "/sign-in/magic-link", ask).await;
    assert_eq!(reply.code(), "MISSING_RESPONSE");
    assert_eq!(guarded.outcome("").await, outcome(200, ""));
}

#[tokio::test]
async fn settings_that_guard_nothing_are_refused_at_the_start() {
    let app = TestApp::new().await;
    for (change, words) in [
        (json!({ "provider": "hcaptcha" }), "captcha.secret_key"),
        (
            json!({ "provider": "hcaptcha", "secret_key": "s", "expected_action": "x" }),
            "expected_action",
        ),
        (
            json!({ "provider": "hcaptcha", "secret_key": "s", "endpoints": ["/sign-inn"] }),
            "/sign-inn",
        ),
    ] {
        let config: super::Config = serde_json::from_value(change).unwrap();
        let error = super::Captcha::new(&config, &app.app.endpoints).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
