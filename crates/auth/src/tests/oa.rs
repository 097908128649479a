//! Attack cases OA: sign-in at other providers, and linking.

use axum::body::Body;
use futures_util::future::join_all;
use gatepost_protocol::jwk::{Algorithm, SigningKey};
use http::{Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::{
    idp::{CLIENT_ID, CLIENT_SECRET, Idp, begin, person, sign_in, sign_in_as},
    world::number,
};
use crate::{
    app::{App, Clock},
    config::Config,
    testing::{Browser, PASSWORD, Reply, TestApp, send},
};

const BASE: &str = "https://auth.test/api/auth";

async fn world() -> (Idp, TestApp) {
    let idp = Idp::start().await;
    let app = idp.app(&[("google", idp.settings())]).await;
    (idp, app)
}

fn location(reply: &Reply) -> &str {
    assert_eq!(reply.status, 302, "{}", reply.text);
    reply.header("location")
}

fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn users(app: &TestApp) -> i64 {
    number(app, r#"select count(*) from neon_auth."user""#).await
}

async fn sessions(app: &TestApp) -> i64 {
    number(app, "select count(*) from neon_auth.session").await
}

/// Marks the address of a user as proven.
async fn prove(app: &TestApp, name: &str) {
    app.sql(&format!(
        r#"update neon_auth."user" set "emailVerified" = true where email = '{name}@example.com'"#
    ))
    .await;
}

async fn by_password(app: &TestApp, name: &str) -> Reply {
    let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    app.browser().post(app, "/sign-in/email", body).await
}

async fn by_id_token(app: &TestApp, provider: &str, token: &str) -> Reply {
    let body = json!({ "provider": provider, "idToken": { "token": token } });
    app.browser().post(app, "/sign-in/social", body).await
}

#[tokio::test]
async fn oa_01_a_callback_without_state_is_refused_before_the_provider_is_asked() {
    let (idp, app) = world().await;
    for path in ["/callback/google?code=x", "/callback/google?code=x&state=", "/callback/google"] {
        let mut browser = app.browser();
        let reply = browser.get(&app, path).await;
        assert_eq!(location(&reply), format!("{BASE}/error?error=state_not_found"));
        assert!(browser.cookies.is_empty());
    }
    assert_eq!(idp.calls(), 0);
}

#[tokio::test]
async fn oa_02_a_flow_of_another_browser_signs_nobody_in() {
    let (idp, app) = world().await;
    let mut mallory = app.browser();
    let url =
        begin(&app, &mut mallory, json!({ "provider": "google", "callbackURL": "/dash" })).await;
    let back = idp.approve(&url, person("mallory"));

    let mut without = app.browser();
    let mut alice = app.signed_up("alice").await;
    let other = json!({ "provider": "google", "callbackURL": "/dash" });
    begin(&app, &mut alice, other).await;
    for victim in [&mut without, &mut alice] {
        let reply = victim.get(&app, &back).await;
        assert_eq!(location(&reply), format!("{BASE}/error?error=state_mismatch"));
    }
    assert!(!without.is_signed_in(&app).await);
    let session = alice.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "alice@example.com");
    // The right cookie, another state.
    let mut twisted = mallory.clone();
    let state = parameter(&url, "state");
    let wrong = back.replace(&state, &"x".repeat(32));
    let reply = twisted.get(&app, &wrong).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=state_mismatch"));
    // Its own browser still may.
    assert_eq!(location(&mallory.get(&app, &back).await), "/dash");
}

#[tokio::test]
async fn oa_03_a_callback_works_once_even_if_the_exchange_failed() {
    let (idp, app) = world().await;
    let mut ada = app.browser();
    let body = json!({ "provider": "google", "callbackURL": "/dash" });
    let url = begin(&app, &mut ada, body.clone()).await;
    let back = idp.approve(&url, person("ada"));
    let mut again = ada.clone();
    assert_eq!(location(&ada.get(&app, &back).await), "/dash");
    let reply = again.get(&app, &back).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=state_mismatch"));

    let mut bob = app.browser();
    let url = begin(&app, &mut bob, body).await;
    let back = idp.approve(&url, person("bob"));
    let spoilt = back.replace("code=", "code=x");
    let mut again = bob.clone();
    let reply = bob.get(&app, &spoilt).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=invalid_code"));
    let reply = again.get(&app, &back).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=state_mismatch"));
    assert_eq!(number(&app, "select count(*) from neon_auth.verification").await, 0);
}

#[tokio::test]
async fn oa_04_a_state_of_one_provider_is_refused_at_another() {
    let (honest, evil) = (Idp::start().await, Idp::start().await);
    let app = honest.app(&[("google", honest.settings()), ("evil", evil.settings())]).await;
    let mut ada = app.browser();
    let url = begin(&app, &mut ada, json!({ "provider": "google" })).await;
    let back = honest.approve(&url, person("ada")).replace("/callback/google", "/callback/evil");
    let reply = ada.get(&app, &back).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=invalid_code"));
    assert!(!ada.is_signed_in(&app).await);
    // Neither code nor verifier went there.
    assert_eq!(evil.calls(), 0);

    // The other mount is another redirect target at the provider.
    let mut ada = app.browser();
    let url = begin(&app, &mut ada, json!({ "provider": "google" })).await;
    let back = honest.approve(&url, person("ada"));
    let mut elsewhere = app.browser();
    elsewhere.base = "/app/auth".to_owned();
    let reply = elsewhere.get(&app, &back.replace("/api/auth", "/app/auth")).await;
    assert!(location(&reply).ends_with("/error?error=invalid_code"), "{}", location(&reply));
    assert_eq!(honest.token_calls().len(), 0);
}

#[tokio::test]
async fn oa_06_every_flow_has_a_challenge_of_its_own_and_only_its_verifier_answers_it() {
    let (idp, app) = world().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut browser = app.browser();
        let body = json!({ "provider": "google", "callbackURL": "/dash" });
        let reply = browser.post(&app, "/sign-in/social", body).await;
        let url = reply.body["url"].as_str().unwrap().to_owned();
        // The provider's document names `plain` alone; it is not used.
        assert_eq!(parameter(&url, "code_challenge_method"), "S256");
        let challenge = parameter(&url, "code_challenge");
        assert_eq!(challenge.len(), 43);
        assert!(!seen.contains(&challenge));
        seen.push(challenge.clone());
        let back = idp.approve(&url, person("ada"));
        assert_eq!(location(&browser.get(&app, &back).await), "/dash");
        let sent = idp.token_calls().pop().unwrap()["code_verifier"].clone();
        assert!((43..=128).contains(&sent.len()));
        assert_eq!(gatepost_protocol::digest::sha256_base64url(&sent), challenge);
        assert!(!reply.text.contains(&sent) && !back.contains(&sent));
    }
    // At rest neither is readable.
    let mut browser = app.browser();
    begin(&app, &mut browser, json!({ "provider": "google" })).await;
    let row = app.sql("select identifier || value from neon_auth.verification").await;
    assert!(!row[0].get::<_, String>(0).contains("codeVerifier"));

    let mut ada = app.browser();
    let url = begin(&app, &mut ada, json!({ "provider": "google", "callbackURL": "/dash" })).await;
    let other = url.replace(&parameter(&url, "code_challenge"), &"A".repeat(43));
    let back = idp.approve(&other, person("ada"));
    assert!(location(&ada.get(&app, &back).await).ends_with("error=invalid_code"));
}

#[tokio::test]
async fn oa_07_an_id_token_holds_the_nonce_of_its_flow() {
    let (idp, app) = world().await;
    for nonce in [Value::Null, json!("that-of-another-flow"), json!("")] {
        let mut claims = person("ada");
        claims["nonce"] = nonce;
        let mut ada = app.browser();
        let reply = sign_in(&app, &idp, &mut ada, "google", claims).await;
        assert_eq!(location(&reply), "/err?error=unable_to_get_user_info");
        assert!(!ada.is_signed_in(&app).await);
    }
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn oa_08_an_answer_in_the_name_of_another_issuer_is_refused() {
    let (idp, app) = world().await;
    let mut ada = app.browser();
    let url = begin(&app, &mut ada, json!({ "provider": "google" })).await;
    let back = format!("{}&iss=https%3A%2F%2Fevil-idp.test", idp.approve(&url, person("ada")));
    let reply = ada.get(&app, &back).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=issuer_mismatch"));
    assert!(idp.token_calls().is_empty());

    // A discovery document of another issuer: the provider is not used.
    let liar = Idp::start().await;
    let honest = format!(r#""issuer":"{}""#, liar.issuer);
    let document = json!({
        "issuer": "https://evil-idp.test", "authorization_endpoint": format!("{}/authorize", liar.issuer),
        "token_endpoint": format!("{}/token", liar.issuer), "jwks_uri": format!("{}/jwks", liar.issuer),
    });
    assert!(!document.to_string().contains(&honest));
    liar.instead("/.well-known/openid-configuration", 200, &document.to_string());
    let app = liar.app(&[("liar", liar.settings())]).await;
    let reply = app.browser().post(&app, "/sign-in/social", json!({ "provider": "liar" })).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "PROVIDER_UNAVAILABLE"));

    // A provider that always names itself has to.
    let mut document = document;
    document["issuer"] = json!(liar.issuer);
    document["authorization_response_iss_parameter_supported"] = json!(true);
    liar.instead("/.well-known/openid-configuration", 200, &document.to_string());
    let mut ada = app.browser();
    let url = begin(&app, &mut ada, json!({ "provider": "liar" })).await;
    let reply = ada.get(&app, &liar.approve(&url, person("ada"))).await;
    assert_eq!(location(&reply), format!("{BASE}/error?error=issuer_missing"));
}

fn unsigned(header: &Value, claims: &Value, signature: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(secret: &[u8], claims: &Value) -> String {
    use aws_lc_rs::hmac;
    let header = json!({ "alg": "HS256", "kid": "key-1" });
    let token = unsigned(&header, claims, b"");
    let signed = token.trim_end_matches('.');
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    unsigned(&header, claims, tag.as_ref())
}

#[tokio::test]
async fn oa_09_an_id_token_without_a_good_signature_in_its_time_is_refused() {
    let (idp, app) = world().await;
    let other = Idp::start().await;
    let now = app.app.clock.now().timestamp();
    let good = idp.whole(&person("ada"), None);
    let stranger = SigningKey::generate(Algorithm::Es256, "key-2").unwrap();
    let published = idp.key.published_jwk().unwrap().to_string();
    let mut forged = vec![
        unsigned(&json!({ "alg": "none", "kid": "key-1" }), &good, b""),
        unsigned(&json!({ "alg": "none" }), &good, b""),
        hs256(CLIENT_SECRET.as_bytes(), &good),
        hs256(published.as_bytes(), &good),
        stranger.sign(&good).unwrap(),
        // The same key id, another provider's key.
        other.key.sign(&good).unwrap(),
        "x.y.z".to_owned(),
        String::new(),
    ];
    for wrong in [
        json!({ "exp": now - 1 }),
        json!({ "iat": now + 3600, "exp": now + 7200 }),
        json!({ "nbf": now + 3600 }),
        json!({ "exp": Value::Null }),
    ] {
        let mut claims = person("ada");
        claims.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        forged.push(idp.mint(&claims, None));
    }
    for token in forged {
        let reply = by_id_token(&app, "google", &token).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "INVALID_TOKEN"), "{token}");
        let mut ada = app.browser();
        let reply = sign_in_as(&app, &idp, &mut ada, "google", person("ada"), |grant| {
            grant.id_token = Some(token);
        })
        .await;
        let location = location(&reply).to_owned();
        // An empty token is none; then the userinfo endpoint says who it is.
        if location != "/dash" {
            assert_eq!(location, "/err?error=unable_to_get_user_info");
            assert!(!ada.is_signed_in(&app).await);
        }
    }
    let reply = by_id_token(&app, "google", &idp.mint(&person("ada"), None)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn oa_10_the_issuer_is_never_taken_from_the_token() {
    let (honest, evil) = (Idp::start().await, Idp::start().await);
    let known = |kind: &str| crate::oauth::config::Provider {
        kind: kind.to_owned(),
        issuer: String::new(),
        jwks_url: format!("{}/jwks", honest.issuer),
        ..honest.settings()
    };
    let app = honest
        .app(&[
            ("google", known("google")),
            ("microsoft", known("microsoft")),
            ("corp", honest.settings()),
        ])
        .await;
    evil.at(&app);
    let mut alice = person("alice");
    alice["oid"] = json!("0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0001");
    alice["tid"] = json!("0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0002");
    for provider in ["google", "microsoft", "corp"] {
        for issuer in [
            evil.issuer.clone(),
            honest.issuer.clone(),
            "https://accounts.google.com".to_owned(),
            "https://login.microsoftonline.com/0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0002/v2.0"
                .to_owned(),
        ] {
            alice["iss"] = json!(issuer);
            let reply = by_id_token(&app, provider, &evil.mint(&alice, None)).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (401, "INVALID_TOKEN"), "{provider}");
        }
    }
    // Genuine keys, but the issuer of somebody else: `tid` and `iss` have to agree.
    alice["iss"] =
        json!("https://login.microsoftonline.com/0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0003/v2.0");
    assert_eq!(by_id_token(&app, "microsoft", &honest.mint(&alice, None)).await.status, 401);
    alice["tid"] = json!("../evil");
    alice["iss"] = json!("https://login.microsoftonline.com/../evil/v2.0");
    assert_eq!(by_id_token(&app, "microsoft", &honest.mint(&alice, None)).await.status, 401);
    assert_eq!(evil.calls(), 0);
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn oa_11_an_id_token_is_for_this_application() {
    let (idp, app) = world().await;
    for wrong in [
        json!({ "aud": "another-client" }),
        json!({ "aud": ["another-client"] }),
        json!({ "aud": [] }),
        json!({ "aud": Value::Null }),
        json!({ "aud": [CLIENT_ID, "another-client"] }),
        json!({ "aud": [CLIENT_ID, "another-client"], "azp": "another-client" }),
        json!({ "azp": "another-client" }),
    ] {
        let mut claims = person("ada");
        claims.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let reply = by_id_token(&app, "google", &idp.mint(&claims, None)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "INVALID_TOKEN"), "{wrong}");
    }
    let mut claims = person("ada");
    claims["aud"] = json!([CLIENT_ID, "another-client"]);
    claims["azp"] = json!(CLIENT_ID);
    assert_eq!(by_id_token(&app, "google", &idp.mint(&claims, None)).await.status, 200);

    let mut config = Config { public_url: "https://auth.test".to_owned(), ..Config::default() };
    let provider = crate::oauth::config::Provider { client_id: String::new(), ..idp.settings() };
    config.social.providers.insert("google".to_owned(), provider);
    let refused = App::new(config, app.app.db.clone(), Clock::System).unwrap_err();
    assert!(format!("{refused:#}").contains("client_id is missing"), "{refused:#}");
}

#[tokio::test]
async fn oa_13_a_subject_that_tells_nobody_apart_is_none() {
    let idp = Idp::start().await;
    let app = idp.app(&[("google", idp.settings()), ("plain", idp.plain())]).await;
    let long = "x".repeat(10 * 1024);
    for subject in [
        Value::Null,
        json!(""),
        json!(" "),
        json!("null"),
        json!("undefined"),
        json!(0),
        json!(1.5),
        json!(true),
        json!({}),
        json!(long),
        json!("a\u{0}b"),
    ] {
        for provider in ["google", "plain"] {
            let mut claims = person("ada");
            claims["sub"] = subject.clone();
            let mut ada = app.browser();
            let reply = sign_in_as(&app, &idp, &mut ada, provider, claims.clone(), |grant| {
                grant.userinfo = claims;
            })
            .await;
            assert_eq!(location(&reply), "/err?error=unable_to_get_user_info", "{subject}");
        }
    }
    assert_eq!(users(&app).await, 0);
    // A number and its digits are the same person.
    for subject in [json!(99999), json!("99999")] {
        let userinfo = json!({ "id": subject, "email": "ada@example.com", "email_verified": true });
        let mut ada = app.browser();
        let reply = sign_in_as(&app, &idp, &mut ada, "plain", userinfo, |_| {}).await;
        assert_eq!(location(&reply), "/dash");
    }
    assert_eq!(users(&app).await, 1);
    assert_eq!(number(&app, "select count(*) from neon_auth.account").await, 1);
}

#[tokio::test]
async fn oa_14_the_same_subject_at_two_issuers_is_two_people() {
    let (a, b) = (Idp::start().await, Idp::start().await);
    let app = a.app(&[("a", a.settings()), ("b", b.settings())]).await;
    b.at(&app);
    let named = |name: &str| {
        let mut person = person(name);
        person["sub"] = json!("99999");
        person
    };
    let (mut alice, mut bob) = (app.browser(), app.browser());
    sign_in(&app, &a, &mut alice, "a", named("alice")).await;
    sign_in(&app, &b, &mut bob, "b", named("bob")).await;
    let mut emails = Vec::new();
    for browser in [&mut alice, &mut bob] {
        let session = browser.get(&app, "/get-session").await;
        emails.push(session.body["user"]["email"].as_str().unwrap().to_owned());
    }
    assert_eq!(emails, ["alice@example.com", "bob@example.com"]);
    // Each links the other's number at the own provider: that is the other's identity, and stays so.
    let reply = alice
        .post(
            &app,
            "/link-social",
            json!({ "provider": "b", "callbackURL": "/dash", "errorCallbackURL": "/err" }),
        )
        .await;
    let mut claims = named("alice");
    claims["sub"] = json!("99999");
    let back = b.approve(reply.body["url"].as_str().unwrap(), claims);
    assert_eq!(
        location(&alice.get(&app, &back).await),
        "/err?error=account_already_linked_to_different_user"
    );
}

#[tokio::test]
async fn oa_15_the_id_token_says_who_it_is() {
    let (idp, app) = world().await;
    // Without an address in the token the userinfo endpoint is asked, which names somebody else.
    let claims = json!({ "sub": "sub-ada" });
    let reply = sign_in_as(&app, &idp, &mut app.browser(), "google", claims, |grant| {
        grant.userinfo = person("bob");
    })
    .await;
    assert_eq!(location(&reply), "/err?error=unable_to_get_user_info");
    let mut ada = app.browser();
    let reply = sign_in_as(&app, &idp, &mut ada, "google", person("ada"), |grant| {
        grant.userinfo =
            json!({ "sub": "sub-ada", "email": "root@example.com", "email_verified": true });
    })
    .await;
    assert_eq!(location(&reply), "/dash");
    let session = ada.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "ada@example.com");
}

#[tokio::test]
async fn oa_16_the_owner_of_an_address_takes_a_planted_user_over_without_what_was_left_there() {
    let (idp, app) = world().await;
    let mut mallory = app.signed_up("vic").await;
    let mut vic = app.browser();
    let reply = sign_in(&app, &idp, &mut vic, "google", person("vic")).await;
    assert_eq!(location(&reply), "/dash");
    assert!(!mallory.is_signed_in(&app).await);
    assert_eq!(by_password(&app, "vic").await.status, 401);
    let session = vic.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["emailVerified"], true);
    let accounts = vic.get(&app, "/list-accounts").await;
    assert_eq!(accounts.body.as_array().unwrap().len(), 1);
    assert_eq!(users(&app).await, 1);

    // A link that a stranger began under an address that was never proven does not help the stranger later.
    let mut mallory = app.signed_up("eve").await;
    mallory.base = "/app/auth".to_owned();
    mallory
        .post(&app, "/sign-in/email", json!({ "email": "eve@example.com", "password": PASSWORD }))
        .await;
    let body = json!({ "provider": "google", "callbackURL": "/dash" });
    let reply = mallory.post(&app, "/link-social", body).await;
    let back = idp.approve(reply.body["url"].as_str().unwrap(), person("eve"));
    let mut eve = app.browser();
    eve.base = "/app/auth".to_owned();
    assert_eq!(eve.get(&app, &back).await.status, 302);
    let mut eve = app.browser();
    assert_eq!(location(&sign_in(&app, &idp, &mut eve, "google", person("eve")).await), "/dash");
    assert_eq!(by_password(&app, "eve").await.status, 401);
    assert!(!mallory.is_signed_in(&app).await);
}

#[tokio::test]
async fn oa_16_other_settings_refuse_or_keep_what_was_there() {
    use crate::oauth::config::UnprovenUsers;
    let idp = Idp::start().await;
    for (setting, ends, password) in [
        (UnprovenUsers::Refused, "/err?error=account_not_linked", 200),
        (UnprovenUsers::Linked, "/dash", 200),
    ] {
        let app = idp
            .app_with(&[("google", idp.settings())], |config| {
                config.social.unproven_users = setting
            })
            .await;
        app.signed_up("vic").await;
        let reply = sign_in(&app, &idp, &mut app.browser(), "google", person("vic")).await;
        assert_eq!(location(&reply), ends);
        assert_eq!(by_password(&app, "vic").await.status, password);
    }
}

#[tokio::test]
async fn oa_17_an_address_that_the_provider_has_not_verified_joins_nobody() {
    let (idp, app) = world().await;
    app.signed_up("alice").await;
    prove(&app, "alice").await;
    let before = sessions(&app).await;
    for verified in [json!(false), Value::Null, json!("false"), json!(1), json!("yes")] {
        let mut claims = person("alice");
        claims["email_verified"] = verified;
        let mut mallory = app.browser();
        let reply = sign_in(&app, &idp, &mut mallory, "google", claims.clone()).await;
        assert_eq!(location(&reply), "/err?error=account_not_linked");
        assert!(!mallory.is_signed_in(&app).await);
        let reply = by_id_token(&app, "google", &idp.mint(&claims, None)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "OAUTH_LINK_ERROR"));
    }
    assert_eq!(sessions(&app).await, before);
    assert_eq!(number(&app, "select count(*) from neon_auth.account").await, 1);
}

#[tokio::test]
async fn oa_18_an_unproven_address_gives_no_way_into_its_owners_account() {
    let idp = Idp::start().await;
    let app = idp
        .app_with(&[("google", idp.settings())], |config| config.change_email.enabled = true)
        .await;
    // By a change of address that waits for its proof.
    let mut mallory = app.browser();
    sign_in(&app, &idp, &mut mallory, "google", person("mallory")).await;
    mallory.post(&app, "/change-email", json!({ "newEmail": "vic@example.com" })).await;
    let mut vic = app.signed_up("vic").await;
    sign_in(&app, &idp, &mut mallory, "google", person("mallory")).await;
    let (mine, theirs) =
        (mallory.get(&app, "/get-session").await, vic.get(&app, "/get-session").await);
    assert_eq!(mine.body["user"]["email"], "mallory@example.com");
    assert_ne!(mine.body["user"]["id"], theirs.body["user"]["id"]);

    // By an address that the provider has not verified.
    let mut claims = person("mallory");
    claims["sub"] = json!("sub-second");
    claims["email"] = json!("eve@example.com");
    claims["email_verified"] = json!(false);
    let mut planted = app.browser();
    sign_in(&app, &idp, &mut planted, "google", claims.clone()).await;
    assert!(planted.is_signed_in(&app).await);
    let mut eve = app.browser();
    sign_in(&app, &idp, &mut eve, "google", person("eve")).await;
    assert!(eve.is_signed_in(&app).await);
    assert!(!planted.is_signed_in(&app).await);
    let reply = sign_in(&app, &idp, &mut planted, "google", claims).await;
    assert_eq!(location(&reply), "/err?error=account_not_linked");
}

#[tokio::test]
async fn oa_20_one_way_in_stays() {
    let (idp, app) = world().await;
    let mut ada = app.signed_up("ada").await;
    let body = json!({ "provider": "google", "callbackURL": "/dash" });
    let reply = ada.post(&app, "/link-social", body).await;
    let back = idp.approve(reply.body["url"].as_str().unwrap(), person("ada"));
    assert_eq!(location(&ada.get(&app, &back).await), "/dash");
    let accounts = ada.get(&app, "/list-accounts").await;
    let ids: Vec<&str> =
        accounts.body.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    let unlink = |id: &str| {
        let mut ada = ada.clone();
        let (app, body) = (&app, json!({ "accountId": id }));
        async move { ada.post(app, "/unlink-account", body).await.status.as_u16() }
    };
    let mut statuses = join_all(ids.iter().map(|id| unlink(id))).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn oa_21_what_an_application_sends_along_is_never_state() {
    let (idp, app) = world().await;
    app.signed_up("alice").await;
    let alice: uuid::Uuid = app.sql(r#"select id from neon_auth."user""#).await[0].get(0);
    let evil = json!({
        "link": { "userId": alice, "email": "mallory@example.com", "sessionId": alice },
        "codeVerifier": "x".repeat(64), "expiresAt": 1, "callbackURL": "https://evil.test", "errorURL": "https://evil.test",
        "newUserURL": "https://evil.test", "serverContext": { "userId": alice }, "idTokenNonce": "chosen",
        "oauthState": "chosen", "requestSignUp": true, "anonymousUserId": alice,
    });
    let mut mallory = app.browser();
    let mut body = json!({ "provider": "google", "callbackURL": "/dash", "additionalData": evil });
    body.as_object_mut().unwrap().extend(
        json!({ "link": evil["link"], "codeVerifier": "x", "expiresAt": 1 })
            .as_object()
            .unwrap()
            .clone(),
    );
    let url = begin(&app, &mut mallory, body).await;
    assert_ne!(parameter(&url, "nonce"), "chosen");
    let reply = mallory.get(&app, &idp.approve(&url, person("mallory"))).await;
    assert_eq!(location(&reply), "/dash");
    let session = mallory.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "mallory@example.com");
}

#[tokio::test]
async fn oa_22_reserved_parameters_are_refused() {
    let (_idp, app) = world().await;
    for name in [
        "state",
        "client_id",
        "redirect_uri",
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "scope",
    ] {
        let body = json!({ "provider": "google", "additionalParams": { name: "evil" } });
        let reply = app.browser().post(&app, "/sign-in/social", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "VALIDATION_ERROR"), "{name}");
    }
    let body = json!({ "provider": "google", "additionalParams": { "prompt": "login" } });
    let url = begin(&app, &mut app.browser(), body).await;
    assert_eq!(parameter(&url, "prompt"), "login");
}

#[tokio::test]
async fn oa_23_the_way_back_comes_from_the_settings() {
    let (_idp, app) = world().await;
    for (name, value) in [
        ("host", "evil.test"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.test"),
    ] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/auth/sign-in/social")
            .header("content-type", "application/json")
            .header("origin", crate::testing::APP)
            .header(name, value)
            .body(Body::from(json!({ "provider": "google" }).to_string()))
            .unwrap();
        let reply = app.send(app.browser().address, request).await;
        let url = reply.body["url"].as_str().unwrap();
        assert_eq!(parameter(url, "redirect_uri"), format!("{BASE}/callback/google"), "{name}");
    }
}

#[tokio::test]
async fn oa_24_of_many_callbacks_at_once_one_signs_in() {
    let (idp, app) = world().await;
    let (second, router) = app.replica(|_| {});
    let mut ada = app.browser();
    let body = json!({ "provider": "google", "callbackURL": "/dash" });
    let url = begin(&app, &mut ada, body.clone()).await;
    let back = idp.approve(&url, person("ada"));
    let visit = |index: usize, browser: Browser, back: String| {
        let (app, router) = (&app, &router);
        async move {
            let request = browser.request(Method::GET, &back).body(Body::empty()).unwrap();
            let reply = if index.is_multiple_of(2) {
                app.send(browser.address, request).await
            } else {
                send(router, browser.address, request).await
            };
            reply.header("location").to_owned()
        }
    };
    let ends = join_all((0..10).map(|index| visit(index, ada.clone(), back.clone()))).await;
    assert_eq!(ends.iter().filter(|end| *end == "/dash").count(), 1, "{ends:?}");
    assert_eq!((users(&app).await, sessions(&app).await), (1, 1));

    // Two first sign-ins of one new person.
    let mut flows = Vec::new();
    for _ in 0..4 {
        let mut browser = app.browser();
        let url = begin(&app, &mut browser, body.clone()).await;
        flows.push((browser, idp.approve(&url, person("bob"))));
    }
    let visits = flows.into_iter().enumerate();
    let ends = join_all(visits.map(|(index, (browser, back))| visit(index, browser, back))).await;
    assert!(ends.iter().all(|end| end == "/dash"), "{ends:?}");
    assert_eq!(users(&app).await, 2);
    assert_eq!(number(&app, "select count(*) from neon_auth.account").await, 2);
    drop(second);
}

#[tokio::test]
async fn oa_25_a_hostile_provider_ends_in_an_error_and_leaves_nothing() {
    let (idp, app) = world().await;
    let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let json = [("content-type", "application/json")];
    let html = [("content-type", "text/html")];
    let elsewhere = format!("{}/userinfo", idp.issuer);
    let moved = [("location", elsewhere.as_str())];
    let markup = r#"{"error":"<b>x</b>","error_description":"<script>alert(1)</script>"}"#;
    for (status, headers, body) in [
        (200, &json[..], long.as_str()),
        (200, &html[..], "<html>"),
        (302, &moved[..], ""),
        (200, &json[..], "[]"),
        (200, &json[..], "{}"),
        (200, &json[..], markup),
        (400, &json[..], markup),
        (500, &html[..], "down"),
    ] {
        idp.instead_with("/token", status, headers, body);
        let calls = idp.calls();
        let reply = sign_in(&app, &idp, &mut app.browser(), "google", person("ada")).await;
        assert_eq!(location(&reply), "/err?error=invalid_code", "{status} {body:.20}");
        assert!(idp.calls() <= calls + 1, "no redirect is followed");
    }
    assert_eq!((users(&app).await, sessions(&app).await), (0, 0));
}

#[tokio::test]
async fn oa_27_a_banned_user_is_not_signed_in_by_a_provider() {
    let (idp, app) = world().await;
    let mut alice = app.browser();
    sign_in(&app, &idp, &mut alice, "google", person("alice")).await;
    // The flow is under way when the ban comes.
    let mut browser = app.browser();
    let body = json!({ "provider": "google", "callbackURL": "/dash", "errorCallbackURL": "/err" });
    let url = begin(&app, &mut browser, body).await;
    let back = idp.approve(&url, person("alice"));
    let link = alice
        .post(
            &app,
            "/link-social",
            json!({ "provider": "google", "callbackURL": "/dash", "errorCallbackURL": "/err" }),
        )
        .await;
    app.sql(r#"update neon_auth."user" set banned = true"#).await;
    let reply = browser.get(&app, &back).await;
    assert!(location(&reply).starts_with("/err?error=BANNED_USER&"), "{}", location(&reply));
    assert!(!browser.is_signed_in(&app).await);
    let reply = by_id_token(&app, "google", &idp.mint(&person("alice"), None)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (403, "BANNED_USER"));
    let mut other = person("alice");
    other["sub"] = json!("sub-other");
    let reply = sign_in(&app, &idp, &mut app.browser(), "google", other.clone()).await;
    assert!(location(&reply).starts_with("/err?error=BANNED_USER&"), "by address");
    let back = idp.approve(link.body["url"].as_str().unwrap(), other);
    assert_eq!(location(&alice.get(&app, &back).await), "/err?error=unable_to_link_account");
    assert_eq!(number(&app, "select count(*) from neon_auth.account").await, 1);

    // Deleted while away: nothing is linked to nobody.
    let mut bob = app.signed_up("bob").await;
    let link = bob
        .post(
            &app,
            "/link-social",
            json!({ "provider": "google", "callbackURL": "/dash", "errorCallbackURL": "/err" }),
        )
        .await;
    let back = idp.approve(link.body["url"].as_str().unwrap(), person("bob"));
    app.sql(r#"delete from neon_auth."user" where email = 'bob@example.com'"#).await;
    assert_eq!(location(&bob.get(&app, &back).await), "/err?error=unable_to_link_account");
    assert_eq!(users(&app).await, 1);
}

#[tokio::test]
async fn oa_28_provider_tokens_are_sealed_listed_nowhere_and_their_owners_alone() {
    let (idp, app) = world().await;
    let mut ada = app.browser();
    sign_in(&app, &idp, &mut ada, "google", person("ada")).await;
    let accounts = ada.get(&app, "/list-accounts").await;
    let id = accounts.body[0]["id"].as_str().unwrap().to_owned();
    let tokens = ada.post(&app, "/get-access-token", json!({ "accountId": id })).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    let access = tokens.body["accessToken"].as_str().unwrap().to_owned();
    let id_token = tokens.body["idToken"].as_str().unwrap().to_owned();
    assert!(!accounts.text.contains("oken"), "{}", accounts.text);
    let row = app
        .sql(r#"select concat("accessToken", "refreshToken", "idToken") from neon_auth.account"#)
        .await;
    let stored: String = row[0].get(0);
    assert!(!stored.contains(&access) && !stored.contains(&id_token));
    assert!(stored.bytes().all(|byte| byte.is_ascii_hexdigit()), "{stored}");

    let mut bob = app.signed_up("bob").await;
    for path in ["/get-access-token", "/refresh-token"] {
        let reply = bob.post(&app, path, json!({ "accountId": id })).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "ACCOUNT_NOT_FOUND"), "{path}");
    }
    let reply = bob.get(&app, &format!("/account-info?accountId={id}")).await;
    assert_eq!(reply.code(), "ACCOUNT_NOT_FOUND");
    // After revocation.
    app.sql(r#"delete from neon_auth.session where "userId" = (select "userId" from neon_auth.account where "providerId" = 'google')"#).await;
    let reply = ada.post(&app, "/get-access-token", json!({ "accountId": id })).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (401, ""));
}

#[tokio::test]
async fn oa_29_where_sign_up_is_closed_no_provider_opens_it() {
    use crate::oauth::config::{Provider, SignUp};
    let idp = Idp::start().await;
    let closed = Provider { sign_up: SignUp::Never, ..idp.settings() };
    let asking = Provider { sign_up: SignUp::Requested, ..idp.settings() };
    let all =
        idp.app_with(&[("google", idp.settings())], |config| config.social.sign_up = false).await;
    let some = idp.app(&[("closed", closed), ("asking", asking)]).await;
    for (app, provider) in [(&all, "google"), (&some, "closed"), (&some, "asking")] {
        let reply = sign_in(app, &idp, &mut app.browser(), provider, person("ada")).await;
        assert_eq!(location(&reply), "/err?error=signup_disabled", "{provider}");
        let reply = by_id_token(app, provider, &idp.mint(&person("ada"), None)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "OAUTH_LINK_ERROR"));
        assert_eq!(users(app).await, 0);
    }
    for provider in ["closed", "asking"] {
        let mut ada = some.browser();
        let body = json!({ "provider": provider, "callbackURL": "/dash", "requestSignUp": true });
        let url = begin(&some, &mut ada, body).await;
        ada.get(&some, &idp.approve(&url, person("ada"))).await;
        assert_eq!(ada.is_signed_in(&some).await, provider == "asking");
    }
    // An address is one that it reads as, not one that ends as it should.
    for email in ["a@evil.com@corp.test", "a b@corp.test", "@corp.test", "a@corp.test\n"] {
        let mut claims = person("eve");
        claims["email"] = json!(email);
        let reply = by_id_token(&some, "asking", &idp.mint(&claims, None)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (401, "FAILED_TO_GET_USER_INFO"),
            "{email}"
        );
    }
}

#[tokio::test]
async fn oa_30_of_a_profile_only_name_and_picture_are_taken() {
    let (idp, app) = world().await;
    let mut claims = person("ada");
    claims["role"] = json!("admin");
    claims["emailVerified"] = json!(true);
    claims["banned"] = json!(false);
    claims["id"] = json!("0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0001");
    claims["name"] = json!(format!("<b>Ada</b>\u{0}\n{}", "x".repeat(5000)));
    claims["picture"] = json!("javascript:alert(1)");
    claims["email_verified"] = json!(false);
    let mut ada = app.browser();
    assert_eq!(location(&sign_in(&app, &idp, &mut ada, "google", claims).await), "/dash");
    let user = ada.get(&app, "/get-session").await.body["user"].clone();
    assert_eq!(user["role"], "user");
    assert_eq!(user["emailVerified"], false);
    assert_eq!(user["image"], Value::Null);
    assert_ne!(user["id"], "0e4d4a6c-8a4c-4a1e-9b3b-2f9f6a1f0001");
    let name = user["name"].as_str().unwrap();
    assert!(name.starts_with("<b>Ada</b>x") && name.chars().count() == 256, "{name}");
    let mut claims = person("bob");
    claims["picture"] = json!(format!("https://pic.test/{}", "x".repeat(5 * 1024)));
    let mut bob = app.browser();
    sign_in(&app, &idp, &mut bob, "google", claims).await;
    assert_eq!(bob.get(&app, "/get-session").await.body["user"]["image"], Value::Null);
}

#[tokio::test]
async fn oa_31_a_form_of_the_provider_leads_to_the_callback_which_asks_for_the_cookie() {
    use crate::oauth::config::Provider;
    let idp = Idp::start().await;
    let posting = Provider { token_auth: None, ..idp.plain() };
    let app = idp.app(&[("apple2", posting)]).await;
    let mut ada = app.browser();
    let body = json!({ "provider": "apple2", "callbackURL": "/dash" });
    let url = begin(&app, &mut ada, body).await;
    let back = idp.approve(&url, person("ada"));
    let form = back.split_once('?').unwrap().1.to_owned();
    let post = |cookies: bool, origin: &str| {
        let mut browser = if cookies { ada.clone() } else { app.browser() };
        browser.headers = vec![("origin".to_owned(), origin.to_owned())];
        let request = browser
            .request(Method::POST, "/callback/apple2")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.clone()))
            .unwrap();
        app.send(browser.address, request)
    };
    // The provider's page posts with or without cookies, others only without.
    assert_eq!(post(true, "https://evil.test").await.status, 403);
    for cookies in [false, true] {
        let reply = post(cookies, &idp.issuer).await;
        assert!(location(&reply).starts_with(&format!("{BASE}/callback/apple2?")));
        assert!(reply.headers.get("set-cookie").is_none());
    }
    let target = location(&post(false, &idp.issuer).await).to_owned();
    let mut stranger = app.browser();
    assert!(location(&stranger.get(&app, &target).await).ends_with("error=state_mismatch"));
    let mut again = ada.clone();
    assert_eq!(location(&ada.get(&app, &target).await), "/dash");
    assert!(location(&again.get(&app, &target).await).ends_with("error=state_mismatch"));
}

#[tokio::test]
async fn oa_34_a_broken_provider_is_unavailable_and_nothing_else_is_open() {
    let idp = Idp::start().await;
    for (status, document) in [(200, "{}"), (200, "<html>"), (500, ""), (200, r#"{"issuer":5}"#)] {
        idp.instead("/.well-known/openid-configuration", status, document);
        let app = idp.app(&[("google", idp.settings())]).await;
        let body = json!({ "provider": "google" });
        let reply = app.browser().post(&app, "/sign-in/social", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "PROVIDER_UNAVAILABLE"));
        let reply = by_id_token(&app, "google", "x.y.z").await;
        assert_eq!(reply.status, 503);
        assert_eq!(app.browser().get(&app, "/list-accounts").await.status, 401);
    }
    let mut config = Config { public_url: "https://auth.test".to_owned(), ..Config::default() };
    let secretless = crate::oauth::config::Provider {
        client_secret: gatepost_protocol::secret::Secret::default(),
        ..idp.settings()
    };
    config.social.providers.insert("google".to_owned(), secretless);
    let app = TestApp::new().await;
    let refused = App::new(config, app.app.db.clone(), Clock::System).unwrap_err();
    assert!(format!("{refused:#}").contains("client_secret is missing"), "{refused:#}");
}
