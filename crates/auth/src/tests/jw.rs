use std::net::Ipv4Addr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use gatepost_protocol::{
    cookie,
    jwk::{Algorithm, Jwks, SigningKey},
    jwt::{Claims, Verifier},
    secret::Secret,
};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::requests::{self, BASES, everything, post};
use crate::{
    keys,
    session::Strategy,
    testing::{APP, Browser, ORIGIN, PASSWORD, Reply, TestApp, send},
};

async fn token(app: &TestApp, browser: &mut Browser) -> String {
    let reply = browser.get(app, "/token").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["token"].as_str().unwrap().to_owned()
}

/// What a verifier that only knows the published keys reads.
async fn verified(app: &TestApp, token: &str) -> Claims {
    let jwks = Jwks::parse(&app.browser().get(app, "/jwks").await.text).unwrap();
    Verifier::new(ORIGIN, ORIGIN).verify(token, &jwks, app.app.clock.now()).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Everything one might try with a genuine token of `ada` at hand.
fn forgeries(genuine: &str, own: &SigningKey, sink: &str) -> Vec<String> {
    let [header, payload, signature] =
        <[&str; 3]>::try_from(genuine.split('.').collect::<Vec<_>>()).unwrap();
    let mut all = vec![genuine.to_owned(), format!("{header}.{payload}."), "..".to_owned()];
    let mut with_header = |header: Value| {
        let header = encode(&header);
        all.push(format!("{header}.{payload}.{signature}"));
        all.push(format!("{header}.{payload}."));
    };
    for alg in
        [json!("none"), json!("None"), json!("nOnE"), json!(""), json!(null), json!(["EdDSA"])]
    {
        with_header(json!({ "alg": alg }));
    }
    for alg in ["HS256", "HS512", "RS256", "ES256", "PS256"] {
        with_header(json!({ "alg": alg, "kid": "x" }));
    }
    let jwk = own.published_jwk().unwrap();
    for key in ["jku", "x5u"] {
        with_header(json!({ "alg": "EdDSA", "kid": own.kid(), key: sink }));
    }
    with_header(json!({ "alg": "EdDSA", "kid": own.kid(), "jwk": jwk }));
    with_header(json!({ "alg": "EdDSA", "x5c": ["AAAA"], "x5t": "AAAA" }));
    with_header(json!({ "alg": "EdDSA", "crit": ["b64"], "b64": false }));
    for kid in [
        json!("../../dev/null"),
        json!("' or 1=1--"),
        json!(sink),
        json!("k".repeat(10 * 1024)),
        json!(1),
        json!(null),
        json!(["a"]),
        json!("a\u{0}b"),
        json!("\r\n{\"forged\":true}"),
    ] {
        with_header(json!({ "alg": "EdDSA", "kid": kid }));
    }
    all.push(own.sign(&json!({ "sub": "ada", "iss": ORIGIN, "aud": ORIGIN })).unwrap());
    all.push(format!("{genuine}.{signature}"));
    all.push(format!("{header}.{payload}.{signature}="));
    all.push(format!("{header}..{signature}"));
    all
}

/// What tells one answer from another.
fn answer(reply: &Reply) -> (u16, String, Vec<String>) {
    let own = ["x-request-id", "x-neon-ret-request-id"];
    let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    (reply.status.as_u16(), reply.text.clone(), headers)
}

/// An attacker's key, the address of a server of theirs, and every forgery.
async fn attack(app: &TestApp) -> (TcpListener, Vec<String>) {
    let mut ada = app.signed_up("ada").await;
    let genuine = token(app, &mut ada).await;
    let sink = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}/jwks", sink.local_addr().unwrap());
    let own = SigningKey::generate(Algorithm::EdDsa, "mine").unwrap();
    (sink, forgeries(&genuine, &own, &address))
}

#[tokio::test]
async fn jw_04_jw_05_no_signed_token_is_a_session_and_no_key_is_fetched() {
    let app = everything(|_| {}).await;
    let (sink, forgeries) = attack(&app).await;
    let nobody = app.browser();
    for forgery in &forgeries {
        let bearer = format!("Bearer {forgery}");
        let headers = [("authorization", bearer.as_str())];
        let reply = requests::send(&app, &nobody, Method::GET, "/get-session", &headers, "").await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, "null"), "{forgery:.80}");
        let changed = post(&app, &nobody, "/update-user", &headers, &json!({ "name": "M" })).await;
        assert_eq!(changed.status, 401, "{forgery:.80}");
        for base in BASES {
            let mut browser = app.browser();
            base.clone_into(&mut browser.base);
            let name =
                if base == "/api/auth" { "__Secure-better-auth" } else { "__Secure-neon-auth" };
            browser.cookies = vec![(format!("{name}.session_token"), forgery.clone())];
            assert_eq!(browser.get(&app, "/token").await.status, 401, "{forgery:.80}");
        }
    }
    assert!(sink.accept().now_or_never().is_none(), "somebody fetched the attacker's keys");
    let names = app.sql("select name from neon_auth.\"user\"").await;
    assert_eq!(names[0].get::<_, String>(0), "ada");
}

#[tokio::test]
async fn jw_29_every_bad_token_is_refused_in_the_same_words() {
    let app = everything(|_| {}).await;
    let (_sink, forgeries) = attack(&app).await;
    let nobody = app.browser();
    let mut seen = Vec::new();
    for forgery in &forgeries {
        let bearer = format!("Bearer {forgery}");
        let headers = [("authorization", bearer.as_str())];
        let reply = requests::send(&app, &nobody, Method::GET, "/token", &headers, "").await;
        seen.push(answer(&reply));
        assert_eq!(reply.body, json!({ "message": "Unauthorized", "code": "UNAUTHORIZED" }));
        assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let nothing = requests::send(&app, &nobody, Method::GET, "/token", &[], "").await;
    assert_eq!((nothing.status.as_u16(), nothing.header("www-authenticate")), (401, ""));
}

#[tokio::test]
async fn jw_11_a_token_is_good_for_its_own_purpose_only() {
    let app = everything(|config| {
        config.session.cookie_cache.enabled = true;
        config.session.cookie_cache.strategy = Strategy::Jwt;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let access = token(&app, &mut ada).await;
    let email = json!({ "email": "ada@example.com" });
    assert_eq!(ada.post(&app, "/send-verification-email", email.clone()).await.status, 200);
    let (verification, _) = app.last_link("ada@example.com").await;
    assert_eq!(ada.post(&app, "/request-password-reset", email).await.status, 200);
    let (reset, _) = app.last_link("ada@example.com").await;
    ada.get(&app, "/get-session").await;
    let copy = ada.cookie("session_data").unwrap().to_owned();
    let session = ada.cookie("session_token").unwrap().to_owned();
    let mut nobody = app.browser();

    for wrong in [&access, &verification, &reset, &copy] {
        let bearer = format!("Bearer {wrong}");
        let headers = [("authorization", bearer.as_str())];
        let reply = requests::send(&app, &nobody, Method::GET, "/token", &headers, "").await;
        assert_eq!(reply.status, 401, "as a session: {wrong:.20}");
    }
    for wrong in [&access, &reset, &copy, &session] {
        let path = format!("/verify-email?token={}", requests::component(wrong));
        let reply = nobody.get(&app, &path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "INVALID_TOKEN"), "{wrong:.20}");
    }
    for wrong in [&access, &verification, &copy, &session] {
        let body = json!({ "newPassword": "correct horse battery", "token": wrong });
        let reply = nobody.post(&app, "/reset-password", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "INVALID_TOKEN"), "{wrong:.20}");
    }
    for wrong in [&access, &verification, &reset] {
        let mut browser = ada.clone();
        for (name, value) in &mut browser.cookies {
            if name.ends_with("session_data") {
                wrong.clone_into(value);
            }
        }
        // The copy is thrown away, the session itself goes on.
        assert!(browser.is_signed_in(&app).await);
        assert_ne!(browser.cookie("session_data"), Some(wrong.as_str()));
    }
}

#[tokio::test]
async fn jw_21_only_public_members_of_keys_are_published() {
    for (algorithm, members) in [
        (keys::Algorithm::EdDsa, "alg crv kid kty use x"),
        (keys::Algorithm::Es256, "alg crv kid kty use x y"),
        (keys::Algorithm::Rs256, "alg e kid kty n use"),
    ] {
        let app = everything(|config| config.jwt.algorithm = algorithm).await;
        let mut ada = app.signed_up("ada").await;
        let token = token(&app, &mut ada).await;
        verified(&app, &token).await;
        for path in [
            "/api/auth/jwks",
            "/api/auth/.well-known/jwks.json",
            "/app/auth/.well-known/jwks.json",
            "/.well-known/jwks.json",
        ] {
            let request = http::Request::get(path).body("".into()).unwrap();
            let reply = app.send(ada.address, request).await;
            let keys = reply.body["keys"].as_array().unwrap();
            assert_eq!(keys.len(), 1, "{path}");
            let mut names: Vec<&str> =
                keys[0].as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), members, "{path}");
            assert_eq!(keys[0]["use"], "sig");
            assert_ne!(keys[0]["kty"], "oct");
            assert_eq!(reply.header("cache-control"), "public, max-age=300", "{path}");
            assert!(reply.header("content-type").starts_with("application/json"), "{path}");
        }
    }
}

#[tokio::test]
async fn jw_22_private_keys_are_sealed_and_survive_a_change_of_the_secret() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let before = token(&app, &mut ada).await;
    let rows = app.sql("select \"publicKey\", \"privateKey\" from neon_auth.jwks").await;
    let (public, private): (String, String) = (rows[0].get(0), rows[0].get(1));
    let sealed: String = serde_json::from_str(&private).unwrap();
    assert!(sealed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sealed}");
    assert!(!public.contains("\"d\""), "{public}");

    let old = app.app.config.secret.clone();
    let new = "another-51c7e0a94d2b8f6037e1-c4a9";
    let kid = |token: &str| {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    let (_, router) = app.replica(|config| {
        config.secret = Secret::new(new);
        config.previous_secrets = vec![old];
    });
    let sign_in = json!({ "email": "ada@example.com", "password": PASSWORD });
    let mut request = app.browser().request(Method::POST, "/sign-in/email");
    request = request.header("content-type", "application/json");
    let reply = send(&router, ada.address, request.body(sign_in.to_string().into()).unwrap()).await;
    let signed = cookie::sign_plain(new.as_bytes(), reply.body["token"].as_str().unwrap());
    let request =
        http::Request::get("/api/auth/token").header("authorization", format!("Bearer {signed}"));
    let reply = send(&router, ada.address, request.body("".into()).unwrap()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(kid(reply.body["token"].as_str().unwrap()), kid(&before), "the same key signs on");
    assert_eq!(app.sql("select 1 from neon_auth.jwks").await.len(), 1);
}

#[tokio::test]
async fn jw_23_a_token_is_minted_for_a_live_session_only() {
    let app = everything(|config| config.session.cookie_cache.enabled = true).await;
    let ada = app.signed_up("ada").await;
    let minted =
        async |browser: &Browser| browser.clone().get(&app, "/token").await.status.as_u16();
    assert_eq!(minted(&ada).await, 200);

    let mut copy_alone = ada.clone();
    copy_alone.cookies.retain(|(name, _)| name.contains("session_data"));
    assert_eq!(copy_alone.cookies.len(), 1);
    assert_eq!(minted(&copy_alone).await, 401, "a cookie cache alone");

    app.sql("update neon_auth.\"user\" set banned = true").await;
    assert_eq!(minted(&ada).await, 401, "banned");
    app.sql("update neon_auth.\"user\" set banned = false").await;
    assert_eq!(minted(&ada).await, 200);

    assert_eq!(ada.clone().post(&app, "/revoke-sessions", json!({})).await.status, 200);
    assert_eq!(minted(&ada).await, 401, "revoked, with the copy still there");
    let said = ada.clone().get(&app, "/get-session").await;
    assert_eq!(said.header("set-auth-jwt"), "", "the copy tells, but mints nothing");

    let bob = app.signed_up("bob").await;
    app.pass(8 * 24 * 60 * 60);
    assert_eq!(minted(&bob).await, 401, "expired");
}

#[tokio::test]
async fn jw_23_claims_are_those_of_the_database_and_name_who_acts() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let claims = verified(&app, &token(&app, &mut ada).await).await;
    assert_eq!(claims.get("name"), Some(&json!("ada")));
    assert_eq!(claims.get("act"), None);

    app.sql("update neon_auth.\"user\" set name = 'Countess'").await;
    let root = "5d7c1c5e-2f6b-4a55-9c1d-0a8c6f5d1e11";
    app.sql(&format!("update neon_auth.session set \"impersonatedBy\" = '{root}'")).await;
    let claims = verified(&app, &token(&app, &mut ada).await).await;
    assert_eq!(claims.get("name"), Some(&json!("Countess")));
    assert_eq!(claims.get("act"), Some(&json!({ "sub": root })));
}

#[tokio::test]
async fn jw_24_users_cannot_shape_claims() {
    let app = everything(|_| {}).await;
    let wishes = json!({
        "role": "service_role", "sub": "root", "iss": "https://evil.test", "aud": "evil", "exp": 99_999_999_999_i64,
        "iat": 1, "act": { "sub": "root" }, "o": { "role": "owner" }, "https://hasura.io/jwt/claims": { "role": "admin" },
        "https://evil.test/role": "admin", "__proto__": { "role": "admin" }, "metadata": { "role": "admin" },
        "emailVerified": true, "id": "5d7c1c5e-2f6b-4a55-9c1d-0a8c6f5d1e11",
    });
    let name = "\",\"role\":\"service_role\",\"x\":\"";
    let mut browser = app.browser();
    let mut wished = wishes.clone();
    for (key, value) in [
        ("name", json!(name)),
        ("email", json!("mallory@example.com")),
        ("password", json!(PASSWORD)),
    ] {
        wished[key] = value;
    }
    if browser.post(&app, "/sign-up/email", wished).await.status != 200 {
        let body = json!({ "name": name, "email": "mallory@example.com", "password": PASSWORD });
        assert_eq!(browser.post(&app, "/sign-up/email", body).await.status, 200);
    }
    for (key, value) in wishes.as_object().unwrap() {
        for path in ["/update-user", "/update-session"] {
            let reply = browser.post(&app, path, json!({ key: value, "image": name })).await;
            assert!(reply.status == 200 || reply.status == 400, "{path} {key}: {}", reply.text);
        }
    }
    let users = app.sql("select id::text from neon_auth.\"user\"").await;
    let claims = verified(&app, &token(&app, &mut browser).await).await;
    let now = app.app.clock.now().timestamp();
    assert_eq!(claims.subject(), users[0].get::<_, String>(0));
    assert_eq!(claims.get("role"), Some(&json!("authenticated")));
    assert_eq!(claims.get("name"), Some(&json!(name)));
    assert_eq!(claims.get("emailVerified"), Some(&json!(false)));
    assert_eq!((claims.issued_at(), claims.expires_at()), (now, now + 900));
    for absent in [
        "act",
        "o",
        "metadata",
        "__proto__",
        "https://evil.test/role",
        "https://hasura.io/jwt/claims",
    ] {
        assert_eq!(claims.get(absent), None, "{absent}");
    }
    let anonymous = browser.get(&app, "/token/anonymous?role=authenticated&sub=root").await;
    let payload = anonymous.body["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!((payload.get("role"), payload.get("sub")), (Some(&json!("anonymous")), None));
}

#[tokio::test]
async fn jw_26_time_is_read_anew_for_every_request() {
    let app = everything(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    for step in [0, 600, -1_200, 600, 1] {
        app.pass(step);
        let now = app.app.clock.now().timestamp();
        let claims = verified(&app, &token(&app, &mut ada).await).await;
        assert_eq!((claims.issued_at(), claims.expires_at()), (now, now + 900), "after {step}");
        let said = ada.get(&app, "/get-session").await;
        verified(&app, said.header("set-auth-jwt")).await;
    }
    // A mailed token ends on time: no reading of the clock is kept.
    let email = json!({ "email": "ada@example.com" });
    let headers = [("origin", APP)];
    post(&app, &ada, "/send-verification-email", &headers, &email).await;
    let (_, link) = app.last_link("ada@example.com").await;
    app.pass(60 * 60);
    assert_eq!(
        ada.get(&app, link.split("&callbackURL").next().unwrap()).await.code(),
        "TOKEN_EXPIRED"
    );
}
