//! What operators ask, on an address of its own: `/live`, `/ready`, `/metrics`, `/schema_cache`.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use http::{HeaderValue, StatusCode};

use crate::state::State;

/// The admin server. Nothing here asks the database.
pub fn admin_router(state: State) -> Router {
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let (status, content_type, body) = match request.uri().path() {
        "/live" => (live(&state), None, String::new()),
        "/ready" => (ready(&state), None, String::new()),
        "/metrics" => (StatusCode::OK, Some("text/plain; charset=utf-8"), metrics(&state)),
        "/schema_cache" => {
            let catalog = state.catalog();
            let body = catalog.map(|catalog| catalog.to_json().to_string()).unwrap_or_default();
            (StatusCode::OK, Some("application/json; charset=utf-8"), body)
        }
        _ => (StatusCode::NOT_FOUND, None, String::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    }
    response
}

/// Whether requests are taken at all.
fn live(state: &State) -> StatusCode {
    if state.is_listening() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// Whether they can be answered as the database is now. While the catalogue is read again the old one serves, so that is ready; when
/// reading it failed, it is not.
fn ready(state: &State) -> StatusCode {
    if !state.is_loaded() { StatusCode::SERVICE_UNAVAILABLE } else { live(state) }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a load are far below 2^52")]
fn metrics(state: &State) -> String {
    let counters = state.counters();
    let cache = state.cache();
    let pool = state.pool_status();
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
    let seconds = counters.load_micros.load(Ordering::Relaxed) as f64 / 1_000_000.0;
    let loads = |status, counter| (format!("{{status=\"{status}\"}}"), load(counter));
    let one = |value: String| vec![(String::new(), value)];
    let all = [
        (
            "pgrst_db_pool_timeouts_total",
            "counter",
            "Requests that found no free connection in time",
            one(load(&counters.pool_timeouts)),
        ),
        (
            "pgrst_db_pool_available",
            "gauge",
            "Open connections that are free",
            one(pool.available.to_string()),
        ),
        (
            "pgrst_db_pool_waiting",
            "gauge",
            "Requests that wait for a connection",
            one(pool.waiting.to_string()),
        ),
        ("pgrst_db_pool_max", "gauge", "Connections at most", one(pool.max_size.to_string())),
        (
            "pgrst_schema_cache_loads_total",
            "counter",
            "Times the schema was read",
            vec![loads("SUCCESS", &counters.loads), loads("FAIL", &counters.load_failures)],
        ),
        (
            "pgrst_schema_cache_query_time_seconds",
            "gauge",
            "How long the last reading of the schema took",
            one(seconds.to_string()),
        ),
        (
            "pgrst_jwt_cache_requests_total",
            "counter",
            "Tokens looked up in the cache",
            one(load(&cache.requests)),
        ),
        (
            "pgrst_jwt_cache_hits_total",
            "counter",
            "Tokens found in the cache",
            one(load(&cache.hits)),
        ),
        (
            "pgrst_jwt_cache_evictions_total",
            "counter",
            "Tokens dropped from the cache to make room",
            one(load(&cache.evictions)),
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, samples) in all {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in samples {
            text.push_str(&format!("{name}{labels} {value}\n"));
        }
    }
    text
}
