//! Cross-origin requests (Fetch standard, "CORS protocol").

use bytes::Bytes;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue, Method, Response};

use crate::request::header;
use crate::respond::ApiResponse;

const METHODS: &str = "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD";
const EXPOSED: &str = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, \
    Transfer-Encoding, Range-Unit";

/// What a response may be read by.
fn allowed(origin: Option<&HeaderValue>, origins: &[String]) -> Option<(HeaderValue, bool)> {
    let origin = origin?;
    if origins.is_empty() {
        return Some((HeaderValue::from_static("*"), false));
    }
    let listed = origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
    listed.then(|| (origin.clone(), true))
}

fn put_origin(headers: &mut HeaderMap, (origin, credentials): (HeaderValue, bool)) {
    headers.insert("access-control-allow-origin", origin);
    if credentials {
        headers.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    }
}

/// The answer to a preflight request; `None` if it is none, or from an origin that is not allowed.
pub(crate) fn preflight(
    method: &Method,
    headers: &HeaderMap,
    origins: &[String],
) -> Option<ApiResponse> {
    if *method != Method::OPTIONS || !headers.contains_key("access-control-request-method") {
        return None;
    }
    let origin = allowed(headers.get(ORIGIN), origins)?;
    let mut response = Response::new(Bytes::new());
    let answer = response.headers_mut();
    put_origin(answer, origin);
    answer.insert("access-control-allow-methods", HeaderValue::from_static(METHODS));
    let mut names = vec!["Authorization".to_owned()];
    let requested = header(headers, "access-control-request-headers").unwrap_or_default();
    names.extend(
        requested.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned),
    );
    names.extend(["Accept", "Accept-Language", "Content-Language"].map(str::to_owned));
    answer.insert("access-control-allow-headers", HeaderValue::from_str(&names.join(", ")).ok()?);
    answer.insert("access-control-max-age", HeaderValue::from_static("86400"));
    Some(response)
}

/// Lets an allowed origin read a response.
pub(crate) fn expose(origin: Option<&HeaderValue>, origins: &[String], response: &mut ApiResponse) {
    if let Some(origin) = allowed(origin, origins) {
        put_origin(response.headers_mut(), origin);
        response
            .headers_mut()
            .insert("access-control-expose-headers", HeaderValue::from_static(EXPOSED));
    }
}
