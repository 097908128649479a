//! Reading what was sent: content type, size, JSON or form, query.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::{Endpoint, endpoint::Accepts};
use crate::error::{Error, Refusal, Result};

const TOO_LARGE: Refusal =
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "Request body is too large");
const INVALID_JSON: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", "Invalid JSON in request body");
const BROKEN_OFF: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", "The request body broke off");

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a request carried.
#[derive(Default)]
pub(super) struct Sent {
    /// The JSON or form body; `None`: there is none, or none that says what it is.
    pub body: Option<Value>,
    /// The pairs of a form in order, repeated ones too.
    pub form: Vec<(String, String)>,
    /// As it came.
    pub raw: Bytes,
}

/// The body of a request.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `BAD_REQUEST`.
pub(super) async fn read(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Sent> {
    if endpoint.body.is_none() {
        return Ok(Sent::default());
    }
    let content_type = match headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) {
        None => return Ok(Sent::default()),
        Some(value) => value.unwrap_or("unreadable"),
    };
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let media_type = media_type.trim().to_ascii_lowercase();
    let is_form = media_type == FORM && endpoint.accepts != Accepts::Json;
    if !is_form && media_type != JSON || !is_utf8(parameters) {
        return Err(unsupported(endpoint, content_type));
    }
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(TOO_LARGE.into()),
        Err(_) => return Err(BROKEN_OFF.into()),
    };
    if bytes.is_empty() {
        return Ok(Sent::default());
    }
    if is_form {
        let text = std::str::from_utf8(&bytes).map_err(|_| INVALID_JSON)?;
        let form = query(text);
        return Ok(Sent { body: Some(object(&form)), form, raw: bytes });
    }
    let body = serde_json::from_slice(&bytes).map_err(|_| INVALID_JSON)?;
    Ok(Sent { body: Some(body), form: Vec::new(), raw: bytes })
}

/// A text in another encoding would be read by us as one thing and by a filter before us as another (CS-07).
fn is_utf8(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

fn unsupported(endpoint: &Endpoint, content_type: &str) -> Error {
    let allowed = match endpoint.accepts {
        Accepts::Json => JSON.to_owned(),
        Accepts::JsonAndForm => format!("{FORM}, {JSON}"),
        Accepts::JsonOrForm => format!("{JSON}, {FORM}"),
    };
    Error::Explained(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_MEDIA_TYPE",
        format!("Content-Type \"{content_type}\" is not allowed. Allowed types: {allowed}"),
    )
}

/// Of members that are sent twice, the last one counts, as in Better Auth.
fn object(form: &[(String, String)]) -> Value {
    let members = form.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
    Value::Object(members.collect::<Map<_, _>>())
}

/// Decoded pairs of a query or a form, in order.
pub(super) fn query(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
