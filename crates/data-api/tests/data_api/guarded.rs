//! Safe by default: what is refused to `anonymous`, and to everybody, by whichever road it is asked for.

use gatepost_data_api::config::{RoleLimits, Safety};
use gatepost_data_api::{Config, DoorSettings, reload};
use serde_json::json;

use crate::support::{Answer, Server, authorization, strict, token};

/// Everything that `anonymous` has grants on, and only part of which it may be shown.
const ROADS: &str = "
CREATE TABLE api.bare (id int PRIMARY KEY, label_id int REFERENCES api.labels, body text);
INSERT INTO api.bare VALUES (1, 1, 'bare secret');
CREATE TABLE api.guarded (id int PRIMARY KEY, label_id int REFERENCES api.labels);
ALTER TABLE api.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON api.guarded USING (true);
INSERT INTO api.guarded VALUES (1, 1);
CREATE TABLE api.junction (guarded_id int REFERENCES api.guarded, label_id int REFERENCES api.labels, PRIMARY KEY (guarded_id, label_id));
INSERT INTO api.junction VALUES (1, 2);
CREATE TABLE api.parted (id int, body text) PARTITION BY LIST (id);
CREATE TABLE api.part_one PARTITION OF api.parted FOR VALUES IN (1);
INSERT INTO api.parted VALUES (1, 'bare secret');
CREATE VIEW api.by_owner AS SELECT * FROM api.guarded;
CREATE VIEW api.by_caller WITH (security_invoker = true) AS SELECT * FROM api.bare;
CREATE VIEW private.nested WITH (security_invoker = true) AS SELECT * FROM api.bare;
CREATE VIEW api.by_two WITH (security_invoker = true) AS SELECT * FROM private.nested;
CREATE VIEW private.nested_owner AS SELECT * FROM api.guarded;
CREATE VIEW api.by_two_owners WITH (security_invoker = true) AS SELECT * FROM private.nested_owner;
CREATE VIEW api.good WITH (security_invoker = true) AS SELECT * FROM api.guarded;
CREATE MATERIALIZED VIEW api.kept AS SELECT * FROM api.bare;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE api.far (id int) SERVER nowhere;
CREATE FUNCTION api.all_bare() RETURNS SETOF api.bare STABLE LANGUAGE sql AS 'SELECT * FROM api.bare';
CREATE FUNCTION api.bare_of(api.labels) RETURNS SETOF api.bare STABLE LANGUAGE sql AS 'SELECT * FROM api.bare';
CREATE FUNCTION api.count_notes() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM api.notes';
CREATE FUNCTION api.secret_of(api.labels) RETURNS text SECURITY DEFINER LANGUAGE sql AS $$ SELECT min(token) FROM api.secrets $$;
CREATE FUNCTION api.notes_of(api.labels) RETURNS SETOF api.notes SECURITY DEFINER LANGUAGE sql AS 'SELECT * FROM api.notes';
CREATE FUNCTION private.guarded_of(api.labels) RETURNS SETOF api.guarded STABLE LANGUAGE sql AS 'SELECT * FROM api.guarded';
GRANT USAGE ON SCHEMA private TO anonymous;
GRANT ALL ON ALL TABLES IN SCHEMA api, private TO anonymous, authenticated;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api, private TO PUBLIC;
CREATE SCHEMA extra; CREATE TABLE extra.aside (id int); GRANT USAGE ON SCHEMA extra TO anonymous;
GRANT SELECT ON extra.aside TO anonymous;
";

async fn roads() -> Server {
    let server = Server::start("db-extra-search-path = \"extra\"\n", strict).await;
    server.sql(ROADS).await;
    assert!(reload(&server.state).await);
    server
}

fn code(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn da_11_no_road_leads_anonymous_to_a_table_without_row_security() {
    let server = roads().await;
    let body = r#"{"id":7}"#;
    for (method, target, expected) in [
        ("GET", "/bare", "GPDA001"),
        ("HEAD", "/bare", ""),
        ("OPTIONS", "/bare", "GPDA001"),
        ("POST", "/bare", "GPDA001"),
        ("PATCH", "/bare?id=eq.1", "GPDA001"),
        ("PUT", "/bare?id=eq.7", "GPDA001"),
        ("DELETE", "/bare?id=eq.1", "GPDA001"),
        ("POST", "/guarded?select=id,labels!guarded_label_id_fkey(bare(body))", "GPDA001"),
        ("GET", "/by_owner", "GPDA001"),
        ("GET", "/by_caller", "GPDA001"),
        ("GET", "/by_two", "GPDA001"),
        ("GET", "/by_two_owners", "GPDA001"),
        ("GET", "/kept", "GPDA001"),
        ("GET", "/far", "GPDA001"),
        ("GET", "/parted", "GPDA001"),
        ("GET", "/part_one", "PGRST205"),
        ("GET", "/aside", "PGRST205"),
        ("GET", "/labels?select=id,bare(body)", "GPDA001"),
        ("GET", "/labels?select=id,bare!inner(body)&bare.body=like.b*", "GPDA001"),
        ("GET", "/labels?select=id,...bare(body)", "GPDA001"),
        ("GET", "/labels?select=id,bare()&bare=not.is.null", "GPDA001"),
        ("GET", "/labels?select=id,guarded!junction(id)", "GPDA001"),
        ("GET", "/labels?select=id,bare_of(body)", "GPDA001"),
        ("GET", "/rpc/all_bare", "GPDA001"),
        ("POST", "/rpc/all_bare", "GPDA001"),
    ] {
        let headers = [("prefer", "return=representation")];
        let writes = matches!(method, "POST" | "PATCH" | "PUT");
        let sent = if !writes {
            ""
        } else if target.contains("rpc") {
            "{}"
        } else {
            body
        };
        let answer = server.call("-", method, target, &headers, sent).await;
        assert_eq!(code(&answer), expected, "{method} {target}: {}", answer.body);
        assert!(answer.status.is_client_error(), "{method} {target}: {}", answer.status);
        assert!(!answer.body.contains("bare secret"), "{target}");
    }
    for target in [
        "/guarded",
        "/good",
        "/labels?select=id,guarded!guarded_label_id_fkey(id)",
        "/good?select=id,labels!guarded_label_id_fkey(name)",
    ] {
        let answer = server.get("-", target).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    }
    // Who is signed in is judged by grants and policies alone.
    assert_eq!(server.get("alice", "/bare?select=body").await.body, r#"[{"body":"bare secret"}]"#);
    server.sql("ALTER TABLE api.bare ENABLE ROW LEVEL SECURITY").await;
    assert!(reload(&server.state).await);
    assert_eq!(server.get("-", "/bare").await.body, "[]");
    assert_eq!(server.get("-", "/by_two").await.body, "[]");
    // What is refused is not described either.
    let document = server.get("-", "/").await.body;
    assert!(document.contains("\"/guarded\""), "{document}");
    assert!(!document.contains("\"/by_owner\"") && !document.contains("\"/kept\""));
}

#[tokio::test]
async fn da_09_a_function_with_its_owners_rights_is_granted_by_name_or_not_called_by_anonymous() {
    let server = roads().await;
    for target in [
        "/rpc/count_notes",
        "/labels?select=secret_of",
        "/labels?select=id&secret_of=like.a*",
        "/labels?select=id&or=(id.eq.1,secret_of.eq.alpha)",
        "/labels?select=id&order=secret_of",
        "/labels?select=id,notes_of(body)",
        "/guarded?select=id,labels!guarded_label_id_fkey(secret_of)",
    ] {
        let method = if target.contains("rpc") { "POST" } else { "GET" };
        let answer = server.call("-", method, target, &[], "").await;
        assert_eq!(code(&answer), "GPDA004", "{target}: {}", answer.body);
        assert_eq!(answer.status, 403);
    }
    let document = server.get("-", "/").await.body;
    assert!(document.contains("/rpc/whoami") && !document.contains("/rpc/count_notes"));
    let write = server.call("-", "DELETE", "/labels?secret_of=like.a*", &[], "").await;
    assert_eq!(code(&write), "GPDA004", "{}", write.body);
    assert_eq!(server.get("alice", "/rpc/whoami").await.status, 200);
    server
        .sql("GRANT EXECUTE ON FUNCTION api.count_notes(), api.secret_of(api.labels) TO anonymous")
        .await;
    assert!(reload(&server.state).await);
    assert_eq!(server.call("-", "POST", "/rpc/count_notes", &[], "{}").await.body, "3");
    assert_eq!(
        server.get("-", "/labels?select=secret_of&id=eq.1").await.body,
        r#"[{"secret_of":"alpha"}]"#
    );
}

#[tokio::test]
async fn da_07_a_relationship_is_no_function_of_a_schema_that_is_not_served() {
    let server = roads().await;
    let answer = server.get("alice", "/labels?select=id,guarded_of(id)").await;
    assert_eq!(
        (answer.status.as_u16(), code(&answer).as_str()),
        (400, "PGRST200"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn da_18_no_view_nor_function_of_the_owner_opens_the_auth_schema() {
    let server = Server::strict().await;
    server
        .sql(
            r#"CREATE TABLE neon_auth.session (id text, token text);
               CREATE VIEW api.people AS SELECT id, email FROM neon_auth."user";
               CREATE VIEW private.inner AS SELECT * FROM neon_auth.session;
               CREATE VIEW api.tokens WITH (security_invoker = true) AS SELECT * FROM private.inner;
               CREATE MATERIALIZED VIEW api.copied AS SELECT * FROM neon_auth."user";
               CREATE VIEW api.member_people AS SELECT m.team_id, u.email FROM api.members m JOIN neon_auth."user" u ON u.id = m.user_id;
               GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous, authenticated;"#,
        )
        .await;
    assert!(reload(&server.state).await);
    for who in ["alice", "-"] {
        for (method, target) in [
            ("GET", "/people"),
            ("PATCH", "/people?id=eq.alice"),
            ("POST", "/people"),
            ("GET", "/tokens"),
            ("GET", "/copied"),
            ("GET", "/member_people"),
            ("GET", "/teams?select=member_people(email)"),
        ] {
            let body = if method == "GET" { "" } else { r#"{"email":"x"}"# };
            let answer = server.call(who, method, target, &[], body).await;
            assert_eq!(code(&answer), "GPDA005", "{who} {method} {target}: {}", answer.body);
            assert_eq!(answer.status, 403);
        }
    }
    let document = server.get("alice", "/").await.body;
    assert!(document.contains("\"/tasks\"") && !document.contains("\"/people\""));
    // Types, casts, profiles.
    for target in [
        "/tasks?select=neon_auth.user",
        "/rpc/neon_auth.user",
        "/neon_auth.user",
        "/tasks?select=id::neon_auth.user",
    ] {
        assert!(server.get("alice", target).await.status.is_client_error(), "{target}");
    }
    for header in ["accept-profile", "content-profile"] {
        let method = if header == "accept-profile" { "GET" } else { "POST" };
        let answer = server.call("alice", method, "/user", &[(header, "neon_auth")], "{}").await;
        assert_eq!(answer.status, 406, "{}", answer.body);
    }
    let settings = |schemas: &[&str], path: &[&str]| {
        let mut settings = DoorSettings::new("postgres://x@localhost/y", &[]);
        settings.schemas = schemas.iter().map(ToString::to_string).collect();
        settings.extra_search_path = path.iter().map(ToString::to_string).collect();
        Config::door(&settings)
    };
    assert!(settings(&["api"], &[]).is_ok());
    assert!(settings(&["api", "neon_auth"], &[]).is_err());
    assert!(settings(&["api"], &["neon_auth"]).is_err());
    let alone = Config::parse("db-schemas = \"api, neon_auth\"", &<_>::default(), &<_>::default());
    assert!(alone.is_err(), "in place of PostgREST neither");
}

#[tokio::test]
async fn da_20_every_role_has_limits_of_its_own() {
    let limits = RoleLimits {
        statement_timeout: 1000,
        concurrent: 2,
        concurrent_per_user: 1,
        max_depth: 1,
        max_rows: Some(1),
        max_body: Some(40),
    };
    let server = Server::start("", |config| {
        config.safety = Safety::strict();
        config.max_body = 1000;
        config.db_max_rows = Some(2);
        config.safety.roles.insert("anonymous".to_owned(), limits);
        config
            .safety
            .roles
            .insert("pg_monitor".to_owned(), RoleLimits { max_rows: None, ..limits });
        config.safety.allowed_roles.push("pg_monitor".to_owned());
    })
    .await;
    server.sql("GRANT pg_monitor TO authenticator; GRANT USAGE ON SCHEMA api TO pg_monitor; GRANT SELECT ON api.labels TO pg_monitor; CREATE POLICY them ON api.labels TO pg_monitor USING (true); INSERT INTO api.labels VALUES (3, 'c'), (4, 'd'); GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO pg_monitor").await;
    let own = format!(
        "Bearer {}",
        token(
            r#"{"alg":"HS256"}"#,
            r#"{"sub":"m","role":"pg_monitor","exp":9999999999}"#,
            crate::support::SECRET
        )
    );
    let all =
        [("-", String::new()), ("alice", authorization("alice").unwrap()), ("pg_monitor", own)];
    let mut rows = Vec::new();
    for (who, token) in &all {
        let headers: Vec<(&str, &str)> =
            if token.is_empty() { vec![] } else { vec![("authorization", token.as_str())] };
        let page = server.call("-", "GET", "/labels?order=id", &headers, "").await;
        let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
        rows.push(page.as_array().unwrap().len());
        let timeout =
            server.call("-", "GET", "/rpc/setting?name=statement_timeout", &headers, "").await;
        let expected = if *who == "alice" { r#""8s""# } else { r#""1s""# };
        assert_eq!(timeout.body, expected, "{who}");
        let long = json!({ "a": 1, "b": "2".repeat(60) }).to_string();
        let body = server.call("-", "POST", "/rpc/add", &headers, &long).await;
        let too_long = *who != "alice";
        assert_eq!(body.status == 413, too_long, "{who}: {}", body.body);
        let deep =
            server.call("-", "GET", "/labels?select=id,task_labels(tasks(id))", &headers, "").await;
        assert_eq!(code(&deep) == "GPDA002", too_long, "{who}: {}", deep.body);
    }
    assert_eq!(rows, [1, 2, 2], "of anonymous, authenticated and a role of one's own");
    // The cluster is shared.
    server.sql("REVOKE pg_monitor FROM authenticator").await;
}

#[tokio::test]
async fn da_16_errors_name_nothing_that_the_caller_did_not_name() {
    let server = Server::strict().await;
    server
        .sql(
            "CREATE POLICY nosy ON api.labels AS RESTRICTIVE TO authenticated USING (EXISTS (SELECT FROM private.vault));
             CREATE TABLE private.trail (id int);
             CREATE FUNCTION private.follow() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN INSERT INTO private.trail VALUES (1); RETURN NEW; END $$;
             CREATE TRIGGER follow BEFORE INSERT ON api.notes FOR EACH ROW EXECUTE FUNCTION private.follow();
             CREATE FUNCTION api.broken() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT x FROM private.nowhere); END $$;
             GRANT EXECUTE ON FUNCTION api.broken() TO authenticated;
             CREATE TABLE private.points (project_id int REFERENCES api.projects); INSERT INTO private.points VALUES (1);",
        )
        .await;
    assert!(reload(&server.state).await);
    for (method, target, body) in [
        ("GET", "/labels", ""),
        ("POST", "/notes", r#"{"body":"x"}"#),
        ("POST", "/rpc/broken", "{}"),
        ("DELETE", "/projects?id=eq.1", ""),
        ("GET", "/secret", ""),
        ("GET", "/note", ""),
        ("GET", "/rpc/whoam", ""),
        ("GET", "/tasks?select=project(id)", ""),
    ] {
        let answer = server.call("alice", method, target, &[], body).await;
        assert!(answer.status.is_client_error(), "{target}: {} {}", answer.status, answer.body);
        for hidden in [
            "vault",
            "trail",
            "nowhere",
            "points",
            "follow",
            "private",
            "secrets",
            "notes'",
            "whoami",
            "projects'",
        ] {
            assert!(!answer.body.contains(hidden), "{target} names {hidden}: {}", answer.body);
        }
        assert!(!code(&answer).is_empty(), "{target}: {}", answer.body);
    }
    let named = server.call("-", "GET", "/notes", &[], "").await;
    assert!(named.body.contains("permission denied for table notes"), "{}", named.body);
}

#[tokio::test]
async fn da_02_names_are_matched_whole_and_exactly() {
    let server = Server::strict().await;
    let (long, other) = (format!("{}x", "a".repeat(62)), format!("{}y", "a".repeat(62)));
    server
        .sql(&format!(
            r#"CREATE TABLE api."{long}" ("{long}" int, "od.d ""c" text, "😀" int); CREATE TABLE api."{other}" (id int);
               CREATE TABLE api."Sp ace.d" (id int);
               ALTER TABLE api."{long}" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON api."{long}" USING (true);
               INSERT INTO api."{long}" VALUES (1, 'x', 2);
               GRANT SELECT ON ALL TABLES IN SCHEMA api TO authenticated;"#
        ))
        .await;
    assert!(reload(&server.state).await);
    let status = async |target: String| {
        server.get("alice", &crate::support::target(&target)).await.status.as_u16()
    };
    let named = r#"select="od.d \"c","😀"&"😀"=eq.2&order="😀""#;
    assert_eq!(status(format!("/{long}?{named}")).await, 200);
    assert_eq!(status("/Sp ace.d".to_owned()).await, 200);
    for (target, expected) in [
        (format!("/{long}y"), 404),
        (format!("/{}", "a".repeat(62)), 404),
        ("/sp ace.d".to_owned(), 404),
        (format!("/{long}?select={long}y"), 400),
        (format!("/{long}?{long}y=eq.1"), 400),
        (format!("/{long}?order={long}y"), 400),
        (format!("/{long}?select={}", long.to_uppercase()), 400),
    ] {
        assert_eq!(status(target.clone()).await, expected, "{target}");
    }
}

#[tokio::test]
async fn da_24_numbers_and_ranges_out_of_bounds_are_refused() {
    let server = Server::strict().await;
    for query in [
        "limit=-1",
        "limit=9223372036854775808",
        "limit=1.5",
        "limit=1e3",
        "limit=99999999999999999999999999",
        "offset=9223372036854775808",
        "offset=x",
        "tasks.limit=-1&select=id,tasks(id)",
    ] {
        let answer = server.get("alice", &format!("/projects?{query}")).await;
        let refused = matches!(answer.status.as_u16(), 400 | 416);
        // What is no number is passed over, as PostgREST does: never an error of the server, never more rows.
        assert!(refused || answer.status == 200, "{query}: {} {}", answer.status, answer.body);
    }
    for (range, expected) in
        [("0-", 200), ("5-1", 416), ("0-99999999999999999999", 400), ("-5", 200)]
    {
        let headers = [("range", range), ("range-unit", "items")];
        let answer = server.call("alice", "GET", "/projects", &headers, "").await;
        assert_eq!(answer.status.as_u16(), expected, "{range}: {}", answer.body);
    }
}
