use serde_json::json;

use super::world::{accept, created, invited, joined, number, server};

#[tokio::test]
async fn or_15_an_organization_is_deleted_with_everything_or_not_at_all() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut bob, _) = joined(&app, &mut ada, &id, "bob", "member").await;
    let mut vic = app.signed_up("vic").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let role = json!({ "role": "editor", "permission": { "member": ["create"] } });
    assert_eq!(ada.post(&app, "/organization/create-role", role).await.status, 200);

    app.sql(
        "create function neon_auth.fail() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$",
    )
    .await;
    app.sql(
        "create trigger fail before delete on neon_auth.invitation for each row execute function neon_auth.fail()",
    )
    .await;
    let body = json!({ "organizationId": id });
    let failed = ada.post(&app, "/organization/delete", body.clone()).await;
    assert_eq!(failed.status, 500);
    assert!(!failed.text.contains("fault"));
    assert_eq!(number(&app, "select count(*) from neon_auth.member").await, 2);
    let session = bob.get(&app, "/get-session").await;
    assert_eq!(session.body["session"]["activeOrganizationId"], id, "nothing happened");

    app.sql("drop trigger fail on neon_auth.invitation").await;
    let deleted = ada.post(&app, "/organization/delete", body).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    for table in
        ["organization", "member", "invitation", "team", "\"teamMember\"", "\"organizationRole\""]
    {
        let sql = format!("select count(*) from neon_auth.{table}");
        assert_eq!(number(&app, &sql).await, 0, "{table}");
    }
    for browser in [&mut ada, &mut bob] {
        let session = browser.get(&app, "/get-session").await;
        assert!(session.body["session"]["activeOrganizationId"].is_null(), "{}", session.text);
    }
    assert_eq!(accept(&app, &mut vic, &invitation).await.code(), "INVITATION_NOT_FOUND");
}

#[tokio::test]
async fn deletion_can_be_switched_off() {
    let app = server(|config| config.organization.allow_deletion = false).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let refused = ada.post(&app, "/organization/delete", json!({ "organizationId": id })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (404, "ORGANIZATION_DELETION_DISABLED"));
}

#[tokio::test]
async fn a_removed_team_leaves_invitations_and_sessions() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let team = ada.post(&app, "/organization/create-team", json!({ "name": "Dev" })).await;
    let body = json!({
        "email": "bob@example.com", "role": "member", "organizationId": id, "teamId": team.body["id"],
    });
    let invitation = ada.post(&app, "/organization/invite-member", body.clone()).await;
    let mut bob = app.signed_up("bob").await;
    let accepted = accept(&app, &mut bob, invitation.body["id"].as_str().unwrap()).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let session = bob.get(&app, "/get-session").await;
    assert_eq!(session.body["session"]["activeTeamId"], team.body["id"]);
    let mut body = body;
    body["email"] = json!("cyd@example.com");
    let waiting = ada.post(&app, "/organization/invite-member", body).await;
    assert_eq!(waiting.body["teamId"], team.body["id"]);

    let body = json!({ "teamId": team.body["id"] });
    let removed = ada.post(&app, "/organization/remove-team", body).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let session = bob.get(&app, "/get-session").await;
    assert!(session.body["session"]["activeTeamId"].is_null());
    let mut cyd = app.signed_up("cyd").await;
    let accepted = accept(&app, &mut cyd, waiting.body["id"].as_str().unwrap()).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
}
