//! A request costs one network round trip, shown on the wire.
//!
//! A proxy between server and database holds everything that the database says until the end of the transaction has
//! come by. A request that waited for an answer before would never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_data_api::{State, reload};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::support::Server;

/// What the proxy sees and does.
#[derive(Default)]
struct Trace {
    /// Whether the database's words wait for the end of a transaction.
    holding: AtomicBool,
    /// Ends of transactions that came by while holding.
    ended: AtomicUsize,
    /// Messages of the client while holding.
    messages: AtomicUsize,
    released: Notify,
}

/// Reads the client's messages: a type, a length, a text that may be `COMMIT`.
async fn watch(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    trace: Arc<Trace>,
) {
    let mut begun = false;
    loop {
        // The first message has no type.
        let kind = if begun { from.read_u8().await.ok() } else { Some(0) };
        let (Some(kind), Ok(length)) = (kind, from.read_u32().await) else { return };
        let mut body = vec![0; length as usize - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        let mut message = if begun { vec![kind] } else { Vec::new() };
        message.extend(length.to_be_bytes());
        message.extend(&body);
        begun = true;
        let ends = kind == b'Q' && (body.starts_with(b"COMMIT") || body.starts_with(b"ROLLBACK"));
        if to.write_all(&message).await.is_err() {
            return;
        }
        if trace.holding.load(Ordering::SeqCst) {
            trace.messages.fetch_add(1, Ordering::SeqCst);
            if ends {
                trace.ended.fetch_add(1, Ordering::SeqCst);
                trace.holding.store(false, Ordering::SeqCst);
                trace.released.notify_waiters();
            }
        }
    }
}

/// Passes on what the database says, unless it has to wait.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    trace: Arc<Trace>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut bytes).await {
        if read == 0 {
            return;
        }
        loop {
            let released = trace.released.notified();
            if !trace.holding.load(Ordering::SeqCst) {
                break;
            }
            released.await;
        }
        if to.write_all(bytes.get(..read).unwrap()).await.is_err() {
            return;
        }
    }
}

/// Where the test cluster is: a socket in a directory, or a host.
async fn connect(
    url: &str,
) -> (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>) {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first().unwrap() {
        tokio_postgres::config::Host::Unix(dir) => {
            let stream = UnixStream::connect(dir.join(format!(".s.PGSQL.{port}"))).await.unwrap();
            let (read, write) = stream.into_split();
            (Box::new(read), Box::new(write))
        }
        tokio_postgres::config::Host::Tcp(host) => {
            let (read, write) =
                TcpStream::connect((host.as_str(), port)).await.unwrap().into_split();
            (Box::new(read), Box::new(write))
        }
    }
}

/// A server whose database lies behind the proxy.
async fn traced() -> (Server, Arc<Trace>) {
    let mut server = Server::start("", |_| ()).await;
    let trace = Arc::new(Trace::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (shared, target) = (Arc::clone(&trace), server.admin_url.clone());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (read, write) = client.into_split();
            let (from, to) = connect(&target).await;
            tokio::spawn(watch(read, to, Arc::clone(&shared)));
            tokio::spawn(pass(from, write, Arc::clone(&shared)));
        }
    });
    let mut config = (*server.state.config()).clone();
    let database = server.admin_url.rsplit('/').next().unwrap().split('?').next().unwrap();
    config.db_uri = format!("postgres://authenticator@127.0.0.1:{port}/{database}?sslmode=disable");
    config.db_pool = 1;
    server.state = State::new(config).unwrap();
    assert!(reload(&server.state).await);
    (server, trace)
}

#[tokio::test]
async fn a_request_costs_one_round_trip() {
    let (server, trace) = traced().await;
    let count = [("prefer", "count=exact")];
    let minimal = [("prefer", "return=minimal")];
    let returned = [("prefer", "return=representation")];
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let requests: [(&str, &str, Headers<'_>, &str); 8] = [
        ("GET", "/notes?id=eq.1", &[], ""),
        ("GET", "/tasks?select=id,project:projects(name)&order=id&limit=100", &[], ""),
        ("GET", "/tasks?select=id&done=is.false&limit=1", &count, ""),
        ("POST", "/notes", &minimal, r#"{"body":"x"}"#),
        ("POST", "/notes", &returned, r#"{"body":"y"}"#),
        ("PATCH", "/notes?id=eq.1", &minimal, r#"{"body":"z"}"#),
        ("GET", "/rpc/whoami", &[], ""),
        ("POST", "/rpc/add", &[], r#"{"a":1,"b":2}"#),
    ];
    for (method, target, headers, body) in requests {
        // A statement is prepared when it comes for the second time.
        for _ in 0..2 {
            let answer = server.call("alice", method, target, headers, body).await;
            assert!(answer.status.is_success(), "{target}: {}", answer.body);
        }
        trace.messages.store(0, Ordering::SeqCst);
        trace.ended.store(0, Ordering::SeqCst);
        trace.holding.store(true, Ordering::SeqCst);
        let asked = server.call("alice", method, target, headers, body);
        let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
        let answer = answer
            .unwrap_or_else(|_| panic!("{method} {target} waits for the database before its end"));
        assert!(answer.status.is_success(), "{target}: {}", answer.body);
        assert_eq!(trace.ended.load(Ordering::SeqCst), 1, "{target}");
        // BEGIN; settings and statement, each bound, executed and synchronised; COMMIT.
        assert_eq!(trace.messages.load(Ordering::SeqCst), 8, "{method} {target}");
    }
}

#[tokio::test]
async fn a_statement_that_comes_once_costs_one_round_trip_too() {
    let (server, trace) = traced().await;
    // Opens the connection.
    server.get("alice", "/rpc/whoami").await;
    trace.holding.store(true, Ordering::SeqCst);
    let asked = server.get("alice", "/notes?select=body&id=eq.3");
    let answer = tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap();
    assert_eq!(answer.body, r#"[{"body":"bread"}]"#);
    assert_eq!(trace.ended.load(Ordering::SeqCst), 1);
}
