//! Attack cases of the Data API, by the id of the case. Callers come through the strict configuration of the server.

use std::sync::Arc;

use crate::support::{Server, strict};
use futures_util::future::join_all;
use gatepost_data_api::{Config, DoorSettings, reload};
use http::StatusCode;

const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

#[tokio::test]
async fn da_03_only_plain_types_can_be_cast_to() {
    let server = Server::strict().await;
    for cast in [
        "regclass",
        "regproc",
        "regrole",
        "xml",
        "oid",
        "\"a b\"",
        "int[]",
        "pg_catalog.text",
        "neon_auth.user",
        "name",
    ] {
        for target in [
            format!("/tasks?select=title::{cast}"),
            format!("/tasks?select=x:id::{cast}"),
            format!("/projects?select=tasks(title::{cast})"),
        ] {
            let answer = server.get("alice", &crate::support::target(&target)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{target}: {}", answer.body);
        }
    }
    for cast in ["text", "int", "TEXT", "numeric"] {
        let answer = server.get("alice", &format!("/tasks?select=id::{cast}&id=eq.1")).await;
        assert_eq!(answer.status, StatusCode::OK, "{cast}: {}", answer.body);
    }
}

#[tokio::test]
async fn da_04_only_roles_made_for_callers_are_accepted() {
    let server = Server::strict().await;
    for role in
        ["postgres", "authenticator", "pg_read_all_data", "", "AUTHENTICATED", "no_such_role"]
    {
        let claims = format!(r#"{{"sub":"alice","role":"{role}","exp":9999999999}}"#);
        let token = crate::support::token(r#"{"alg":"HS256"}"#, &claims, crate::support::SECRET);
        let header = format!("Bearer {token}");
        let answer =
            server.call("-", "GET", "/rpc/whoami", &[("authorization", &header)], "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{role}: {}", answer.body);
    }
    let claims = r#"{"sub":"alice","role":["authenticated"],"exp":9999999999}"#;
    let header = format!(
        "Bearer {}",
        crate::support::token(r#"{"alg":"HS256"}"#, claims, crate::support::SECRET)
    );
    let answer = server.call("-", "GET", "/rpc/whoami", &[("authorization", &header)], "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get("forged", "/rpc/whoami").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn da_05_nothing_of_a_failed_request_stays_on_its_connection() {
    let server = Server::start("db-pool = 1\n", |config| {
        strict(config);
        config.safety.roles.get_mut("authenticated").unwrap().statement_timeout = 300;
    })
    .await;
    server
        .sql(
            "CREATE FUNCTION api.reset_role() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; RETURN current_user; END $$;
             CREATE FUNCTION api.set_role() RETURNS text LANGUAGE plpgsql AS $$ BEGIN SET ROLE anonymous; RETURN current_user; END $$;
             CREATE FUNCTION api.set_claims() RETURNS text LANGUAGE sql AS $$ SELECT set_config('request.jwt.claims', '{\"sub\":\"bob\"}', false) $$;
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO authenticated;",
        )
        .await;
    assert!(reload(&server.state).await);
    let failures = [
        ("POST", "/rpc/refuse", r#"{"code":"P0001"}"#),
        ("POST", "/rpc/refuse", r#"{"code":"40001"}"#),
        ("GET", "/tasks?id=eq.x", ""),
        ("GET", "/rpc/become_bob", ""),
        ("POST", "/rpc/become_bob", "{}"),
        ("POST", "/rpc/sleep", r#"{"seconds":30}"#),
        ("POST", "/rpc/reset_role", "{}"),
        ("POST", "/rpc/set_role", "{}"),
        ("POST", "/rpc/set_claims", "{}"),
        ("POST", "/notes", r#"{"owner":"bob","body":"x"}"#),
    ];
    for (method, target, body) in failures {
        server.call("alice", method, target, &[], body).await;
        assert_eq!(server.get("-", "/rpc/whoami").await.body, r#""anonymous:""#, "{target}");
        assert_eq!(
            server.get("bob", "/rpc/whoami").await.body,
            r#""authenticated:bob""#,
            "{target}"
        );
    }
    // The cluster is shared: other tests log in with the same role.
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authenticator' AND datname = current_database()").await;
    // The broken connection is noticed at the latest by the request that gets it.
    server.get("alice", "/rpc/whoami").await;
    assert_eq!(server.get("-", "/rpc/whoami").await.body, r#""anonymous:""#);
}

#[tokio::test]
async fn da_05_a_client_that_goes_away_leaves_no_transaction_open() {
    let server = Arc::new(Server::start("db-pool = 1\n", |_| ()).await);
    let pid = "CREATE FUNCTION api.pid() RETURNS int LANGUAGE sql AS 'SELECT pg_catalog.pg_backend_pid()';
               GRANT EXECUTE ON FUNCTION api.pid TO authenticated";
    server.sql(pid).await;
    assert!(reload(&server.state).await);
    let before = server.get("bob", "/rpc/pid").await.body;
    assert!(before.parse::<u32>().is_ok(), "{before}");
    let going = Arc::clone(&server);
    let task = tokio::spawn(async move {
        going.call("alice", "POST", "/rpc/sleep", &[], r#"{"seconds":0.3}"#).await
    });
    // Aborted while the statement runs: it runs to its end, and its connection is the one that the next caller gets.
    tokio::task::yield_now().await;
    task.abort();
    assert_eq!(server.get("bob", "/rpc/pid").await.body, before);
    assert_eq!(server.get("bob", "/rpc/whoami").await.body, r#""authenticated:bob""#);
    assert_eq!(server.get("-", "/rpc/whoami").await.body, r#""anonymous:""#);
}

#[tokio::test]
async fn da_06_callers_that_share_a_pool_never_see_each_others_rows() {
    let server = Server::start("db-pool = 5\n", strict).await;
    let rounds = (0..400).map(|round| {
        let server = &server;
        async move {
            let who = ["alice", "bob", "-"][round % 3];
            let whoami = server.get(who, "/rpc/whoami").await.body;
            let notes = server.get(who, "/notes?select=owner").await.body;
            (who, whoami, notes)
        }
    });
    for (who, whoami, notes) in join_all(rounds).await {
        match who {
            "alice" => {
                assert_eq!(whoami, r#""authenticated:alice""#);
                assert!(notes.contains("alice") && !notes.contains("bob"), "{notes}");
            }
            "bob" => {
                assert_eq!(whoami, r#""authenticated:bob""#);
                assert!(notes.contains("bob") && !notes.contains("alice"), "{notes}");
            }
            _ => {
                assert_eq!(whoami, r#""anonymous:""#);
                assert!(notes.contains("42501"), "{notes}");
            }
        }
    }
}

#[tokio::test]
async fn da_07_functions_outside_the_exposed_schemas_do_not_exist() {
    let server = Server::strict().await;
    for function in [
        "set_config",
        "pg_sleep",
        "pg_read_file",
        "lo_import",
        "dblink",
        "current_setting",
        "pg_terminate_backend",
        "query_to_xml",
        "database_to_xml",
        "user_id",
        "teams_of",
    ] {
        for method in ["GET", "POST"] {
            let answer = server.call("alice", method, &format!("/rpc/{function}"), &[], "").await;
            assert_eq!(answer.status, NOT_FOUND, "{function}");
        }
    }
}

#[tokio::test]
async fn da_07_a_function_cannot_keep_another_identity_beyond_its_transaction() {
    let server = Server::start("db-pool = 1\n", strict).await;
    server.call("alice", "POST", "/rpc/become_bob", &[], "{}").await;
    assert_eq!(server.get("alice", "/rpc/whoami").await.body, r#""authenticated:alice""#);
}

#[tokio::test]
async fn da_09_a_new_function_cannot_be_called_unless_granted() {
    let server = Server::strict().await;
    server
        .sql("CREATE FUNCTION api.fresh() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'")
        .await;
    assert!(reload(&server.state).await);
    assert_eq!(server.get("-", "/rpc/fresh").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get("alice", "/rpc/fresh").await.status, FORBIDDEN);
}

#[tokio::test]
async fn da_10_embedding_shows_no_more_than_reading() {
    let server = Server::strict().await;
    server
        .sql(
            "CREATE TABLE private.hidden (task_id int REFERENCES api.tasks, label_id int REFERENCES api.labels,
               PRIMARY KEY (task_id, label_id));
             INSERT INTO private.hidden VALUES (1, 2); GRANT SELECT ON private.hidden TO authenticated;
             CREATE TABLE api.ungranted (id int PRIMARY KEY, task_id int REFERENCES api.tasks);",
        )
        .await;
    assert!(reload(&server.state).await);
    let ungranted = server.get("alice", "/tasks?select=id,ungranted(id)").await;
    assert_eq!(ungranted.status, FORBIDDEN, "{}", ungranted.body);
    for target in [
        "/tasks?select=id,secrets!inner(id)&secrets.token=like.a*",
        "/tasks?select=id&secrets.token=like.a*",
        "/tasks?select=id,...secrets(token)&secrets.token=eq.alpha&id=eq.1",
        "/projects?select=id,tasks(secrets(token))&id=eq.1",
    ] {
        let body = server.get("alice", target).await.body;
        assert!(!body.contains("alpha") && !body.contains("beta"), "{target}: {body}");
    }
    assert_eq!(
        server.get("alice", "/tasks?select=id,secrets!inner(id)&secrets.token=like.a*").await.body,
        "[]"
    );
    for hidden in [
        "/members?select=user(email)",
        "/tasks?select=id,vault(body)",
        "/members?select=nosuch(email)",
        "/tasks?select=id,labels!hidden(id)",
    ] {
        let answer = server.get("alice", hidden).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{hidden}");
        assert!(
            answer.body.contains("PGRST200") && answer.body.contains("\"hint\":null"),
            "{hidden}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn da_11_a_table_without_row_security_is_refused_to_anonymous() {
    let server = Server::strict().await;
    let answer = server.get("-", "/open_notes").await;
    assert_eq!(answer.status, FORBIDDEN);
    assert!(answer.body.contains("GPDA001"), "{}", answer.body);
    assert_eq!(server.get("-", "/labels?limit=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn da_12_writes_obey_the_policies_as_a_whole() {
    let server = Server::strict().await;
    let bulk = r#"[{"id":60,"owner":"alice","body":"a"},{"id":61,"owner":"bob","body":"b"}]"#;
    assert_eq!(server.call("alice", "POST", "/notes", &[], bulk).await.status, FORBIDDEN);
    assert_eq!(server.get("alice", "/notes?id=eq.60").await.body, "[]");
    let steal = server.call("alice", "PATCH", "/notes?id=eq.1", &[], r#"{"owner":"bob"}"#).await;
    assert_eq!(steal.status, FORBIDDEN);
    for resolution in ["merge-duplicates", "ignore-duplicates"] {
        let prefer = format!("resolution={resolution}, return=representation");
        let body = r#"{"id":2,"owner":"alice","body":"mine"}"#;
        let answer = server
            .call("alice", "POST", "/notes?on_conflict=id", &[("prefer", &prefer)], body)
            .await;
        assert!(!answer.body.contains("gold"), "{}", answer.body);
    }
    assert_eq!(server.get("bob", "/notes?select=body").await.body, r#"[{"body":"gold"}]"#);
}

#[tokio::test]
async fn da_13_a_write_to_a_whole_table_needs_a_filter() {
    let server = Server::strict().await;
    assert_eq!(
        server.call("alice", "DELETE", "/notes", &[], "").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        server.call("alice", "PATCH", "/notes", &[], r#"{"body":"x"}"#).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        server.call("alice", "DELETE", "/notes?id=gt.0", &[], "").await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn da_14_counts_are_of_visible_rows_only() {
    let server = Server::strict().await;
    for count in ["exact", "planned", "estimated"] {
        let prefer = format!("count={count}");
        let answer = server.call("alice", "GET", "/notes", &[("prefer", &prefer)], "").await;
        assert_eq!(answer.headers["content-range"], "0-1/2", "{count}");
    }
}

#[tokio::test]
async fn da_16_error_texts_quote_no_rows() {
    let server = Server::strict().await;
    server.sql("ALTER TABLE api.notes DISABLE ROW LEVEL SECURITY; ALTER TABLE api.notes ADD UNIQUE (body)").await;
    let answer = server.call("alice", "POST", "/notes", &[], r#"{"id":70,"body":"gold"}"#).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(!answer.body.contains("gold") && answer.body.contains("23505"), "{}", answer.body);
    let raised = server.call("alice", "POST", "/rpc/refuse", &[], r#"{"code":"P0001"}"#).await;
    assert!(
        raised.body.contains("\"hint\":\"ask\"") && raised.body.contains("\"details\":\"why\""),
        "{}",
        raised.body
    );
}

#[tokio::test]
async fn da_17_hidden_and_missing_schemas_look_the_same() {
    let server = Server::strict().await;
    let mut answers = Vec::new();
    for schema in ["neon_auth", "pg_catalog", "information_schema", "private", "nothing", "\"; "] {
        let answer = server.call("-", "GET", "/user", &[("accept-profile", schema)], "").await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{schema}");
        answers.push(
            answer
                .body
                .replace(&serde_json::to_string(schema).unwrap().trim_matches('"').to_owned(), "x"),
        );
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let document = server.get("-", "/").await.body;
    assert!(
        document.contains("\"/labels\"") && !document.contains("\"/notes\""),
        "only what the role may use"
    );
    assert!(!document.contains("not_granted"));
}

#[tokio::test]
async fn da_18_the_auth_schema_is_out_of_reach() {
    let server = Server::strict().await;
    assert!(
        Config::door(&DoorSettings::new(
            "postgres://x@localhost/y",
            &["api".to_owned(), "neon_auth".to_owned()]
        ))
        .is_err()
    );
    for target in
        ["/user", "/neon_auth.user", "/rpc/neon_auth.user", "/members?select=*,user(email)"]
    {
        let answer = server.get("alice", target).await;
        assert!(
            answer.status.is_client_error() && !answer.body.contains("@example.com"),
            "{target}: {}",
            answer.body
        );
    }
    let cast = server.get("alice", "/tasks?select=title::regclass").await;
    assert_eq!(cast.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn da_19_a_filter_tells_nothing_of_hidden_rows() {
    let server = Server::strict().await;
    let filters = [
        "id=eq.1",
        "token=eq.alpha",
        "token=like.a*",
        "token=match.^a",
        "token=imatch.ALPHA",
        "token=fts.alpha",
        "token=in.(alpha,beta)",
        "or=(token.eq.alpha,id.gt.0)",
        "token=match.(",
        "token=like.a%5C",
    ];
    let mut answers = Vec::new();
    for _ in 0..2 {
        for filter in filters {
            let headers = [("prefer", "count=exact")];
            let target = format!("/secrets?{filter}");
            let answer = server.call("alice", "GET", &target, &headers, "").await;
            answers.push((
                answer.status,
                answer.body,
                answer.headers.get("content-range").cloned(),
            ));
        }
        server.sql("DELETE FROM api.secrets").await;
    }
    let (hidden, gone) = answers.split_at(filters.len());
    assert_eq!(hidden, gone, "rows that are hidden and rows that are not there look the same");
}
