use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
};

use super::{Limits, serve};

struct Server {
    address: SocketAddr,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

async fn start(router: Router, connections: usize) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, ending) = watch::channel(false);
    let limits = Limits { connections, drain: Duration::from_secs(30) };
    Server { address, shutdown, task: tokio::spawn(serve(listener, router, limits, ending)) }
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

async fn ask(stream: &mut TcpStream, path: &str) {
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n").as_bytes())
        .await
        .unwrap();
}

async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the connection ended: {text}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_not_the_connection() {
    async fn defect() -> &'static str {
        panic!("a defect")
    }
    let router = Router::new().route("/defect", get(defect)).route("/", get(|| async { "fine" }));
    let server = start(router, 10).await;
    let mut stream = connect(&server).await;
    ask(&mut stream, "/defect").await;
    let text = answer(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("INTERNAL_SERVER_ERROR"), "{text}");
    assert!(!text.contains("a defect"), "{text}");
    ask(&mut stream, "/").await;
    assert!(answer(&mut stream, "fine").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_shutdown_began() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, outside) = (Arc::clone(&entered), Arc::clone(&leave));
    let router = Router::new().route(
        "/",
        get(async move || {
            inside.notify_one();
            outside.notified().await;
            "done"
        }),
    );
    let server = start(router, 10).await;
    let mut stream = connect(&server).await;
    let idle = connect(&server).await;
    ask(&mut stream, "/").await;
    entered.notified().await;
    server.shutdown.send_replace(true);
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    leave.notify_one();
    assert!(answer(&mut stream, "done").await.starts_with("HTTP/1.1 200 "));
    server.task.await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_one_to_end() {
    let count = Arc::new(AtomicU32::new(0));
    let handler = async move || format!("request {}.", count.fetch_add(1, Ordering::SeqCst) + 1);
    let server = start(Router::new().route("/", get(handler)), 1).await;
    let mut first = connect(&server).await;
    ask(&mut first, "/").await;
    answer(&mut first, "request 1.").await;
    let mut second = connect(&server).await;
    ask(&mut second, "/").await;
    ask(&mut first, "/").await;
    answer(&mut first, "request 2.").await;
    drop(first);
    answer(&mut second, "request 3.").await;
}
