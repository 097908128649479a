//! Pools against a real server, and TLS against one that plays Postgres' part of the handshake.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    time::Duration,
};

use gatepost_postgres::{PoolOptions, connect, listen, pipeline, pool, testing};

async fn empty_database() -> testing::TestDatabase {
    testing::database(None, "empty", |_| async { Ok::<_, String>(()) }).await.unwrap()
}

#[tokio::test]
async fn a_pool_shows_its_name_and_ends_statements_that_take_too_long() {
    let database = empty_database().await;
    let options = PoolOptions {
        application_name: "gatepost test".to_owned(),
        statement_timeout: Some(Duration::from_millis(20)),
        ..PoolOptions::default()
    };
    let pool = pool(&database.url, &options).unwrap();
    let client = pool.get().await.unwrap();
    let row = client.query_one("SELECT current_setting('application_name')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "gatepost test");
    let error = client.query("SELECT pg_sleep(60)", &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57014");
}

#[tokio::test]
async fn a_connection_that_the_server_ended_is_replaced() {
    let database = empty_database().await;
    let pool = pool(&database.url, &PoolOptions { max_size: 1, ..PoolOptions::default() }).unwrap();
    let first = pool.get().await.unwrap();
    let pid: i32 = first.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let (admin, _task) = connect(&database.url).await.unwrap();
    admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    while !first.is_closed() {
        tokio::task::yield_now().await;
    }
    drop(first);
    let second: i32 =
        pool.get().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_ne!(second, pid);
}

#[tokio::test]
async fn a_full_pool_gives_up_after_its_waiting_time() {
    let database = empty_database().await;
    let options = PoolOptions {
        max_size: 1,
        wait_timeout: Duration::from_millis(10),
        ..PoolOptions::default()
    };
    let pool = pool(&database.url, &options).unwrap();
    let _held = pool.get().await.unwrap();
    assert!(pool.get().await.unwrap_err().to_string().contains("waiting for a slot"));
}

#[tokio::test]
async fn a_server_that_takes_connections_and_never_answers_does_not_hold_anybody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada@{}/app", listener.local_addr().unwrap());
    let options =
        PoolOptions { connect_timeout: Duration::from_millis(50), ..PoolOptions::default() };
    let error = pool(&url, &options).unwrap().get().await.unwrap_err();
    assert!(error.to_string().contains("creating"), "{error}");
}

#[tokio::test]
async fn notifications_reach_a_listener() {
    let database = empty_database().await;
    let (_client, mut notifications) = listen(&database.url, &["a \"channel\""]).await.unwrap();
    let (other, _task) = connect(&database.url).await.unwrap();
    other.batch_execute("NOTIFY \"a \"\"channel\"\"\", 'hello'").await.unwrap();
    assert_eq!(notifications.recv().await.unwrap().payload(), "hello");
}

#[tokio::test]
async fn a_template_whose_preparation_failed_is_prepared_again() {
    let unique = empty_database().await.name.clone();
    let failed = testing::database(None, &unique, |_| async { Err::<(), _>("no such luck") })
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("no such luck"));
    testing::database(None, &unique, |_| async { Ok::<_, String>(()) }).await.unwrap();
}

#[tokio::test]
async fn another_server_can_be_named() {
    let first = empty_database().await;
    let second =
        testing::database(Some(&first.url), "empty", |_| async { Err("prepared already") })
            .await
            .unwrap();
    let (client, _task) = connect(&second.url).await.unwrap();
    let name: String = client.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    assert_eq!(name, second.name);
}

/// Whether the server says that it can do TLS.
#[derive(Clone, Copy)]
enum Offers {
    Tls,
    Nothing,
}

/// Plays Postgres up to the first message after the handshake, where it refuses with "spoken to". Returns what the client made of it.
async fn talk(road: Road, offers: Offers, host: &str, query: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = directory.path().join("root.pem");
    std::fs::write(&root, certified.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let server = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 8])?;
        match offers {
            Offers::Nothing => {
                stream.write_all(b"N")?;
                refuse(&mut stream)
            }
            Offers::Tls => {
                stream.write_all(b"S")?;
                let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
                refuse(&mut rustls::StreamOwned::new(connection, stream))
            }
        }
    });
    let query = query.replace("ROOT", &root.to_str().unwrap().replace('/', "%2F"));
    let url = format!("postgres://ada@{host}:{port}/app?{query}");
    let text = match road {
        Road::Alone => connect(&url).await.err().unwrap().to_string(),
        Road::Pipeline => {
            let pool = pipeline::pool(&url, &PoolOptions::default()).unwrap();
            pool.get().await.unwrap_err().to_string()
        }
    };
    let _ = server.join().unwrap();
    text
}

/// Both ways to open a connection agree about TLS in the same way.
#[derive(Clone, Copy)]
enum Road {
    Alone,
    Pipeline,
}

const ROADS: [Road; 2] = [Road::Alone, Road::Pipeline];

fn refuse(stream: &mut (impl Read + Write)) -> std::io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let startup = usize::try_from(u32::from_be_bytes(length)).unwrap() - 4;
    stream.read_exact(&mut vec![0; startup])?;
    let body = b"SFATAL\0C28000\0Mspoken to\0\0";
    stream.write_all(b"E")?;
    stream.write_all(&u32::try_from(body.len() + 4).unwrap().to_be_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

#[tokio::test]
async fn prefer_encrypts_where_the_server_can_and_speaks_plainly_where_not() {
    for road in ROADS {
        for offers in [Offers::Tls, Offers::Nothing] {
            let answer = talk(road, offers, "localhost", "sslmode=prefer").await;
            assert!(answer.contains("spoken to"), "{answer}");
        }
    }
}

#[tokio::test]
async fn require_refuses_plain_connections_and_unknown_certificates() {
    for road in ROADS {
        let plain = talk(road, Offers::Nothing, "localhost", "sslmode=require").await;
        assert!(plain.contains("server does not support TLS"), "{plain}");
        let unknown = talk(road, Offers::Tls, "localhost", "sslmode=require").await;
        assert!(unknown.contains("certificate"), "{unknown}");
    }
}

#[tokio::test]
async fn a_root_certificate_of_ones_own_is_trusted_for_the_right_host_only() {
    const ROOT: &str = "sslmode=verify-full&sslrootcert=ROOT";
    for road in ROADS {
        let right = talk(road, Offers::Tls, "localhost", ROOT).await;
        assert!(right.contains("spoken to"), "{right}");
        let wrong = talk(road, Offers::Tls, "127.0.0.1", ROOT).await;
        assert!(wrong.contains("not valid for name"), "{wrong}");
        let missing = talk(road, Offers::Tls, "localhost", &format!("{ROOT}.missing")).await;
        assert!(missing.contains("sslrootcert"), "{missing}");
    }
}
