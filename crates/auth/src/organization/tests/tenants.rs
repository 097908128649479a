//! OR-11: what a stranger learns of an organization. Ids in foreign hands, at every endpoint: `crate::tests::owned`.

use serde_json::json;

use super::world::{created, server};

#[tokio::test]
async fn or_11_a_stranger_reads_nothing_by_id_or_slug() {
    let app = server(|config| config.rate_limit.enabled = true).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let mut eve = app.signed_up("eve").await;
    for path in
        ["get-organization", "get-full-organization", "list-members", "get-active-member-role"]
    {
        for named in [format!("organizationId={id}"), "organizationSlug=acme".to_owned()] {
            let reply = eve.get(&app, &format!("/organization/{path}?{named}")).await;
            assert_eq!(reply.status, 403, "{path}?{named}: {}", reply.text);
            assert!(!reply.text.contains("ada"), "{}", reply.text);
        }
    }
    for path in ["list-invitations", "list-teams", "list-roles", "get-role?roleName=x&"] {
        let glue = if path.contains('?') { "" } else { "?" };
        let path = format!("/organization/{path}{glue}organizationId={id}");
        assert_eq!(eve.get(&app, &path).await.status, 403, "{path}");
    }
    // Whether a slug is free is told, but not to somebody who asks for all of them.
    let mut last = 200;
    for index in 0..110 {
        let body = json!({ "slug": format!("guess{index}") });
        last = eve.post(&app, "/organization/check-slug", body).await.status.as_u16();
    }
    assert_eq!(last, 429);
}
