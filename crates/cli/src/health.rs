//! What operators and development tools ask: alive, ready, numbers, mail.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use gatepost_auth::{
    app::App,
    database, keys,
    mail::{self, Wakes},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use tokio::{sync::Mutex, time::timeout};
use url::{Host, Url};

use crate::database::reason;

/// A database that takes longer is not one to send users to.
const PATIENCE: Duration = Duration::from_secs(1);
/// An answer is good for this long: asking costs the database something, and anybody may ask.
const REMEMBERED: Duration = Duration::from_millis(500);

/// `/health/live`: the process answers. `/health/ready`: it can do its work.
pub(crate) fn router(app: &App) -> Router {
    let readiness = Arc::new(Readiness { app: app.clone(), last: Mutex::new(None) });
    Router::new()
        .route("/health/live", get(|| async { Json(serde_json::json!({ "status": "live" })) }))
        .route("/health/ready", get(ready))
        .with_state(readiness)
}

struct Readiness {
    app: App,
    last: Mutex<Option<(Instant, Report)>>,
}

#[derive(Clone, Debug, Serialize)]
struct Report {
    status: &'static str,
    database: &'static str,
    schema: &'static str,
    keys: &'static str,
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    // One question at a time; those who wait get the same answer.
    let mut last = readiness.last.lock().await;
    let report = match &*last {
        Some((at, report)) if at.elapsed() < REMEMBERED => report.clone(),
        _ => {
            let report = examine(&readiness.app).await;
            *last = Some((Instant::now(), report.clone()));
            report
        }
    };
    drop(last);
    let status =
        if report.status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// The words are for strangers too: what exactly is wrong stands in the log.
async fn examine(app: &App) -> Report {
    let mut report =
        Report { status: "not ready", database: "unreachable", schema: "unknown", keys: "unknown" };
    let examined = timeout(PATIENCE, async {
        let client = app.db.get().await.map_err(|error| reason(&error))?;
        report.database = "reachable";
        report.schema = "wrong";
        database::check(&client).await.map_err(|error| reason(&error))?;
        report.schema = "right";
        report.keys = "missing";
        keys::routes::ring(app).await.map_err(|error| format!("{error:?}"))?;
        report.keys = "loaded";
        Ok::<(), String>(())
    });
    match examined.await {
        Ok(Ok(())) => report.status = "ready",
        Ok(Err(error)) => tracing::warn!(error, "not ready"),
        Err(_) => {
            tracing::warn!(seconds = PATIENCE.as_secs(), "not ready: the database does not answer")
        }
    }
    report
}

/// `/metrics` for everybody who can reach the address: one of its own.
pub(crate) fn metrics_router(app: &App) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(app.clone())
}

/// `/metrics` for callers on this machine. Through a proxy everybody looks like one: its headers tell.
pub(crate) fn local_metrics_router(app: &App) -> Router {
    metrics_router(app).route_layer(middleware::from_fn(local_only))
}

async fn local_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if peer.ip().to_canonical().is_loopback() && !forwarded {
        return next.run(request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        app.metrics.text(),
    )
}

/// The development inbox under `/inbox`.
pub(crate) fn inbox_router(app: &App, wakes: Wakes) -> Router {
    let inbox = mail::inbox::router(app.db.clone(), Arc::clone(&app.outbox), wakes);
    let router = Router::new()
        .nest("/inbox", inbox)
        .route("/inbox/", get(|| async { Redirect::permanent("/inbox") }));
    on_known_hosts(app, router)
}

/// Answers under the names of this machine and of the public URL only.
pub(crate) fn on_known_hosts(app: &App, router: Router) -> Router {
    let own =
        Url::parse(&app.config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    router.layer(middleware::from_fn_with_state(own, known_host_only))
}

/// A page of a stranger that points its own host name at this machine must not read codes (DNS rebinding).
async fn known_host_only(
    State(own): State<Option<String>>,
    request: Request,
    next: Next,
) -> Response {
    let host = host(request.headers()).or_else(|| request.uri().host().map(str::to_owned));
    let known = host.is_some_and(|host| {
        own.as_deref() == Some(host.as_str())
            || host == "localhost"
            || host.ends_with(".localhost")
            || !matches!(Host::parse(&host), Ok(Host::Domain(_)) | Err(_))
    });
    if known { next.run(request).await } else { StatusCode::MISDIRECTED_REQUEST.into_response() }
}

fn host(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::HOST)?.to_str().ok()?;
    let authority: http::uri::Authority = value.parse().ok()?;
    Some(authority.host().to_ascii_lowercase())
}
