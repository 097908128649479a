//! The members of a user that an administrator may set: a list of what is allowed, each with its type (D14).

use chrono::{DateTime, Utc};
use gatepost_protocol::body::Timestamp;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    BAN, SET_ROLE,
    access::demand,
    roles::{NON_EXISTENT_ROLE, check_known},
};
use crate::{
    app::App,
    error::{Error, Refusal, Result},
    session::Current,
};

const INVALID_ROLE_TYPE: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_ROLE_TYPE", "Invalid role type");

/// Better Auth asks for the right to ban before these are set.
pub(super) const BAN_MEMBERS: [&str; 3] = ["banned", "banReason", "banExpires"];

/// The columns that these members set. Members that are nobody's to set are left out, as in Better Auth; `role` and
/// `email` are the caller's business.
///
/// # Errors
/// `VALIDATION_ERROR`.
pub(super) fn columns(app: &App, members: &Map<String, Value>) -> Result<Map<String, Value>> {
    let features = app.config.features;
    let mut columns = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "name" => Some(text(name, value, Null::Refused)?),
            "image" | "banReason" => Some(text(name, value, Null::Taken)?),
            "emailVerified" => Some(flag(name, value, Null::Refused)?),
            "banned" => Some(flag(name, value, Null::Taken)?),
            "banExpires" => Some(time(name, value)?),
            "phoneNumber" if features.phone_number => Some(text(name, value, Null::Taken)?),
            "phoneNumberVerified" if features.phone_number => Some(flag(name, value, Null::Taken)?),
            // Stored folded: user names differ in more than case.
            "username" if features.username => match text(name, value, Null::Taken)? {
                Value::String(name) => Some(Value::String(name.to_lowercase())),
                other => Some(other),
            },
            "displayUsername" if features.username => Some(text(name, value, Null::Taken)?),
            _ => None,
        };
        if let Some(value) = value {
            columns.insert(name.clone(), value);
        }
    }
    Ok(columns)
}

/// The role that a request names, if the caller may give it.
///
/// # Errors
/// `YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE`, `INVALID_ROLE_TYPE`, `YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE`.
pub(super) fn role(app: &App, caller: &Current, asked: &Value) -> Result<String> {
    demand(app, caller, ("user", "set-role"), SET_ROLE)?;
    let asked: &[Value] = match asked {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    };
    let mut roles = Vec::new();
    for role in asked {
        let role = role.as_str().ok_or(INVALID_ROLE_TYPE)?.to_owned();
        check_known(app, std::slice::from_ref(&role)).map_err(|_| NON_EXISTENT_ROLE)?;
        roles.push(role);
    }
    Ok(roles.join(","))
}

/// Asks for the right to ban, where a request touches bans.
///
/// # Errors
/// `YOU_ARE_NOT_ALLOWED_TO_BAN_USERS`.
pub(super) fn demand_ban(app: &App, caller: &Current, members: &Map<String, Value>) -> Result<()> {
    if BAN_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        demand(app, caller, ("user", "ban"), BAN)?;
    }
    Ok(())
}

/// Whether a member may be null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    Taken,
    Refused,
}

/// Numbers and truth values are written out, as Better Auth's driver does.
fn text(name: &str, value: &Value, null: Null) -> Result<Value> {
    match value {
        Value::Null if null == Null::Taken => Ok(Value::Null),
        Value::String(_) => Ok(value.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(Value::String(value.to_string())),
        _ => Err(unfit(name, "string")),
    }
}

fn flag(name: &str, value: &Value, null: Null) -> Result<Value> {
    match value {
        Value::Null if null == Null::Taken => Ok(Value::Null),
        Value::Bool(_) => Ok(value.clone()),
        _ => Err(unfit(name, "boolean")),
    }
}

fn time(name: &str, value: &Value) -> Result<Value> {
    let at = match value {
        Value::Null => return Ok(Value::Null),
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
        Value::Number(number) => number.as_i64().and_then(DateTime::<Utc>::from_timestamp_millis),
        _ => None,
    };
    at.map(|at| json!(Timestamp(at))).ok_or_else(|| unfit(name, "date"))
}

fn unfit(name: &str, expected: &str) -> Error {
    Error::Explained(
        StatusCode::BAD_REQUEST,
        "VALIDATION_ERROR",
        format!("[body.data.{name}] Invalid input: expected {expected}"),
    )
}
