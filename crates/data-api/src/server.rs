//! HTTP: the router for requests, and the admin router.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::sync::atomic::Ordering;

use crate::cors;
use crate::error::{ApiError, ErrorKind};
use crate::handle::handle;
use crate::request::HttpRequest;
use crate::respond::{self, ApiResponse};
use crate::state::State;

/// The Data API. Mount it anywhere: paths are relative to the mount point.
pub fn router(state: State) -> Router {
    Router::new().fallback(serve).with_state(state)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the clock is read, once per request"
)]
pub(crate) fn clock() -> DateTime<Utc> {
    Utc::now()
}

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let config = state.config();
    let (parts, body) = request.into_parts();
    let trace = config.server_trace_header.as_deref().and_then(|name| {
        let value =
            parts.headers.get(name).cloned().unwrap_or_else(|| HeaderValue::from_static(""));
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    let head = parts.method == http::Method::HEAD;
    let origins = &config.server_cors_allowed_origins;
    let mut response = match cors::preflight(&parts.method, &parts.headers, origins) {
        Some(response) => response,
        None => {
            let headers = parts.headers.clone();
            let mut response = match read_body(body, config.max_body).await {
                Err(error) => respond::error(&error, config.minimal_errors),
                Ok(body) => {
                    let http = HttpRequest {
                        method: parts.method,
                        path: parts.uri.path().to_owned(),
                        query: parts.uri.query().unwrap_or_default().to_owned(),
                        headers: parts.headers,
                        body,
                    };
                    handle(&state, http, clock()).await
                }
            };
            cors::expose(&headers, origins, &mut response);
            response
        }
    };
    if let Some((name, value)) = trace {
        response.headers_mut().insert(name, value);
    }
    into_axum(response, head)
}

pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::new(ErrorKind::InvalidBody, "The request body could not be read")),
    }
}

pub(crate) fn too_large() -> ApiError {
    ApiError::new(ErrorKind::LimitExceeded, "The request body is too large").with_status(413)
}

/// A HEAD response whose length was not computed says nothing about it, rather than that it is 0.
fn into_axum(response: ApiResponse, head: bool) -> Response {
    let unknown = head && !response.headers().contains_key("content-length");
    response.map(|body| {
        if unknown {
            Body::from_stream(
                futures_util::stream::empty::<Result<Bytes, std::convert::Infallible>>(),
            )
        } else {
            Body::from(body)
        }
    })
}

/// `/live`, `/ready`, `/metrics`, `/schema_cache`.
pub fn admin_router(state: State) -> Router {
    Router::new().fallback(serve_admin).with_state(state)
}

async fn serve_admin(Shared(state): Shared<State>, request: Request) -> Response {
    let (status, content_type, body) = match request.uri().path() {
        "/live" => (StatusCode::OK, "text/plain; charset=utf-8", String::new()),
        "/ready" => {
            let ready = state.catalog().is_some() && !state.is_loading();
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, "text/plain; charset=utf-8", String::new())
        }
        "/metrics" => (StatusCode::OK, "text/plain; charset=utf-8", metrics(&state)),
        "/schema_cache" => {
            (StatusCode::OK, "application/json; charset=utf-8", schema_cache(&state))
        }
        _ => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", String::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
}

fn schema_cache(state: &State) -> String {
    let Some(catalog) = state.catalog() else { return "null".to_owned() };
    let tables: Vec<&crate::schema::Table> = catalog.tables.values().collect();
    let relationships: Vec<&crate::schema::Relationship> =
        catalog.relationships.values().flatten().collect();
    let routines: Vec<&crate::schema::Routine> = catalog.routines.values().flatten().collect();
    serde_json::json!({ "dbTables": tables, "dbRelationships": relationships, "dbRoutines": routines }).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a load are far below 2^52")]
fn metrics(state: &State) -> String {
    let counters = state.counters();
    let cache = state.cache();
    let pool = state.pool_status();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = load(&counters.load_micros) as f64 / 1_000_000.0;
    let simple = [
        ("pgrst_db_pool_timeouts_total", "counter", load(&counters.pool_timeouts).to_string()),
        ("pgrst_db_pool_available", "gauge", pool.available.to_string()),
        ("pgrst_db_pool_waiting", "gauge", pool.waiting.to_string()),
        ("pgrst_db_pool_max", "gauge", pool.max_size.to_string()),
        ("pgrst_schema_cache_query_time_seconds", "gauge", seconds.to_string()),
        ("pgrst_jwt_cache_requests_total", "counter", load(&cache.requests).to_string()),
        ("pgrst_jwt_cache_hits_total", "counter", load(&cache.hits).to_string()),
        ("pgrst_jwt_cache_evictions_total", "counter", load(&cache.evictions).to_string()),
    ];
    let mut text = String::new();
    for (name, kind, value) in simple {
        text.push_str(&format!("# TYPE {name} {kind}\n{name} {value}\n"));
    }
    text.push_str(&format!(
        "# TYPE pgrst_schema_cache_loads_total counter\n\
         pgrst_schema_cache_loads_total{{status=\"SUCCESS\"}} {}\n\
         pgrst_schema_cache_loads_total{{status=\"FAIL\"}} {}\n",
        load(&counters.loads),
        load(&counters.load_failures)
    ));
    text
}
