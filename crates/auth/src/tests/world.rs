//! What several attack cases need beside [`TestApp`].

use std::net::{IpAddr, Ipv4Addr};

use axum::{Router, body::Body};
use gatepost_postgres::{PoolOptions, pool};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    app::App,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

/// One of many addresses.
pub(super) fn address(i: usize) -> IpAddr {
    let [_, _, high, low] = u32::try_from(i + 1).unwrap().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(198, 18, high, low))
}

/// A browser at one of many addresses.
pub(super) fn browser_at(app: &TestApp, i: usize) -> Browser {
    Browser { address: address(i), ..app.browser() }
}

/// A browser with these cookies and nothing else.
pub(super) fn with_cookies(app: &TestApp, cookies: &[(&str, &str)]) -> Browser {
    let cookies =
        cookies.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Browser { cookies, ..app.browser() }
}

/// A program with an `Authorization` header and no cookies.
pub(super) fn with_authorization(app: &TestApp, value: &str) -> Browser {
    let mut program = app.browser();
    program.headers.push(("authorization".to_owned(), value.to_owned()));
    program
}

/// A request as [`Browser::post`] sends it.
pub(super) fn posted(browser: &Browser, path: &str, body: &Value) -> Request<Body> {
    browser
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// The body of a sign-in.
pub(super) fn credentials(name: &str, password: &str) -> Value {
    json!({ "email": format!("{name}@example.com"), "password": password })
}

/// A further browser of a user.
pub(super) async fn signed_in(app: &TestApp, name: &str) -> Browser {
    let mut browser = app.browser();
    let reply = browser.post(app, "/sign-in/email", credentials(name, PASSWORD)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    browser
}

/// The same server, whose database cannot be reached.
pub(super) fn without_database(app: &TestApp) -> Router {
    let url = "host=/nonexistent user=nobody dbname=none";
    let nowhere = pool(url, &PoolOptions::default()).unwrap();
    crate::router(&App::new(app.app.config.clone(), nowhere, app.app.clock.clone()).unwrap())
}

/// The one number that a query gives.
pub(super) async fn number(app: &TestApp, sql: &str) -> i64 {
    app.sql(sql).await[0].get(0)
}

/// Everything that a stranger can tell two answers apart by: status, names of headers, body.
pub(super) fn seen(reply: &Reply) -> (StatusCode, Vec<String>, String) {
    let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (reply.status, names, reply.text.clone())
}
