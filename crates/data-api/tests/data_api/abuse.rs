//! Attack cases of requests that are expensive, broken or out of date, by the id of the case.

use std::time::Duration;

use gatepost_data_api::reload;
use http::StatusCode;

use crate::support::{Server, strict};

const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

#[tokio::test]
async fn da_20_expensive_requests_are_cut_off() {
    let server = Server::start("", |config| {
        strict(config);
        config.safety.roles.get_mut("authenticated").unwrap().statement_timeout = 100;
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
    let server = Server::strict().await;
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
    let server = Server::strict().await;
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
    let server = Server::strict().await;
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
    let server = Server::strict().await;
    for method in ["GET", "HEAD"] {
        let answer = server.call("alice", method, "/rpc/write_note?text=x", &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(server.get("alice", "/notes?body=eq.x").await.body, "[]");
}

#[tokio::test]
async fn da_28_the_database_decides_even_while_the_catalogue_is_stale() {
    let server = Server::strict().await;
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
    let server = Server::strict().await;
    let cookie = [("cookie", "better-auth.session_token=alice.signature")];
    let answer = server.call("-", "GET", "/rpc/whoami", &cookie, "").await;
    assert_eq!(answer.body, r#""anonymous:""#);
}

#[tokio::test]
async fn da_31_the_search_path_is_that_of_the_configuration() {
    let server = Server::strict().await;
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
    let server = Server::strict().await;
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

#[tokio::test]
async fn da_31_functions_of_others_do_not_stand_in_for_those_of_the_system() {
    let server = Server::start("", |_| ()).await;
    // Closer to the arguments than the system's own, which take anything.
    server
        .sql(
            "CREATE FUNCTION api.other(text[], text) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY['id=eq.666'] $$;
             CREATE AGGREGATE api.array_agg(text) (sfunc = api.other, stype = text[]);
             CREATE FUNCTION api.to_jsonb(text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{\"x\":\"stolen\"}'::jsonb $$;
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO authenticated",
        )
        .await;
    let headers = [("prefer", "return=headers-only")];
    let body = r#"{"id":4711,"body":"own"}"#;
    let answer = server.call("alice", "POST", "/notes", &headers, body).await;
    assert_eq!(answer.headers["location"], "/notes?id=eq.4711");
    let answer = server.get("alice", "/notes?id=eq.4711&select=body-%3E%3Ex").await;
    assert_eq!(answer.body, r#"[{"x":null}]"#);
}
