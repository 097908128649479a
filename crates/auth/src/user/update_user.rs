//! `POST /update-user`, and which members of a user are nobody's to set.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::store::{self as users, Change};
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result, UNAUTHORIZED},
    events::{self, Event},
    http::{Answer, Call, Endpoint, endpoint::Access},
    phone_number::store as numbers,
    session::{self, routes::AnyRecord},
    username, wire,
};

const NO_FIELDS: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "No fields to update");
const EMAIL_CAN_NOT_BE_UPDATED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated");
const PHONE_NUMBER_CANNOT_BE_UPDATED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PHONE_NUMBER_CANNOT_BE_UPDATED",
    "Phone number cannot be updated",
);
const PHONE_NUMBER_CANNOT_BE_SET: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PHONE_NUMBER_CANNOT_BE_SET",
    "Phone number can only be set by verifying it",
);

/// The endpoint.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint::post::<AnyRecord, _>("/update-user", "update_user", Access::Session, update_user)
        .about("Change the own name, picture or user name, or give up the telephone number.")
}

async fn update_user(app: App, call: Call) -> Result<Answer> {
    // What features say of their members comes before all else, as in Better Auth.
    let phone_number = phone_number(&app, call.body.as_ref())?;
    let names = username::at_update(&app, call.body.as_ref())?;
    let AnyRecord(fields) = call.body()?;
    let caller = session::required(&app, &call).await?;
    let user = &caller.signed_in.user;
    if fields.get("email").is_some_and(is_truthy) {
        return Err(EMAIL_CAN_NOT_BE_UPDATED.into());
    }
    if let Some(name) = protected(&app).find(|name| fields.get(*name).is_some_and(is_truthy)) {
        return Err(wire::field_not_allowed(name));
    }
    let change = Change { name: text(&fields, "name")?.flatten(), image: text(&fields, "image")? };
    let plain = change.name.is_some() || change.image.is_some();
    if !plain && names.is_empty() && phone_number == PhoneNumber::Untouched {
        return Err(NO_FIELDS.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    username::refuse_taken(&app, &tx, &names, Some(user)).await?;
    let mut changed = users::update_user(&tx, user.id, &change, call.now).await?;
    if !names.is_empty() {
        changed = username::take(&tx, user.id, &names, call.now).await?;
        if names.username.is_some() {
            let event = Event::UsernameChanged { username: names.name().map(str::to_owned) };
            events::record(&app, &tx, &call, event, Some(user.id)).await?;
        }
    }
    if phone_number == PhoneNumber::TakenAway {
        changed = numbers::take_away(&tx, user.id, call.now).await?;
        let event = Event::PhoneNumberChanged { number: None };
        events::record(&app, &tx, &call, event, Some(user.id)).await?;
    }
    let changed = changed.ok_or(UNAUTHORIZED)?;
    tx.commit().await?;
    let caller = caller.with_user(changed);
    Ok(Answer::json(&json!({ "status": true }))?.with_session(&app, &call, &caller))
}

/// What a request does to the own telephone number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PhoneNumber {
    Untouched,
    TakenAway,
}

/// A number comes by proof alone; it can be given up.
fn phone_number(app: &App, body: Option<&Value>) -> Result<PhoneNumber> {
    match body.and_then(|body| body.get("phoneNumber")) {
        Some(Value::Null) if app.config.features.phone_number => Ok(PhoneNumber::TakenAway),
        Some(_) if app.config.features.phone_number => Err(PHONE_NUMBER_CANNOT_BE_UPDATED.into()),
        _ => Ok(PhoneNumber::Untouched),
    }
}

/// Refuses a sign-up that sets what only an administrator or a feature may set (AD-03).
///
/// # Errors
/// `FIELD_NOT_ALLOWED`, `PHONE_NUMBER_CANNOT_BE_SET`.
pub(crate) fn refuse_protected_at_sign_up(app: &App, fields: &Map<String, Value>) -> Result<()> {
    let sets = |name: &str| fields.get(name).is_some_and(is_truthy);
    if app.config.features.phone_number && sets("phoneNumber") {
        return Err(PHONE_NUMBER_CANNOT_BE_SET.into());
    }
    // Those with a default are silently reset to it, as in Better Auth.
    let reset = ["banned", "isAnonymous", "twoFactorEnabled"];
    match protected(app).find(|name| !reset.contains(name) && sets(name)) {
        Some(name) => Err(wire::field_not_allowed(name)),
        None => Ok(()),
    }
}

/// Members that a feature which is on keeps to itself.
fn protected(app: &App) -> impl Iterator<Item = &'static str> {
    let features = app.config.features;
    [
        (features.admin, "role"),
        (features.admin, "banned"),
        (features.admin, "banReason"),
        (features.admin, "banExpires"),
        (features.anonymous, "isAnonymous"),
        (features.two_factor, "twoFactorEnabled"),
        (features.phone_number, "phoneNumberVerified"),
        (features.last_login_method, "lastLoginMethod"),
    ]
    .into_iter()
    .filter_map(|(on, name)| on.then_some(name))
}

/// As JavaScript sees it: Better Auth ignores what is not.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// A member as text; numbers and truth values are written out, as Better Auth's driver does.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<Option<String>>> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Null) if name != "name" => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(Some(value.to_string()))),
        Some(_) => Err(Error::Explained(
            StatusCode::BAD_REQUEST,
            "VALIDATION_ERROR",
            format!("[body.{name}] Invalid input: expected string"),
        )),
    }
}
