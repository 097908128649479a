//! OR-01: who may call which endpoint, as a table. An endpoint that is not in it fails the test.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::world::{created, joined, posted, prove, server, text};
use crate::{
    http::Endpoint,
    testing::{Browser, TestApp},
};

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Anybody,
    SignedIn,
    /// The proven owner of the invited address.
    Recipient,
    Member,
    Admin,
    Owner,
}

const TABLE: &[(&str, Least)] = &[
    ("accept_invitation_page", Least::Anybody),
    ("create_organization", Least::SignedIn),
    ("list_organizations", Least::SignedIn),
    ("check_organization_slug", Least::SignedIn),
    ("list_user_teams", Least::SignedIn),
    ("get_invitation", Least::Recipient),
    ("list_user_invitations", Least::Recipient),
    ("reject_organization_invitation", Least::Recipient),
    ("accept_organization_invitation", Least::Recipient),
    ("get_organization", Least::Member),
    ("get_full_organization", Least::Member),
    ("set_active_organization", Least::Member),
    ("set_default_organization", Least::Member),
    ("has_organization_permission", Least::Member),
    ("list_organization_members", Least::Member),
    ("get_active_member", Least::Member),
    ("get_active_member_role", Least::Member),
    ("list_teams", Least::Member),
    ("set_active_team", Least::Member),
    ("list_team_members", Least::Member),
    ("list_organization_roles", Least::Member),
    ("get_organization_role", Least::Member),
    ("leave_organization", Least::Member),
    ("update_organization", Least::Admin),
    ("create_organization_invitation", Least::Admin),
    ("cancel_organization_invitation", Least::Admin),
    ("list_organization_invitations", Least::Admin),
    ("remove_organization_member", Least::Admin),
    ("update_organization_member_role", Least::Admin),
    ("create_team", Least::Admin),
    ("update_team", Least::Admin),
    ("remove_team", Least::Admin),
    ("add_team_member", Least::Admin),
    ("remove_team_member", Least::Admin),
    ("create_organization_role", Least::Admin),
    ("update_organization_role", Least::Admin),
    ("delete_organization_role", Least::Admin),
    ("delete_organization", Least::Owner),
];

struct Actor {
    name: &'static str,
    browser: Browser,
    /// The role in the organization.
    role: Option<&'static str>,
    proven: bool,
    /// Shut out, or never signed in.
    nobody: bool,
}

impl Actor {
    fn may(&self, least: Least) -> bool {
        match least {
            Least::Anybody => true,
            _ if self.nobody => false,
            Least::SignedIn => true,
            Least::Recipient => self.proven,
            Least::Member => self.role.is_some(),
            Least::Admin => matches!(self.role, Some("admin" | "owner")),
            Least::Owner => self.role == Some("owner"),
        }
    }
}

/// Fresh rows for one call, so that it could succeed, whoever makes it.
struct Target {
    organization: String,
    counter: u32,
}

impl Target {
    async fn one(app: &TestApp, sql: &str) -> String {
        app.sql(sql).await[0].get(0)
    }

    /// A new user in the organization: user id and member id.
    async fn member(&self, app: &TestApp) -> (String, String) {
        let sql = format!(
            r#"with made as (
  insert into neon_auth."user" (name, email, "emailVerified") values ('x', 'x{}@example.com', true) returning id
)
insert into neon_auth.member ("organizationId", "userId", role, "createdAt")
select '{}', id, 'member', now() from made returning "userId"::text, id::text"#,
            self.counter, self.organization
        );
        let row = app.sql(&sql).await.remove(0);
        (row.get(0), row.get(1))
    }

    async fn team(&self, app: &TestApp, members: &[&str]) -> String {
        let id = &self.organization;
        let sql = format!(
            r#"insert into neon_auth.team (name, "memberCount", "organizationId", "createdAt")
values ('t', 0, '{id}', now()) returning id::text"#
        );
        let team = Self::one(app, &sql).await;
        for user in members {
            let sql = format!(
                r#"insert into neon_auth."teamMember" ("teamId", "userId", "createdAt") values ('{team}', '{user}', now())"#
            );
            app.sql(&sql).await;
        }
        team
    }

    async fn invitation(&self, app: &TestApp, email: &str) -> String {
        let sql = format!(
            r#"insert into neon_auth.invitation ("organizationId", email, role, status, "expiresAt", "inviterId")
select '{}', '{email}', 'member', 'pending', now() + interval '100 years', "userId"
from neon_auth.member where "organizationId" = '{}' and role = 'owner' limit 1 returning id::text"#,
            self.organization, self.organization
        );
        Self::one(app, &sql).await
    }

    async fn role(&self, app: &TestApp) -> String {
        let sql = format!(
            r#"insert into neon_auth."organizationRole" ("organizationId", role, permission)
values ('{}', 'r{}', '{{"member":["create"]}}') returning role"#,
            self.organization, self.counter
        );
        Self::one(app, &sql).await
    }

    /// Query and body of a call that names the organization wherever it can be named.
    async fn call(&self, app: &TestApp, name: &str, actor: &str) -> (String, Value) {
        let own = format!("{actor}@example.com");
        let user = format!(
            r#"select coalesce((select id::text from neon_auth."user" where email = '{own}'), '')"#
        );
        let user = Self::one(app, &user).await;
        let counter = self.counter;
        let mut body = match name {
            "create_organization" => {
                return (
                    String::new(),
                    json!({ "name": "n", "slug": format!("n{counter}"), "keepCurrentActiveOrganization": true }),
                );
            }
            "check_organization_slug" => json!({ "slug": format!("free{counter}") }),
            "update_organization" => json!({ "data": { "name": "n" } }),
            "has_organization_permission" => json!({ "permissions": { "ac": ["read"] } }),
            "create_organization_invitation" => {
                json!({ "email": format!("i{counter}@example.com"), "role": "member" })
            }
            "get_invitation" => json!({ "id": self.invitation(app, &own).await }),
            "accept_invitation_page" => json!({ "invitationId": self.invitation(app, &own).await }),
            "accept_organization_invitation" | "reject_organization_invitation" => {
                json!({ "invitationId": self.invitation(app, &own).await })
            }
            "cancel_organization_invitation" => {
                json!({ "invitationId": self.invitation(app, &format!("c{counter}@example.com")).await })
            }
            "remove_organization_member" => json!({ "memberIdOrEmail": self.member(app).await.1 }),
            "update_organization_member_role" => {
                json!({ "memberId": self.member(app).await.1, "role": "admin" })
            }
            "create_team" => json!({ "name": "t" }),
            "update_team" => {
                let team = self.team(app, &[]).await;
                return (
                    String::new(),
                    json!({ "teamId": team, "data": { "name": "n", "organizationId": self.organization } }),
                );
            }
            "remove_team" => json!({ "teamId": self.team(app, &[]).await }),
            "set_active_team" | "list_team_members" => {
                let members: Vec<&str> =
                    Some(user.as_str()).filter(|user| !user.is_empty()).into_iter().collect();
                json!({ "teamId": self.team(app, &members).await })
            }
            "add_team_member" | "remove_team_member" => {
                let (user, _) = self.member(app).await;
                let members: &[&str] = if name.starts_with("remove") { &[&user] } else { &[] };
                json!({ "teamId": self.team(app, members).await, "userId": user })
            }
            "create_organization_role" => {
                json!({ "role": format!("n{counter}"), "permission": { "member": ["create"] } })
            }
            "update_organization_role" => {
                json!({ "roleName": self.role(app).await, "data": { "permission": { "team": ["create"] } } })
            }
            "delete_organization_role" | "get_organization_role" => {
                json!({ "roleName": self.role(app).await })
            }
            _ => json!({}),
        };
        if !matches!(name, "list_user_teams") {
            body["organizationId"] = json!(self.organization);
        }
        let query = body
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
        (query.collect::<Vec<_>>().join("&"), body)
    }
}

async fn actors(app: &TestApp, ada: Browser, organization: &str) -> Vec<Actor> {
    let mut ada = ada;
    let actor = |name, browser, role| Actor { name, browser, role, proven: true, nobody: false };
    let mut actors = vec![Actor { nobody: true, ..actor("anonymous", app.browser(), None) }];
    actors.push(actor("stranger", app.signed_up("stranger").await, None));
    let mut owner2 = app.signed_up("owner2").await;
    created(app, &mut owner2, "other").await;
    actors.push(actor("owner2", owner2, None));
    let (removed, id) = joined(app, &mut ada, organization, "removed", "admin").await;
    let body = json!({ "memberIdOrEmail": id, "organizationId": organization });
    assert_eq!(ada.post(app, "/organization/remove-member", body).await.status, 200);
    actors.push(actor("removed", removed, None));
    let (banned, _) = joined(app, &mut ada, organization, "banned", "admin").await;
    app.sql(r#"update neon_auth."user" set banned = true where name = 'banned'"#).await;
    actors.push(Actor { nobody: true, ..actor("banned", banned, None) });
    let (unproven, _) = joined(app, &mut ada, organization, "unproven", "member").await;
    actors.push(Actor { proven: false, ..actor("unproven", unproven, Some("member")) });
    let (member, _) = joined(app, &mut ada, organization, "member", "member").await;
    actors.push(actor("member", member, Some("member")));
    let (acted, _) = joined(app, &mut ada, organization, "acted", "member").await;
    app.sql(
        r#"update neon_auth.session s set "impersonatedBy" = gen_random_uuid()::text
from neon_auth."user" u where u.id = s."userId" and u.name = 'acted'"#,
    )
    .await;
    actors.push(actor("acted", acted, Some("member")));
    let (admin, _) = joined(app, &mut ada, organization, "admin", "admin").await;
    actors.push(actor("admin", admin, Some("admin")));
    actors.push(actor("ada", ada, Some("owner")));
    for name in ["stranger", "owner2", "removed", "banned", "member", "acted", "admin", "ada"] {
        prove(app, name).await;
    }
    actors
}

/// Everybody's session points at the organization, as one from before a removal does (OR-10); memberships as they were.
async fn restore(app: &TestApp, organization: &str, actors: &[Actor]) {
    app.sql(&format!(r#"update neon_auth.session set "activeOrganizationId" = '{organization}'"#))
        .await;
    let roles: Vec<String> = actors
        .iter()
        .filter_map(|actor| {
            let role = actor.role.or((actor.name == "banned").then_some("admin"))?;
            Some(format!("('{}', '{role}')", actor.name))
        })
        .collect();
    let names: Vec<String> = actors.iter().map(|actor| format!("'{}'", actor.name)).collect();
    let sql = format!(
        r#"with gone as (
  delete from neon_auth.member m using neon_auth."user" u
  where u.id = m."userId" and u.name in ({}) and m."organizationId" = '{organization}'
)
insert into neon_auth.member ("organizationId", "userId", role, "createdAt")
select '{organization}', u.id, roles.role, now()
from neon_auth."user" u join (values {}) roles (name, role) on roles.name = u.name"#,
        names.join(", "),
        roles.join(", ")
    );
    app.sql(&sql).await;
}

#[tokio::test]
async fn or_01_every_endpoint_lets_in_whom_the_table_names() {
    let app = server(|config| {
        let organization = &mut config.organization;
        organization.organization_limit = 0;
        organization.maximum_roles = 0;
        organization.invitation_limit = 10_000;
        organization.membership_limit = 10_000;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let organization = created(&app, &mut ada, "acme").await;
    let actors = actors(&app, ada, &organization).await;
    // Proof of the address is asked for from here on.
    let (strict, router) =
        app.replica(|config| config.organization.require_email_verification = true);
    // A second owner, so that the first may leave.
    let mut target = Target { organization: organization.clone(), counter: 0 };
    let (_, second) = target.member(&app).await;
    app.sql(&format!("update neon_auth.member set role = 'owner' where id = '{second}'")).await;

    let table: BTreeMap<&str, Least> = TABLE.iter().copied().collect();
    let of_organizations = |endpoint: &&Endpoint| {
        !endpoint.alias
            && (endpoint.path.starts_with("/organization/")
                || endpoint.path == "/accept-invitation")
    };
    let mut endpoints: Vec<&Endpoint> = strict.endpoints.iter().filter(of_organizations).collect();
    for endpoint in &endpoints {
        assert!(table.contains_key(endpoint.name), "{} is not in the table", endpoint.name);
    }
    assert_eq!(endpoints.len(), TABLE.len(), "every row of the table is an endpoint");
    endpoints.sort_by_key(|endpoint| table[endpoint.name]);
    for endpoint in endpoints {
        for actor in &actors {
            restore(&app, &organization, &actors).await;
            target.counter += 1;
            let (query, body) = target.call(&app, endpoint.name, actor.name).await;
            let request = if endpoint.method == Method::GET {
                let path = format!("{}?{query}", endpoint.path);
                let request = actor.browser.request(Method::GET, &path);
                request.body(axum::body::Body::empty()).unwrap()
            } else {
                posted(&actor.browser, endpoint.path, &body)
            };
            let reply = crate::testing::send(&router, actor.browser.address, request).await;
            let allowed = reply.status == 200;
            let what =
                format!("{} by {}: {} {}", endpoint.name, actor.name, reply.status, reply.text);
            // What is the user's alone is withheld from an administrator who acts as the user (AD-07).
            let withheld = actor.name == "acted" && crate::admin::is_withheld(endpoint.name);
            assert_eq!(allowed, actor.may(table[endpoint.name]) && !withheld, "{what}");
            assert!(allowed || reply.status.is_client_error(), "{what}");
        }
    }
}

#[tokio::test]
async fn or_10_a_session_that_still_points_at_the_organization_opens_nothing() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut bob, member) = joined(&app, &mut ada, &id, "bob", "admin").await;
    let body = json!({ "memberIdOrEmail": member, "organizationId": id });
    assert_eq!(ada.post(&app, "/organization/remove-member", body).await.status, 200);
    let session = bob.get(&app, "/get-session").await;
    assert_eq!(text(&session.body["session"]["activeOrganizationId"]), id, "as in Better Auth");
    let reads = [
        "/organization/get-active-member",
        "/organization/get-active-member-role",
        "/organization/list-members",
        "/organization/list-invitations",
        "/organization/list-teams",
        "/organization/list-roles",
    ];
    for path in reads {
        let reply = bob.get(&app, path).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text);
        assert!(!reply.text.contains("ada@example.com"), "{path}: {}", reply.text);
    }
    let writes = [
        ("/organization/update", json!({ "data": { "name": "Mine" } })),
        ("/organization/invite-member", json!({ "email": "x@example.com", "role": "admin" })),
        ("/organization/create-team", json!({ "name": "t" })),
        (
            "/organization/create-role",
            json!({ "role": "r", "permission": { "member": ["create"] } }),
        ),
        ("/organization/has-permission", json!({ "permissions": { "member": ["create"] } })),
        ("/organization/remove-member", json!({ "memberIdOrEmail": "ada@example.com" })),
    ];
    for (path, body) in writes {
        let reply = bob.post(&app, path, body).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text);
    }
    let full = bob.get(&app, "/organization/get-full-organization").await;
    assert_eq!(full.status, 403);
}
