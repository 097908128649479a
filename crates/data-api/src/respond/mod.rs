//! Respond: what came back becomes an HTTP response. Pure.

mod database_error;
mod discreet;
mod openapi;
mod openapi_types;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

pub use database_error::from_database;
pub(crate) use discreet::discreet;
pub use openapi::document;

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::execute::ResultRow;
use crate::plan::types::{CrudPlan, MutatePlan, Work};
use crate::request::ApiRequest;
use crate::request::media::MediaType;
use crate::request::prefer::{Count, Preferences, Resolution, Return};
use crate::request::query::encode;
use crate::request::range::RowRange;
use crate::request::types::{CallMethod, Mutation};

/// A response with its body in memory.
pub type ApiResponse = Response<Bytes>;

/// Headers in the making; a later one with the same name replaces nothing.
type Headers = Vec<(String, String)>;

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn content_range(lower: i128, upper: i128, total: Option<i64>) -> (String, String) {
    let range = if total != Some(0) && lower <= upper {
        format!("{lower}-{upper}")
    } else {
        "*".to_owned()
    };
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    header("Content-Range", format!("{range}/{total}"))
}

fn range_status(range: RowRange, page_total: i64, total: Option<i64>) -> (u16, (String, String)) {
    let lower = range.lower;
    let upper = lower + i128::from(page_total) - 1;
    let status = match total.map(i128::from) {
        Some(total) if lower > total => 416,
        Some(total) if upper - lower + 1 < total => 206,
        _ => 200,
    };
    (status, content_range(lower, upper, total))
}

fn out_of_bounds(config: &Config, range: RowRange, total: Option<i64>) -> Bytes {
    ApiError::new(ErrorKind::InvalidRange, "Requested range not satisfiable")
        .with_details(format!(
            "An offset of {} was requested, but there are only {} rows.",
            range.lower,
            total.unwrap_or(0)
        ))
        .body(config.minimal_errors)
        .into()
}

fn content_headers(media: &MediaType, request: &ApiRequest) -> Headers {
    let mut headers = vec![header("Content-Type", media.content_type())];
    if request.negotiated {
        headers.push(header("Content-Profile", &request.schema));
    }
    headers
}

fn length(body: &Bytes) -> (String, String) {
    header("Content-Length", body.len().to_string())
}

/// The response of a read, write or call.
pub fn rows(
    config: &Config,
    request: &ApiRequest,
    plan: &CrudPlan,
    row: &ResultRow,
) -> Result<ApiResponse, ApiError> {
    let (status, headers, body) = match &plan.work {
        Work::Read { head } => read(config, request, plan, row, *head),
        Work::Call { plan: call, method } => {
            let total = row.total;
            let (status, range) = range_status(request.top_range, row.page_total, total);
            let mut headers = vec![range];
            headers.extend(applied(request, plan));
            let body = if status == 416 {
                out_of_bounds(config, request.top_range, total)
            } else {
                row.body.clone()
            };
            if call.routine.returns_void() {
                (204, headers, Bytes::new())
            } else {
                let head = *method == CallMethod::Head;
                if !head {
                    headers.push(length(&body));
                }
                headers.extend(content_headers(&plan.media, request));
                (status, headers, if head { Bytes::new() } else { body })
            }
        }
        Work::Mutate { mutation, .. } => write(request, plan, *mutation, row),
    };
    overridden(row, status, headers, body)
}

fn read(
    config: &Config,
    request: &ApiRequest,
    plan: &CrudPlan,
    row: &ResultRow,
    head: bool,
) -> (u16, Headers, Bytes) {
    let total = match request.prefer.count {
        Some(Count::Planned) => row.planned,
        Some(Count::Estimated) if row.total > plan.max_rows => row.total.max(row.planned),
        _ => row.total,
    };
    let (status, range) = range_status(request.top_range, row.page_total, total);
    let canonical = &request.query.canonical;
    let separator = if canonical.is_empty() { "" } else { "?" };
    let location = format!("/{}{separator}{canonical}", plan.target.name);
    let mut headers = vec![range, header("Content-Location", location)];
    let body = match (status, head) {
        (416, _) => out_of_bounds(config, request.top_range, total),
        (_, true) => Bytes::new(),
        (_, false) => row.body.clone(),
    };
    if !head {
        headers.push(length(&body));
    }
    headers.extend(content_headers(&plan.media, request));
    headers.extend(applied(request, plan));
    (status, headers, body)
}

fn write(
    request: &ApiRequest,
    plan: &CrudPlan,
    mutation: Mutation,
    row: &ResultRow,
) -> (u16, Headers, Bytes) {
    let full = request.prefer.returning == Some(Return::Representation);
    let body = if full { row.body.clone() } else { Bytes::new() };
    let counted = request.prefer.counts_rows().then_some(row.page_total);
    let mut headers = Headers::new();
    match mutation {
        Mutation::Create => {
            headers.push(length(&body));
            if !row.location.is_empty() {
                headers.push(header("Location", location(&plan.target.name, &row.location)));
            }
            headers.push(content_range(1, 0, counted));
        }
        Mutation::Update => headers.push(content_range(0, i128::from(row.page_total) - 1, counted)),
        Mutation::Delete => headers.push(content_range(1, 0, counted)),
        Mutation::SingleUpsert => {}
    }
    headers.extend(applied(request, plan));
    if full {
        if mutation != Mutation::Create {
            headers.push(length(&body));
        }
        headers.extend(content_headers(&plan.media, request));
    }
    let merges = request.prefer.resolution == Some(Resolution::Merge);
    let status = match (mutation, row.inserted) {
        // An upsert that inserted nothing, be it because there was nothing to insert.
        (Mutation::Create, inserted) if merges && inserted.is_none_or(|inserted| inserted <= 0) => {
            200
        }
        (Mutation::Create, _) => 201,
        (Mutation::SingleUpsert, Some(inserted)) if full && inserted > 0 => 201,
        _ if full => 200,
        _ => 204,
    };
    (status, headers, body)
}

fn location(table: &str, pairs: &[String]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}={}", encode(key), encode(value))
        })
        .collect();
    format!("/{table}?{}", pairs.join("&"))
}

/// `Preference-Applied`: only what had a meaning for this request.
fn applied(request: &ApiRequest, plan: &CrudPlan) -> Option<(String, String)> {
    let prefer = request.prefer.clone();
    let (mutation, call) = match &plan.work {
        Work::Mutate { plan, mutation } => (Some((plan.as_ref(), *mutation)), false),
        Work::Call { .. } => (None, true),
        Work::Read { .. } => (None, false),
    };
    let resolution = match mutation {
        Some((MutatePlan::Insert { primary_key, .. }, Mutation::Create))
            if !primary_key.is_empty() || request.query.on_conflict.is_some() =>
        {
            prefer.resolution
        }
        _ => None,
    };
    let mutation = mutation.map(|(_, mutation)| mutation);
    let missing = matches!(mutation, Some(Mutation::Create | Mutation::Update));
    let affected = call || matches!(mutation, Some(Mutation::Update | Mutation::Delete));
    let prefer = Preferences {
        resolution,
        returning: prefer.returning.filter(|_| mutation.is_some()),
        missing_default: prefer.missing_default.filter(|_| missing),
        max_affected: prefer.max_affected.filter(|_| affected),
        ..prefer
    };
    prefer.applied().map(|value| header("Preference-Applied", value))
}

/// Status and headers the database chose win.
fn overridden(
    row: &ResultRow,
    status: u16,
    headers: Headers,
    body: Bytes,
) -> Result<ApiResponse, ApiError> {
    let status = match &row.status {
        None => status,
        Some(text) => guc_status(text)?,
    };
    let chosen = match &row.headers {
        None => Vec::new(),
        Some(text) => guc_headers(text)?,
    };
    let kept = headers
        .into_iter()
        .filter(|(name, _)| !chosen.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    let all: Headers = kept.chain(chosen.iter().cloned()).collect();
    response(status, &all, body).ok_or_else(|| ApiError::new(ErrorKind::GucHeaders, GUC_HEADERS))
}

const GUC_HEADERS: &str = "response.headers guc must be a JSON array composed of objects with a single key and a string value";

fn guc_status(text: &str) -> Result<u16, ApiError> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|status| StatusCode::from_u16(*status).is_ok()).ok_or_else(|| {
        ApiError::new(ErrorKind::GucStatus, "response.status guc must be a valid status code")
    })
}

fn guc_headers(text: &str) -> Result<Headers, ApiError> {
    let parse = || {
        let Ok(Value::Array(items)) = serde_json::from_str(text) else { return None };
        items
            .into_iter()
            .map(|item| {
                let Value::Object(object) = item else { return None };
                let mut pairs = object.into_iter();
                match (pairs.next(), pairs.next()) {
                    (Some((name, Value::String(value))), None) => Some((name, value)),
                    _ => None,
                }
            })
            .collect::<Option<Headers>>()
    };
    parse().ok_or_else(|| ApiError::new(ErrorKind::GucHeaders, GUC_HEADERS))
}

/// `None` when a header cannot be sent.
fn response(status: u16, headers: &Headers, body: Bytes) -> Option<ApiResponse> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    add_headers(response.headers_mut(), headers)?;
    Some(response)
}

fn add_headers(map: &mut HeaderMap, headers: &Headers) -> Option<()> {
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    Some(())
}

/// The response of EXPLAIN.
pub fn plan_text(request: &ApiRequest, media: &MediaType, body: Bytes) -> ApiResponse {
    let mut headers = vec![length(&body)];
    headers.extend(content_headers(media, request));
    response(200, &headers, body).unwrap_or_default()
}

/// The OpenAPI document.
pub fn open_api(request: &ApiRequest, head: bool, document: &Value) -> ApiResponse {
    let body: Bytes = if head { Bytes::new() } else { document.to_string().into() };
    let mut headers = content_headers(&MediaType::OpenApi, request);
    if !head {
        headers.push(length(&body));
    }
    response(200, &headers, body).unwrap_or_default()
}

/// The answer to OPTIONS.
pub fn info(allow: &str) -> ApiResponse {
    let headers = vec![
        header("Content-Length", "0"),
        header("Access-Control-Allow-Origin", "*"),
        header("Allow", allow),
    ];
    response(200, &headers, Bytes::new()).unwrap_or_default()
}

/// An error.
pub fn error(error: &ApiError, minimal: bool) -> ApiResponse {
    let body: Bytes = error.body(minimal).into();
    let mut headers =
        vec![header("Content-Type", "application/json; charset=utf-8"), length(&body)];
    if !error.code.is_empty() {
        headers.push(header("Proxy-Status", format!("PostgREST; error={}", error.code)));
    }
    headers.extend(error.headers.iter().cloned());
    let mut answer = response(error.status_code().as_u16(), &headers, body).unwrap_or_default();
    if let Some(reason) = error
        .reason
        .as_deref()
        .and_then(|text| hyper::ext::ReasonPhrase::try_from(text.as_bytes()).ok())
    {
        answer.extensions_mut().insert(reason);
    }
    answer
}
