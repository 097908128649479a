use gatepost_protocol::digest;
use serde_json::{Value, json};

use super::{Grant, NewKey, Refused, create, verify};
use crate::{
    permissions::Statements,
    testing::{Browser, Reply, TestApp},
};

async fn with_keys() -> TestApp {
    TestApp::with(|config| {
        config.api_key.enabled = true;
        config.api_key.sessions = true;
    })
    .await
}

async fn user(app: &TestApp, name: &str) -> uuid::Uuid {
    let sql = format!(r#"select id from neon_auth."user" where email = '{name}@example.com'"#);
    app.sql(&sql).await[0].get(0)
}

async fn made(app: &TestApp, browser: &mut Browser) -> (String, String) {
    let reply = browser.post(app, "/api-key/create", json!({ "name": "ci" })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let text = |name: &str| reply.body[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

fn program(app: &TestApp, key: &str) -> Browser {
    let mut program = app.browser();
    program.headers = vec![("x-api-key".to_owned(), key.to_owned())];
    program
}

fn payload(reply: &Reply) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let token = reply.body["access_token"].as_str().unwrap_or_else(|| panic!("{}", reply.text));
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_its_hash() {
    let app = with_keys().await;
    let mut ada = app.signed_up("ada").await;
    let (id, key) = made(&app, &mut ada).await;
    let stored: String = app.sql("select key from neon_auth.apikey").await[0].get(0);
    assert_eq!(stored, digest::sha256_base64url(&key));
    let shown = ada.get(&app, &format!("/api-key/get?id={id}")).await;
    assert_eq!((shown.status.as_u16(), shown.body.get("key")), (200, None));
    assert!(!shown.text.contains(&key));
    assert_eq!(shown.body["start"].as_str().unwrap(), &key[..6]);
    let end = shown.body["expiresAt"].as_str();
    assert!(end.is_some(), "keys end by themselves");
}

#[tokio::test]
async fn a_key_stands_for_a_session_but_makes_no_keys() {
    let app = with_keys().await;
    let mut ada = app.signed_up("ada").await;
    let (id, key) = made(&app, &mut ada).await;
    let mut program = program(&app, &key);
    let session = program.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "ada@example.com", "{}", session.text);
    assert_eq!(session.body["session"]["id"], id.as_str());
    assert_eq!(program.get(&app, "/api-key/list").await.body["total"], 1);
    let more = program.post(&app, "/api-key/create", json!({})).await;
    assert_eq!(more.code(), "UNAUTHORIZED_SESSION");
    let changed = program.post(&app, "/update-user", json!({ "name": "By key" })).await;
    assert_eq!((changed.status.as_u16(), changed.header("set-cookie")), (200, ""));

    let off = json!({ "keyId": id, "enabled": false });
    assert_eq!(ada.post(&app, "/api-key/update", off).await.body["enabled"], false);
    assert_eq!(program.get(&app, "/get-session").await.code(), "KEY_DISABLED");
    let mut other = self::program(&app, &"x".repeat(64));
    assert_eq!(other.get(&app, "/get-session").await.code(), "INVALID_API_KEY");
    let mut short = self::program(&app, "short");
    assert_eq!(short.get(&app, "/get-session").await.status, 403);
}

#[tokio::test]
async fn uses_are_counted_exactly_when_many_come_at_once() {
    let app = with_keys().await;
    app.signed_up("ada").await;
    let ada = user(&app, "ada").await;
    let config = &app.app.config.api_key;
    let now = app.app.clock.now();
    let new = NewKey { remaining: Some(7), ..NewKey::of(Grant::User(ada)) };
    let conn = app.app.db.get().await.unwrap();
    let (counted, _) = create(config, &conn, &new, now).await.unwrap();
    let new = NewKey { rate_limit_max: Some(5), ..NewKey::of(Grant::User(ada)) };
    let (limited, _) = create(config, &conn, &new, now).await.unwrap();
    drop(conn);
    for (key, allowed) in [(counted, 7), (limited, 5)] {
        let uses = (0..30).map(|_| async {
            let conn = app.app.db.get().await.unwrap();
            verify(config, &conn, &key, None, now).await.unwrap().is_ok()
        });
        let good = futures_util::future::join_all(uses).await;
        assert_eq!(good.into_iter().filter(|good| *good).count(), allowed);
    }
}

#[tokio::test]
async fn limits_refill_and_windows_pass() {
    let app = with_keys().await;
    app.signed_up("ada").await;
    let ada = user(&app, "ada").await;
    let config = &app.app.config.api_key;
    let conn = app.app.db.get().await.unwrap();
    let new = NewKey { refill: Some((2, 60_000)), ..NewKey::of(Grant::User(ada)) };
    let (key, _) = create(config, &conn, &new, app.app.clock.now()).await.unwrap();
    let used = async || {
        let now = app.app.clock.now();
        verify(config, &conn, &key, None, now).await.unwrap().map(|used| used.key.remaining)
    };
    assert_eq!(used().await, Ok(Some(1)));
    assert_eq!(used().await, Ok(Some(0)));
    assert_eq!(used().await, Err(Refused::UsageExceeded));
    app.pass(61);
    assert_eq!(used().await, Ok(Some(1)));

    let asked = |action: &str| Statements::from([("files".to_owned(), vec![action.to_owned()])]);
    let new = NewKey {
        permissions: Some(asked("read")),
        rate_limit_max: Some(1),
        expires_in: Some(100_000.0),
        ..NewKey::of(Grant::User(ada))
    };
    let (key, row) = create(config, &conn, &new, app.app.clock.now()).await.unwrap();
    let check = async |asked: Option<Statements>| {
        let now = app.app.clock.now();
        verify(config, &conn, &key, asked.as_ref(), now).await.unwrap().map(|_| ())
    };
    assert_eq!(check(Some(asked("write"))).await, Err(Refused::NotPermitted));
    assert_eq!(check(Some(asked("read"))).await, Ok(()));
    assert_eq!(check(None).await, Err(Refused::RateLimited(3_600_000)));
    app.pass(3601);
    assert_eq!(check(None).await, Ok(()));
    app.pass(100_000);
    assert_eq!(check(None).await, Err(Refused::Expired));
    assert!(
        super::store::find(&conn, row.id).await.unwrap().is_none(),
        "deleted when its end is noticed"
    );
}

#[tokio::test]
async fn a_program_exchanges_its_key_for_a_short_token() {
    let app = with_keys().await;
    app.signed_up("ada").await;
    let ada = user(&app, "ada").await;
    let conn = app.app.db.get().await.unwrap();
    let files = ["read", "write"].map(str::to_owned).to_vec();
    let new = NewKey {
        permissions: Some(Statements::from([("files".to_owned(), files)])),
        ..NewKey::of(Grant::User(ada))
    };
    let (key, row) =
        create(&app.app.config.api_key, &conn, &new, app.app.clock.now()).await.unwrap();
    let mut program = app.browser();
    program.headers.clear();
    let body = json!({ "grant_type": "client_credentials", "client_secret": key });
    let reply = program.post(&app, "/api-key/token", body).await;
    let claims = payload(&reply);
    assert_eq!(claims["sub"], ada.to_string());
    assert_eq!(claims["role"], "authenticated");
    assert_eq!(claims["client_id"], row.id.to_string());
    assert_eq!(claims["scope"], "files:read files:write");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(reply.body["token_type"], "Bearer");

    let narrow = json!({ "client_secret": key, "scope": "files:read" });
    let reply = program.post(&app, "/api-key/token", narrow).await;
    assert_eq!(payload(&reply)["permissions"], json!({ "files": ["read"] }));
    let wide = json!({ "client_secret": key, "scope": "files:delete" });
    let refused = program.post(&app, "/api-key/token", wide).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]), (400, &json!("invalid_scope")));
    let other = json!({ "grant_type": "password", "client_secret": key });
    let refused = program.post(&app, "/api-key/token", other).await;
    assert_eq!(refused.body["error"], "unsupported_grant_type");
    let unknown = json!({ "client_secret": "nobody's" });
    let refused = program.post(&app, "/api-key/token", unknown).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]), (401, &json!("invalid_client")));
    program.headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
    assert_eq!(program.post(&app, "/api-key/token", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_key_of_an_organization_acts_with_a_role_of_its_maker_while_that_is_a_member() {
    let app = with_keys().await;
    let mut ada = app.signed_up("ada").await;
    let mut bob = app.signed_up("bob").await;
    let organization =
        ada.post(&app, "/organization/create", json!({ "name": "O", "slug": "o" })).await;
    let organization = organization.body["id"].as_str().unwrap().to_owned();
    let key = |role: &str| json!({ "configId": "organization", "organizationId": organization, "role": role });
    let refused = bob.post(&app, "/api-key/create", key("member")).await;
    assert_eq!(refused.code(), "USER_NOT_MEMBER_OF_ORGANIZATION", "{}", refused.text);
    let sql = format!(
        r#"insert into neon_auth.member ("organizationId", "userId", role, "createdAt") values ('{organization}', '{}', 'member', now()) returning id"#,
        user(&app, "bob").await
    );
    app.sql(&sql).await;
    let refused = bob.post(&app, "/api-key/create", key("member")).await;
    assert_eq!(refused.code(), "INSUFFICIENT_API_KEY_PERMISSIONS", "{}", refused.text);
    let nameless = json!({ "configId": "organization" });
    assert_eq!(
        ada.post(&app, "/api-key/create", nameless).await.code(),
        "ORGANIZATION_ID_REQUIRED"
    );
    let unknown = ada.post(&app, "/api-key/create", key("emperor")).await;
    assert_eq!(unknown.code(), "INSUFFICIENT_API_KEY_PERMISSIONS");

    let made = ada.post(&app, "/api-key/create", key("admin")).await;
    assert_eq!(made.body["referenceId"], organization.as_str(), "{}", made.text);
    let list = format!("/api-key/list?organizationId={organization}");
    assert_eq!(ada.get(&app, &list).await.body["total"], 1);
    assert_eq!(bob.get(&app, &list).await.status, 403);
    assert_eq!(ada.get(&app, "/api-key/list").await.body["total"], 0, "not among the own");
    let get = format!("/api-key/get?id={}", made.body["id"].as_str().unwrap());
    assert_eq!(bob.get(&app, &get).await.code(), "KEY_NOT_FOUND");

    let mut service = program(&app, made.body["key"].as_str().unwrap());
    let reply = service.post(&app, "/api-key/token", json!({})).await;
    let claims = payload(&reply);
    assert_eq!(claims["sub"], made.body["id"]);
    assert_eq!(claims["o"], json!({ "id": organization, "slug": "o", "role": "admin" }));
    let subject: uuid::Uuid = claims["sub"].as_str().unwrap().parse().unwrap();
    let named = crate::session::Named { user: subject, session: Some(subject) };
    let now = app.app.clock.now();
    assert!(app.app.live.find(named, now).await.unwrap().is_some());
    assert_eq!(service.get(&app, "/get-session").await.code(), "INVALID_REFERENCE_ID_FROM_API_KEY");

    app.sql("delete from neon_auth.member where role = 'owner' returning id").await;
    let reply = service.post(&app, "/api-key/token", json!({})).await;
    assert_eq!(reply.body["error"], "invalid_grant", "{}", reply.text);
    assert!(app.app.live.find(named, now).await.unwrap().is_none());
}

#[tokio::test]
async fn a_users_key_speaks_for_an_organization_of_the_user_alone() {
    let app = with_keys().await;
    let mut ada = app.signed_up("ada").await;
    let mut bob = app.signed_up("bob").await;
    let organization =
        bob.post(&app, "/organization/create", json!({ "name": "O", "slug": "o" })).await;
    let organization = organization.body["id"].as_str().unwrap().to_owned();
    let body = json!({ "organization_id": organization });
    let (_, key) = made(&app, &mut ada).await;
    let refused = program(&app, &key).post(&app, "/api-key/token", body.clone()).await;
    assert_eq!(refused.body["error"], "invalid_grant", "{}", refused.text);
    let (_, key) = made(&app, &mut bob).await;
    let reply = program(&app, &key).post(&app, "/api-key/token", body).await;
    assert_eq!(payload(&reply)["o"]["role"], "owner");
}

#[tokio::test]
async fn keys_that_a_stranger_left_go_when_the_owner_of_the_address_comes() {
    let app = with_keys().await;
    let mut stranger = app.signed_up("ada").await;
    let (_, key) = made(&app, &mut stranger).await;
    let mut owner = app.browser();
    owner.post(&app, "/sign-in/magic-link", json!({ "email": "ada@example.com" })).await;
    let (token, _) = app.last_link("ada@example.com").await;
    let confirmed = owner.post(&app, "/magic-link/verify", json!({ "token": token })).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(program(&app, &key).get(&app, "/get-session").await.code(), "INVALID_API_KEY");
}
