//! Requests to every endpoint there is.

use axum::body::Body;
use http::{HeaderMap, Method, Request, header};
use serde_json::{Map, Value, json};

use crate::{
    config::Config,
    http::{
        Endpoint,
        fields::{Kind, Member},
    },
    testing::{Browser, Reply, TestApp},
};

/// A server with everything switched on that there is.
pub(super) async fn everything(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::with(|config| {
        switch_everything_on(config);
        change(config);
    })
    .await
}

/// Every feature that has a switch.
pub(super) fn switch_everything_on(config: &mut Config) {
    config.api_key.enabled = true;
    config.device.enabled = true;
    config.change_email.enabled = true;
    config.delete_user.enabled = true;
    config.email_verification.enabled = true;
    config.one_time_token.enabled = true;
    config.features.teams = true;
    config.organization.dynamic_roles = true;
    config.passkey.enabled = true;
    config.features.anonymous = true;
    config.features.last_login_method = true;
    config.features.multi_session = true;
    config.features.phone_number = true;
    config.features.username = true;
}

/// Both mounts of [`TestApp`].
pub(super) const BASES: [&str; 2] = ["/api/auth", "/app/auth"];

/// The endpoints of a method, other spellings too.
pub(super) fn endpoints(app: &TestApp, method: &Method) -> Vec<Endpoint> {
    app.app.endpoints.iter().filter(|endpoint| endpoint.method == *method).cloned().collect()
}

/// The path with something in place of its `{name}`.
pub(super) fn path(endpoint: &Endpoint) -> String {
    endpoint.path.replace("{token}", "x").replace("{id}", "x")
}

/// Every member with a value of its type.
pub(super) fn values(members: &[Member]) -> Map<String, Value> {
    let value = |member: &Member| match (member.kind, member.name) {
        (Kind::Flag, _) => json!(true),
        (Kind::Email, _) | (Kind::Text, "email" | "newEmail") => json!("somebody@example.com"),
        (Kind::Text, name) if name.ends_with("URL") || name == "redirectTo" => json!("/"),
        (Kind::Text, _) => json!("somewhat-long-2"),
        (Kind::Choice(choices), _) => json!(choices.first()),
        (Kind::Record, _) => json!({}),
        (Kind::Texts, _) => json!("member"),
        (Kind::Number, _) => json!(1),
        (Kind::Any, _) => json!({}),
        (Kind::List, _) => json!([]),
    };
    members.iter().map(|member| (member.name.to_owned(), value(member))).collect()
}

/// The smallest body an endpoint takes.
pub(super) fn body(endpoint: &Endpoint) -> Value {
    let required = endpoint.body.iter().flatten().filter(|member| member.required).cloned();
    Value::Object(values(&required.collect::<Vec<_>>()))
}

/// A request with exactly these headers beside the cookies.
pub(super) async fn send(
    app: &TestApp,
    browser: &Browser,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Reply {
    let mut browser = browser.clone();
    browser.headers =
        headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let request: Request<Body> = browser.request(method, path).body(body.into()).unwrap();
    app.send(browser.address, request).await
}

/// A POST of JSON with exactly these headers beside the cookies.
pub(super) async fn post(
    app: &TestApp,
    browser: &Browser,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Reply {
    let mut all = vec![(header::CONTENT_TYPE.as_str(), "application/json")];
    all.extend_from_slice(headers);
    send(app, browser, Method::POST, path, &all, body.to_string()).await
}

/// A text as the value of a query parameter.
pub(super) fn component(text: &str) -> String {
    crate::wire::component(text)
}

/// Whether an answer hands out or takes away a session.
pub(super) fn touches_session(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE) || headers.contains_key("set-auth-token")
}
