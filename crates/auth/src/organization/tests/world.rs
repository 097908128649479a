//! What several tests need beside [`TestApp`].

use axum::body::Body;
use futures_util::future::join_all;
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::{
    config::Config,
    mail::Message,
    testing::{Browser, Reply, TestApp},
};

/// A server with teams and own roles, whose users need not prove their addresses.
pub(super) async fn server(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::with(|config| {
        config.features.teams = true;
        config.organization.dynamic_roles = true;
        config.organization.require_email_verification = false;
        change(config);
    })
    .await
}

/// A text in an answer.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A new organization of the browser's user; its id.
pub(crate) async fn created(app: &TestApp, owner: &mut Browser, slug: &str) -> String {
    let reply =
        owner.post(app, "/organization/create", json!({ "name": slug, "slug": slug })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    text(&reply.body["id"])
}

/// An invitation; its id.
pub(crate) async fn invited(
    app: &TestApp,
    by: &mut Browser,
    organization: &str,
    email: &str,
    role: &str,
) -> String {
    let body = json!({ "email": email, "role": role, "organizationId": organization });
    let reply = by.post(app, "/organization/invite-member", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    text(&reply.body["id"])
}

/// A new user who joined through an invitation; the browser and the member id.
pub(crate) async fn joined(
    app: &TestApp,
    by: &mut Browser,
    organization: &str,
    name: &str,
    role: &str,
) -> (Browser, String) {
    let mut browser = app.signed_up(name).await;
    let email = format!("{name}@example.com");
    let invitation = invited(app, by, organization, &email, role).await;
    let reply = accept(app, &mut browser, &invitation).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let member = text(&reply.body["member"]["id"]);
    (browser, member)
}

pub(super) async fn accept(app: &TestApp, browser: &mut Browser, invitation: &str) -> Reply {
    let body = json!({ "invitationId": invitation });
    browser.post(app, "/organization/accept-invitation", body).await
}

/// The last invitation that was mailed to an address: its id, and the link.
pub(super) async fn mailed(app: &TestApp, to: &str) -> (String, String) {
    let mails = app.mails(to).await;
    let last = mails.into_iter().rev().find_map(|message| match message {
        Message::OrganizationInvitation(invitation) => Some(invitation),
        _ => None,
    });
    let last = last.expect("an invitation");
    (last.id, last.url.unwrap())
}

/// Marks an address as proven.
pub(super) async fn prove(app: &TestApp, name: &str) {
    let sql = format!(
        r#"update neon_auth."user" set "emailVerified" = true where email = '{name}@example.com'"#
    );
    app.sql(&sql).await;
}

/// A request as [`Browser::post`] sends it.
pub(super) fn posted(browser: &Browser, path: &str, body: &Value) -> Request<Body> {
    browser
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// Sends all of them at once; the statuses.
pub(super) async fn at_once(app: &TestApp, requests: Vec<(&Browser, &str, Value)>) -> Vec<u16> {
    let sent = requests.into_iter().map(|(browser, path, body)| async move {
        let reply = app.send(browser.address, posted(browser, path, &body)).await;
        assert!(reply.status.as_u16() < 500, "{path}: {}", reply.text);
        reply.status.as_u16()
    });
    join_all(sent).await
}

/// The one number that a query gives.
pub(super) async fn number(app: &TestApp, sql: &str) -> i64 {
    app.sql(sql).await[0].get(0)
}

/// How many owners an organization has.
pub(super) async fn owners(app: &TestApp, organization: &str) -> i64 {
    let sql = format!(
        r#"select count(*) from neon_auth.member where "organizationId" = '{organization}' and role = 'owner'"#
    );
    number(app, &sql).await
}
