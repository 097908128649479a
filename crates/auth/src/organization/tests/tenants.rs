//! OR-09, OR-11: ids of one organization in the hands of another's owner, of a stranger and of nobody.

use http::Method;
use serde_json::{Map, Value, json};

use super::world::{created, invited, joined, posted, server, text};
use crate::{
    http::{Endpoint, fields::Kind},
    testing::{Browser, TestApp},
};

/// What an organization consists of, by the names that requests have for it.
struct Tenant {
    values: Map<String, Value>,
}

async fn tenant(app: &TestApp, owner: &mut Browser, slug: &str) -> Tenant {
    let id = created(app, owner, slug).await;
    let (mut browser, member) = joined(app, owner, &id, &format!("{slug}-member"), "member").await;
    let user = browser.get(app, "/get-session").await.body["user"]["id"].clone();
    let waiting = format!("{slug}-waiting@example.com");
    let invitation = invited(app, owner, &id, &waiting, "member").await;
    let team =
        owner.post(app, "/organization/create-team", json!({ "name": format!("{slug} team") }));
    let team = text(&team.await.body["id"]);
    let body = json!({ "teamId": team, "userId": user });
    assert_eq!(owner.post(app, "/organization/add-team-member", body).await.status, 200);
    let role = json!({ "role": format!("{slug}-role"), "permission": { "member": ["create"] } });
    let role = owner.post(app, "/organization/create-role", role).await;
    let mut values = Map::new();
    let mut put = |name: &str, value: Value| values.insert(name.to_owned(), value);
    put("organizationId", json!(id));
    put("organizationSlug", json!(slug));
    put("memberId", json!(member));
    put("memberIdOrEmail", json!(member));
    put("userId", user);
    put("invitationId", json!(invitation));
    put("id", json!(invitation));
    put("teamId", json!(team));
    put("roleId", role.body["roleData"]["id"].clone());
    put("roleName", role.body["roleData"]["role"].clone());
    Tenant { values }
}

/// Everything of an organization, as one text.
async fn dump(app: &TestApp, slug: &str) -> String {
    let sql = format!(
        r#"with o as (select * from neon_auth.organization where slug = '{slug}')
select (select o::text from o)
  || coalesce((select string_agg(m::text, ';' order by m.id) from neon_auth.member m, o where m."organizationId" = o.id), '')
  || coalesce((select string_agg(i::text, ';' order by i.id) from neon_auth.invitation i, o where i."organizationId" = o.id), '')
  || coalesce((select string_agg(t::text, ';' order by t.id) from neon_auth.team t, o where t."organizationId" = o.id), '')
  || coalesce((select string_agg(tm::text, ';' order by tm.id) from neon_auth."teamMember" tm, neon_auth.team t, o
    where tm."teamId" = t.id and t."organizationId" = o.id), '')
  || coalesce((select string_agg(r::text, ';' order by r.id) from neon_auth."organizationRole" r, o where r."organizationId" = o.id), '')"#
    );
    app.sql(&sql).await[0].get(0)
}

/// A request with these values for the members that have one, and something fitting for the others.
fn request(
    endpoint: &Endpoint,
    browser: &Browser,
    values: &Map<String, Value>,
) -> http::Request<axum::body::Body> {
    let members = endpoint.query.iter().chain(endpoint.body.iter().flatten());
    let filled = members.filter_map(|member| {
        let value = match (values.get(member.name), member.kind) {
            (Some(value), _) => value.clone(),
            (None, _) if !member.required => return None,
            (None, Kind::Record) if member.name.starts_with("permission") => {
                json!({ "member": ["create"] })
            }
            (None, Kind::Record) => match values.get("organizationId") {
                Some(id) if endpoint.name == "update_team" => {
                    json!({ "name": "taken", "organizationId": id })
                }
                _ => json!({ "name": "taken" }),
            },
            (None, Kind::Texts) => json!("admin"),
            (None, _) if member.name == "email" => json!("x@example.com"),
            (None, _) => json!("taken"),
        };
        Some((member.name.to_owned(), value))
    });
    let filled: Map<String, Value> = filled.collect();
    if endpoint.method == Method::GET {
        let query: Vec<String> = filled
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let path = format!("{}?{}", endpoint.path, query.join("&"));
        return browser.request(Method::GET, &path).body(axum::body::Body::empty()).unwrap();
    }
    posted(browser, endpoint.path, &Value::Object(filled))
}

#[tokio::test]
async fn or_09_ids_of_another_organization_open_and_change_nothing_at_any_endpoint() {
    let app = server(|config| config.organization.organization_limit = 0).await;
    let mut vic = app.signed_up("vic").await;
    let theirs = tenant(&app, &mut vic, "victims").await;
    let mut mallory = app.signed_up("mallory").await;
    let own = tenant(&app, &mut mallory, "attackers").await;
    let stranger = app.signed_up("stranger").await;
    let before = dump(&app, "victims").await;
    let own_id = own.values["organizationId"].clone();

    // Ids of the other with the own organization active, with the own one named, and with the other named.
    let mut unnamed = theirs.values.clone();
    unnamed.remove("organizationId");
    unnamed.remove("organizationSlug");
    let mut own_named = unnamed.clone();
    own_named.insert("organizationId".to_owned(), own_id.clone());
    let mut ids_of_own = own.values.clone();
    for name in ["organizationId", "organizationSlug"] {
        ids_of_own.insert(name.to_owned(), theirs.values[name].clone());
    }
    let combinations = [unnamed, own_named, theirs.values.clone(), ids_of_own];
    let named: Vec<&str> = theirs.values.keys().map(String::as_str).collect();
    let takes_ids = |endpoint: &&Endpoint| {
        let members = endpoint.query.iter().chain(endpoint.body.iter().flatten());
        endpoint.path.starts_with("/organization/")
            && members.into_iter().any(|member| named.contains(&member.name))
    };
    let mut calls = 0;
    for endpoint in app.app.endpoints.iter().filter(takes_ids) {
        for values in &combinations {
            for (who, browser) in
                [("mallory", &mallory), ("stranger", &stranger), ("nobody", &app.browser())]
            {
                app.sql(&format!(
                    r#"update neon_auth.session s set "activeOrganizationId" = {own_id}
from neon_auth."user" u where u.id = s."userId" and u.name = 'mallory'"#,
                    own_id = own_id.to_string().replace('"', "'")
                ))
                .await;
                let reply = app.send(browser.address, request(endpoint, browser, values)).await;
                calls += 1;
                let what = format!(
                    "{} by {who} with {values:?}: {} {}",
                    endpoint.name, reply.status, reply.text
                );
                assert!(reply.status.as_u16() < 500, "{what}");
                for secret in [
                    "victims-member",
                    "victims-waiting",
                    "victims team",
                    "victims-role",
                    "vic@example.com",
                ] {
                    let echoed = values.values().any(|value| value.as_str() == Some(secret));
                    assert!(echoed || !reply.text.contains(secret), "{what}");
                }
                if who != "mallory" && endpoint.name != "create_organization" {
                    let nothing =
                        ["[]", "null", "{\"status\":true}"].contains(&reply.text.as_str());
                    assert!(reply.status.is_client_error() || nothing, "{what}");
                }
            }
        }
    }
    assert!(calls > 200, "{calls}");
    assert_eq!(dump(&app, "victims").await, before);
}

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
