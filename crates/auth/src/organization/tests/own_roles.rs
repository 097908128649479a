use serde_json::{Value, json};

use super::{
    super::Config,
    world::{created, joined, server},
};
use crate::testing::{Browser, TestApp};

async fn make(app: &TestApp, by: &mut Browser, role: &str, permission: Value) -> u16 {
    let body = json!({ "role": role, "permission": permission });
    by.post(app, "/organization/create-role", body).await.status.as_u16()
}

async fn may(app: &TestApp, browser: &mut Browser, resource: &str, action: &str) -> bool {
    let body = json!({ "permissions": { resource: [action] } });
    let reply = browser.post(app, "/organization/has-permission", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["success"].as_bool().unwrap()
}

#[tokio::test]
async fn an_own_role_grants_what_it_says_at_once_and_everywhere() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    assert_eq!(make(&app, &mut ada, "Team lead", json!({ "team": ["create"] })).await, 200);
    let (mut bob, member) = joined(&app, &mut ada, &id, "bob", "member").await;
    assert!(!may(&app, &mut bob, "team", "create").await);
    let body = json!({ "memberId": member, "role": ["member", "team lead"] });
    let set = ada.post(&app, "/organization/update-member-role", body).await;
    assert_eq!(set.body["role"], "member,team lead", "{}", set.text);
    assert!(may(&app, &mut bob, "team", "create").await);
    assert!(may(&app, &mut bob, "ac", "read").await);
    assert!(!may(&app, &mut bob, "team", "delete").await);
    let made = bob.post(&app, "/organization/create-team", json!({ "name": "Dev" })).await;
    assert_eq!(made.status, 200, "{}", made.text);

    let in_use = ada.post(&app, "/organization/delete-role", json!({ "roleName": "team lead" }));
    assert_eq!(in_use.await.code(), "ROLE_IS_ASSIGNED_TO_MEMBERS");
    let body = json!({ "roleName": "team lead", "data": { "permission": { "team": ["update"] } } });
    assert_eq!(ada.post(&app, "/organization/update-role", body).await.status, 200);
    assert!(!may(&app, &mut bob, "team", "create").await, "nothing is cached");
}

#[tokio::test]
async fn nobody_makes_or_gives_a_role_beyond_their_own_permissions() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut adam, admin) = joined(&app, &mut ada, &id, "adam", "admin").await;
    let (mut mary, member) = joined(&app, &mut ada, &id, "mary", "member").await;
    assert_eq!(make(&app, &mut adam, "closer", json!({ "organization": ["delete"] })).await, 403);
    assert_eq!(make(&app, &mut ada, "closer", json!({ "organization": ["delete"] })).await, 200);
    assert_eq!(make(&app, &mut ada, "staff", json!({ "member": ["update"] })).await, 200);

    let set = |member: &str, role: &str| json!({ "memberId": member, "role": role });
    let path = "/organization/update-member-role";
    assert_eq!(adam.post(&app, path, set(&admin, "admin,closer")).await.status, 403);
    assert_eq!(adam.post(&app, path, set(&member, "closer")).await.status, 403);
    let body = json!({ "email": "eve@example.com", "role": "closer" });
    let invited = adam.post(&app, "/organization/invite-member", body).await;
    assert_eq!(invited.code(), "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE");

    assert_eq!(ada.post(&app, path, set(&member, "staff")).await.status, 200);
    assert_eq!(mary.post(&app, path, set(&member, "admin")).await.status, 403);
    assert_eq!(mary.post(&app, path, set(&admin, "member")).await.status, 200, "less is allowed");
}

#[tokio::test]
async fn a_role_name_is_one_name() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    created(&app, &mut ada, "acme").await;
    for name in ["owner", "OWNER", "a,b", "owner,x", " x", "x ", "", "a\nb"] {
        assert_eq!(
            make(&app, &mut ada, name, json!({ "member": ["create"] })).await,
            400,
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn the_operator_adds_resources_and_roles() {
    let app = server(|config| {
        let organization = &mut config.organization;
        organization
            .resources
            .insert("project".to_owned(), vec!["create".to_owned(), "read".to_owned()]);
        let read =
            std::collections::BTreeMap::from([("project".to_owned(), vec!["read".to_owned()])]);
        organization.roles.insert("auditor".to_owned(), read);
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut bob, _) = joined(&app, &mut ada, &id, "bob", "auditor").await;
    assert!(may(&app, &mut bob, "project", "read").await);
    assert!(!may(&app, &mut bob, "project", "create").await);
}

#[test]
fn a_creators_role_that_is_none_does_not_start() {
    let refusal = |config: Config| config.all_roles().unwrap_err().to_string();
    assert!(Config::default().all_roles().is_ok());
    let boss = Config { creator_role: "boss".to_owned(), ..Config::default() };
    assert!(refusal(boss).contains("creator_role"));
    let page = Config { accept_page: "not a page".to_owned(), ..Config::default() };
    assert!(refusal(page).contains("accept_page"));
}
