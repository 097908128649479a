use serde_json::{Value, json};

use crate::testing::{Browser, TestApp};

async fn app() -> TestApp {
    TestApp::with(|config| {
        config.next_step.register_page = "https://app.test/register".to_owned();
        config.next_step.choose_page = "https://app.test/choose".to_owned();
        config.next_step.home_page = "https://app.test/o/{slug}".to_owned();
    })
    .await
}

/// Founds an organization without entering it.
async fn found(app: &TestApp, browser: &mut Browser, slug: &str) -> String {
    let body = json!({ "name": slug, "slug": slug, "keepCurrentActiveOrganization": true });
    let reply = browser.post(app, "/organization/create", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["id"].as_str().unwrap().to_owned()
}

async fn active(app: &TestApp, browser: &mut Browser) -> Value {
    let reply = browser.get(app, "/get-session").await;
    reply.body["session"]["activeOrganizationId"].clone()
}

#[tokio::test]
async fn nobody_is_sent_to_sign_in_and_a_newcomer_to_register() {
    let app = app().await;
    let reply = app.browser().get(&app, "/next-step").await;
    assert_eq!(reply.body["step"], "sign-in");
    let refused = app.browser().post(&app, "/next-step", json!({})).await;
    assert_eq!(refused.status, 401);

    let mut alice = app.signed_up("alice").await;
    let reply = alice.get(&app, "/next-step").await;
    assert_eq!(
        reply.body,
        json!({ "step": "register-organization", "url": "https://app.test/register", "organization": null,
                "organizations": [], "invitations": 0 })
    );
}

#[tokio::test]
async fn the_only_organization_is_entered_by_post_and_not_by_get() {
    let app = app().await;
    let mut alice = app.signed_up("alice").await;
    let acme = found(&app, &mut alice, "acme").await;
    let told = alice.get(&app, "/next-step").await;
    assert_eq!(told.body["step"], "enter-organization");
    assert_eq!(told.body["url"], "https://app.test/o/acme");
    assert_eq!(told.body["organization"]["role"], "owner");
    assert_eq!(active(&app, &mut alice).await, Value::Null);

    let taken = alice.post(&app, "/next-step", json!({})).await;
    assert_eq!(taken.body["organization"]["id"], acme.as_str());
    assert_eq!(active(&app, &mut alice).await, acme.as_str());
}

#[tokio::test]
async fn several_organizations_are_a_choice_until_one_is_the_default() {
    let app = app().await;
    let mut alice = app.signed_up("alice").await;
    found(&app, &mut alice, "acme").await;
    let beta = found(&app, &mut alice, "beta").await;
    let told = alice.post(&app, "/next-step", json!({})).await;
    assert_eq!(told.body["step"], "choose-organization");
    assert_eq!(told.body["url"], "https://app.test/choose");
    let slugs: Vec<_> = told.body["organizations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["slug"].clone())
        .collect();
    assert_eq!(slugs, ["acme", "beta"]);

    let set = json!({ "organizationId": beta });
    assert_eq!(alice.post(&app, "/organization/set-default", set).await.status, 200);
    let told = alice.post(&app, "/next-step", json!({})).await;
    assert_eq!(told.body["organization"]["slug"], "beta");
    assert_eq!(told.body["organization"]["isDefault"], true);

    let missing = alice.post(&app, "/organization/set-default", json!({})).await;
    assert_eq!(missing.status, 400, "{}", missing.text);
    let cleared = json!({ "organizationId": null });
    assert_eq!(alice.post(&app, "/organization/set-default", cleared).await.status, 200);
    let none = json!({ "organizationId": null });
    alice.post(&app, "/organization/set-active", none).await;
    let told = alice.get(&app, "/next-step").await;
    assert_eq!(told.body["step"], "choose-organization");
}

#[tokio::test]
async fn what_the_session_remembers_does_not_let_a_former_member_in() {
    let app = app().await;
    let mut alice = app.signed_up("alice").await;
    found(&app, &mut alice, "acme").await;
    found(&app, &mut alice, "beta").await;
    let acme = json!({ "organizationSlug": "acme" });
    assert_eq!(alice.post(&app, "/organization/set-active", acme).await.status, 200);
    assert_eq!(alice.get(&app, "/next-step").await.body["organization"]["slug"], "acme");
    app.sql("delete from neon_auth.member where \"organizationId\" = (select id from neon_auth.organization where slug = 'acme')").await;
    let told = alice.post(&app, "/next-step", json!({})).await;
    assert_eq!(told.body["organization"]["slug"], "beta");
    assert_eq!(told.body["organizations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stranger_cannot_make_an_organization_the_default() {
    let app = app().await;
    let mut alice = app.signed_up("alice").await;
    let acme = found(&app, &mut alice, "acme").await;
    let mut eve = app.signed_up("eve").await;
    let real = eve.post(&app, "/organization/set-default", json!({ "organizationId": acme })).await;
    let unknown = uuid::Uuid::nil().to_string();
    let other =
        eve.post(&app, "/organization/set-default", json!({ "organizationId": unknown })).await;
    assert_eq!((real.status.as_u16(), other.status.as_u16()), (403, 403));
    assert_eq!(real.text, other.text, "an organization that exists looks like one that does not");
}
