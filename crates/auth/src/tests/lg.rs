use std::{
    io,
    sync::{Arc, Mutex},
};

use gatepost_postgres::{PoolOptions, pool};
use gatepost_protocol::secret::Secret;
use http::Method;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{fmt, layer::SubscriberExt, registry};

use super::requests::{self, everything, post};
use crate::{
    app::{App, Clock},
    error::Result,
    http::{Answer, Call, Endpoint, endpoint::Access},
    session::{StoredToken, Token},
    testing::{APP, PASSWORD, TestApp, send},
};

/// What the server logs, in the format of production.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Everything down to `trace`, as long as the guard lives.
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(registry().with(lines)))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Every line is one object.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }
}

const INJECTED: [&str; 3] = [
    "x\r\n{\"level\":\"ERROR\",\"forged\":true}",
    "\u{1b}[2J\u{1b}]0;forged\u{7}\u{9b}31m",
    "\",\"level\":\"ERROR\",\"forged\":\"",
];

#[tokio::test]
async fn lg_02_whatever_is_sent_stays_one_escaped_line() {
    let app = everything(|_| {}).await;
    let (log, _guard) = Log::start();
    let mut browser = app.browser();
    for text in INJECTED {
        for email in
            [text.to_owned(), format!("{text}@example.com"), format!("\"{text}\"@example.com")]
        {
            let sign_in = json!({ "email": email, "password": PASSWORD });
            browser.post(&app, "/sign-in/email", sign_in.clone()).await;
            let mut sign_up = sign_in;
            sign_up["name"] = json!(text);
            browser.post(&app, "/sign-up/email", sign_up).await;
            browser.post(&app, "/request-password-reset", json!({ "email": email })).await;
        }
        let path = format!("/reset-password/{}?callbackURL=/", requests::component(text));
        browser.get(&app, &path).await;
        browser.get(&app, &format!("/{}", requests::component(text))).await;
    }
    // What a header can carry: no line breaks, but quotes and bytes beyond ASCII.
    let quotes = "https://evil.test\",\"forged\":\"\u{9b}31m";
    for header in
        ["origin", "referer", "user-agent", "x-forwarded-for", "x-request-id", "authorization"]
    {
        let headers = [("cookie", "a=b"), (header, quotes)];
        post(&app, &browser, "/sign-in/email", &headers, &json!({})).await;
    }
    let lines = log.lines();
    assert!(lines.iter().any(|line| line["event"] == "refused"), "{lines:?}");
    for line in &lines {
        assert_eq!(line.get("forged"), None, "{line}");
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    let text = log.text();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

/// A secret that would be recognised anywhere.
const CANARY: &str = "canary7f3e5a91c2d4";

#[tokio::test]
async fn lg_06_addresses_and_credentials_are_not_logged() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let (log, _guard) = Log::start();
    let browser = app.browser();
    let referer = format!("https://evil.test/cb/{CANARY}?token={CANARY}&code={CANARY}#{CANARY}");
    let bearer = format!("Bearer {CANARY}");
    let cookie = format!("__Secure-better-auth.session_token={CANARY}.{CANARY}; x={CANARY}");
    let query = format!(
        "token={CANARY}&code={CANARY}&state={CANARY}&neon_auth_session_verifier={CANARY}&callbackURL=/{CANARY}"
    );
    let headers = [
        ("referer", referer.as_str()),
        ("authorization", bearer.as_str()),
        ("cookie", cookie.as_str()),
        ("user-agent", CANARY),
    ];
    for endpoint in &app.app.endpoints {
        let path = endpoint.path.replace("{token}", CANARY);
        for path in [format!("{path}?{query}"), format!("{path}/{CANARY}?{query}")] {
            let method = endpoint.method.clone();
            let mut all = headers.to_vec();
            all.push(("content-type", "application/json"));
            let body = json!({ "token": CANARY, "password": CANARY, "newPassword": CANARY, "currentPassword": CANARY });
            requests::send(&app, &browser, method.clone(), &path, &all, body.to_string()).await;
            // Without cookies it gets further.
            let body = json!({ "email": "ada@example.com", "token": CANARY, "password": CANARY, "newPassword": CANARY });
            let headers = [("origin", APP), ("content-type", "application/json")];
            requests::send(&app, &browser, method, &path, &headers, body.to_string()).await;
        }
    }
    let wrong = json!({ "currentPassword": CANARY, "newPassword": format!("{CANARY}2") });
    assert_eq!(ada.post(&app, "/change-password", wrong).await.status, 400);
    let text = log.text();
    assert!(text.contains("INVALID") || text.contains("origin"), "{text}");
    let found = text.lines().find(|line| line.contains(CANARY));
    assert_eq!(found, None);
    let audited = app
        .sql("select details::text from neon_auth.gatepost_audit where details::text is not null")
        .await;
    assert!(!audited.is_empty());
    for row in audited {
        let details: String = row.get(0);
        assert!(!details.contains(CANARY), "{details}");
    }
}

async fn panicking(_: App, _: Call) -> Result<Answer> {
    panic!("secret words at {}:{}", "db.internal", 5432)
}

fn generic(reply: &crate::testing::Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    let id = reply.header("x-request-id");
    assert_eq!(id.len(), 20);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("content-type"), "application/json");
    for inside in [
        "secret words",
        "db.internal",
        "5432",
        "neon_auth",
        "select",
        "relation",
        "panic",
        ".rs",
        "nobody",
        "127.0.0.1",
    ] {
        assert!(!reply.text.contains(inside), "{}", reply.text);
    }
}

#[tokio::test]
async fn lg_04_a_panic_is_a_plain_answer_with_an_id_that_the_log_knows() {
    let app = TestApp::over_parts(|parts| {
        let ok = parts.endpoints.iter_mut().find(|endpoint| endpoint.path == "/ok").unwrap();
        *ok = Endpoint::get("/ok", "ok", Access::Public, panicking);
    })
    .await;
    let (log, _guard) = Log::start();
    let mut browser = app.browser();
    let reply = browser.get(&app, "/ok").await;
    generic(&reply, 500);
    assert_eq!(
        reply.body,
        json!({ "message": "Internal Server Error", "code": "INTERNAL_SERVER_ERROR" })
    );
    let id = reply.header("x-request-id");
    let line = log.lines().into_iter().find(|line| line["id"] == id && line["level"] == "ERROR");
    assert_eq!(line.unwrap()["cause"], "panicked: secret words at db.internal:5432");
    assert!(!browser.is_signed_in(&app).await, "the next request is served");
}

#[tokio::test]
async fn lg_04_an_error_of_the_database_is_a_plain_answer_with_an_id_that_the_log_knows() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    app.sql("alter table neon_auth.account rename to elsewhere").await;
    let (log, _guard) = Log::start();
    let sign_in = json!({ "email": "ada@example.com", "password": PASSWORD });
    let replies =
        [ada.post(&app, "/sign-in/email", sign_in).await, ada.get(&app, "/list-accounts").await];
    for reply in &replies {
        generic(reply, 500);
        let id = reply.header("x-request-id");
        let lines = log.lines();
        assert!(lines.iter().any(|line| line["id"] == id && line["level"] == "ERROR"), "{lines:?}");
    }
}

#[tokio::test]
async fn lg_04_a_database_that_is_away_is_told_without_saying_where() {
    let app = everything(|_| {}).await;
    let url = "postgres://nobody:hunter2@127.0.0.1:1/elsewhere";
    let away = pool(url, &PoolOptions::default()).unwrap();
    let clock = Clock::Adjustable(Arc::default());
    let away = App::new(app.app.config.clone(), away, clock).unwrap();
    let (log, _guard) = Log::start();
    let browser = app.browser();
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    let request = browser.request(Method::POST, "/sign-in/email");
    let request = request.header("content-type", "application/json").body(body.into()).unwrap();
    let reply = send(&crate::router(&away), browser.address, request).await;
    generic(&reply, 503);
    assert!(!log.text().contains("hunter2"), "{}", log.text());
}

#[tokio::test]
async fn lg_07_debug_output_shows_no_secret() {
    let app = everything(|config| {
        config.secret = Secret::new("canary7f3e5a91c2d4-0123456789abcdef");
        config.previous_secrets = vec![Secret::new("canary7f3e5a91c2d4-fedcba9876543210")];
        config.rate_limit.redis_url = format!("redis://:{CANARY}@cache");
        config.captcha.secret_key = Secret::new("canary7f3e5a91c2d4-captcha");
    })
    .await;
    let token = Token::parse(&format!("{CANARY}{CANARY}")).unwrap();
    let stored = StoredToken(CANARY.to_owned());
    let call = Call {
        api_key: None,
        personal: false,
        now: app.app.clock.now(),
        method: Method::POST,
        path: format!("/reset-password/{CANARY}"),
        parameter: Some(CANARY.to_owned()),
        headers: [(http::header::COOKIE, CANARY.parse().unwrap())].into_iter().collect(),
        query: vec![("token".to_owned(), CANARY.to_owned())],
        body: Some(json!({ "password": CANARY })),
        raw: bytes::Bytes::from_static(CANARY.as_bytes()),
        form: vec![("password".to_owned(), CANARY.to_owned())],
        mount: Arc::clone(&app.app.mounts[0]),
        peer: app.browser().address,
        client: app.app.addresses.resolve(app.browser().address, &[]),
        request_id: "id".to_owned(),
        aside: Arc::default(),
    };
    let answer = Answer::json(&json!({ "token": CANARY })).unwrap();
    let ring = crate::keys::routes::ring(&app.app).await.unwrap();
    let all = [
        format!("{:?}", app.app),
        format!("{:?}", app.app.config),
        format!("{:?} {:?}", app.app.sealer, app.app.cookie_cache.is_some()),
        format!("{token:?} {stored:?}"),
        format!("{call:?} {answer:?}"),
        format!("{ring:?}"),
    ];
    for text in &all {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(!all[5].contains("\\\"d\\\""), "{}", all[5]);
}
