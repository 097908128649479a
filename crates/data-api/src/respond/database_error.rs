//! Errors of the database: SQLSTATE to HTTP status, and `RAISE SQLSTATE 'PGRST'` for full control.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use gatepost_postgres::pipeline::ServerError;

use crate::error::{ApiError, ErrorKind, ErrorParts};

#[derive(Deserialize)]
struct RaisedMessage {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

#[derive(Deserialize)]
struct RaisedDetail {
    status: u16,
    status_text: Option<String>,
    headers: BTreeMap<String, String>,
}

/// The client's view of a database error. `authenticated` tells 401 from 403.
///
/// `terse` leaves out details of constraint violations, which quote values of rows the caller may not see (DA-16).
pub fn from_database(error: &ServerError, authenticated: bool, terse: bool) -> ApiError {
    let code = error.code.as_str();
    if code == "PGRST" {
        return raised(&error.message, error.detail.as_deref()).unwrap_or_else(|refused| refused);
    }
    let status = status(code, &error.message, authenticated);
    // RAISE without a code, or with one made for HTTP: the application speaks.
    let own = code == "P0001" || code.starts_with("PT");
    let quotes_rows = terse && !own;
    let headers = if status == 401 {
        vec![("WWW-Authenticate".to_owned(), "Bearer".to_owned())]
    } else {
        Vec::new()
    };
    ErrorParts {
        status,
        reason: code.starts_with("PT").then(|| error.message.clone()),
        code: code.to_owned(),
        message: error.message.clone(),
        details: error.detail.clone().filter(|_| !quotes_rows).map(Value::String),
        hint: error.hint.clone().filter(|_| !terse || own),
        headers,
    }
    .into()
}

fn raised(message: &str, detail: Option<&str>) -> Result<ApiError, ApiError> {
    let refused = |details: String, hint: &str| {
        ApiError::new(
            ErrorKind::RaiseParse,
            "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error",
        )
        .with_details(details)
        .with_hint(hint)
    };
    const MESSAGE: &str = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
    const DETAIL: &str = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    let parsed: RaisedMessage = serde_json::from_str(message)
        .map_err(|_| refused(format!("Invalid JSON value for MESSAGE: '{message}'"), MESSAGE))?;
    let detail = detail
        .ok_or_else(|| refused("DETAIL is missing in the RAISE statement".to_owned(), DETAIL))?;
    let control: RaisedDetail = serde_json::from_str(detail)
        .map_err(|_| refused(format!("Invalid JSON value for DETAIL: '{detail}'"), DETAIL))?;
    Ok(ErrorParts {
        status: control.status,
        reason: control.status_text,
        code: parsed.code,
        message: parsed.message,
        details: parsed.details.map(Value::String),
        hint: parsed.hint,
        headers: control.headers.into_iter().collect(),
    }
    .into())
}

fn status(code: &str, message: &str, authenticated: bool) -> u16 {
    match code {
        "23503" | "23505" => return 409,
        "25006" => return 405,
        "21000" => return if message.ends_with("requires a WHERE clause") { 400 } else { 500 },
        "22023" => {
            // The role of a token does not exist.
            let role = message.starts_with("role") && message.ends_with("does not exist");
            return if role { 401 } else { 400 };
        }
        "53400" => return 500,
        "57P01" => return 503,
        "P0001" => return 400,
        "42883" => return if message.starts_with("function xmlagg(") { 406 } else { 404 },
        "42P01" => return 404,
        "42P17" => return 500,
        "42501" => return if authenticated { 403 } else { 401 },
        _ => {}
    }
    if let Some(number) = code.strip_prefix("PT") {
        return number.parse().unwrap_or(500);
    }
    match code.get(..2).unwrap_or_default() {
        "08" | "53" => 503,
        "0L" | "0P" | "28" => 403,
        "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0"
        | "HV" | "P0" | "XX" => 500,
        _ => 400,
    }
}
