use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::mail::{
    Message, OtpPurpose, Outbox, deliver::deliver_due, enqueue, enqueue_decoy, inbox, listen,
};

use super::{
    config,
    database::{Database, database},
    noon, outbox, sealer,
    smtp_server::SmtpServer,
    verify,
};

struct World {
    database: Database,
    outbox: Arc<Outbox>,
    app: Router,
    stop: oneshot::Sender<()>,
}

async fn world(outbox: Arc<Outbox>) -> World {
    let database = database().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let wakes = listen(database.url.clone(), async { drop(stopped.await) });
    wakes.clone().wait().await;
    let router = inbox::router(database.pool.clone(), Arc::clone(&outbox), wakes);
    World { database, outbox, app: Router::new().nest("/inbox", router), stop }
}

impl World {
    async fn send(&self, to: &str, message: &Message) {
        let conn = self.database.pool.get().await.unwrap();
        enqueue(&conn, &self.outbox, to, message, noon()).await.unwrap();
    }

    async fn ask(&self, method: &str, path: &str) -> (StatusCode, Value) {
        ask(self.app.clone(), method, path).await
    }

    async fn list(&self, query: &str) -> Vec<String> {
        let (status, body) = self.ask("GET", &format!("/inbox/messages{query}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let mails = body.as_array().unwrap();
        mails
            .iter()
            .map(|mail| {
                format!("{} {}", mail["to"].as_str().unwrap(), mail["kind"].as_str().unwrap())
            })
            .collect()
    }
}

async fn ask(app: Router, method: &str, path: &str) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

fn otp(code: &str) -> Message {
    Message::EmailOtp { purpose: OtpPurpose::SignIn, otp: code.to_owned() }
}

#[tokio::test]
async fn a_mail_is_shown_with_everything_as_soon_as_it_is_committed() {
    let world = world(outbox(None)).await;
    world.send("Ada@x.test", &verify("tok")).await;
    let (_, list) = world.ask("GET", "/inbox/messages?to=ada@x.test&kind=verify-email").await;
    let mail = &list[0];
    assert_eq!(mail["at"], "2030-05-01T12:00:00.000Z");
    assert_eq!(mail["to"], "Ada@x.test");
    assert_eq!(mail["kind"], "verify-email");
    assert_eq!(mail["subject"], "Confirm your email address for Gätepost 東京");
    assert!(mail["text"].as_str().unwrap().contains("token=tok&callbackURL=%2F"));
    assert!(mail["html"].as_str().unwrap().starts_with("<!doctype html>"));
    assert_eq!(
        mail["data"],
        json!({ "url": "https://app.test/api/auth/verify-email?token=tok&callbackURL=%2F", "token": "tok" })
    );

    let (status, one) = world.ask("GET", &format!("/inbox/messages/{}", mail["id"])).await;
    assert_eq!((status, &one), (StatusCode::OK, mail));
    for unknown in ["0", "999", "x", "99999999999999999999"] {
        let (status, body) = world.ask("GET", &format!("/inbox/messages/{unknown}")).await;
        assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("NO_MESSAGE")));
    }

    deliver_due(&world.database.pool, &world.outbox, noon()).await.unwrap();
    assert_eq!(
        world.list("").await,
        ["Ada@x.test verify-email"],
        "it stays after the worker was there"
    );
}

#[tokio::test]
async fn mails_are_listed_oldest_first_and_by_recipient_kind_and_id() {
    let world = world(outbox(None)).await;
    world.send("ada@x.test", &verify("t")).await;
    world.send("bob@x.test", &otp("1")).await;
    world.send("ada@x.test", &otp("2")).await;
    assert_eq!(
        world.list("").await,
        ["ada@x.test verify-email", "bob@x.test email-otp:sign-in", "ada@x.test email-otp:sign-in"]
    );
    assert_eq!(world.list("?to=&kind=").await.len(), 3);
    assert_eq!(world.list("?to=ADA@x.test").await.len(), 2);
    assert_eq!(world.list("?kind=email-otp:sign-in").await.len(), 2);
    assert_eq!(world.list("?to=bob@x.test&kind=verify-email").await.len(), 0);
    let (_, list) = world.ask("GET", "/inbox/messages").await;
    assert_eq!(
        world.list(&format!("?after={}", list[1]["id"])).await,
        ["ada@x.test email-otp:sign-in"]
    );
}

#[tokio::test]
async fn a_decoy_is_never_shown() {
    let world = world(outbox(None)).await;
    let conn = world.database.pool.get().await.unwrap();
    enqueue_decoy(&conn, &world.outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    assert_eq!(world.list("").await, Vec::<String>::new());
    let (status, _) = world.ask("GET", "/inbox/code?to=ada@x.test").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_latest_code_is_answered_at_once() {
    let world = world(outbox(None)).await;
    world.send("ada@x.test", &verify("tok")).await;
    world.send("ada@x.test", &otp("111111")).await;
    world.send("ada@x.test", &otp("222222")).await;
    world.send("ada@x.test", &Message::PasswordChanged).await;
    world.send("bob@x.test", &otp("333333")).await;
    let (status, code) = world.ask("GET", "/inbox/code?to=ada@x.test").await;
    assert_eq!((status, &code["otp"]), (StatusCode::OK, &json!("222222")));
    assert_eq!(code.as_object().unwrap().len(), 2, "{code}");
    let (_, link) = world.ask("GET", "/inbox/code?to=ada@x.test&kind=verify-email").await;
    assert_eq!(link["token"], "tok");
    assert_eq!(link["url"], "https://app.test/api/auth/verify-email?token=tok&callbackURL=%2F");
    let (status, _) =
        world.ask("GET", &format!("/inbox/code?to=ada@x.test&after={}", code["id"])).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_for_a_code_waits_for_the_notification() {
    let world = world(outbox(None)).await;
    world.send("ada@x.test", &otp("111111")).await;
    let (_, first) = world.ask("GET", "/inbox/code?to=ada@x.test").await;
    let path = format!("/inbox/code?to=ada@x.test&after={}&wait=60", first["id"]);
    let waiting = tokio::spawn({
        let app = world.app.clone();
        async move { ask(app, "GET", &path).await }
    });
    world.send("bob@x.test", &otp("222222")).await;
    world.send("ada@x.test", &Message::PasswordChanged).await;
    world.send("ada@x.test", &otp("333333")).await;
    let (status, code) = waiting.await.unwrap();
    assert_eq!((status, &code["otp"]), (StatusCode::OK, &json!("333333")));
}

#[tokio::test]
async fn a_wait_ends_with_404_when_it_is_over_or_the_server_stops() {
    let world = world(outbox(None)).await;
    let (status, body) = world.ask("GET", "/inbox/code?to=ada@x.test&wait=1").await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("NO_MESSAGE")));

    let waiting = tokio::spawn(ask(world.app.clone(), "GET", "/inbox/code?to=ada@x.test&wait=60"));
    world.stop.send(()).unwrap();
    assert_eq!(waiting.await.unwrap().0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn clearing_takes_all_mails_or_those_of_one_recipient() {
    let world = world(outbox(None)).await;
    for to in ["ada@x.test", "bob@x.test", "bob@x.test", "eve@x.test"] {
        world.send(to, &otp("1")).await;
    }
    assert_eq!(
        world.ask("DELETE", "/inbox/messages?to=Bob@x.test").await,
        (StatusCode::OK, json!({ "deleted": 2 }))
    );
    assert_eq!(world.list("").await.len(), 2);
    assert_eq!(
        world.ask("DELETE", "/inbox/messages").await,
        (StatusCode::OK, json!({ "deleted": 2 }))
    );
    assert_eq!(world.list("").await.len(), 0);
}

#[tokio::test]
async fn with_a_mail_server_the_inbox_keeps_copies_and_clearing_loses_no_mail() {
    let mut server = SmtpServer::start(&json!({})).await;
    let config = crate::mail::config::MailConfig { smtp: Some(server.config()), ..config() };
    let world = world(Arc::new(Outbox::new(&config, sealer(), true).unwrap())).await;
    world.send("ada@x.test", &otp("1")).await;
    assert_eq!(world.ask("DELETE", "/inbox/messages").await.1, json!({ "deleted": 0 }));
    deliver_due(&world.database.pool, &world.outbox, noon()).await.unwrap();
    server.next("mail").await;
    assert_eq!(world.list("").await.len(), 1);
    assert_eq!(world.ask("DELETE", "/inbox/messages").await.1, json!({ "deleted": 1 }));
}

#[tokio::test]
async fn a_bad_query_is_refused_with_its_reason() {
    let world = world(outbox(None)).await;
    for path in [
        "/inbox/code",
        "/inbox/code?to=",
        "/inbox/code?to=a&wait=soon",
        "/inbox/code?to=a%00b",
        "/inbox/messages?form=x",
        "/inbox/messages?to=a&to=b",
        "/inbox/messages?to=a%00b",
    ] {
        let (status, body) = world.ask("GET", path).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::BAD_REQUEST, &json!("INVALID_QUERY")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn events_tell_of_new_mail_and_end_with_the_server() {
    let world = world(outbox(None)).await;
    let request = Request::builder().uri("/inbox/events").body(Body::empty()).unwrap();
    let response = world.app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    world.send("ada@x.test", &otp("1")).await;
    let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(event.starts_with(b"event: change\n"), "{event:?}");
    world.stop.send(()).unwrap();
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
}

#[tokio::test]
async fn the_page_runs_its_own_script_and_nothing_else() {
    let world = world(outbox(None)).await;
    let request = Request::builder().uri("/inbox").body(Body::empty()).unwrap();
    let response = world.app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    let page = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec())
        .unwrap();

    let inside = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap();
        rest.split_once(&format!("</{tag}>")).unwrap().0.to_owned()
    };
    let hash = |text: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", STANDARD.encode(digest))
    };
    let mail = world.outbox.render(&verify("t"), None).unwrap().html;
    assert!(
        policy.contains(&format!("script-src {};", hash(&inside(&page, "script")))),
        "{policy}"
    );
    let styles =
        format!("style-src {} {};", hash(&inside(&page, "style")), hash(&inside(&mail, "style")));
    assert!(policy.contains(&styles), "{policy}");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("script-src 'unsafe") && !policy.contains("'unsafe-eval'"));
    for absent in [" onclick", " onload", "stylesheet", "src=", "http://", "https://", "innerHTML"]
    {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));
}
