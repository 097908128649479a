//! Rows as the wire shows them, and the refusals that several features share.

use chrono::{DateTime, SecondsFormat, Utc};
use gatepost_protocol::body::{self, Shown};
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serializer;

use crate::{
    app::App,
    config,
    error::{Error, Refusal, Result},
    http::Call,
    session,
    user::User,
};

/// Shut out by an administrator.
pub const BANNED_USER: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "BANNED_USER",
    "You have been banned from this application. Please contact support if you believe this is an error.",
);
const PASSWORD_IN_QUERY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PASSWORD_IN_QUERY",
    "A password belongs in the body, not in the address: addresses are logged",
);

/// `FIELD_NOT_ALLOWED` for a member.
#[must_use]
pub fn field_not_allowed(name: &str) -> Error {
    Error::Explained(
        StatusCode::BAD_REQUEST,
        "FIELD_NOT_ALLOWED",
        format!("{name} is not allowed to be set"),
    )
}

/// A password in the query would stand in every log on the way (PW-18).
///
/// # Errors
/// `PASSWORD_IN_QUERY`.
pub fn refuse_password_in_query(call: &Call) -> Result<()> {
    let names = ["password", "newPassword", "currentPassword"];
    if names.iter().any(|name| call.parameter_of_query(name).is_some()) {
        return Err(PASSWORD_IN_QUERY.into());
    }
    Ok(())
}

/// RFC 3986 unreserved characters stand for themselves in a query parameter.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as the value of a query parameter.
#[must_use]
pub fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// Serialises a time as the wire shows it: ISO 8601, UTC, milliseconds.
///
/// # Errors
/// Those of the serialiser.
pub fn time<S: Serializer>(
    time: &DateTime<Utc>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*time))
}

/// A time as the wire shows it.
#[must_use]
pub fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A user as the wire shows it, with the members of the features that are on.
#[must_use]
pub fn user<'a>(app: &App, user: &'a User) -> Shown<'a, User> {
    user.shown(app.features)
}

/// A session as the wire shows it, with `token` in the place of what is stored.
#[must_use]
pub fn session(session: &session::Session, token: &str) -> body::Session {
    body::Session {
        id: session.id,
        token: token.to_owned(),
        user_id: session.user_id,
        expires_at: session.expires_at,
        created_at: session.created_at,
        updated_at: session.updated_at,
        ip_address: session.ip_address.clone(),
        user_agent: session.user_agent.clone(),
        impersonated_by: session.impersonated_by.clone(),
        active_organization_id: session.active_organization_id.clone(),
        active_team_id: session.active_team_id.clone(),
    }
}

/// The features whose members the wire shows.
#[must_use]
pub fn features(features: &config::Features) -> body::Features {
    body::Features {
        admin: features.admin,
        organization: features.organization,
        teams: features.teams,
        phone_number: features.phone_number,
        username: features.username,
        anonymous: features.anonymous,
        two_factor: features.two_factor,
        last_login_method: features.last_login_method,
    }
}
