//! HTTP: the router for requests.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::ORIGIN;
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Limited};

use crate::cors;
use crate::error::{ApiError, ErrorKind};
use crate::handle::handle;
use crate::request::HttpRequest;
use crate::respond::{self, ApiResponse};
use crate::state::State;

/// The Data API. Mount it anywhere: paths are relative to the mount point.
pub fn router(state: State) -> Router {
    let answer =
        async |Shared(state): Shared<State>, request: Request| serve(&state, request).await;
    Router::new().fallback(answer).with_state(state)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the clock is read, once per request"
)]
pub(crate) fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// Answers a request.
pub(crate) async fn serve(state: &State, request: Request) -> Response {
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
            let origin = parts.headers.get(ORIGIN).cloned();
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
                    handle(state, http, clock()).await
                }
            };
            cors::expose(origin.as_ref(), origins, &mut response);
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
