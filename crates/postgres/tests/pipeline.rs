//! Connections in pipeline mode, against a real server and against one that says what a real one rarely does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::time::Duration;

use gatepost_postgres::{
    PoolOptions, connect,
    pipeline::{Connection, Error, Object, Parameter, Pool, Raw, Rows, ServerError, pool},
    testing,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// `text`
const TEXT: u32 = 25;

async fn empty_database() -> testing::TestDatabase {
    testing::database(None, "empty", |_| async { Ok::<_, String>(()) }).await.unwrap()
}

fn single(url: &str) -> Pool {
    pool(url, &PoolOptions { max_size: 1, ..PoolOptions::default() }).unwrap()
}

async fn ask(connection: &mut Connection, statements: &[&str]) -> Result<Vec<Rows>, Error> {
    let mut batch = connection.batch();
    statements.iter().for_each(|text| batch.push(text, [].into_iter(), false));
    batch.send().await
}

/// The only value of a statement.
async fn value(connection: &mut Connection, statement: &str) -> String {
    let statement = format!("SELECT ({statement})::text");
    let rows = ask(connection, &[&statement]).await.unwrap();
    rows.first().unwrap().first().unwrap().at(0).unwrap()
}

fn refused(outcome: Result<Vec<Rows>, Error>) -> ServerError {
    match outcome {
        Err(Error::Server(error)) => *error,
        other => panic!("{other:?}"),
    }
}

async fn pid(connection: &mut Object) -> String {
    value(connection, "pg_backend_pid()").await
}

#[tokio::test]
async fn a_batch_answers_each_of_its_statements() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    for keep in [false, true, true] {
        let mut batch = connection.batch();
        let given: [Parameter<'_>; 2] = [(0, Some(b"41")), (TEXT, None)];
        batch.push("SELECT $1::int + 1 AS more, $2 AS nothing", given.into_iter(), keep);
        batch.push("SELECT n FROM generate_series(1, 3) n", [].into_iter(), keep);
        batch.push("SELECT '{\"a\": 1}'::jsonb, 1 WHERE false", [].into_iter(), keep);
        batch.push("SET LOCAL work_mem = '1MB'", [].into_iter(), keep);
        let rows = batch.send().await.unwrap();
        let row = rows[0].first().unwrap();
        assert_eq!(row.get::<i32>("more").unwrap(), 42);
        assert_eq!(row.get::<Option<String>>("nothing").unwrap(), None);
        assert!(row.has("more") && !row.has("less"));
        let error = row.get::<String>("more").unwrap_err().to_string();
        assert!(error.contains("more: cannot convert"), "{error}");
        assert!(row.get::<i32>("less").unwrap_err().to_string().contains("no column less"));
        assert!(row.get::<i32>("nothing").is_err());
        let numbers: Vec<i32> = rows[1].iter().map(|row| row.at(0).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(rows[2].first().is_none());
        assert_eq!(rows.len(), 4);
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM pg_prepared_statements").await, "4");
    let rows = ask(&mut connection, &["SELECT '{\"a\": 1}'::jsonb"]).await.unwrap();
    assert_eq!(rows[0].first().unwrap().at::<Raw>(0).unwrap().0, r#"{"a": 1}"#);
}

#[tokio::test]
async fn a_text_with_other_types_is_another_statement() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    for (kind, expected) in [(TEXT, "text"), (23, "integer"), (TEXT, "text")] {
        let mut batch = connection.batch();
        let given: [Parameter<'_>; 1] = [(kind, Some(b"1"))];
        batch.push("SELECT pg_typeof($1)::text", given.into_iter(), true);
        let rows = batch.send().await.unwrap();
        assert_eq!(rows[0].first().unwrap().at::<String>(0).unwrap(), expected);
    }
}

#[tokio::test]
async fn after_an_error_the_rest_is_skipped_and_what_came_before_is_undone() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    ask(&mut connection, &["CREATE TABLE t (n int PRIMARY KEY)"]).await.unwrap();
    let batch = ["INSERT INTO t VALUES (1)", "SELECT 1 / 0", "INSERT INTO t VALUES (2)"];
    let error = refused(ask(&mut connection, &batch).await);
    assert_eq!((error.code.as_str(), error.message.as_str()), ("22012", "division by zero"));
    assert!(!connection.is_in_transaction());
    assert_eq!(value(&mut connection, "SELECT count(*) FROM t").await, "0");
    let twice = ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"];
    let error = refused(ask(&mut connection, &twice).await);
    assert_eq!(error.detail.unwrap(), "Key (n)=(1) already exists.");
}

#[tokio::test]
async fn what_fails_only_at_the_end_is_an_error_too() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    let text = "CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    ask(&mut connection, &[text]).await.unwrap();
    let twice = ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"];
    assert_eq!(refused(ask(&mut connection, &twice).await).code, "23505");
}

#[tokio::test]
async fn an_open_transaction_is_nobody_elses() {
    let database = empty_database().await;
    let pool = single(&database.url);
    let mut first = pool.get().await.unwrap();
    let before = pid(&mut first).await;
    ask(&mut first, &["BEGIN", "SELECT 1"]).await.unwrap();
    assert!(first.is_in_transaction());
    assert_eq!(refused(ask(&mut first, &["SELECT no"]).await).code, "42703");
    assert!(first.is_in_transaction());
    drop(first);
    assert_ne!(pid(&mut pool.get().await.unwrap()).await, before);
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_costs_its_connection_alone() {
    let database = empty_database().await;
    let pool = single(&database.url);
    let mut first = pool.get().await.unwrap();
    let before = pid(&mut first).await;
    let asked = ask(&mut first, &["SELECT pg_sleep(20)"]);
    assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    let error = ask(&mut first, &["SELECT 1"]).await.unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error}");
    drop(first);
    assert_ne!(pid(&mut pool.get().await.unwrap()).await, before);
}

#[tokio::test]
async fn large_values_go_both_ways_at_once() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    let large = vec![b'x'; 12 * 1024 * 1024];
    let mut batch = connection.batch();
    for _ in 0..3 {
        batch.push("SELECT $1", [(TEXT, Some(large.as_slice()))].into_iter(), false);
    }
    for rows in batch.send().await.unwrap() {
        assert_eq!(rows.first().unwrap().at::<String>(0).unwrap().len(), large.len());
    }
}

#[tokio::test]
async fn a_connection_that_the_server_ended_is_replaced() {
    let database = empty_database().await;
    let pool = single(&database.url);
    let mut first = pool.get().await.unwrap();
    let before: i32 = pid(&mut first).await.parse().unwrap();
    drop(first);
    let (admin, _task) = connect(&database.url).await.unwrap();
    admin.execute("SELECT pg_terminate_backend($1, 10000)", &[&before]).await.unwrap();
    let mut second = pool.get().await.unwrap();
    let after: i32 = pid(&mut second).await.parse().unwrap();
    assert_ne!(after, before);
    // While it is in use the server says why.
    let (ended, _) = tokio::join!(ask(&mut second, &["SELECT pg_sleep(60)"]), async {
        let waiting = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
        while admin.query(waiting, &[&after]).await.unwrap().is_empty() {}
        admin.execute("SELECT pg_terminate_backend($1, 10000)", &[&after]).await.unwrap();
    });
    assert_eq!(refused(ended).code, "57P01");
}

#[tokio::test]
async fn what_was_not_prepared_is_not_taken_for_prepared() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    let mut kept = Vec::new();
    for round in 0..4 {
        let mut batch = connection.batch();
        batch.push("SELECT $1::int", [(0, Some(b"x".as_slice()))].into_iter(), round < 2);
        kept.push(refused(batch.send().await).code);
        let mut batch = connection.batch();
        batch.push("SELECT n FROM later", [].into_iter(), true);
        kept.push(refused(batch.send().await).code);
        // Given up before it is sent.
        connection.batch().push("SELECT 1", [].into_iter(), true);
    }
    assert_eq!(kept, ["22P02", "42P01"].repeat(4));
    ask(&mut connection, &["CREATE TABLE later (n int)", "INSERT INTO later VALUES (5)"])
        .await
        .unwrap();
    for text in ["SELECT n FROM later", "SELECT 5"].repeat(2) {
        let mut batch = connection.batch();
        batch.push(text, [].into_iter(), true);
        let rows = batch.send().await.unwrap();
        assert_eq!(rows[0].first().unwrap().at::<i32>(0).unwrap(), 5);
    }
}

#[tokio::test]
async fn a_connection_does_not_prepare_without_end() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    for round in 0..1100 {
        let text = format!("SELECT {round}");
        let mut batch = connection.batch();
        batch.push(&text, [].into_iter(), true);
        let rows = batch.send().await.unwrap();
        assert_eq!(rows[0].first().unwrap().at::<i32>(0).unwrap(), round);
    }
    assert_eq!(value(&mut connection, "SELECT count(*) FROM pg_prepared_statements").await, "100");
    connection.forget();
    // Given up before it is sent; then one that fails.
    drop(connection.batch());
    assert_eq!(refused(ask(&mut connection, &["SELECT no"]).await).code, "42703");
    assert_eq!(value(&mut connection, "SELECT count(*) FROM pg_prepared_statements").await, "0");
}

#[tokio::test]
async fn what_the_protocol_cannot_carry_is_not_sent() {
    let database = empty_database().await;
    let mut connection = single(&database.url).get().await.unwrap();
    let error = ask(&mut connection, &["SELECT 1", "SELECT '\0'"]).await.unwrap_err();
    assert!(matches!(error, Error::Unsendable(_)), "{error}");
    let mut batch = connection.batch();
    batch.push("SELECT 1", vec![(TEXT, None); 70_000].into_iter(), true);
    assert!(matches!(batch.send().await.unwrap_err(), Error::Unsendable(_)));
    assert_eq!(value(&mut connection, "SELECT 1").await, "1");
}

#[tokio::test]
async fn copy_has_no_place_in_a_batch() {
    let database = empty_database().await;
    let pool = single(&database.url);
    let mut connection = pool.get().await.unwrap();
    let error = ask(&mut connection, &["COPY (SELECT 1) TO STDOUT"]).await.unwrap_err();
    assert!(error.to_string().contains("COPY cannot"), "{error}");
    drop(connection);
    assert_eq!(value(&mut pool.get().await.unwrap(), "SELECT 1").await, "1");
}

/// Where the database is, as host and port of a URL.
fn place(url: &str) -> (String, String) {
    let (_, rest) = url.split_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    (host.to_owned(), database.to_owned())
}

#[tokio::test]
async fn hosts_are_tried_in_turn_until_one_suits() {
    let database = empty_database().await;
    let (host, name) = place(&database.url);
    let (name, _) = name.split_once('?').unwrap_or((&name, ""));
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("postgres://postgres@{dead},{host}/{name}");
    assert_eq!(value(&mut single(&url).get().await.unwrap(), "SELECT 1").await, "1");
    let url =
        format!("postgres://postgres@%2Fno%2Fsocket:1,{host}/{name}?load_balance_hosts=random");
    assert_eq!(value(&mut single(&url).get().await.unwrap(), "SELECT 1").await, "1");
    let url = format!("{url}&target_session_attrs=read-write");
    assert_eq!(value(&mut single(&url).get().await.unwrap(), "SELECT 1").await, "1");
    let url = url.replace("read-write", "read-only");
    let error = single(&url).get().await.unwrap_err().to_string();
    assert!(error.contains("not read-only") || error.contains("/no/socket"), "{error}");
    let error = single(&format!("postgres://postgres@{dead}/{name}")).get().await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], length.as_slice(), body].concat()
}

/// A server that says something more in the same breath as that it is ready, in pieces that end anywhere.
#[tokio::test]
async fn what_the_server_says_after_the_sign_in_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ada@{}/app?sslmode=disable", listener.local_addr().unwrap());
    let notice = message(b'N', b"SNOTICE\0C00000\0Mhello\0\0");
    let ready = message(b'Z', b"I");
    let greeting = [
        message(b'R', &0_u32.to_be_bytes()),
        message(b'S', b"server_version\x0017\0"),
        message(b'K', &[0; 8]),
        ready.clone(),
        notice.clone(),
        message(b'S', b"TimeZone\0UTC\0"),
    ]
    .concat();
    let answer = [
        message(b'1', b""),
        message(b'2', b""),
        notice,
        message(b'T', b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\x01"),
        message(b'D', b"\0\x01\0\0\0\x04\0\0\0\x07"),
        message(b'C', b"SELECT 1\0"),
        ready,
    ]
    .concat();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let length = stream.read_u32().await.unwrap();
        stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
        // All but the last three bytes of what came too early.
        let (first, late) = greeting.split_at(greeting.len() - 3);
        stream.write_all(first).await.unwrap();
        for round in 0..2 {
            let mut kind = 0;
            while kind != b'S' {
                kind = stream.read_u8().await.unwrap();
                let length = stream.read_u32().await.unwrap();
                stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
            }
            if round == 0 {
                stream.write_all(late).await.unwrap();
            }
            for byte in &answer {
                stream.write_all(&[*byte]).await.unwrap();
            }
        }
    });
    let pool = single(&url);
    for _ in 0..2 {
        let mut connection = pool.get().await.unwrap();
        let rows = ask(&mut connection, &["SELECT 7 AS n"]).await.unwrap();
        assert_eq!(rows[0].first().unwrap().get::<i32>("n").unwrap(), 7);
    }
    server.await.unwrap();
}
