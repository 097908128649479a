//! From an endpoint's result to the bytes on the wire: status, body, cookies, and the headers every answer has.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::{Answer, Aside, Mount, cors};
use crate::{
    app::App,
    error::{Error, Result, UNAUTHORIZED},
    session::cookies,
};

/// Neon's name for the id of a request; its proxies pass it on.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-neon-ret-request-id");
const PLAIN_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");
const SET_AUTH_TOKEN: HeaderName = HeaderName::from_static("set-auth-token");
/// Carries a token for other services on `/get-session`.
pub const SET_AUTH_JWT: HeaderName = HeaderName::from_static("set-auth-jwt");
const RETRY_AFTER: HeaderName = HeaderName::from_static("x-retry-after");
/// RFC 6750, section 3.1; nothing about what was wrong with the token (JW-29).
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// What an answer is for.
pub(super) struct Reply<'a> {
    pub app: &'a App,
    pub mount: &'a Mount,
    pub request: &'a HeaderMap,
    pub id: &'a str,
}

/// The id as a header; it is made of letters and digits.
pub(super) fn request_id(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Writes the answer.
pub(super) fn finish(reply: &Reply<'_>, aside: &Aside, result: Result<Answer>) -> Response<Body> {
    let mut answer = result.unwrap_or_else(|error| refusal(reply, &error));
    let said = aside.take();
    answer.cookies.splice(0..0, said.cookies);
    cookies::multi_session(reply.app, reply.mount, reply.request, &mut answer.cookies);

    let token = auth_token(reply, &answer);
    if let Some(instead) = said.instead {
        answer.cookies.retain(|cookie| !instead.iter().any(|other| other.name == cookie.name));
        answer.cookies.extend(instead);
    }

    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id(reply.id));
    headers.insert(PLAIN_REQUEST_ID, request_id(reply.id));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Links with tokens in them lead here; their address is nobody else's business (RD-08).
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    headers.insert(header::VARY, HeaderValue::from_static("Origin, Cookie"));
    if !reply.app.config.recorded_headers_only {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(reason) = said.reason {
        headers.insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
    }
    if reply.app.config.cors.enabled {
        cors::allow(reply.app, reply.request, headers);
    }
    let mut exposed = Vec::new();
    for cookie in &answer.cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    if let Some(token) = token {
        headers.insert(SET_AUTH_TOKEN, token);
        exposed.push("set-auth-token");
    }
    for (name, value) in answer.headers {
        if name == SET_AUTH_JWT {
            exposed.push("set-auth-jwt");
        }
        headers.insert(name, value);
    }
    if !exposed.is_empty()
        && let Ok(names) = HeaderValue::from_str(&exposed.join(", "))
    {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
    }
    if let Some((content_type, bytes)) = answer.body {
        headers.insert(header::CONTENT_TYPE, content_type);
        *response.body_mut() = Body::from(bytes);
    }
    response
}

fn refusal(reply: &Reply<'_>, error: &Error) -> Answer {
    let (status, body, wait) = error.wire();
    // Better Auth names the type of a body that is not there.
    let mut answer = body
        .and_then(|body| Answer::json(&body).ok())
        .unwrap_or_else(|| Answer::json_bytes(Bytes::new()));
    answer.status = status;
    let by_bearer = reply.app.config.features.bearer
        && reply.request.contains_key(header::AUTHORIZATION)
        && matches!(error, Error::Refused(refusal) if *refusal == UNAUTHORIZED);
    if by_bearer && !reply.app.config.recorded_headers_only {
        answer.headers.push((header::WWW_AUTHENTICATE, INVALID_TOKEN));
    }
    if let Some(seconds) = wait {
        let seconds = HeaderValue::from(seconds);
        if !reply.app.config.recorded_headers_only || status != StatusCode::TOO_MANY_REQUESTS {
            answer.headers.push((header::RETRY_AFTER, seconds.clone()));
        }
        answer.headers.push((RETRY_AFTER, seconds));
    }
    answer
}

/// A client that keeps no cookies takes its session from this header: the signed token, as the cookie carries it.
fn auth_token(reply: &Reply<'_>, answer: &Answer) -> Option<HeaderValue> {
    if !reply.app.config.features.bearer {
        return None;
    }
    let name = &reply.mount.cookies.names.session_token;
    let cookie = answer.cookies.iter().rev().find(|cookie| cookie.name == *name)?;
    if cookie.value.is_empty() {
        return None;
    }
    let token = percent_decode_str(&cookie.value).decode_utf8().ok()?;
    HeaderValue::from_str(&token).ok()
}
