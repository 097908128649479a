use serde_json::json;

use super::world::{at_once, created, invited, joined, number, server};
use crate::testing::{Browser, TestApp};

async fn many(app: &TestApp, count: usize) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for index in 0..count {
        browsers.push(app.signed_up(&format!("user{index}")).await);
    }
    browsers
}

#[tokio::test]
async fn or_16_members_who_join_at_once_never_exceed_the_limit() {
    let app = server(|config| config.organization.membership_limit = 4).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let users = many(&app, 8).await;
    let mut bodies = Vec::new();
    for index in 0..users.len() {
        let email = format!("user{index}@example.com");
        let invitation = invited(&app, &mut ada, &id, &email, "member").await;
        bodies.push(json!({ "invitationId": invitation }));
    }
    let path = "/organization/accept-invitation";
    let requests = users.iter().zip(bodies).map(|(user, body)| (user, path, body)).collect();
    let statuses = at_once(&app, requests).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    assert_eq!(number(&app, "select count(*) from neon_auth.member").await, 4);
}

#[tokio::test]
async fn or_16_organizations_invitations_teams_and_roles_made_at_once_never_exceed_their_limits() {
    let app = server(|config| {
        let organization = &mut config.organization;
        organization.organization_limit = 3;
        organization.invitation_limit = 3;
        organization.maximum_teams = 3;
        organization.maximum_roles = 3;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let each = |path: &'static str, body: fn(usize, &str) -> serde_json::Value| {
        (0..8).map(|index| (&ada, path, body(index, &id))).collect::<Vec<_>>()
    };
    let mut requests = each(
        "/organization/create",
        |index, _| json!({ "name": "n", "slug": format!("s{index}"), "keepCurrentActiveOrganization": true }),
    );
    requests.extend(each("/organization/invite-member", |index, id| {
        json!({ "email": format!("i{index}@example.com"), "role": "member", "organizationId": id })
    }));
    requests.extend(each(
        "/organization/create-team",
        |index, id| json!({ "name": format!("t{index}"), "organizationId": id }),
    ));
    requests.extend(each("/organization/create-role", |index, id| {
        json!({ "role": format!("r{index}"), "permission": { "member": ["create"] }, "organizationId": id })
    }));
    at_once(&app, requests).await;
    for (table, column) in [
        ("organization", "id::text <> ''"),
        ("invitation", r#""organizationId"::text <> ''"#),
        ("team", &format!(r#""organizationId" = '{id}'"#)),
        (r#""organizationRole""#, r#""organizationId"::text <> ''"#),
    ] {
        let sql = format!("select count(*) from neon_auth.{table} where {column}");
        assert_eq!(number(&app, &sql).await, 3, "{table}");
    }
}

#[tokio::test]
async fn or_16_a_team_is_never_overfull_and_nobody_is_in_it_twice() {
    let app = server(|config| config.organization.maximum_team_members = 3).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let team = ada.post(&app, "/organization/create-team", json!({ "name": "Dev" })).await;
    let mut users = Vec::new();
    for index in 0..5 {
        let (mut browser, _) = joined(&app, &mut ada, &id, &format!("user{index}"), "member").await;
        let session = browser.get(&app, "/get-session").await;
        users.push(session.body["user"]["id"].clone());
    }
    let requests = users.iter().chain(&users).map(|user| {
        let body = json!({ "teamId": team.body["id"], "userId": user });
        (&ada, "/organization/add-team-member", body)
    });
    at_once(&app, requests.collect()).await;
    let counts = r#"select count(*), count(distinct "userId"), max(t."memberCount")::bigint
from neon_auth."teamMember" tm join neon_auth.team t on t.id = tm."teamId" where t.name = 'Dev'"#;
    let row = app.sql(counts).await.remove(0);
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (3, 3, 3));
}

#[tokio::test]
async fn or_14_one_of_many_gets_a_slug() {
    let app = server(|_| {}).await;
    let users = many(&app, 6).await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let requests = users.iter().map(|user| (user, "/organization/create", body.clone()));
    let statuses = at_once(&app, requests.collect()).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(number(&app, "select count(*) from neon_auth.member").await, 1, "nothing half-made");
}

#[tokio::test]
async fn or_14_reserved_and_confusable_slugs_are_refused_wherever_one_is_chosen() {
    let app = server(|config| config.organization.reserved_slugs.push("acme".to_owned())).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "a-1_b").await;
    let long = "a".repeat(64);
    for slug in [
        "Admin",
        "admin",
        "\u{430}dmin",
        "api",
        "..",
        ".",
        "a/b",
        "a b",
        "-a",
        "a-",
        "_",
        "ACME",
        "acme",
        "%61dmin",
        "a\u{200b}b",
        "ﬁ",
        "a\n",
        &long,
    ] {
        let asked = [
            ("create", json!({ "name": "A", "slug": slug })),
            ("update", json!({ "organizationId": id, "data": { "slug": slug } })),
            ("check-slug", json!({ "slug": slug })),
        ];
        for (path, body) in asked {
            let reply = ada.post(&app, &format!("/organization/{path}"), body).await;
            let seen = (reply.status.as_u16(), reply.code());
            assert_eq!(seen, (400, "ORGANIZATION_SLUG_NOT_ALLOWED"), "{path} {slug:?}");
        }
    }
    for slug in ["a", "7", &"a".repeat(63), "admins", "018f-4c"] {
        let reply = ada.post(&app, "/organization/check-slug", json!({ "slug": slug })).await;
        assert_eq!(reply.status, 200, "{slug}: {}", reply.text);
    }
    // Adopted with its organization: it is sent back with what changes, and stays.
    app.sql("update neon_auth.organization set slug = 'Old Name'").await;
    let data = json!({ "name": "New", "slug": "Old Name" });
    let body = json!({ "organizationId": id, "data": data });
    let reply = ada.post(&app, "/organization/update", body).await;
    assert_eq!((reply.status.as_u16(), &reply.body["slug"]), (200, &json!("Old Name")));
}

#[tokio::test]
async fn a_setting_takes_every_slug_as_better_auth_does() {
    let app = server(|config| config.organization.any_slug = true).await;
    let mut ada = app.signed_up("ada").await;
    for slug in ["Admin", "spaces and / slashes"] {
        created(&app, &mut ada, slug).await;
    }
}

#[tokio::test]
async fn who_may_not_create_is_told_so() {
    let app = server(|config| config.organization.allow_user_to_create = false).await;
    let mut ada = app.signed_up("ada").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let refused = ada.post(&app, "/organization/create", body).await;
    assert_eq!(refused.code(), "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_NEW_ORGANIZATION");
}
