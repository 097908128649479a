use serde_json::{Value, json};

use crate::{
    config::Config,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

async fn with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::with(|config| {
        config.features.multi_session = true;
        change(config);
    })
    .await
}

async fn sign_up(app: &TestApp, browser: &mut Browser, name: &str) -> String {
    let body =
        json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD });
    let reply = browser.post(app, "/sign-up/email", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["token"].as_str().unwrap().to_owned()
}

async fn names(app: &TestApp, browser: &mut Browser) -> Vec<String> {
    let listed = browser.get(app, "/multi-session/list-device-sessions").await.body;
    let name = |held: &Value| held["user"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = listed.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

async fn active(app: &TestApp, browser: &mut Browser) -> Value {
    browser.get(app, "/get-session").await.body["user"]["name"].clone()
}

async fn ask(app: &TestApp, browser: &mut Browser, path: &str, token: &str) -> Reply {
    browser.post(app, path, json!({ "sessionToken": token })).await
}

const SET_ACTIVE: &str = "/multi-session/set-active";
const REVOKE: &str = "/multi-session/revoke";

#[tokio::test]
async fn a_browser_holds_two_accounts_switches_and_ends_one() {
    let app = with(|_| {}).await;
    let mut browser = app.browser();
    let ada = sign_up(&app, &mut browser, "ada").await;
    let bob = sign_up(&app, &mut browser, "bob").await;
    assert_eq!(names(&app, &mut browser).await, ["ada", "bob"]);
    assert_eq!(active(&app, &mut browser).await, "bob");
    let reply = ask(&app, &mut browser, SET_ACTIVE, &ada).await;
    assert_eq!(reply.body["session"]["token"], json!(ada));
    assert_eq!(active(&app, &mut browser).await, "ada");
    assert_eq!(ask(&app, &mut browser, REVOKE, &ada).await.body, json!({ "status": true }));
    assert_eq!(active(&app, &mut browser).await, "bob", "the next one takes its place");
    let again = ask(&app, &mut browser, REVOKE, &ada).await;
    assert_eq!((again.status.as_u16(), again.code()), (401, "INVALID_SESSION_TOKEN"));
    assert_eq!(ask(&app, &mut browser, REVOKE, &bob).await.status, 200);
    assert_eq!(active(&app, &mut browser).await, Value::Null);
    assert!(app.sql("select 1 from neon_auth.session").await.is_empty());
}

#[tokio::test]
async fn a_token_without_the_browsers_own_cookie_for_it_does_nothing() {
    let app = with(|_| {}).await;
    let mut ada = app.browser();
    sign_up(&app, &mut ada, "ada").await;
    let mut bob = app.browser();
    let token = sign_up(&app, &mut bob, "bob").await;
    for path in [SET_ACTIVE, REVOKE] {
        let reply = ask(&app, &mut ada, path, &token).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "INVALID_SESSION_TOKEN"));
    }
    // A cookie that this server has not signed is none.
    let name = format!("__Secure-better-auth.session_token_multi-{}", token.to_lowercase());
    ada.cookies.push((name, format!("{token}.forged")));
    assert_eq!(ask(&app, &mut ada, SET_ACTIVE, &token).await.status, 401);
    assert_eq!(names(&app, &mut ada).await, ["ada"]);
    assert!(bob.is_signed_in(&app).await);
}

#[tokio::test]
async fn the_same_user_again_takes_the_place_of_the_earlier_session() {
    let app = with(|config| config.session.accounts_per_browser = 1).await;
    let mut browser = app.browser();
    sign_up(&app, &mut browser, "ada").await;
    let mut old = browser.clone();
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(browser.post(&app, "/sign-in/email", body).await.status, 200);
    assert!(!old.is_signed_in(&app).await);
    assert_eq!(names(&app, &mut browser).await, ["ada"]);
    assert_eq!(app.sql("select 1 from neon_auth.session").await.len(), 1);
}

#[tokio::test]
async fn sessions_that_ended_elsewhere_are_not_shown_and_not_switched_to() {
    let app = with(|_| {}).await;
    let mut browser = app.browser();
    let ada = sign_up(&app, &mut browser, "ada").await;
    sign_up(&app, &mut browser, "bob").await;
    app.sql(
        r#"delete from neon_auth.session where "userId" = (select id from neon_auth."user" where name = 'ada')"#,
    )
    .await;
    assert_eq!(names(&app, &mut browser).await, ["bob"]);
    let cookies = browser.cookies.len();
    assert_eq!(ask(&app, &mut browser, SET_ACTIVE, &ada).await.status, 401);
    assert_eq!(browser.cookies.len(), cookies - 1, "its cookie is taken back");
    assert_eq!(active(&app, &mut browser).await, "bob");
}

#[tokio::test]
async fn a_banned_account_is_not_switched_to() {
    let app = with(|_| {}).await;
    let mut browser = app.browser();
    let ada = sign_up(&app, &mut browser, "ada").await;
    sign_up(&app, &mut browser, "bob").await;
    app.sql(r#"update neon_auth."user" set banned = true where name = 'ada'"#).await;
    assert_eq!(names(&app, &mut browser).await, ["bob"]);
    assert_eq!(ask(&app, &mut browser, SET_ACTIVE, &ada).await.status, 401);
}

#[tokio::test]
async fn without_the_feature_there_is_no_such_route() {
    let app = TestApp::new().await;
    let mut browser = app.browser();
    assert_eq!(browser.get(&app, "/multi-session/list-device-sessions").await.status, 404);
}
