//! Area C: sessions and cookies.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use gatepost_protocol::cookie::{sign, sign_plain};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::world::{
    address, credentials, number, posted, seen, signed_in, with_authorization, with_cookies,
    without_database,
};
use crate::testing::{Browser, PASSWORD, TestApp, send};

/// The session cookie under `/api/auth`.
const SESSION: &str = "__Secure-better-auth.session_token";

fn cookie(browser: &Browser) -> String {
    browser.cookie("session_token").unwrap().to_owned()
}

/// The token inside the session cookie.
fn token(browser: &Browser) -> String {
    cookie(browser).split('.').next().unwrap().to_owned()
}

async fn who(app: &TestApp, mut browser: Browser) -> (Value, String) {
    let reply = browser.get(app, "/get-session").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    (reply.body["user"]["name"].clone(), reply.header("x-auth-reason").to_owned())
}

async fn list_status(app: &TestApp, mut browser: Browser) -> StatusCode {
    browser.get(app, "/list-sessions").await.status
}

#[tokio::test]
async fn se_02_only_the_prefixed_cookie_counts() {
    let app = TestApp::new().await;
    let alice = cookie(&app.signed_up("alice").await);
    let mallory = cookie(&app.signed_up("mallory").await);
    for (base, prefix) in [("/api/auth", "better-auth"), ("/app/auth", "neon-auth")] {
        let plain = format!("{prefix}.session_token");
        let secure = format!("__Secure-{prefix}.session_token");
        for (cookies, expected) in [
            ([(plain.as_str(), &mallory), (secure.as_str(), &alice)], json!("alice")),
            ([(secure.as_str(), &alice), (plain.as_str(), &mallory)], json!("alice")),
            ([(plain.as_str(), &mallory), (secure.as_str(), &String::new())], Value::Null),
            ([(plain.as_str(), &mallory), ("session_token", &alice)], Value::Null),
        ] {
            let cookies = cookies.map(|(name, value)| (name, value.as_str()));
            let browser = Browser { base: base.to_owned(), ..with_cookies(&app, &cookies) };
            assert_eq!(who(&app, browser).await.0, expected, "{base} {cookies:?}");
        }
    }
}

#[tokio::test]
async fn se_03_a_sign_in_takes_no_session_over_and_ends_the_one_in_the_browser() {
    let app = TestApp::new().await;
    app.signed_up("alice").await;
    let mallory = app.signed_up("mallory").await;
    let mut browser = mallory.clone();
    let reply = browser.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await;
    assert_eq!(reply.status, 200);
    assert_ne!(token(&browser), token(&mallory));
    assert_eq!(reply.body["token"], token(&browser));
    assert_eq!(who(&app, browser).await.0, "alice");
    assert_eq!(who(&app, mallory).await, (Value::Null, "revoked".to_owned()));
}

#[tokio::test]
async fn se_04_somebody_elses_link_does_not_take_over_a_browser_that_is_signed_in() {
    let app = TestApp::with(|config| {
        config.email_verification.auto_sign_in = true;
        config.email_verification.confirm = false;
        config.email_verification.send_on_sign_up = Some(true);
    })
    .await;
    let mut alice = app.signed_up("alice").await;
    app.signed_up("mallory").await;
    let (_, link) = app.last_link("mallory@example.com").await;
    let followed = alice.get(&app, &link).await;
    assert_eq!(followed.status, 302);
    assert_eq!(followed.header("set-cookie"), "");
    assert_eq!(who(&app, alice).await.0, "alice");
}

#[tokio::test]
async fn se_05_two_session_cookies_of_one_name_are_nobody() {
    let app = TestApp::new().await;
    let alice = cookie(&app.signed_up("alice").await);
    let mallory = cookie(&app.signed_up("mallory").await);
    for cookies in
        [[(SESSION, &*alice), (SESSION, &*mallory)], [(SESSION, &*mallory), (SESSION, &*alice)]]
    {
        let both = with_cookies(&app, &cookies);
        assert_eq!(who(&app, both.clone()).await, (Value::Null, "ambiguous".to_owned()));
        assert_eq!(list_status(&app, both).await, 401);
    }
    let events =
        "select count(*) from neon_auth.gatepost_audit where details->>'why' = 'ambiguous-session'";
    assert_eq!(number(&app, events).await, 4);
}

#[tokio::test]
async fn se_06_a_tampered_cookie_is_refused_without_asking_the_database() {
    let app = TestApp::new().await;
    let alice = cookie(&app.signed_up("alice").await);
    let mallory = cookie(&app.signed_up("mallory").await);
    let (token, signature) = alice.split_once('.').unwrap();
    let (_, other) = mallory.split_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let deaf = without_database(&app);
    let ask = |value: String| {
        let browser = with_cookies(&app, &[(SESSION, &value)]);
        let request = browser.request(Method::GET, "/get-session").body(Body::empty()).unwrap();
        let deaf = &deaf;
        async move { send(deaf, browser.address, request).await }
    };
    assert_eq!(ask(alice.clone()).await.status, 503, "a genuine one is looked up");
    for tampered in [
        format!("{token}."),
        token.to_owned(),
        format!(".{signature}"),
        format!("{token}.{other}"),
        format!("{token}.{flipped}{}", &signature[1..]),
        format!("{token}x.{signature}"),
        alice.replace("%3D", "%3d"),
        alice.replace("%3D", ""),
        alice.replace("%3D", "%3D%3D"),
        alice.replace('%', "%25"),
        alice.replacen('.', "%2E", 1),
        alice.replacen('.', "..", 1),
    ] {
        let reply = ask(tampered.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "null"), "{tampered}");
        assert_eq!(reply.header("x-auth-reason"), "bad-signature", "{tampered}");
    }
}

#[tokio::test]
async fn se_08_a_database_dump_is_not_a_credential() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let mut mallory = app.signed_up("mallory").await;
    let sql = r#"select token from neon_auth.session s join neon_auth."user" u on u.id = s."userId" where name = 'alice'"#;
    let stored: String = app.sql(sql).await[0].get(0);
    assert_ne!(stored, token(&alice));
    let secret = app.app.config.secret.as_bytes();
    for value in [stored.clone(), sign(secret, &stored), sign_plain(secret, &stored)] {
        for name in [SESSION, "__Secure-neon-auth.session_token"] {
            let mut thief = with_cookies(&app, &[(name, &value)]);
            for base in ["/api/auth", "/app/auth"] {
                thief.base = base.to_owned();
                assert_eq!(who(&app, thief.clone()).await.0, Value::Null);
                assert_eq!(list_status(&app, thief.clone()).await, 401);
            }
        }
        let thief = with_authorization(&app, &format!("Bearer {value}"));
        assert_eq!(who(&app, thief.clone()).await.0, Value::Null);
        assert_eq!(list_status(&app, thief).await, 401);
    }
    for browser in [&mut mallory, &mut alice] {
        let reply = browser.post(&app, "/revoke-session", json!({ "token": stored })).await;
        assert_eq!(reply.text, r#"{"status":true}"#);
    }
    assert!(alice.is_signed_in(&app).await);
}

#[tokio::test]
async fn se_09_signing_out_is_final() {
    for cached in [false, true] {
        let app = TestApp::with(|config| config.session.cookie_cache.enabled = cached).await;
        let mut alice = app.signed_up("alice").await;
        let jwt = alice.get(&app, "/token").await.body["token"].as_str().unwrap().to_owned();
        let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 15 * 60);
        let kept = alice.clone();
        assert_eq!(kept.cookie("session_data").is_some(), cached);
        alice.post(&app, "/sign-out", json!({})).await;
        assert!(alice.cookie("session_token").is_none());

        // The copy tells `get-session` for its five minutes, where it is on; nothing else believes it.
        if !cached {
            assert_eq!(who(&app, kept.clone()).await, (Value::Null, "revoked".to_owned()));
        }
        let token = format!("Bearer {}", token(&kept));
        for mut replayed in [
            kept,
            with_authorization(&app, &token),
            with_authorization(&app, &format!("Bearer {jwt}")),
        ] {
            for path in ["/token", "/list-sessions", "/list-accounts"] {
                assert_eq!(replayed.get(&app, path).await.status, 401, "{path}");
            }
            let reply = replayed.post(&app, "/update-user", json!({ "name": "M" })).await;
            assert_eq!(reply.status, 401);
        }
    }
}

#[tokio::test]
async fn se_10_a_sign_out_without_the_database_clears_the_cookie_and_admits_the_failure() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let request = posted(&alice, "/sign-out", &json!({}));
    let failed = send(&without_database(&app), alice.address, request).await;
    assert_eq!((failed.status.as_u16(), failed.code()), (503, "DATABASE_UNAVAILABLE"));
    let cleared: Vec<&str> =
        failed.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(
        cleared.iter().any(|c| c.starts_with(&format!("{SESSION}=;")) && c.contains("Max-Age=0")),
        "{cleared:?}"
    );
    assert_eq!(who(&app, alice.clone()).await.0, "alice", "nothing was done");
    let again = alice.clone().post(&app, "/sign-out", json!({})).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (200, r#"{"success":true}"#));
    assert_eq!(who(&app, alice).await.0, Value::Null);
}

#[tokio::test]
async fn se_11_a_new_password_ends_the_sessions_of_the_old_one() {
    let app = TestApp::new().await;
    let mut first = app.signed_up("alice").await;
    let second = signed_in(&app, "alice").await;
    let third = signed_in(&app, "alice").await;
    let stale = first.clone();
    let body = json!({ "currentPassword": PASSWORD, "newPassword": "another-Passw0rd" });
    let changed = first.post(&app, "/change-password", body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    for dead in [&second, &third, &stale] {
        assert_eq!(who(&app, dead.clone()).await, (Value::Null, "revoked".to_owned()));
    }
    assert_eq!(who(&app, first.clone()).await.0, "alice");

    let mut other = app.browser();
    let body = credentials("alice", "another-Passw0rd");
    assert_eq!(other.post(&app, "/sign-in/email", body).await.status, 200);
    let mut forgetful = app.browser();
    let ask = json!({ "email": "alice@example.com" });
    forgetful.post(&app, "/request-password-reset", ask).await;
    let (link, _) = app.last_link("alice@example.com").await;
    let body = json!({ "newPassword": "a-third-Passw0rd", "token": link });
    assert_eq!(forgetful.post(&app, "/reset-password", body).await.status, 200);
    for dead in [&mut first, &mut other] {
        assert_eq!(dead.get(&app, "/token").await.status, 401);
        assert_eq!(who(&app, dead.clone()).await.0, Value::Null);
    }
    assert_eq!(number(&app, "select count(*) from neon_auth.session").await, 0);
    let links = "select count(*) from neon_auth.verification";
    assert_eq!(number(&app, links).await, 0);
}

#[tokio::test]
async fn se_12_ending_all_sessions_during_sign_ins_leaves_none_half_alive() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let early = [signed_in(&app, "alice").await, signed_in(&app, "alice").await];
    let (_second, router) = app.replica(|_| {});
    let requests = (0..21).map(|i| {
        let (app, router) = (&app, &router);
        let request = if i == 10 {
            posted(&alice, "/revoke-sessions", &json!({}))
        } else {
            posted(&app.browser(), "/sign-in/email", &credentials("alice", PASSWORD))
        };
        async move {
            if i % 2 == 0 {
                app.send(address(i), request).await
            } else {
                send(router, address(i), request).await
            }
        }
    });
    let replies = join_all(requests).await;
    let late = signed_in(&app, "alice").await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    for ended in early.iter().chain([&alice]) {
        assert_eq!(who(&app, ended.clone()).await, (Value::Null, "revoked".to_owned()));
    }
    assert_eq!(who(&app, late).await.0, "alice");
    let mut alive = 1;
    for token in replies.iter().filter_map(|reply| reply.body["token"].as_str()) {
        let browser = with_authorization(&app, &format!("Bearer {token}"));
        let (name, _) = who(&app, browser.clone()).await;
        assert_eq!(list_status(&app, browser).await == 200, name == "alice");
        alive += i64::from(name == "alice");
    }
    assert_eq!(number(&app, "select count(*) from neon_auth.session").await, alive);
}

#[tokio::test]
async fn se_13_nobody_ends_somebody_elses_session() {
    let app = TestApp::with(|config| config.features.multi_session = true).await;
    let mut bob = app.signed_up("bob").await;
    let id = bob.get(&app, "/get-session").await.body["session"]["id"].clone();
    let mut mallory = app.signed_up("mallory").await;
    let mut answers = Vec::new();
    for handle in [json!(token(&bob)), id, json!("no-such-session"), json!("x".repeat(32))] {
        let reply = mallory.post(&app, "/revoke-session", json!({ "token": handle })).await;
        answers.push(seen(&reply));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(answers[0].0, 200);

    let token = token(&bob);
    let forged = sign(b"another-secret", &token);
    for value in [token.as_str(), &format!("{token}.x"), &forged] {
        let mut forger = mallory.clone();
        let name = format!("{SESSION}_multi-{}", token.to_lowercase());
        forger.cookies.push((name, value.to_owned()));
        forger.cookies.retain(|(name, _)| name != SESSION);
        assert_eq!(forger.post(&app, "/sign-out", json!({})).await.status, 200);
    }
    assert!(bob.is_signed_in(&app).await);
}

#[tokio::test]
async fn se_14_listed_sessions_are_handles_and_no_tokens() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let mut second = signed_in(&app, "alice").await;
    let mut mallory = app.signed_up("mallory").await;
    let list = alice.get(&app, "/list-sessions").await;
    let handles: Vec<&str> =
        list.body.as_array().unwrap().iter().map(|row| row["token"].as_str().unwrap()).collect();
    assert_eq!(handles.len(), 2);
    assert!(!list.text.contains(&token(&second)));
    let handle = handles.into_iter().find(|handle| *handle != token(&alice)).unwrap();
    let secret = app.app.config.secret.as_bytes();
    for value in [handle.to_owned(), sign(secret, handle)] {
        assert_eq!(who(&app, with_cookies(&app, &[(SESSION, &value)])).await.0, Value::Null);
        let bearer = with_authorization(&app, &format!("Bearer {value}"));
        assert_eq!(list_status(&app, bearer).await, 401);
    }
    let body = json!({ "token": handle });
    mallory.post(&app, "/revoke-session", body.clone()).await;
    assert!(second.is_signed_in(&app).await);
    alice.post(&app, "/revoke-session", body).await;
    assert!(!second.is_signed_in(&app).await);
    app.pass(24 * 60 * 60);
    let stale = alice.get(&app, "/list-sessions").await;
    assert_eq!((stale.status.as_u16(), stale.code()), (403, "SESSION_NOT_FRESH"));
}

#[tokio::test]
async fn se_17_nothing_of_a_deleted_user_works() {
    for cascade in [false, true] {
        let app = TestApp::with(|config| {
            config.session.cookie_cache.enabled = true;
            config.email_verification.send_on_sign_up = Some(true);
        })
        .await;
        let mut alice = app.signed_up("alice").await;
        let second = signed_in(&app, "alice").await;
        let (_, verify) = app.last_link("alice@example.com").await;
        let jwt = alice.get(&app, "/token").await.body["token"].as_str().unwrap().to_owned();
        let ask = json!({ "email": "alice@example.com" });
        app.browser().post(&app, "/request-password-reset", ask).await;
        let (link, _) = app.last_link("alice@example.com").await;
        let kept = alice.clone();
        if cascade {
            app.sql(r#"delete from neon_auth."user""#).await;
        } else {
            assert_eq!(alice.post(&app, "/delete-user", json!({})).await.status, 200);
        }

        assert_eq!(number(&app, "select count(*) from neon_auth.session").await, 0);
        assert_eq!(number(&app, "select count(*) from neon_auth.account").await, 0);
        for mut replayed in [kept, second, with_authorization(&app, &format!("Bearer {jwt}"))] {
            assert_eq!(replayed.get(&app, "/token").await.status, 401);
            assert_eq!(list_status(&app, replayed).await, 401);
        }
        let mut browser = app.browser();
        let body = json!({ "newPassword": "another-Passw0rd", "token": link });
        assert_eq!(browser.post(&app, "/reset-password", body).await.code(), "INVALID_TOKEN");
        assert!(
            browser.get(&app, &verify).await.header("location").ends_with("error=USER_NOT_FOUND")
        );
        let body = credentials("alice", PASSWORD);
        assert_eq!(browser.post(&app, "/sign-in/email", body).await.status, 401);
        assert!(browser.cookies.is_empty());
    }
}

#[tokio::test]
async fn se_18_a_sign_in_that_waits_for_a_proof_gives_no_cookie() {
    let app = TestApp::with(|config| {
        config.email_password.require_verification = true;
        config.session.cookie_cache.enabled = true;
    })
    .await;
    let mut alice = app.signed_up("alice").await;
    // All that the browser keeps is that it was the one that signed up: good for nothing but the question of a link.
    let marked =
        |browser: &Browser| browser.cookies.iter().all(|(name, _)| name.ends_with(".sign_up"));
    assert!(marked(&alice));
    let refused = alice.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "EMAIL_NOT_VERIFIED"));
    assert!(marked(&alice));
    assert_eq!(refused.header("set-auth-token"), "");
    assert_eq!(number(&app, "select count(*) from neon_auth.session").await, 0);
}

#[tokio::test]
async fn se_19_a_session_takes_no_authority_from_its_user() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    let row = "select s::text from neon_auth.session s";
    let before: String = app.sql(row).await[0].get(0);
    let all = json!({
        "activeOrganizationId": "O2", "activeTeamId": "T", "impersonatedBy": "x", "userId": "bob",
        "expiresAt": "2099-01-01", "token": "t", "id": "x", "ipAddress": "x", "userAgent": "x",
    });
    let mut bodies = vec![all.clone()];
    bodies.extend(all.as_object().unwrap().iter().map(|(name, value)| json!({ name: value })));
    for body in bodies {
        let reply = alice.post(&app, "/update-session", body.clone()).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
    }
    let after: String = app.sql(row).await[0].get(0);
    assert_eq!(after, before);
}

#[tokio::test]
async fn se_20_freshness_counts_from_sign_in_and_not_from_a_renewal() {
    let app = TestApp::new().await;
    let mut alice = app.signed_up("alice").await;
    app.pass(47 * 60 * 60);
    assert!(alice.get(&app, "/get-session").await.header("set-cookie").starts_with(SESSION));
    app.pass(60 * 60);
    let list = alice.get(&app, "/list-sessions").await;
    let body = json!({ "newEmail": "new@example.com" });
    let change = alice.post(&app, "/change-email", body).await;
    for stale in [list, change] {
        assert_eq!((stale.status.as_u16(), stale.code()), (403, "SESSION_NOT_FRESH"));
    }
    let delete = alice.post(&app, "/delete-user", json!({})).await;
    assert_eq!((delete.status.as_u16(), delete.code()), (400, "SESSION_EXPIRED"));
    assert_eq!(number(&app, r#"select count(*) from neon_auth."user""#).await, 1);
    assert!(alice.is_signed_in(&app).await);
}

#[tokio::test]
async fn se_21_no_answer_about_somebody_is_kept_by_a_cache() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let public = ["/jwks", "/jwt", "/.well-known/jwks.json"];
    let mut paths: Vec<(Method, String)> = app
        .app
        .endpoints
        .iter()
        .filter(|endpoint| !public.contains(&endpoint.path))
        .map(|endpoint| (endpoint.method.clone(), endpoint.path.replace("{token}", "x")))
        .collect();
    paths.push((Method::GET, "/no-such-path".to_owned()));
    paths.push((Method::PUT, "/get-session".to_owned()));
    for (method, path) in paths {
        for browser in [app.browser(), alice.clone()] {
            let request = browser
                .request(method.clone(), &path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{}"))
                .unwrap();
            let reply = app.send(browser.address, request).await;
            assert!(reply.status.as_u16() < 500, "{method} {path}: {}", reply.text);
            assert_eq!(reply.header("cache-control"), "no-store", "{method} {path}");
            assert_eq!(reply.header("vary"), "Origin, Cookie", "{method} {path}");
        }
    }
    let forged = with_cookies(&app, &[(SESSION, "x.y")]).post(&app, "/sign-out", json!(7)).await;
    assert_eq!((forged.status.as_u16(), forged.header("cache-control")), (400, "no-store"));
}

#[tokio::test]
async fn se_23_a_cookie_and_a_bearer_token_of_two_users_are_nobody() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let bob = app.signed_up("bob").await;
    let mut mixed = alice.clone();
    mixed.headers.push(("authorization".to_owned(), format!("Bearer {}", token(&bob))));
    assert_eq!(who(&app, mixed.clone()).await, (Value::Null, "ambiguous".to_owned()));
    for path in ["/list-sessions", "/list-accounts", "/token"] {
        assert_eq!(mixed.get(&app, path).await.status, 401, "{path}");
    }
    let rename = json!({ "name": "M" });
    assert_eq!(mixed.post(&app, "/update-user", rename.clone()).await.status, 401);

    let without_origin = |browser: &Browser| {
        let mut browser = browser.clone();
        browser.headers.retain(|(name, _)| name != "origin");
        browser
    };
    let refused = without_origin(&mixed).post(&app, "/update-user", rename.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "MISSING_OR_NULL_ORIGIN"));
    let mut same = without_origin(&alice);
    same.headers.push(("authorization".to_owned(), format!("Bearer {}", token(&alice))));
    assert_eq!(same.post(&app, "/update-user", rename.clone()).await.status, 403);
    let program = with_authorization(&app, &format!("Bearer {}", token(&alice)));
    assert_eq!(without_origin(&program).post(&app, "/update-user", rename).await.status, 200);
}

#[tokio::test]
async fn se_24_a_malformed_authorization_header_is_nobody() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let good = format!("Bearer {}", token(&alice));
    let long = format!("Bearer {}", "a".repeat(1024 * 1024));
    let values: [&[&[u8]]; 13] = [
        &[b"Bearer"],
        &[b"Bearer "],
        &[b"Bearer %"],
        &[b"Bearer %E0%A4%A"],
        &[b"bearer\tX"],
        &[b"Basic x"],
        &[b""],
        &[b"Bearer ."],
        &[b"Bearer a.b.c"],
        &[good.as_bytes(), good.as_bytes()],
        &[good.as_bytes(), b"Bearer x"],
        &[long.as_bytes()],
        &[b"Bearer \xff\xfe\xe9"],
    ];
    for headers in values {
        for path in ["/list-sessions", "/token", "/get-session"] {
            let mut request = app.browser().request(Method::GET, path).body(Body::empty()).unwrap();
            for value in headers {
                let value = HeaderValue::from_bytes(value).unwrap();
                request.headers_mut().append(header::AUTHORIZATION, value);
            }
            let reply = app.send(address(1), request).await;
            if path == "/get-session" {
                assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "null"));
            } else {
                assert_eq!(reply.status, 401, "{path} {headers:.60?}");
            }
        }
    }
}

#[tokio::test]
async fn se_25_cut_extended_and_folded_tokens_are_nobody() {
    let app = TestApp::new().await;
    let alice = app.signed_up("alice").await;
    let (cookie, token) = (cookie(&alice), token(&alice));
    let mut bearers: Vec<String> = (1..token.len()).map(|n| token[..n].to_owned()).collect();
    let mut cookies: Vec<String> = (1..cookie.len()).map(|n| cookie[..n].to_owned()).collect();
    for (whole, altered) in [(&token, &mut bearers), (&cookie, &mut cookies)] {
        for junk in ["x", "%00", "%20", "%0a", ".", "=", "0"] {
            altered.push(format!("{whole}{junk}"));
            altered.push(format!("{junk}{whole}"));
        }
        altered.push(whole.to_uppercase());
        altered.push(whole.to_lowercase());
    }
    for altered in bearers {
        let mut program = with_authorization(&app, &format!("Bearer {altered}"));
        assert_eq!(program.get(&app, "/list-sessions").await.status, 401, "{altered}");
    }
    for altered in cookies {
        let mut browser = with_cookies(&app, &[(SESSION, &altered)]);
        assert_eq!(browser.get(&app, "/list-sessions").await.status, 401, "{altered}");
    }
    assert_eq!(list_status(&app, alice).await, 200);
}
