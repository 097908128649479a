use serde_json::json;

use super::world::{at_once, created, joined, number, owners, server};
use crate::testing::{Browser, TestApp};

struct Pair {
    app: TestApp,
    ada: Browser,
    bob: Browser,
    /// Row ids of the users.
    users: [String; 2],
}

async fn pair() -> Pair {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let mut bob = app.signed_up("bob").await;
    let mut users = [String::new(), String::new()];
    for (browser, user) in [&mut ada, &mut bob].into_iter().zip(&mut users) {
        let session = browser.get(&app, "/get-session").await;
        *user = session.body["user"]["id"].as_str().unwrap().to_owned();
    }
    Pair { app, ada, bob, users }
}

impl Pair {
    /// An organization with both as owners; its id and the member ids.
    async fn organization(&self, slug: &str) -> (String, [String; 2]) {
        let sql = format!(
            r#"with made as (
  insert into neon_auth.organization (name, slug, "createdAt") values ('{slug}', '{slug}', now()) returning id
), owners as (
  insert into neon_auth.member ("organizationId", "userId", role, "createdAt")
  select made.id, u.id, 'owner', now() from made, neon_auth."user" u where u.id in ('{}', '{}')
  returning id, "userId"
)
select made.id::text, a.id::text, b.id::text
from made, owners a, owners b where a."userId" = '{}' and b."userId" = '{}'"#,
            self.users[0], self.users[1], self.users[0], self.users[1]
        );
        let row = self.app.sql(&sql).await.remove(0);
        (row.get(0), [row.get(1), row.get(2)])
    }
}

#[tokio::test]
async fn or_08_two_owners_who_leave_at_once_leave_one_behind() {
    let pair = pair().await;
    for round in 0..5 {
        let (id, _) = pair.organization(&format!("leave-{round}")).await;
        let body = json!({ "organizationId": id });
        let mut statuses = at_once(
            &pair.app,
            vec![
                (&pair.ada, "/organization/leave", body.clone()),
                (&pair.bob, "/organization/leave", body),
            ],
        )
        .await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        assert_eq!(owners(&pair.app, &id).await, 1);
    }
}

#[tokio::test]
async fn or_08_two_owners_who_remove_or_demote_each_other_leave_one_behind() {
    let pair = pair().await;
    for round in 0..5 {
        let (id, [ada, bob]) = pair.organization(&format!("remove-{round}")).await;
        let remove = |member: &str| json!({ "organizationId": id, "memberIdOrEmail": member });
        at_once(
            &pair.app,
            vec![
                (&pair.ada, "/organization/remove-member", remove(&bob)),
                (&pair.bob, "/organization/remove-member", remove(&ada)),
            ],
        )
        .await;
        assert_eq!(owners(&pair.app, &id).await, 1);

        let (id, [ada, bob]) = pair.organization(&format!("demote-{round}")).await;
        let demote =
            |member: &str| json!({ "organizationId": id, "memberId": member, "role": "member" });
        at_once(
            &pair.app,
            vec![
                (&pair.ada, "/organization/update-member-role", demote(&bob)),
                (&pair.bob, "/organization/update-member-role", demote(&ada)),
                (&pair.ada, "/organization/update-member-role", demote(&ada)),
                (&pair.bob, "/organization/update-member-role", demote(&bob)),
            ],
        )
        .await;
        assert_eq!(owners(&pair.app, &id).await, 1);
    }
}

#[tokio::test]
async fn or_08_two_owners_who_delete_their_accounts_at_once_leave_one_behind() {
    let pair = pair().await;
    let (id, _) = pair.organization("accounts").await;
    let mut ada = pair.ada.clone();
    joined(&pair.app, &mut ada, &id, "cyd", "member").await;
    let mut statuses = at_once(
        &pair.app,
        vec![(&pair.ada, "/delete-user", json!({})), (&pair.bob, "/delete-user", json!({}))],
    )
    .await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(owners(&pair.app, &id).await, 1);
}

#[tokio::test]
async fn or_18_the_only_owner_of_others_cannot_be_deleted_and_an_empty_organization_goes_along() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let shared = created(&app, &mut ada, "shared").await;
    created(&app, &mut ada, "alone").await;
    let (mut bob, member) = joined(&app, &mut ada, &shared, "bob", "member").await;
    let refused = ada.post(&app, "/delete-user", json!({})).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (400, "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER")
    );
    assert_eq!(number(&app, "select count(*) from neon_auth.organization").await, 2);

    let body = json!({ "organizationId": shared, "memberId": member, "role": "owner" });
    assert_eq!(ada.post(&app, "/organization/update-member-role", body).await.status, 200);
    let gone = ada.post(&app, "/delete-user", json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let left = bob.get(&app, "/organization/get-full-organization").await;
    assert_eq!(left.body["members"].as_array().unwrap().len(), 1);
    assert_eq!(left.body["teams"][0]["memberCount"], 0, "the creator's seat is free");
    let slugs = number(&app, "select count(*) from neon_auth.organization where slug = 'alone'");
    assert_eq!(slugs.await, 0);
}

#[tokio::test]
async fn or_07_nobody_elevates_themselves_and_only_owners_touch_owners() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let full = ada.get(&app, "/organization/get-active-member").await;
    let owner = full.body["id"].as_str().unwrap().to_owned();
    let (adam, admin) = joined(&app, &mut ada, &id, "adam", "admin").await;
    let (mary, member) = joined(&app, &mut ada, &id, "mary", "member").await;
    let set = |member: &str, role: &str| {
        (
            "/organization/update-member-role",
            json!({ "memberId": member, "role": role, "organizationId": id }),
        )
    };
    let remove = |member: &str| {
        ("/organization/remove-member", json!({ "memberIdOrEmail": member, "organizationId": id }))
    };
    let cases = [
        (&mary, set(&member, "admin")),
        (&mary, set(&member, "owner")),
        (&mary, set(&owner, "member")),
        (&mary, remove(&owner)),
        (&mary, remove(&admin)),
        (&adam, set(&admin, "owner")),
        (&adam, set(&admin, "admin,owner")),
        (&adam, set(&admin, " owner ")),
        (&adam, set(&owner, "member")),
        (&adam, set(&member, "owner")),
        (&adam, remove(&owner)),
        (&adam, remove("ada@example.com")),
    ];
    for (browser, (path, body)) in cases {
        let reply = browser.clone().post(&app, path, body.clone()).await;
        assert!(reply.status.is_client_error(), "{path} {body}: {}", reply.text);
    }
    let roles = app.sql("select role from neon_auth.member order by role").await;
    let roles: Vec<String> = roles.iter().map(|row| row.get(0)).collect();
    assert_eq!(roles, ["admin", "member", "owner"]);

    let mut mallory = app.signed_up("mallory").await;
    let other = created(&app, &mut mallory, "other").await;
    let body = json!({ "memberId": member, "role": "owner", "organizationId": other });
    let reply = mallory.post(&app, "/organization/update-member-role", body).await;
    assert_eq!(reply.status, 403, "{}", reply.text);
}
