mod provider;
mod second_factor;

use futures_util::future::join_all;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use url::Url;

use super::PARAMETER;
use crate::testing::{APP, Browser, Reply, TestApp, send};

const ADA: &str = "ada@example.com";
const CHALLENGE: &str = "__Secure-neon-auth.session_challenge";
const CHALLANGE: &str = "__Secure-neon-auth.session_challange";
const SESSION: &str = "__Secure-neon-auth.session_token";

/// One browser: the page of an application on another site, and the tab that visits the auth server itself. Their cookies
/// are kept apart.
struct Visitor {
    page: Browser,
    tab: Browser,
}

impl Visitor {
    fn new(app: &TestApp) -> Self {
        let neon = || Browser { base: "/app/auth".to_owned(), ..app.browser() };
        Self { page: neon(), tab: neon() }
    }

    /// Asks for a link, opens it, presses its button. Returns where that led.
    async fn sign_in(&mut self, app: &TestApp, callback: &str) -> Url {
        let body = json!({ "email": ADA, "callbackURL": callback });
        let reply = self.page.post(app, "/sign-in/magic-link", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let (token, _) = app.last_link(ADA).await;
        let body = json!({ "token": token, "callbackURL": callback });
        let reply = self.tab.post(app, "/magic-link/verify", body).await;
        assert_eq!(reply.status, StatusCode::FOUND, "{}", reply.text);
        Url::parse(reply.header("location")).unwrap()
    }

    /// The same to the application's dashboard; the verifier.
    async fn verifier(&mut self, app: &TestApp) -> String {
        verifier_in(&self.sign_in(app, &format!("{APP}/dash")).await)
    }
}

fn verifier_in(url: &Url) -> String {
    let (_, verifier) = url.query_pairs().find(|(name, _)| name == PARAMETER).unwrap();
    verifier.into_owned()
}

async fn exchange(app: &TestApp, page: &mut Browser, verifier: &str) -> Reply {
    page.get(app, &format!("/get-session?{PARAMETER}={verifier}")).await
}

fn assert_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (StatusCode::BAD_REQUEST, "VERIFICATION_NOT_FOUND"));
    assert!(!set(&reply.headers).iter().any(|cookie| cookie.starts_with(SESSION)));
}

fn set(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

async fn sessions(app: &TestApp) -> i64 {
    app.sql("select count(*) from neon_auth.session").await[0].get(0)
}

#[tokio::test]
async fn a_sign_in_is_carried_over_to_the_page_that_started_it() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let body = json!({ "email": ADA, "callbackURL": format!("{APP}/dash") });
    let started = ada.page.post(&app, "/sign-in/magic-link", body).await;
    let cookies = set(&started.headers);
    for name in [CHALLENGE, CHALLANGE] {
        let cookie = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
        let cookie = cookie.unwrap_or_else(|| panic!("{name}: {cookies:?}"));
        for attribute in ["HttpOnly", "Secure", "SameSite=None", "Partitioned", "Max-Age=600"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
    }
    assert_eq!(ada.page.cookie("session_challenge"), ada.page.cookie("session_challange"));

    let back = ada.sign_in(&app, &format!("{APP}/dash?keep=1#top")).await;
    assert!(back.as_str().starts_with(&format!("{APP}/dash?keep=1&{PARAMETER}=")), "{back}");
    assert_eq!(back.fragment(), Some("top"));
    assert!(!ada.page.is_signed_in(&app).await, "the page has nothing yet");

    let taken = exchange(&app, &mut ada.page, &verifier_in(&back)).await;
    assert_eq!(taken.body["user"]["email"], ADA, "{}", taken.text);
    assert!(taken.header("set-auth-jwt").starts_with("ey"));
    assert_eq!(taken.header("cache-control"), "no-store");
    assert!(ada.page.cookie("session_challenge").is_none(), "{:?}", ada.page.cookies);
    assert!(ada.page.cookie("session_challange").is_none());
    assert!(ada.page.is_signed_in(&app).await);
    assert_eq!(sessions(&app).await, 1, "it is the same session, not a second one");
}

#[tokio::test]
async fn oa_32_a_verifier_is_good_once() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    let mut copy = ada.page.clone();
    assert_eq!(exchange(&app, &mut ada.page, &verifier).await.status, 200);
    assert_nothing(&exchange(&app, &mut copy, &verifier).await);
}

#[tokio::test]
async fn oa_32_a_stolen_verifier_opens_nothing_and_is_burnt() {
    let app = TestApp::new().await;
    let mut mallory = Visitor::new(&app);
    mallory.verifier(&app).await;
    let mut cases = [
        ("another browser", Browser { base: "/app/auth".to_owned(), ..app.browser() }),
        ("another sign-in's challenge", mallory.page.clone()),
        ("a made-up challenge", mallory.page.clone()),
        ("an empty challenge", mallory.page.clone()),
    ];
    cases[2].1.cookies = vec![(CHALLENGE.to_owned(), "forged".to_owned())];
    cases[3].1.cookies = vec![(CHALLENGE.to_owned(), String::new())];
    for (what, mut thief) in cases {
        let mut ada = Visitor::new(&app);
        let verifier = ada.verifier(&app).await;
        let stolen = exchange(&app, &mut thief, &verifier).await;
        assert_eq!(stolen.code(), "VERIFICATION_NOT_FOUND", "{what}");
        assert_nothing(&stolen);
        assert_nothing(&exchange(&app, &mut ada.page, &verifier).await);
    }
    let events = app
        .sql("select details->>'why' from neon_auth.gatepost_audit where event = 'refused'")
        .await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|row| row.get::<_, String>(0) == "foreign-verifier"));
}

#[tokio::test]
async fn oa_32_a_verifier_is_dead_after_a_minute() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    app.pass(60);
    assert_nothing(&exchange(&app, &mut ada.page, &verifier).await);
    let mut eve = Visitor::new(&app);
    let verifier = eve.verifier(&app).await;
    app.pass(59);
    assert_eq!(exchange(&app, &mut eve.page, &verifier).await.status, 200);
}

#[tokio::test]
async fn oa_32_of_many_at_once_with_one_verifier_one_gets_the_session() {
    let app = TestApp::new().await;
    let (_second, router) = app.replica(|_| {});
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    let tries = join_all((0..10).map(|index| {
        let path = format!("/get-session?{PARAMETER}={verifier}");
        let request = ada.page.request(Method::GET, &path).body(axum::body::Body::empty());
        let (app, router, address) = (&app, &router, ada.page.address);
        async move {
            let request = request.unwrap();
            if index % 2 == 0 {
                app.send(address, request).await
            } else {
                send(router, address, request).await
            }
        }
    }))
    .await;
    let (given, refused): (Vec<&Reply>, Vec<&Reply>) =
        tries.iter().partition(|reply| reply.status == StatusCode::OK);
    assert_eq!((given.len(), refused.len()), (1, 9));
    refused.into_iter().for_each(assert_nothing);
    assert_eq!(sessions(&app).await, 1);
}

#[tokio::test]
async fn either_spelling_of_the_cookie_suffices_and_two_of_one_name_do_not() {
    let app = TestApp::new().await;
    for name in [CHALLENGE, CHALLANGE] {
        let mut ada = Visitor::new(&app);
        let verifier = ada.verifier(&app).await;
        ada.page.cookies.retain(|(other, _)| other == name);
        assert_eq!(exchange(&app, &mut ada.page, &verifier).await.status, 200, "{name}");
    }
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    ada.page.cookies.retain(|(name, _)| name == CHALLENGE);
    ada.page.cookies.push((CHALLENGE.to_owned(), "tossed".to_owned()));
    assert_nothing(&exchange(&app, &mut ada.page, &verifier).await);
}

#[tokio::test]
async fn a_page_that_is_loaded_again_with_a_used_verifier_stays_signed_in() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    for _ in 0..3 {
        let reply = exchange(&app, &mut ada.page, &verifier).await;
        assert_eq!(reply.body["user"]["email"], ADA, "{}", reply.text);
    }
}

#[tokio::test]
async fn the_token_endpoint_takes_a_verifier_too() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    let reply = ada.page.get(&app, &format!("/token?{PARAMETER}={verifier}")).await;
    assert!(reply.body["token"].as_str().unwrap().starts_with("ey"), "{}", reply.text);
    assert!(ada.page.is_signed_in(&app).await);
}

#[tokio::test]
async fn a_verifier_ends_with_its_session_and_its_user() {
    let app = TestApp::new().await;
    for sql in [
        "delete from neon_auth.session",
        r#"update neon_auth.session set "expiresAt" = "createdAt""#,
        r#"update neon_auth."user" set banned = true"#,
    ] {
        app.sql(r#"update neon_auth."user" set banned = false"#).await;
        let mut ada = Visitor::new(&app);
        let verifier = ada.verifier(&app).await;
        app.sql(sql).await;
        assert_nothing(&exchange(&app, &mut ada.page, &verifier).await);
    }
}

#[tokio::test]
async fn se_03_the_session_that_a_page_brings_along_ends_when_it_takes_another() {
    let app = TestApp::new().await;
    let mut page = Browser { base: "/app/auth".to_owned(), ..app.browser() };
    let body =
        json!({ "name": "Eve", "email": "eve@example.com", "password": crate::testing::PASSWORD });
    assert_eq!(page.post(&app, "/sign-up/email", body).await.status, 200);
    let mut before = page.clone();
    let mut ada = Visitor { page, ..Visitor::new(&app) };
    let verifier = ada.verifier(&app).await;
    assert!(before.is_signed_in(&app).await);
    let reply = exchange(&app, &mut ada.page, &verifier).await;
    assert_eq!(reply.body["user"]["email"], ADA, "{}", reply.text);
    assert!(!before.is_signed_in(&app).await);
}

#[tokio::test]
async fn the_better_auth_layout_knows_neither_challenge_nor_verifier() {
    let app = TestApp::new().await;
    let mut ada = Visitor { page: app.browser(), tab: app.browser() };
    let back = ada.sign_in(&app, &format!("{APP}/dash")).await;
    assert_eq!(back.as_str(), format!("{APP}/dash"));
    assert!(ada.page.cookies.is_empty(), "{:?}", ada.page.cookies);
    let mut neon = Visitor::new(&app);
    let verifier = neon.verifier(&app).await;
    let reply = exchange(&app, &mut ada.page, &verifier).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "null"));
    assert_eq!(exchange(&app, &mut neon.page, &verifier).await.status, 200, "it was not touched");
}

#[tokio::test]
async fn neither_verifier_nor_challenge_nor_token_stands_in_the_database() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let verifier = ada.verifier(&app).await;
    let rows = app.sql("select concat(identifier, value) from neon_auth.verification").await;
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(rows.iter().any(|row| row.starts_with("session-verifier:")), "{rows:?}");
    let token = ada.tab.cookie("session_token").unwrap().split('.').next().unwrap();
    for secret in [verifier.as_str(), ada.page.cookie("session_challenge").unwrap(), token] {
        assert!(secret.len() >= 32);
        assert!(!rows.iter().any(|row| row.contains(secret)));
    }
}

#[tokio::test]
async fn ml_17_a_verifier_is_no_link_and_a_link_is_no_verifier() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let body = json!({ "email": ADA, "callbackURL": format!("{APP}/dash") });
    ada.page.post(&app, "/sign-in/magic-link", body).await;
    let (link, _) = app.last_link(ADA).await;
    assert_nothing(&exchange(&app, &mut ada.page, &link).await);
    let verifier = ada.verifier(&app).await;
    let body = json!({ "token": verifier, "callbackURL": format!("{APP}/dash") });
    let reply = ada.tab.post(&app, "/magic-link/verify", body).await;
    assert_eq!(reply.header("location"), format!("{APP}/dash?error=INVALID_TOKEN"));
    assert_eq!(exchange(&app, &mut ada.page, &verifier).await.status, 200);
}

#[tokio::test]
async fn a_verifier_left_in_an_address_is_replaced() {
    let app = TestApp::new().await;
    let mut ada = Visitor::new(&app);
    let left = format!("{APP}/dash?a=1&{PARAMETER}=old&b=2&neon_auth%5Fsession_verifier=older");
    let back = ada.sign_in(&app, &left).await;
    let names: Vec<String> = back.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["a", "b", PARAMETER], "{back}");
    assert_eq!(exchange(&app, &mut ada.page, &verifier_in(&back)).await.status, 200);
}

#[tokio::test]
async fn what_is_no_verifier_is_refused() {
    let app = TestApp::new().await;
    for junk in ["", "x", "a'b", "%00", "%F0%9F%8D%BA"] {
        let mut page = Browser { base: "/app/auth".to_owned(), ..app.browser() };
        assert_nothing(&exchange(&app, &mut page, junk).await);
    }
}

#[tokio::test]
async fn a_link_that_proves_an_address_and_signs_in_leads_back_to_the_page_too() {
    let app = TestApp::with(|config| {
        config.email_password.require_verification = true;
        config.email_verification.auto_sign_in = true;
    })
    .await;
    let mut ada = Visitor::new(&app);
    let body = json!({ "name": "Ada", "email": ADA, "password": crate::testing::PASSWORD, "callbackURL": format!("{APP}/dash") });
    let signed_up = ada.page.post(&app, "/sign-up/email", body.clone()).await;
    let again = ada.tab.clone().post(&app, "/sign-up/email", body).await;
    let names = |reply: &Reply| -> Vec<String> {
        let name = |cookie: &&str| cookie.split('=').next().unwrap().to_owned();
        set(&reply.headers).iter().map(name).collect()
    };
    for name in [CHALLENGE, CHALLANGE] {
        assert!(names(&signed_up).iter().any(|set| set == name), "{name}");
    }
    assert_eq!(names(&again), names(&signed_up), "a taken address looks the same");
    let (token, _) = app.last_link(ADA).await;
    let body = json!({ "token": token, "callbackURL": format!("{APP}/dash") });
    let opened = ada.tab.post(&app, "/verify-email", body).await;
    let back = Url::parse(opened.header("location")).unwrap();
    assert!(!ada.page.is_signed_in(&app).await);
    assert_eq!(exchange(&app, &mut ada.page, &verifier_in(&back)).await.status, 200);
    assert!(ada.page.is_signed_in(&app).await);
}
