//! HTTP on a socket: connections, their limits and their end.
//!
//! Slow clients are the concern: each wait for a client has an end, so that none holds a connection for ever (RL-16).

use std::{
    any::Any,
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::FutureExt;
use gatepost_data_api::Typed;
use http::{Request, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, Sleep, sleep, timeout},
};
use tower::ServiceExt;

/// How much clients may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// What requests under way get to end.
    pub(crate) drain: Duration,
}

/// For the head of each request, and for a kept connection until the next one.
const HEAD: Duration = Duration::from_secs(30);
/// For a whole body: the largest has 64 KiB.
const BODY: Duration = Duration::from_secs(30);
/// HTTP/2: how often a silent client is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);
/// The longest head.
const HEAD_BYTES: usize = 64 * 1024;
/// After an accept that failed, mostly for want of file descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Serves until `shutdown` turns true, then lets requests under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut shutdown: watch::Receiver<bool>,
) {
    let http = Arc::new(protocol());
    let permits = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let router = router.with_state(());
    loop {
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|ending| *ending) => break,
            (stream, peer, permit) = accept(&listener, &permits) => {
                let connection = Connection { stream, peer, router: router.clone(), permit };
                tokio::spawn(connection.serve(Arc::clone(&http), graceful.watcher()));
            }
        }
    }
    // New connections are refused from here on, so that a load balancer goes elsewhere.
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = limits.drain.as_secs(),
            "requests were still under way and are cut off"
        );
    }
}

fn protocol() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(128)
        .max_header_list_size(HEAD_BYTES as u32);
    http
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Never closed, so there always is one in the end.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    async fn serve(
        self,
        http: Arc<auto::Builder<TokioExecutor>>,
        watcher: hyper_util::server::graceful::Watcher,
    ) {
        let Self { stream, peer, router, permit } = self;
        // Answers are small: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let spoken = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&spoken);
        let service = service_fn(move |request| {
            heard.store(true, Ordering::Relaxed);
            answer(router.clone(), request, peer)
        });
        // curl sends `data->>name` to the Data API as it stands.
        let stream = TokioIo::new(Typed::new(stream));
        let connection = http.serve_connection_with_upgrades(stream, service);
        let mut connection = std::pin::pin!(watcher.watch(connection.into_owned()));
        // Nothing limits the time until it is known which version of HTTP a client speaks.
        if let Ok(ended) = timeout(HEAD, &mut connection).await {
            note(ended);
        } else if spoken.load(Ordering::Relaxed) {
            note(connection.await);
        }
        drop(permit);
    }
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, Infallible> {
    let mut request = request
        .map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(Timed::new(body)) });
    request.extensions_mut().insert(ConnectInfo(peer));
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(answered) => answered,
        Err(panic) => Ok(after_panic(&*panic)),
    }
}

/// A defect of ours takes one request down, not its connection or the server.
fn after_panic(panic: &(dyn Any + Send)) -> Response<Body> {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or_default();
    tracing::error!(message, "a request panicked");
    let body = r#"{"message":"Internal Server Error","code":"INTERNAL_SERVER_ERROR"}"#;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// A body that has to be complete in time.
struct Timed {
    body: Incoming,
    end: Pin<Box<Sleep>>,
}

impl Timed {
    fn new(body: Incoming) -> Self {
        Self { body, end: Box::pin(tokio::time::sleep_until(Instant::now() + BODY)) }
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        self.end.as_mut().poll(context).map(|()| Some(Err("the body took too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
