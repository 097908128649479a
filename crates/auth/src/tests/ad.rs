//! Area M: administrators, bans, mass assignment.

use futures_util::future::join_all;
use gatepost_protocol::cookie::sign;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    requests,
    world::{credentials, number, signed_in, with_authorization, with_cookies},
};
use crate::{
    Config,
    session::Named,
    testing::{APP, Browser, PASSWORD, Reply, TestApp},
};

const SESSION: &str = "__Secure-better-auth.session_token";

async fn id(app: &TestApp, name: &str) -> String {
    let sql =
        format!(r#"select id::text from neon_auth."user" where email = '{name}@example.com'"#);
    app.sql(&sql).await[0].get(0)
}

async fn set_role(app: &TestApp, name: &str, role: &str) {
    let sql = format!(
        r#"update neon_auth."user" set role = '{role}' where email = '{name}@example.com' returning id"#
    );
    assert_eq!(app.sql(&sql).await.len(), 1);
}

async fn admin(app: &TestApp, name: &str) -> Browser {
    let browser = app.signed_up(name).await;
    set_role(app, name, "admin").await;
    browser
}

async fn ban(app: &TestApp, root: &mut Browser, name: &str) {
    let body = json!({ "userId": id(app, name).await });
    let reply = root.post(app, "/admin/ban-user", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

/// Calls every endpoint of administration with the smallest body it takes.
async fn everything(app: &TestApp, browser: &Browser) -> Vec<(&'static str, StatusCode)> {
    let mut statuses = Vec::new();
    for endpoint in app
        .app
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.path.starts_with("/admin/") && !endpoint.alias)
    {
        let path = match endpoint.name {
            "get_user" => "/admin/get-user?id=somebody".to_owned(),
            _ => endpoint.path.to_owned(),
        };
        let headers = [("origin", APP), ("content-type", "application/json")];
        let mut browser = browser.clone();
        browser.headers.retain(|(name, _)| name == "authorization");
        browser.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let body = requests::body(endpoint).to_string();
        let request = browser.request(endpoint.method.clone(), &path).body(body.into()).unwrap();
        statuses.push((endpoint.name, app.send(browser.address, request).await.status));
    }
    assert_eq!(statuses.len(), 15);
    statuses
}

/// What everybody may ask: the own rights, and to stop what was never begun.
const HARMLESS: [(&str, u16); 2] = [("user_has_permission", 200), ("stop_impersonating", 400)];

#[tokio::test]
async fn ad_01_administration_is_closed_to_everybody_else() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    let alice = app.signed_up("alice").await;
    let mut owner = app.signed_up("owner").await;
    let body = json!({ "name": "O1", "slug": "o1" });
    assert_eq!(owner.post(&app, "/organization/create", body).await.status, 200);
    for (name, status) in everything(&app, &app.browser()).await {
        assert_eq!(status, 401, "{name} by a stranger");
    }
    let token = alice.clone().get(&app, "/token").await.body["token"].as_str().unwrap().to_owned();
    for (name, status) in
        everything(&app, &with_authorization(&app, &format!("Bearer {token}"))).await
    {
        assert_eq!(status, 401, "{name} with a token of the Data API");
    }
    for (who, browser) in [("a user", &alice), ("an owner of an organization", &owner)] {
        for (name, status) in everything(&app, browser).await {
            let harmless = HARMLESS.iter().find(|(harmless, _)| *harmless == name);
            assert_eq!(
                status.as_u16(),
                harmless.map_or(403, |(_, status)| *status),
                "{name} by {who}"
            );
        }
    }
    let body = json!({ "userId": id(&app, "alice").await });
    assert_eq!(root.clone().post(&app, "/admin/impersonate-user", body.clone()).await.status, 200);
    let mut acting = root.clone();
    acting.post(&app, "/admin/impersonate-user", body).await;
    for (name, status) in everything(&app, &acting).await {
        let expected = match name {
            "user_has_permission" => vec![200, 401],
            // The first of all this ended what it began.
            "stop_impersonating" => vec![200],
            _ => vec![403, 401],
        };
        assert!(expected.contains(&status.as_u16()), "{name} while acting as a user: {status}");
    }
    let banned = admin(&app, "banned").await;
    ban(&app, &mut root, "banned").await;
    for (name, status) in everything(&app, &banned).await {
        assert_eq!(status, 401, "{name} by a banned administrator");
    }
}

#[tokio::test]
async fn ad_02_a_demotion_and_a_ban_count_at_once_whatever_the_browser_remembers() {
    let app = TestApp::with(|config| {
        config.session.cookie_cache.enabled = true;
        config.session.cookie_cache.everywhere = true;
    })
    .await;
    let mut root = admin(&app, "root").await;
    let mut colleague = admin(&app, "colleague").await;
    assert_eq!(colleague.get(&app, "/get-session").await.status, 200);
    assert_eq!(colleague.get(&app, "/admin/list-users").await.status, 200);
    assert!(colleague.cookie("session_data").is_some());
    let remembered = colleague.clone();
    let body = json!({ "userId": id(&app, "colleague").await, "role": "user" });
    assert_eq!(root.post(&app, "/admin/set-role", body).await.status, 200);
    assert_eq!(remembered.clone().get(&app, "/admin/list-users").await.status, 403);
    set_role(&app, "colleague", "admin").await;
    ban(&app, &mut root, "colleague").await;
    assert_eq!(remembered.clone().get(&app, "/admin/list-users").await.status, 401);
}

/// What a user might wish to be.
fn wishes() -> Vec<(&'static str, Value)> {
    vec![
        ("role", json!("admin")),
        ("role", json!(["admin"])),
        ("emailVerified", json!(true)),
        ("email_verified", json!(true)),
        ("banned", json!(true)),
        ("banExpires", json!("2000-01-01T00:00:00.000Z")),
        ("id", json!("11111111-1111-4111-8111-111111111111")),
        ("userId", json!("11111111-1111-4111-8111-111111111111")),
        ("createdAt", json!("2000-01-01T00:00:00.000Z")),
        ("twoFactorEnabled", json!(true)),
        ("data", json!({ "role": "admin" })),
        ("user", json!({ "role": "admin" })),
        ("__proto__", json!({ "role": "admin" })),
    ]
}

async fn is_plain(app: &TestApp, email: &str) -> bool {
    let sql = format!(
        r#"select coalesce(role, 'user') = 'user' and not "emailVerified" and not coalesce(banned, false) and "banExpires" is null
           and not coalesce("twoFactorEnabled", false) and id <> '11111111-1111-4111-8111-111111111111' and "createdAt" > '2001-01-01'
           from neon_auth."user" where email = '{email}'"#
    );
    app.sql(&sql).await.first().is_none_or(|row| row.get(0))
}

#[tokio::test]
async fn ad_03_nobody_gives_themselves_anything_at_sign_up() {
    let app = TestApp::new().await;
    for (i, (name, value)) in wishes().into_iter().enumerate() {
        let email = format!("json{i}@example.com");
        let mut body = json!({ "name": "M", "email": email, "password": PASSWORD });
        body[name] = value.clone();
        let reply = app.browser().post(&app, "/sign-up/email", body).await;
        assert!([200, 400].contains(&reply.status.as_u16()), "{name}: {}", reply.text);
        assert!(is_plain(&app, &email).await, "{name}: {value}");

        let email = format!("form{i}@example.com");
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("name", "M"), ("email", &email), ("password", PASSWORD), (name, &text)])
            .finish();
        let headers = [("origin", APP), ("content-type", "application/x-www-form-urlencoded")];
        let reply =
            requests::send(&app, &app.browser(), Method::POST, "/sign-up/email", &headers, form)
                .await;
        assert!([200, 400].contains(&reply.status.as_u16()), "{name}: {}", reply.text);
        assert!(is_plain(&app, &email).await, "{name} in a form");
    }
    let twice = r#"{"name":"M","email":"twice@example.com","password":"a long-enough 1","role":"user","role":"admin"}"#;
    let headers = [("origin", APP), ("content-type", "application/json")];
    requests::send(&app, &app.browser(), Method::POST, "/sign-up/email", &headers, twice).await;
    assert!(is_plain(&app, "twice@example.com").await);
}

#[tokio::test]
async fn ad_04_nobody_gives_themselves_anything_by_an_update() {
    let app = TestApp::new().await;
    let mut mallory = app.signed_up("mallory").await;
    let mut all = wishes();
    all.extend([("email", json!("other@example.com")), ("password", json!("another long one"))]);
    for (name, value) in all {
        let mut body = json!({ "name": "M" });
        body[name] = value;
        let reply = mallory.post(&app, "/update-user", body).await;
        assert!([200, 400].contains(&reply.status.as_u16()), "{name}: {}", reply.text);
        assert!(is_plain(&app, "mallory@example.com").await, "{name}");
    }
    assert_eq!(number(&app, r#"select count(*) from neon_auth."user""#).await, 1);
    let large = json!({ "image": "x".repeat(5 * 1024 * 1024) });
    assert_eq!(mallory.post(&app, "/update-user", large).await.status, 413);
    let reply = app.browser().post(&app, "/sign-in/email", credentials("mallory", PASSWORD)).await;
    assert_eq!(reply.status, 200, "the password is the old one");
}

fn with_support(config: &mut Config) {
    let role = |actions: &[&str]| {
        [("user".to_owned(), actions.iter().map(|action| (*action).to_owned()).collect())].into()
    };
    config.admin.roles.insert("support".to_owned(), role(&["list", "get", "update"]));
    config.admin.roles.insert("user".to_owned(), role(&[]));
    config
        .admin
        .roles
        .insert("admin".to_owned(), role(&["ban", "set-role", "update", "set-email"]));
}

#[tokio::test]
async fn ad_06_every_change_of_a_user_needs_its_own_right() {
    let app = TestApp::with(with_support).await;
    let mut support = app.signed_up("support").await;
    set_role(&app, "support", "support").await;
    app.signed_up("alice").await;
    admin(&app, "root").await;
    for target in ["alice", "root", "support"] {
        let user = id(&app, target).await;
        for (data, code) in [
            (json!({ "role": "admin" }), "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE"),
            (json!({ "name": "x", "role": "user" }), "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE"),
            (json!({ "banned": true }), "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS"),
            (json!({ "banned": false }), "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS"),
            (json!({ "banExpires": null }), "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS"),
            (json!({ "email": "x@example.com" }), "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_EMAIL"),
            (json!({ "emailVerified": true }), "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_EMAIL"),
            (
                json!({ "phoneNumber": "+15550100" }),
                "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PHONE_NUMBER",
            ),
            (json!({ "password": "x" }), "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER"),
            (json!({ "id": user }), "USER_ID_CANNOT_BE_UPDATED"),
            (json!({}), "NO_DATA_TO_UPDATE"),
        ] {
            let body = json!({ "userId": user, "data": data });
            let reply = support.post(&app, "/admin/update-user", body).await;
            assert_eq!(reply.code(), code, "{target} {data}: {}", reply.text);
        }
    }
    let body = json!({ "userId": id(&app, "alice").await, "data": { "name": "Alice B." } });
    assert_eq!(support.post(&app, "/admin/update-user", body).await.body["name"], "Alice B.");
    let unchanged = r#"select count(*) from neon_auth."user" where role in ('admin', 'support', 'user') and not "emailVerified""#;
    assert_eq!(number(&app, unchanged).await, 3);
}

#[tokio::test]
async fn ad_07_whoever_acts_as_a_user_is_marked_held_short_and_kept_from_what_is_personal() {
    let app = TestApp::with(|config| {
        requests::switch_everything_on(config);
    })
    .await;
    let mut root = admin(&app, "root").await;
    admin(&app, "other").await;
    app.signed_up("alice").await;
    app.signed_up("banned").await;
    ban(&app, &mut root, "banned").await;
    for (target, code) in [("other", "YOU_CANNOT_IMPERSONATE_ADMINS"), ("banned", "BANNED_USER")] {
        let body = json!({ "userId": id(&app, target).await });
        assert_eq!(root.post(&app, "/admin/impersonate-user", body).await.code(), code);
    }
    let own = root.cookie("session_token").unwrap().to_owned();
    let body = json!({ "userId": id(&app, "alice").await });
    let began = root.post(&app, "/admin/impersonate-user", body.clone()).await;
    assert_eq!(began.status, 200, "{}", began.text);
    let nested = root.post(&app, "/admin/impersonate-user", body.clone()).await;
    assert_eq!(nested.code(), "YOU_ARE_NOT_ALLOWED_TO_IMPERSONATE_USERS");

    for (path, body) in [
        ("/change-email", json!({ "newEmail": "mine@example.com" })),
        (
            "/change-password",
            json!({ "currentPassword": PASSWORD, "newPassword": "another long one" }),
        ),
        ("/delete-user", json!({ "password": PASSWORD })),
        ("/unlink-account", json!({ "providerId": "credential", "accountId": "x" })),
        ("/api-key/create", json!({})),
        ("/revoke-sessions", json!({})),
        ("/organization/accept-invitation", json!({ "invitationId": Uuid::nil().to_string() })),
    ] {
        let reply = root.post(&app, path, body).await;
        assert_eq!(reply.code(), "NOT_WHILE_IMPERSONATING", "{path}: {}", reply.text);
    }
    let token = root.get(&app, "/token").await.body["token"].as_str().unwrap().to_owned();
    let claims = claims(&token);
    assert_eq!(claims["act"]["sub"], id(&app, "root").await.as_str(), "a token says who acts");

    let stopped = root.post(&app, "/admin/stop-impersonating", json!({})).await;
    assert_eq!(stopped.body["user"]["email"], "root@example.com", "{}", stopped.text);
    assert_eq!(root.cookie("session_token"), Some(own.as_str()), "the administrator's own session");
    assert_eq!(root.get(&app, "/admin/list-users").await.status, 200);
    let audited = app
        .sql("select event, user_id::text, details ->> 'by' from neon_auth.gatepost_audit where event like 'impersonation-%' order by id")
        .await;
    let (alice, root_id) = (id(&app, "alice").await, id(&app, "root").await);
    let audited: Vec<(String, String, String)> =
        audited.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = ["impersonation-started", "impersonation-stopped"]
        .map(|event| (event.to_owned(), alice.clone(), root_id.clone()));
    assert_eq!(audited, expected);

    root.post(&app, "/admin/impersonate-user", body).await;
    app.pass(59 * 60);
    assert!(root.is_signed_in(&app).await);
    app.pass(2 * 60);
    assert!(!root.is_signed_in(&app).await, "an hour is the most, whatever was done in it");
}

fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn ad_08_somebody_elses_way_back_leads_nowhere() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    let other = admin(&app, "other").await;
    app.signed_up("alice").await;
    let body = json!({ "userId": id(&app, "alice").await });
    let secret = app.app.config.secret.clone();
    let token = other.cookie("session_token").unwrap().split('.').next().unwrap().to_owned();
    let of_other = sign(secret.as_bytes(), &format!("{token}:"));
    for waiting in [of_other.as_str(), "forged:.x", ""] {
        let mut acting = signed_in(&app, "root").await;
        assert_eq!(acting.post(&app, "/admin/impersonate-user", body.clone()).await.status, 200);
        acting.cookies.retain(|(name, _)| !name.ends_with("admin_session"));
        if !waiting.is_empty() {
            acting
                .cookies
                .push(("__Secure-better-auth.admin_session".to_owned(), waiting.to_owned()));
        }
        let stopped = acting.post(&app, "/admin/stop-impersonating", json!({})).await;
        assert_eq!(stopped.status, 401, "{waiting}: {}", stopped.text);
        assert!(!acting.is_signed_in(&app).await);
    }
    let mut acting = signed_in(&app, "root").await;
    assert_eq!(acting.post(&app, "/admin/impersonate-user", body).await.status, 200);
    let demote = json!({ "userId": id(&app, "root").await, "role": "user" });
    assert_eq!(root.post(&app, "/admin/set-role", demote).await.status, 200);
    assert!(!acting.is_signed_in(&app).await, "a demotion ends what the administrator began");
}

#[tokio::test]
async fn ad_09_a_ban_shuts_every_door() {
    let app = TestApp::with(|config| {
        requests::switch_everything_on(config);
        config.api_key.sessions = true;
        config.magic_link.confirm = false;
    })
    .await;
    let mut root = admin(&app, "root").await;
    let alice = app.signed_up("alice").await;
    let key = alice.clone().post(&app, "/api-key/create", json!({})).await.body["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut browser = app.browser();
    let email = json!({ "email": "alice@example.com" });
    browser.post(&app, "/sign-in/magic-link", email.clone()).await;
    let (_, link) = app.last_link("alice@example.com").await;
    browser
        .post(
            &app,
            "/request-password-reset",
            json!({ "email": "alice@example.com", "redirectTo": "/x" }),
        )
        .await;
    let (reset, _) = app.last_link("alice@example.com").await;
    let code = json!({ "email": "alice@example.com", "type": "sign-in" });
    browser.post(&app, "/email-otp/send-verification-otp", code).await;
    let mails = app.mails("alice@example.com").await;
    let otp = mails.iter().rev().find_map(|mail| mail.data().get("otp").cloned()).unwrap();

    ban(&app, &mut root, "alice").await;
    let none = r#"select count(*) from neon_auth.session s join neon_auth."user" u on u.id = s."userId" where u.banned"#;
    assert_eq!(number(&app, none).await, 0, "the sessions there were end");
    assert!(!alice.clone().is_signed_in(&app).await);
    assert_eq!(alice.clone().get(&app, "/token").await.status, 401);
    let mut refused: Vec<(&str, Reply)> = Vec::new();
    let mut door = app.browser();
    refused.push((
        "password",
        door.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await,
    ));
    refused.push(("link", door.get(&app, &link).await));
    refused.push((
        "code",
        door.post(&app, "/sign-in/email-otp", json!({ "email": "alice@example.com", "otp": otp }))
            .await,
    ));
    refused.push((
        "reset",
        door.post(
            &app,
            "/reset-password",
            json!({ "newPassword": "another long one", "token": reset }),
        )
        .await,
    ));
    let mut program = app.browser();
    program.headers.push(("x-api-key".to_owned(), key.clone()));
    refused.push(("key", program.get(&app, "/get-session").await));
    refused.push(("exchange", program.post(&app, "/api-key/token", json!({})).await));
    for (name, reply) in refused {
        assert!(reply.status.is_client_error(), "{name}: {} {}", reply.status, reply.text);
        assert!(
            !requests::touches_session(&reply.headers) || reply.header("set-auth-token").is_empty(),
            "{name}"
        );
    }
    assert_eq!(number(&app, none).await, 0);
    assert!(!door.is_signed_in(&app).await);
}

#[tokio::test]
async fn ad_09_a_ban_during_a_sign_in_wins() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    app.signed_up("alice").await;
    let body = json!({ "userId": id(&app, "alice").await });
    for _ in 0..5 {
        let sign_ins = join_all((0..6).map(|_| async {
            app.browser().post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await
        }));
        let ((), _) = tokio::join!(ban(&app, &mut root, "alice"), sign_ins);
        let alive = r#"select count(*) from neon_auth.session s join neon_auth."user" u on u.id = s."userId" where u.name = 'alice'"#;
        assert_eq!(number(&app, alive).await, 0);
        root.post(&app, "/admin/unban-user", body.clone()).await;
    }
}

#[tokio::test]
async fn ad_10_who_asks_whether_a_token_holds_hears_of_a_ban() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    let mut alice = app.signed_up("alice").await;
    let session = alice.get(&app, "/get-session").await.body["session"]["id"].clone();
    let named = Named {
        user: id(&app, "alice").await.parse().unwrap(),
        session: Some(session.as_str().unwrap().parse().unwrap()),
    };
    assert!(app.app.live.find(named, app.app.clock.now()).await.unwrap().is_some());
    ban(&app, &mut root, "alice").await;
    assert!(app.app.live.find(named, app.app.clock.now()).await.unwrap().is_none());
}

#[tokio::test]
async fn ad_11_one_administrator_stays_whatever_two_do_to_each_other() {
    let app = TestApp::new().await;
    let mut ann = admin(&app, "ann").await;
    let mut bob = admin(&app, "bob").await;
    let (a, b) = (id(&app, "ann").await, id(&app, "bob").await);
    let demotion = |user: &str| ("/admin/set-role", json!({ "userId": user, "role": "user" }));
    let banning = |user: &str| ("/admin/ban-user", json!({ "userId": user }));
    let update =
        |user: &str| ("/admin/update-user", json!({ "userId": user, "data": { "role": "user" } }));
    let active = r#"select count(*) from neon_auth."user" where role = 'admin' and not coalesce(banned, false)"#;
    for (first, second) in [
        (demotion(&b), demotion(&a)),
        (banning(&b), banning(&a)),
        (demotion(&b), banning(&a)),
        (update(&b), demotion(&a)),
        (demotion(&a), demotion(&b)),
    ] {
        let (one, other) =
            tokio::join!(ann.post(&app, first.0, first.1), bob.post(&app, second.0, second.1));
        assert_eq!(number(&app, active).await, 1, "{} {}", one.text, other.text);
        let again = r#"update neon_auth."user" set role = 'admin', banned = false returning id"#;
        assert_eq!(app.sql(again).await.len(), 2);
        (ann, bob) = (signed_in(&app, "ann").await, signed_in(&app, "bob").await);
    }
    let body = json!({ "userId": a });
    assert_eq!(
        ann.post(&app, "/admin/ban-user", body.clone()).await.code(),
        "YOU_CANNOT_BAN_YOURSELF"
    );
    assert_eq!(
        ann.post(&app, "/admin/remove-user", body).await.code(),
        "YOU_CANNOT_REMOVE_YOURSELF"
    );
    assert_eq!(ann.post(&app, "/admin/remove-user", json!({ "userId": b })).await.status, 200);
    let demote = json!({ "userId": a, "role": "user" });
    assert_eq!(ann.post(&app, "/admin/set-role", demote).await.code(), "LAST_ADMIN");
    let gone = ann.post(&app, "/delete-user", json!({ "password": PASSWORD })).await;
    assert_eq!(gone.code(), "LAST_ADMIN", "{}", gone.text);
    assert_eq!(number(&app, active).await, 1);
}

#[tokio::test]
async fn ad_13_lists_of_users_tell_nothing_that_is_hidden() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    app.signed_up("alice").await;
    app.signed_up("bob").await;
    let nothing = json!({ "users": [], "total": 0 });
    for query in [
        "sortBy=password",
        "sortBy=1;drop table x",
        "sortBy=email,name",
        "filterField=account.password&filterValue=x",
        "filterField=password&filterOperator=contains&filterValue=a",
        "filterField=token&filterOperator=starts_with&filterValue=a",
        "filterField=__proto__&filterValue=x",
        "filterField=email)--&filterValue=x",
        "offset=-1",
        "limit=-5",
        "filterField=createdAt&filterValue=x'or'1",
        "filterField=twoFactorEnabled&filterValue=true",
    ] {
        let path = format!("/admin/list-users?{}", query.replace(' ', "%20"));
        let reply = root.get(&app, &path).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &nothing), "{query}");
    }
    for query in [
        "searchField=__proto__&searchValue=x",
        "searchField=password&searchValue=x",
        "searchValue=x&searchOperator=raw",
        "filterField=email&filterValue=x&filterOperator=raw",
        "sortDirection=asc,(select 1)",
    ] {
        let path = format!("/admin/list-users?{}", query.replace(' ', "%20"));
        assert_eq!(root.get(&app, &path).await.code(), "VALIDATION_ERROR", "{query}");
    }
    for wildcard in ["%25", "_lice", "a%25e", "%5C"] {
        let path = format!("/admin/list-users?searchValue={wildcard}");
        assert_eq!(root.get(&app, &path).await.body["total"], 0, "{wildcard}");
    }
    let all = root.get(&app, "/admin/list-users?limit=1e9").await;
    assert_eq!(all.body["total"], 3);
    for secret in ["password", "token", "hash", "scrypt", "secret"] {
        assert!(!all.text.contains(secret), "{secret}: {}", all.text);
    }
}

#[tokio::test]
async fn ad_14_keys_are_made_for_oneself_hashed_shown_once_and_end() {
    let app = TestApp::with(|config| {
        requests::switch_everything_on(config);
        config.api_key.sessions = true;
    })
    .await;
    let mut root = admin(&app, "root").await;
    let mut alice = app.signed_up("alice").await;
    let victim = id(&app, "root").await;
    let for_another = json!({ "userId": victim });
    assert_eq!(alice.post(&app, "/api-key/create", for_another.clone()).await.status, 401);
    assert_eq!(app.browser().post(&app, "/api-key/create", for_another).await.status, 401);
    assert_eq!(app.browser().post(&app, "/api-key/create", json!({})).await.status, 401);
    for wider in [
        json!({ "permissions": { "user": ["ban"] } }),
        json!({ "remaining": 5 }),
        json!({ "refillAmount": 5, "refillInterval": 1 }),
        json!({ "rateLimitEnabled": false }),
        json!({ "rateLimitMax": 100_000 }),
    ] {
        assert_eq!(alice.post(&app, "/api-key/create", wider).await.code(), "SERVER_ONLY_PROPERTY");
    }
    let made = alice.post(&app, "/api-key/create", json!({ "name": "mine" })).await;
    let (key, key_id) = (made.body["key"].as_str().unwrap(), made.body["id"].as_str().unwrap());
    assert!(made.body["expiresAt"].is_string(), "{}", made.text);
    for path in ["/api-key/list".to_owned(), format!("/api-key/get?id={key_id}")] {
        let shown = alice.get(&app, &path).await;
        assert!(shown.status == 200 && !shown.text.contains(key), "{path}");
        assert!(!shown.text.contains(&gatepost_protocol::digest::sha256_base64url(key)), "{path}");
    }
    let stored = "select count(*) from neon_auth.apikey where key = start or length(key) <> 43";
    assert_eq!(number(&app, stored).await, 0);
    for (path, body) in [
        ("/api-key/update", json!({ "keyId": key_id, "enabled": false })),
        ("/api-key/delete", json!({ "keyId": key_id })),
    ] {
        assert_eq!(root.post(&app, path, body).await.code(), "KEY_NOT_FOUND", "{path}");
    }
    let mut program = app.browser();
    program.headers.push(("x-api-key".to_owned(), key.to_owned()));
    assert_eq!(program.get(&app, "/get-session").await.status, 200);
    assert_eq!(
        program.get(&app, "/admin/list-users").await.status,
        401,
        "a key is no administrator"
    );
    set_role(&app, "alice", "admin").await;
    assert_eq!(program.get(&app, "/admin/list-users").await.status, 401, "whoever holds it");
    ban(&app, &mut root, "alice").await;
    assert_eq!(program.get(&app, "/get-session").await.code(), "USER_BANNED");
    let exchanged = program.post(&app, "/api-key/token", json!({})).await;
    assert_eq!((exchanged.status.as_u16(), exchanged.code()), (401, "USER_BANNED"));
}

#[tokio::test]
async fn ad_15_what_cannot_be_undone_needs_a_fresh_session_of_this_site() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    app.signed_up("alice").await;
    let alice = id(&app, "alice").await;
    let deeds = [
        ("/admin/remove-user", json!({ "userId": alice })),
        ("/admin/set-user-password", json!({ "userId": alice, "newPassword": "another long one" })),
        ("/admin/impersonate-user", json!({ "userId": alice })),
    ];
    for (path, body) in &deeds {
        let own = [("origin", "https://evil.test")];
        let reply = requests::post(&app, &root, path, &own, body).await;
        assert_eq!(reply.status, 403, "{path} from another site: {}", reply.text);
        let get = format!("{path}?userId={alice}");
        assert_eq!(root.get(&app, &get).await.status, 404, "{path} by GET");
    }
    app.pass(25 * 60 * 60);
    assert_eq!(root.get(&app, "/admin/list-users").await.status, 200);
    for (path, body) in deeds {
        assert_eq!(root.post(&app, path, body).await.code(), "SESSION_NOT_FRESH", "{path}");
    }
    let mut fresh = signed_in(&app, "root").await;
    let removed = fresh.post(&app, "/admin/remove-user", json!({ "userId": alice })).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
}

#[tokio::test]
async fn ad_17_nobody_edits_the_audit_through_the_api() {
    let app = TestApp::new().await;
    let mut root = admin(&app, "root").await;
    let before = number(&app, "select count(*) from neon_auth.gatepost_audit").await;
    for path in ["/admin/audit", "/admin/list-audit", "/admin/delete-audit"] {
        assert_eq!(root.get(&app, path).await.status, 404);
    }
    assert!(number(&app, "select count(*) from neon_auth.gatepost_audit").await >= before);
}

#[tokio::test]
async fn ad_18_a_helper_raises_nobody_to_the_own_level_or_above() {
    let app = TestApp::with(with_support).await;
    let mut support = app.signed_up("support").await;
    set_role(&app, "support", "support").await;
    app.signed_up("alice").await;
    let alice = id(&app, "alice").await;
    for role in ["support", "admin", "user"] {
        let body = json!({ "userId": alice, "role": role });
        assert_eq!(support.post(&app, "/admin/set-role", body).await.status, 403, "{role}");
        let body = json!({ "email": "new@example.com", "name": "N", "role": role });
        assert_eq!(support.post(&app, "/admin/create-user", body).await.status, 403, "{role}");
    }
    let cookies = support.cookie("session_token").unwrap().to_owned();
    let mut again = with_cookies(&app, &[(SESSION, &cookies)]);
    again.headers = vec![(header::ORIGIN.to_string(), APP.to_owned())];
    assert_eq!(again.get(&app, "/admin/list-users").await.status, 200);
}
