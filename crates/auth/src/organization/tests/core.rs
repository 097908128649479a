use serde_json::{Value, json};

use super::world::{created, joined, server, text};
use crate::testing::TestApp;

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_new_organization_is_active_and_stands_in_the_token() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let token = ada.get(&app, "/token").await;
    let claims = claims(token.body["token"].as_str().unwrap());
    assert_eq!(claims["o"], json!({ "id": id, "slug": "acme", "role": "owner" }));
    let session = ada.get(&app, "/get-session").await;
    assert_eq!(session.body["session"]["activeOrganizationId"], id);
}

#[tokio::test]
async fn or_17_a_token_made_after_the_removal_names_no_organization() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut bob, member) = joined(&app, &mut ada, &id, "bob", "member").await;
    let token = bob.get(&app, "/token").await;
    assert_eq!(claims(token.body["token"].as_str().unwrap())["o"]["id"], id);
    let body = json!({ "memberIdOrEmail": member, "organizationId": id });
    assert_eq!(ada.post(&app, "/organization/remove-member", body).await.status, 200);
    let token = bob.get(&app, "/token").await;
    assert!(claims(token.body["token"].as_str().unwrap()).get("o").is_none());
}

#[tokio::test]
async fn members_are_filtered_sorted_and_paged() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    for (name, role) in [("bob", "admin"), ("cyd", "member"), ("dan", "member")] {
        app.pass(1);
        joined(&app, &mut ada, &id, name, role).await;
    }
    let cases: [(&str, &[&str], u64); 10] = [
        ("", &["ada", "bob", "cyd", "dan"], 4),
        ("sortBy=createdAt&sortDirection=desc&limit=2", &["dan", "cyd"], 4),
        ("limit=2&offset=3", &["dan"], 4),
        ("offset=9", &[], 4),
        ("filterField=role&filterValue=member", &["cyd", "dan"], 2),
        ("filterField=role&filterOperator=ne&filterValue=member&sortBy=role", &["bob", "ada"], 2),
        (
            "filterField=role&filterOperator=in&filterValue=owner&filterValue=admin",
            &["ada", "bob"],
            2,
        ),
        ("filterField=role&filterOperator=starts_with&filterValue=own", &["ada"], 1),
        ("filterField=role&filterOperator=contains&filterValue=min", &["bob"], 1),
        (
            "filterField=createdAt&filterOperator=gte&filterValue=2027-01-15T08:00:02.000Z",
            &["cyd", "dan"],
            2,
        ),
    ];
    for (query, names, total) in cases {
        let reply = ada.get(&app, &format!("/organization/list-members?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text);
        let members = reply.body["members"].as_array().unwrap();
        let found: Vec<String> =
            members.iter().map(|member| text(&member["user"]["name"])).collect();
        assert_eq!(
            (found, reply.body["total"].as_u64().unwrap()),
            (names.iter().map(|name| (*name).to_owned()).collect(), total),
            "{query}"
        );
    }
    for query in ["sortBy=password", "filterField=email&filterValue=x", "limit=-1", "offset=1.5"] {
        let reply = ada.get(&app, &format!("/organization/list-members?{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "VALIDATION_ERROR"), "{query}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_id_is_answered_as_an_unknown_id() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    created(&app, &mut ada, "acme").await;
    for path in [
        "/organization/get-organization?organizationId=",
        "/organization/get-full-organization?organizationSlug=",
        "/organization/list-members?organizationId=",
        "/organization/get-invitation?id=",
        "/organization/list-teams?organizationId=",
        "/organization/list-team-members?teamId=",
        "/organization/get-role?roleId=",
    ] {
        let mut answers = Vec::new();
        for id in ["nope", "11111111-1111-4111-8111-111111111111", "'%20or%201=1--"] {
            let reply = ada.get(&app, &format!("{path}{id}")).await;
            assert!(reply.status.is_client_error(), "{path}{id}: {}", reply.text);
            answers.push((reply.status, reply.text));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        assert_eq!(answers[1], answers[2], "{path}");
    }
    let reply = ada.get(&app, "/organization/get-organization?organizationSlug=a%00b").await;
    assert_eq!(reply.status, 400, "{}", reply.text);
}

#[tokio::test]
async fn or_19_only_fields_of_an_organization_are_taken_from_a_body() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let forged = "11111111-1111-4111-8111-111111111111";
    let body = json!({
        "name": "Acme", "slug": "acme", "id": forged, "createdAt": "2000-01-01T00:00:00.000Z",
        "ownerId": forged, "userId": forged, "memberLimit": 9999, "metadata": { "plan": "pro" },
    });
    let reply = ada.post(&app, "/organization/create", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_ne!(reply.body["id"], forged);
    assert!(!reply.text.contains("2000-01-01") && !reply.text.contains("memberLimit"));
    let data = json!({ "id": forged, "createdAt": "2000-01-01T00:00:00.000Z", "name": "Renamed" });
    let updated = ada.post(&app, "/organization/update", json!({ "data": data })).await;
    assert_eq!(
        (&updated.body["name"], &updated.body["id"]),
        (&json!("Renamed"), &reply.body["id"])
    );
    assert_eq!(updated.body["createdAt"], reply.body["createdAt"]);
    assert_eq!(updated.body["metadata"], json!({ "plan": "pro" }));

    let huge = json!({ "data": { "metadata": { "x": "y".repeat(1_000_000) } } });
    let refused = ada.post(&app, "/organization/update", huge).await;
    assert_eq!(refused.status, 413);
}

#[tokio::test]
async fn switched_off_features_are_no_endpoints() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    for path in ["/organization/list-teams", "/organization/list-roles"] {
        let reply = ada.get(&app, path).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, ""), "{path}");
    }
    let full = ada.get(&app, "/organization/get-full-organization").await;
    assert!(full.body.get("teams").is_none(), "{}", full.text);

    let app = TestApp::with(|config| config.features.organization = false).await;
    let mut ada = app.signed_up("ada").await;
    let body = json!({ "organizationId": id });
    assert_eq!(ada.post(&app, "/organization/set-active", body).await.status, 404);
}
