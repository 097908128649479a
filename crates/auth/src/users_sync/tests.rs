use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::{
    Json, Router,
    body::Body,
    extract::{Query, State},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use gatepost_protocol::secret::Secret;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::{Outcome, Provider, Source, sync};
use crate::testing::{PASSWORD, Reply, TestApp};

const KEY: &[u8] = b"a webhook's key";

fn source(provider: Provider) -> Source {
    let secret = match provider {
        Provider::StackAuth | Provider::Clerk => format!("whsec_{}", STANDARD.encode(KEY)),
        _ => "a webhook's key".to_owned(),
    };
    Source { provider, secret: Secret::new(secret), ..Source::default() }
}

async fn app_with(sources: &[(&str, Source)]) -> TestApp {
    TestApp::with(|config| {
        config.users_sync.sources =
            sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
        config.outbound.private_networks = true;
    })
    .await
}

fn tag(signed: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), signed.as_bytes()).as_ref().to_vec()
}

async fn deliver(app: &TestApp, name: &str, headers: &[(&str, String)], body: &str) -> Reply {
    let mut sender = app.browser();
    sender.headers.clear();
    let mut request = sender
        .request(Method::POST, &format!("/users-sync/{name}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    sender.exchange(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// A webhook by Svix, signed so many seconds ago.
async fn svix(app: &TestApp, name: &str, ago: i64, event: &Value) -> Reply {
    let (time, body) = (app.app.clock.now().timestamp() - ago, event.to_string());
    let signature = STANDARD.encode(tag(&format!("msg_1.{time}.{body}")));
    let headers = [
        ("svix-id", "msg_1".to_owned()),
        ("svix-timestamp", time.to_string()),
        ("svix-signature", format!("v1,AAAA v1,{signature}")),
    ];
    deliver(app, name, &headers, &body).await
}

fn clerk_user(name: &str, updated_at: i64) -> Value {
    json!({ "type": "user.updated", "data": {
        "id": "user_29w", "first_name": name, "last_name": "Lovelace", "primary_email_address_id": "idn_2",
        "email_addresses": [
            { "id": "idn_1", "email_address": "old@example.com" },
            { "id": "idn_2", "email_address": "ada@example.com", "verification": { "status": "verified" } },
        ],
        "image_url": "https://img.example.com/a", "created_at": 1_700_000_000_000_i64, "updated_at": updated_at,
        "private_metadata": { "plan": "secret" },
    }})
}

async fn mirror(app: &TestApp) -> Vec<Value> {
    let rows = app
        .sql("select to_jsonb(u) from neon_auth.users_sync u order by created_at nulls last, id")
        .await;
    rows.iter().map(|row| row.get(0)).collect()
}

fn member<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn own_users_are_mirrored_and_stay_as_an_id_when_they_leave() {
    let app = TestApp::with(|config| config.delete_user.enabled = true).await;
    let mut alice = app.signed_up("alice").await;
    alice.post(&app, "/update-user", json!({ "name": "Alice L." })).await;
    let rows = mirror(&app).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(member(&rows[0], "name"), "Alice L.");
    assert_eq!(member(&rows[0], "email"), "alice@example.com");
    let me = alice.get(&app, "/get-session").await;
    assert_eq!(rows[0]["id"], me.body["user"]["id"]);
    let created = member(&rows[0], "created_at").parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(created.timestamp_millis(), app.app.clock.now().timestamp_millis());

    app.sql("create table public.post (author text references neon_auth.users_sync (id))").await;
    app.sql("insert into public.post select id from neon_auth.users_sync").await;
    let gone = alice.post(&app, "/delete-user", json!({ "password": PASSWORD })).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let rows = mirror(&app).await;
    assert_eq!(rows.len(), 1, "foreign keys hold");
    assert!(!rows[0]["deleted_at"].is_null());
    assert!(!rows[0].to_string().contains("alice"), "{}", rows[0]);
}

#[tokio::test]
async fn a_refused_sign_up_leaves_no_trace_in_the_mirror() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let body = json!({ "name": "Eve", "email": "alice@example.com", "password": PASSWORD });
    app.browser().post(&app, "/sign-up/email", body).await;
    assert_eq!(mirror(&app).await.len(), 1);
}

#[tokio::test]
async fn a_webhook_of_clerk_writes_the_user_without_private_members() {
    let app = app_with(&[("clerk", source(Provider::Clerk))]).await;
    let reply = svix(&app, "clerk", 0, &clerk_user("Ada", 1_700_000_000_001)).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!({ "applied": true })));
    let rows = mirror(&app).await;
    assert_eq!(member(&rows[0], "id"), "user_29w");
    assert_eq!(member(&rows[0], "name"), "Ada Lovelace");
    assert_eq!(member(&rows[0], "email"), "ada@example.com");
    assert!(member(&rows[0], "created_at").starts_with("2023-11-14T22:13:20"));
    assert!(!rows[0].to_string().contains("secret"));
}

#[tokio::test]
async fn deliveries_out_of_order_leave_the_newest_word() {
    let app = app_with(&[("clerk", source(Provider::Clerk))]).await;
    svix(&app, "clerk", 0, &clerk_user("Second", 1_700_000_000_002)).await;
    let late = svix(&app, "clerk", 0, &clerk_user("First", 1_700_000_000_001)).await;
    assert_eq!(late.body, json!({ "applied": false }));
    assert_eq!(member(&mirror(&app).await[0], "name"), "Second Lovelace");

    let gone = json!({ "type": "user.deleted", "data": { "id": "user_29w", "deleted": true } });
    assert_eq!(svix(&app, "clerk", 0, &gone).await.body, json!({ "applied": true }));
    let late = svix(&app, "clerk", 0, &clerk_user("Third", 1_700_000_000_003)).await;
    assert_eq!(late.body, json!({ "applied": false }));
    let rows = mirror(&app).await;
    assert!(!rows[0]["deleted_at"].is_null());
    assert_eq!(rows[0]["email"], Value::Null);
}

#[tokio::test]
async fn wh_10_an_old_or_future_signature_is_refused() {
    let app = app_with(&[("clerk", source(Provider::Clerk))]).await;
    for (ago, status) in [(299, 200), (301, 400), (-29, 200), (-31, 400)] {
        let reply = svix(&app, "clerk", ago, &clerk_user("Ada", 1)).await;
        assert_eq!(reply.status, status, "{ago}: {}", reply.text);
    }
    let body = clerk_user("Ada", 1).to_string();
    for time in ["NaN", "", "1e13", "9999999999999999"] {
        let signature = STANDARD.encode(tag(&format!("msg_1.{time}.{body}")));
        let headers = [
            ("svix-id", "msg_1".to_owned()),
            ("svix-timestamp", time.to_owned()),
            ("svix-signature", format!("v1,{signature}")),
        ];
        assert_eq!(deliver(&app, "clerk", &headers, &body).await.code(), "INVALID_SIGNATURE");
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let app = app_with(&[("clerk", source(Provider::Clerk))]).await;
    let (time, body) = (app.app.clock.now().timestamp(), clerk_user("Ada", 1).to_string());
    let signature = STANDARD.encode(tag(&format!("msg_1.{time}.{body}")));
    let headers = [
        ("svix-id", "msg_1".to_owned()),
        ("svix-timestamp", time.to_string()),
        ("svix-signature", format!("v1,{signature}")),
    ];
    for other in [body.replace("Ada", "Eve"), format!("{body} "), format!("\u{feff}{body}")] {
        let reply = deliver(&app, "clerk", &headers, &other).await;
        assert!(reply.status.is_client_error(), "{}", reply.text);
    }
    assert_eq!(deliver(&app, "clerk", &[], &body).await.code(), "INVALID_SIGNATURE");
    assert_eq!(deliver(&app, "other", &headers, &body).await.status, 404);
    assert!(mirror(&app).await.is_empty());
}

#[tokio::test]
async fn a_source_without_a_secret_believes_nothing() {
    let app =
        app_with(&[("auth0", Source { provider: Provider::Auth0, ..Source::default() })]).await;
    let headers = [("authorization", "Bearer ".to_owned())];
    let reply = deliver(&app, "auth0", &headers, "{}").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "SOURCE_WITHOUT_SECRET"));
}

#[tokio::test]
async fn no_provider_writes_over_an_own_user_or_one_of_another_provider() {
    let sources = [("stack", source(Provider::StackAuth)), ("clerk", source(Provider::Clerk))];
    let app = app_with(&sources).await;
    let mut alice = app.signed_up("alice").await;
    let id = alice.get(&app, "/get-session").await.body["user"]["id"].clone();
    let event = |id: &Value| {
        json!({ "type": "user.created", "data": {
            "id": id, "display_name": "Mallory", "primary_email": "m@example.com",
            "primary_email_verified": true, "signed_up_at_millis": 1_700_000_000_000_i64,
        }})
    };
    assert_eq!(svix(&app, "stack", 0, &event(&id)).await.body, json!({ "applied": false }));
    svix(&app, "clerk", 0, &clerk_user("Ada", 1)).await;
    let taken = svix(&app, "stack", 0, &event(&json!("user_29w"))).await;
    assert_eq!(taken.body, json!({ "applied": false }));
    assert!(mirror(&app).await.iter().all(|row| member(row, "name") != "Mallory"));
    assert_eq!(
        svix(&app, "stack", 0, &event(&json!("u-1"))).await.body,
        json!({ "applied": true })
    );
}

#[tokio::test]
async fn the_webhooks_of_auth0_workos_and_others_are_understood() {
    let mut own = source(Provider::Generic);
    own.mapping.signature_header = "x-hub-signature-256".to_owned();
    let app = app_with(&[
        ("auth0", source(Provider::Auth0)),
        ("workos", source(Provider::WorkOs)),
        ("own", own),
    ])
    .await;
    let auth0 = json!({ "type": "user.created", "time": "2024-01-02T03:04:05Z", "data": { "object": {
        "user_id": "auth0|1", "name": "A", "email": "a@example.com", "created_at": "2024-01-01T00:00:00Z" } } });
    let headers = [("authorization", format!("Bearer {}", String::from_utf8_lossy(KEY)))];
    let reply = deliver(&app, "auth0", &headers, &auth0.to_string()).await;
    assert_eq!(reply.body, json!({ "applied": true }), "{}", reply.text);
    let wrong = [("authorization", "Bearer wrong".to_owned())];
    assert_eq!(deliver(&app, "auth0", &wrong, &auth0.to_string()).await.status, 401);

    let workos = json!({ "event": "user.created", "created_at": "2024-01-02T03:04:05Z", "data": {
        "id": "user_01", "first_name": "W", "last_name": null, "email": "w@example.com", "email_verified": true,
        "created_at": "2024-01-02T00:00:00Z" } });
    let time = app.app.clock.now().timestamp_millis();
    let tag_of = |body: &Value| hex::encode(tag(&format!("{time}.{body}")));
    let headers = [("workos-signature", format!("t={time}, v1={}", tag_of(&workos)))];
    let reply = deliver(&app, "workos", &headers, &workos.to_string()).await;
    assert_eq!(reply.body, json!({ "applied": true }), "{}", reply.text);

    let own = json!({ "type": "user.created", "data": { "id": 7, "name": "G", "email": "g@example.com",
        "created_at": 1_704_240_000_000_i64 } });
    let headers =
        [("x-hub-signature-256", format!("sha256={}", hex::encode(tag(&own.to_string()))))];
    let reply = deliver(&app, "own", &headers, &own.to_string()).await;
    assert_eq!(reply.body, json!({ "applied": true }), "{}", reply.text);
    let other = json!({ "event": "connection.activated", "data": { "id": "conn_1" } });
    let headers = [("workos-signature", format!("t={time},v1={}", tag_of(&other)))];
    let reply = deliver(&app, "workos", &headers, &other.to_string()).await;
    assert_eq!(reply.body, json!({ "applied": false }), "{}", reply.text);

    let names: Vec<String> =
        mirror(&app).await.iter().map(|row| member(row, "name").to_owned()).collect();
    assert_eq!(names, ["A", "W", "G"]);
}

type Listed = Arc<Mutex<Vec<Value>>>;

/// The list of a provider, two users a page.
async fn provider(users: Listed) -> String {
    async fn list(
        State(users): State<Listed>,
        Query(query): Query<std::collections::HashMap<String, usize>>,
        headers: HeaderMap,
    ) -> Json<Value> {
        assert_eq!(headers["authorization"], "Bearer list-key");
        let from = query.get("from").copied().unwrap_or(0);
        let users = users.lock().unwrap();
        let page: Vec<_> = users.iter().skip(from).take(2).cloned().collect();
        let more = from + 2 < users.len();
        let next = more.then(|| format!("/users?from={}", from + 2));
        Json(json!({ "data": page, "next": next }))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/users", listener.local_addr().unwrap());
    let router = Router::new().route("/users", get(list)).with_state(users);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_full_sync_adds_what_was_missed_and_marks_who_is_gone() {
    let user = |id: &str, name: &str| json!({ "id": id, "name": name, "created_at": "2024-01-01T00:00:00Z" });
    let users: Listed = Arc::default();
    *users.lock().unwrap() = vec![user("1", "One"), user("2", "Two"), user("3", "Three")];
    let mut own = source(Provider::Generic);
    own.api_url = provider(Arc::clone(&users)).await;
    own.api_key = Secret::new("list-key");
    let app = app_with(&[("own", own)]).await;
    app.signed_up("alice").await;

    let outcome = sync(&app.app, "own", TimeDelta::zero()).await.unwrap();
    assert_eq!(outcome, Some(Outcome { listed: 3, written: 3, deleted: 0 }));
    let replica = app.replica(|_| {}).0;
    assert_eq!(
        sync(&replica, "own", TimeDelta::hours(24)).await.unwrap(),
        None,
        "one replica does it"
    );

    app.pass(3600);
    users.lock().unwrap().remove(1);
    let outcome = sync(&app.app, "own", TimeDelta::zero()).await.unwrap().unwrap();
    assert_eq!((outcome.listed, outcome.deleted), (2, 1));
    let rows = mirror(&app).await;
    let live: Vec<_> = rows
        .iter()
        .filter(|row| row["deleted_at"].is_null())
        .map(|row| member(row, "name"))
        .collect();
    assert_eq!(live, ["One", "Three", "alice"]);

    app.pass(3600);
    *users.lock().unwrap() = vec![user("1", "One"), json!({ "name": "no id" })];
    let error = sync(&app.app, "own", TimeDelta::zero()).await.unwrap_err();
    assert!(error.to_string().contains("has no id"), "{error:#}");
    let live = mirror(&app).await.iter().filter(|row| row["deleted_at"].is_null()).count();
    assert_eq!(live, 3, "nobody is gone because a list could not be read");
}
