//! Cross-origin calls from browsers (Fetch standard, CORS protocol): trusted origins only, always by name.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::headers::{REQUEST_ID, request_id};
use crate::app::App;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, authorization, x-neon-client-info, x-force-fetch, x-captcha-response",
);
const YES: HeaderValue = HeaderValue::from_static("true");
const TEN_MINUTES: HeaderValue = HeaderValue::from_static("600");

/// Answers a preflight; an origin that is not trusted gets an answer without permission.
pub(super) fn preflight(app: &App, request: &HeaderMap, id: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id(id));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if allow(app, request, headers) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, TEN_MINUTES);
    }
    response
}

/// Names the origin in the answer, if it is trusted.
pub(super) fn allow(app: &App, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    let mut origins = request.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let trusted = origin.to_str().is_ok_and(|origin| app.origins.allows_origin(origin));
    if trusted {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
    }
    trusted
}
