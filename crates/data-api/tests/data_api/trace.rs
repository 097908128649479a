//! A request costs one network round trip, shown on the wire.
//!
//! A proxy between server and database holds everything that the database says until the end of the batch has come by. A
//! request that waited for an answer before would never end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost_data_api::{State, reload};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::support::{Answer, Server};

/// What the proxy sees and does.
#[derive(Default)]
struct Trace {
    /// Whether the database's words wait for the end of a batch.
    holding: AtomicBool,
    /// Statements that were executed since this was cleared, and `SYNC`.
    asked: Mutex<Vec<String>>,
    released: Notify,
}

/// Texts ending in NUL at the head of a message.
fn texts(body: &[u8]) -> impl Iterator<Item = String> {
    body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Reads the client's messages: a type, a length, a body.
async fn watch(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    trace: Arc<Trace>,
) {
    let mut begun = false;
    let mut prepared = HashMap::new();
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
        let mut texts = texts(&body);
        let ask = |text: String| trace.asked.lock().unwrap().push(text);
        match kind {
            b'P' => drop(prepared.insert(texts.next().unwrap(), texts.next().unwrap())),
            b'B' => ask(prepared.get(&texts.nth(1).unwrap()).unwrap().clone()),
            b'Q' => ask(texts.next().unwrap()),
            b'S' => ask("SYNC".to_owned()),
            _ => {}
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
        if matches!(kind, b'Q' | b'S') && trace.holding.swap(false, Ordering::SeqCst) {
            trace.released.notify_waiters();
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
    // Opens the connection.
    assert_eq!(server.get("alice", "/rpc/whoami").await.status, 200);
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
        let answer = once(&server, &trace, method, target, headers, body).await;
        assert!(answer.status.is_success(), "{target}: {}", answer.body);
    }
}

/// Asks while the database is held, and looks at what it was asked: one transaction, in one batch.
async fn once(
    server: &Server,
    trace: &Trace,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    trace.asked.lock().unwrap().clear();
    trace.holding.store(true, Ordering::SeqCst);
    let asked = server.call("alice", method, target, headers, body);
    let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
    let answer = answer
        .unwrap_or_else(|_| panic!("{method} {target} waits for the database before its end"));
    let asked = trace.asked.lock().unwrap();
    let [begin, settings, _, commit, sync] = asked.as_slice() else {
        panic!("{method} {target}: {asked:?}")
    };
    assert!(begin.starts_with("BEGIN ISOLATION LEVEL READ COMMITTED READ "), "{begin}");
    assert!(settings.contains("set_config("), "{settings}");
    assert_eq!([commit.as_str(), sync.as_str()], ["COMMIT", "SYNC"]);
    answer
}

#[tokio::test]
async fn a_statement_costs_one_round_trip_each_time_it_comes() {
    let (server, trace) = traced().await;
    // The first time it goes with its text, the second time it is prepared, the third time it is there.
    for _ in 0..3 {
        let answer = once(&server, &trace, "GET", "/notes?select=body&id=eq.3", &[], "").await;
        assert_eq!(answer.body, r#"[{"body":"bread"}]"#);
    }
}

#[tokio::test]
async fn a_failed_request_leaves_nothing_open() {
    let (server, trace) = traced().await;
    trace.asked.lock().unwrap().clear();
    let answer = server.call("alice", "POST", "/rpc/add", &[], r#"{"a":1,"b":"x"}"#).await;
    assert!(answer.body.contains("22P02"), "{}", answer.body);
    let asked = std::mem::take(&mut *trace.asked.lock().unwrap());
    assert_eq!(asked.last_chunk().unwrap(), &["SYNC", "ROLLBACK", "SYNC"]);
    assert_eq!(server.get("alice", "/rpc/whoami").await.status, 200);
}
