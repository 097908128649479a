//! Attack cases of the Data API, by the id of the case. Callers come through the strict configuration of the server.

use std::sync::Arc;
use std::time::Duration;

use crate::support::Server;
use futures_util::future::join_all;
use gatepost_data_api::config::Safety;
use gatepost_data_api::{Config, DoorSettings, reload};
use http::StatusCode;

fn strict(config: &mut Config) {
    config.safety = Safety::strict();
}

async fn server() -> Server {
    Server::start("", strict).await
}

const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

#[tokio::test]
async fn da_03_only_plain_types_can_be_cast_to() {
    let server = server().await;
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
    let server = server().await;
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
    let server = Server::start("db-pool = 1\n", strict).await;
    let failures = [
        ("POST", "/rpc/refuse", r#"{"code":"P0001"}"#),
        ("POST", "/rpc/refuse", r#"{"code":"40001"}"#),
        ("GET", "/tasks?id=eq.x", ""),
        ("GET", "/rpc/become_bob", ""),
        ("POST", "/rpc/become_bob", "{}"),
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
    let going = Arc::clone(&server);
    let task = tokio::spawn(async move {
        going.call("alice", "POST", "/rpc/sleep", &[], r#"{"seconds":0.3}"#).await
    });
    // Aborted while the statement runs; the connection must come back clean whenever that was.
    tokio::task::yield_now().await;
    task.abort();
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
    let server = server().await;
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
    let server = server().await;
    server
        .sql("CREATE FUNCTION api.fresh() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'")
        .await;
    assert!(reload(&server.state).await);
    assert_eq!(server.get("-", "/rpc/fresh").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get("alice", "/rpc/fresh").await.status, FORBIDDEN);
}

#[tokio::test]
async fn da_10_embedding_shows_no_more_than_reading() {
    let server = server().await;
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
    ] {
        let answer = server.get("alice", hidden).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{hidden}");
        assert!(
            answer.body.contains("PGRST200") && answer.body.contains("\"hint\":null"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn da_11_a_table_without_row_security_is_refused_to_anonymous() {
    let server = server().await;
    let answer = server.get("-", "/open_notes").await;
    assert_eq!(answer.status, FORBIDDEN);
    assert!(answer.body.contains("GPDA001"), "{}", answer.body);
    assert_eq!(server.get("-", "/labels?limit=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn da_12_writes_obey_the_policies_as_a_whole() {
    let server = server().await;
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
    let server = server().await;
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
    let server = server().await;
    for count in ["exact", "planned", "estimated"] {
        let prefer = format!("count={count}");
        let answer = server.call("alice", "GET", "/notes", &[("prefer", &prefer)], "").await;
        assert_eq!(answer.headers["content-range"], "0-1/2", "{count}");
    }
}

#[tokio::test]
async fn da_16_error_texts_quote_no_rows() {
    let server = server().await;
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
    let server = server().await;
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
    let server = server().await;
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
    let server = server().await;
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

#[tokio::test]
async fn da_20_expensive_requests_are_cut_off() {
    let server = Server::start("", |config| {
        strict(config);
        config.safety.statement_timeout = vec![("authenticated".to_owned(), 100)];
        config.max_body = 1024;
    })
    .await;
    let slow = server.call("alice", "POST", "/rpc/sleep", &[], r#"{"seconds":30}"#).await;
    assert!(slow.body.contains("57014"), "{}", slow.body);
    let large = server.call("alice", "POST", "/notes", &[], &"x".repeat(2000)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let many = format!("/tasks?or=({})", vec!["id.eq.1"; 2000].join(","));
    assert_eq!(server.get("alice", &many).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        server.get("alice", "/tasks?select=hours.sum()").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn da_21_a_full_pool_answers_in_time() {
    let server = Server::start("db-pool = 1\ndb-pool-acquisition-timeout = 1\n", |_| ()).await;
    let connection = server.state.connect().await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), server.get("alice", "/rpc/whoami"))
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(answer.body.contains("PGRST003"), "{}", answer.body);
    drop(connection);
    assert_eq!(server.get("alice", "/rpc/whoami").await.status, StatusCode::OK);
}

#[tokio::test]
async fn da_23_transaction_preferences_count_only_where_allowed() {
    let server = server().await;
    let headers = [("prefer", "tx=rollback, return=representation")];
    let answer =
        server.call("alice", "POST", "/notes", &headers, r#"{"id":80,"body":"kept"}"#).await;
    assert_eq!(answer.headers["preference-applied"], "return=representation");
    assert_eq!(server.get("alice", "/notes?id=eq.80&select=id").await.body, r#"[{"id":80}]"#);
    let zone =
        server.call("alice", "GET", "/labels", &[("prefer", "timezone=Nowhere/City")], "").await;
    assert_eq!(zone.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn da_25_no_body_makes_the_server_fail() {
    let server = server().await;
    let deep = format!("{{\"id\":1,\"body\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    for body in [
        r#"{"id":90,"id":91,"body":"x"}"#,
        r#"{"body":"\u0000"}"#,
        r#"{"body":NaN}"#,
        r#"{"id":1e400,"body":"x"}"#,
        "[[]]",
        "[1,2]",
        "null",
        "true",
        "\u{feff}{}",
        "{\"body\":\"\\ud800\"}",
        &deep,
    ] {
        let answer = server.call("alice", "POST", "/notes", &[], body).await;
        assert!(answer.status.as_u16() < 500, "{body:.60}: {} {}", answer.status, answer.body);
    }
}

#[tokio::test]
async fn da_26_no_literal_makes_the_server_fail() {
    let server = server().await;
    for query in [
        r#"tags=cs.{a,"b\\"}"#,
        "span=ov.[1,2)",
        "name=fts.'&",
        r#"name=in.("a,b",c)"#,
        r#"name=in.("a"#,
        "tags=cs.{",
        "span=ov.[2,1)",
        "meta=cs.{",
        "name=like.%",
        r"name=like.\",
        "name=match.(",
        "or=(name.eq.\"",
        "name=eq.%00",
        "select=\"",
        "order=\"",
        "select=a:b:c",
        "select=meta->",
        "select=...",
        "columns=",
        "id=eq.%FF",
    ] {
        let answer =
            server.get("alice", &format!("/projects?{}", crate::support::target(query))).await;
        assert!(answer.status.as_u16() < 500, "{query}: {} {}", answer.status, answer.body);
    }
}

#[tokio::test]
async fn da_27_get_never_writes() {
    let server = server().await;
    for method in ["GET", "HEAD"] {
        let answer = server.call("alice", method, "/rpc/write_note?text=x", &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(server.get("alice", "/notes?body=eq.x").await.body, "[]");
}

#[tokio::test]
async fn da_28_the_database_decides_even_while_the_catalogue_is_stale() {
    let server = server().await;
    server
        .sql("REVOKE SELECT ON api.tasks FROM authenticated; ALTER TABLE api.labels RENAME TO tags")
        .await;
    assert_eq!(server.get("alice", "/tasks").await.status, FORBIDDEN);
    assert_eq!(server.get("alice", "/labels").await.status, NOT_FOUND);
    assert!(reload(&server.state).await);
    assert_eq!(server.get("alice", "/tags?limit=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn da_30_a_cookie_is_nobody() {
    let server = server().await;
    let cookie = [("cookie", "better-auth.session_token=alice.signature")];
    let answer = server.call("-", "GET", "/rpc/whoami", &cookie, "").await;
    assert_eq!(answer.body, r#""anonymous:""#);
}

#[tokio::test]
async fn da_31_the_search_path_is_that_of_the_configuration() {
    let server = server().await;
    assert_eq!(server.get("alice", "/rpc/setting?name=search_path").await.body, r#""\"api\"""#);
}

#[tokio::test]
async fn da_33_the_longest_requests_are_answered_or_refused_and_harm_nobody() {
    let server = Server::start("", |_| ()).await;
    // As long as an address can be: far from the 65 535 values that the protocol can count.
    let many = format!("/tasks?or=({})", vec!["id.eq.1"; 8000].join(","));
    let answer = server.get("alice", &many).await;
    assert!(answer.status.as_u16() < 500, "{}", answer.body);
    let list = format!("/tasks?select=id&id=in.({})", vec!["1"; 30_000].join(","));
    assert_eq!(server.get("alice", &list).await.body, r#"[{"id":1}]"#);
    let long = format!(r#"[{}]"#, vec![r#"{"body":"x"}"#; 70_000].join(","));
    let answer = server.call("alice", "POST", "/notes", &[], &long).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(server.get("alice", "/rpc/whoami").await.status, StatusCode::OK);
}

#[tokio::test]
async fn da_34_pages_are_plain_numbers_and_never_sql() {
    let server = server().await;
    let all = server.get("alice", "/tasks?select=id&order=id").await.body;
    for value in
        ["1;select 1", "1 or 1=1", "(select 1)", "1e3", "0x1", "one", "1,2", "$1", "'1'", "-1"]
    {
        let value = crate::support::target(value).replace(';', "%3B").replace('=', "%3D");
        for key in ["limit", "offset", "tasks.limit"] {
            let answer =
                server.get("alice", &format!("/tasks?select=id&order=id&{key}={value}")).await;
            let plain = answer.status.is_client_error() || answer.body == all;
            assert!(plain, "{key}={value}: {} {}", answer.status, answer.body);
        }
        let header = [("range", value.as_str())];
        let answer = server.call("alice", "GET", "/tasks?select=id&order=id", &header, "").await;
        assert!(answer.status.is_client_error() || answer.body == all, "{value}: {}", answer.body);
    }
    let page = server.get("alice", "/tasks?select=id&order=id&limit=1&offset=1").await;
    assert_eq!(page.body, r#"[{"id":2}]"#);
}
