//! What operators rely on: the pool, the schema cache, the admin server, settings that change.

use axum::body::Body;
use gatepost_data_api::{Config, ConfigSource, admin_router, reload};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::support::Server;

async fn admin(server: &Server, path: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let (parts, body) =
        admin_router(server.state.clone()).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8_lossy(&body).into_owned())
}

/// A function that says which connection it runs on.
const PID: &str = "CREATE FUNCTION api.pid() RETURNS int LANGUAGE sql AS 'SELECT pg_backend_pid()';
    GRANT EXECUTE ON FUNCTION api.pid() TO anonymous;";

#[tokio::test]
async fn a_request_that_finds_no_connection_in_time_is_answered_504() {
    let server = Server::start("db-pool = 1\ndb-pool-acquisition-timeout = 1\n", |_| ()).await;
    let (held, waiting) = tokio::join!(
        server.call("alice", "POST", "/rpc/sleep", &[], r#"{"seconds":2}"#),
        server.call("alice", "POST", "/rpc/sleep", &[], r#"{"seconds":2}"#)
    );
    let (first, second) = if held.status == 504 { (waiting, held) } else { (held, waiting) };
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (204, 504));
    assert_eq!(
        second.body,
        r#"{"code":"PGRST003","details":null,"hint":null,"message":"Timed out acquiring connection from connection pool."}"#
    );
    let (_, metrics) = admin(&server, "/metrics").await;
    assert!(metrics.contains("\npgrst_db_pool_timeouts_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn connections_are_kept_until_their_time_is_over_or_the_schema_is_read_again() {
    let server = Server::start("db-pool = 1\n", |_| ()).await;
    server.sql(PID).await;
    assert!(reload(&server.state).await);
    let first = server.get("-", "/rpc/pid").await.body;
    assert_eq!(server.get("-", "/rpc/pid").await.body, first);
    assert!(reload(&server.state).await);
    let second = server.get("-", "/rpc/pid").await.body;
    assert_ne!(second, first, "ALTER ROLE … SET counts for new connections only");
    let config = (*server.state.config()).clone();
    server.state.set_config(Config { db_pool_max_lifetime: 0, ..config });
    assert_ne!(server.get("-", "/rpc/pid").await.body, second);
}

#[tokio::test]
async fn a_schema_that_is_not_there_yet_is_waited_for_and_a_view_without_columns_harms_nobody() {
    let server = Server::start("", |_| ()).await;
    let config = (*server.state.config()).clone();
    server.state.set_config(Config { db_schemas: vec!["later".to_owned()], ..config });
    assert!(!reload(&server.state).await);
    assert_eq!(admin(&server, "/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    // The catalogue from before serves meanwhile.
    assert_eq!(server.get("-", "/labels").await.status, StatusCode::NOT_FOUND);
    server
        .sql(
            "CREATE SCHEMA later CREATE VIEW nothing AS SELECT; GRANT USAGE ON SCHEMA later TO anonymous;
             GRANT SELECT ON later.nothing TO anonymous;",
        )
        .await;
    assert!(reload(&server.state).await);
    assert_eq!(server.get("-", "/nothing").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_admin_server_has_metrics_and_the_schema_cache() {
    let server = Server::start("", |_| ()).await;
    let (status, metrics) = admin(&server, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "# TYPE pgrst_db_pool_available gauge\n",
        "# TYPE pgrst_db_pool_waiting gauge\n",
        "\npgrst_db_pool_max 10\n",
        "\npgrst_schema_cache_loads_total{status=\"SUCCESS\"} 1\n",
        "\npgrst_schema_cache_loads_total{status=\"FAIL\"} 0\n",
        "# TYPE pgrst_schema_cache_query_time_seconds gauge\n",
        "\npgrst_jwt_cache_requests_total 0\n",
        "\npgrst_jwt_cache_hits_total 0\n",
        "\npgrst_jwt_cache_evictions_total 0\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let (_, cache) = admin(&server, "/schema_cache").await;
    let cache: serde_json::Value = serde_json::from_str(&cache).unwrap();
    let keys: Vec<&String> = cache.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["dbTables", "dbRelationships", "dbRoutines", "dbRepresentations", "dbMediaHandlers"]
    );
    // Nobody takes requests in this test.
    assert_eq!(admin(&server, "/live").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(admin(&server, "/config").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn settings_in_the_database_win_and_where_to_connect_does_not_change() {
    let server = Server::start("", |_| ()).await;
    let uri = server.state.config().db_uri_text.clone();
    server
        .sql(
            "CREATE FUNCTION api.pre_config() RETURNS void LANGUAGE sql AS $$
               SELECT set_config('pgrst.db_max_rows', '7', true), set_config('pgrst.db_uri', 'postgresql://other', true),
                      set_config('pgrst.jwt_cache_max_entries', '3', true) $$;
             GRANT EXECUTE ON FUNCTION api.pre_config() TO authenticator;
             GRANT USAGE ON SCHEMA api TO authenticator;",
        )
        .await;
    let environment = [
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_PRE_CONFIG", "api.pre_config"),
        ("PGRST_DB_MAX_ROWS", "100"),
    ];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let source = ConfigSource { path: None, environment };
    let base = source.base().unwrap();
    let full = source.full(&base).await.unwrap();
    assert_eq!((base.db_max_rows, full.db_max_rows), (Some(100), Some(7)));
    assert_eq!(full.db_uri_text, uri);
    let dumped = source.dump().await.unwrap();
    assert!(dumped.contains("\ndb-max-rows = 7\n"), "{dumped}");
}

#[tokio::test]
async fn prepared_statements_that_somebody_dropped_are_done_without() {
    let server = Server::start("db-pool = 1\n", |_| ()).await;
    let drops = "CREATE FUNCTION api.drop_prepared() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DEALLOCATE ALL; RETURN 1; END $$;
                 GRANT EXECUTE ON FUNCTION api.drop_prepared TO authenticated";
    server.sql(drops).await;
    assert!(reload(&server.state).await);
    for _ in 0..3 {
        let answer = server.call("alice", "POST", "/rpc/drop_prepared", &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "1"));
        assert_eq!(server.get("alice", "/rpc/whoami").await.status, 200);
    }
}
