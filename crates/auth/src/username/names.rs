//! Which names are taken, and what a request says about its sender's name.

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    error::{Error, Refusal, Result},
    user::User,
};

const TOO_SHORT: (&str, &str) = ("USERNAME_TOO_SHORT", "Username is too short");
const TOO_LONG: (&str, &str) = ("USERNAME_TOO_LONG", "Username is too long");
const INVALID: (&str, &str) = ("INVALID_USERNAME", "Username is invalid");
const TAKEN: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "USERNAME_IS_ALREADY_TAKEN",
    "Username is already taken. Please try another.",
);
const IMMUTABLE: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "USERNAME_IS_IMMUTABLE", "Username cannot be updated");
const INVALID_DISPLAY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "INVALID_DISPLAY_USERNAME",
    "Display username is invalid",
);
/// What Better Auth makes of a name that is no text.
const FAILED_TO_CREATE_USER: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "FAILED_TO_CREATE_USER",
    "Failed to create user",
);
/// Longer than any name that is shown.
const LONGEST_DISPLAY: usize = 256;

/// A name as it is compared and stored.
pub(super) fn normalised(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether a name has the form of one.
///
/// # Errors
/// `USERNAME_TOO_SHORT`, `USERNAME_TOO_LONG`, `INVALID_USERNAME`, with `status`.
pub(super) fn check(app: &App, name: &str, status: StatusCode) -> Result<()> {
    let config = &app.config.username;
    let length = name.encode_utf16().count();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let (code, message) = if length < config.min_length {
        TOO_SHORT
    } else if length > config.max_length {
        TOO_LONG
    } else if name.is_empty() || !name.bytes().all(allowed) {
        INVALID
    } else {
        return Ok(());
    };
    Err(Refusal::new(status, code, message).into())
}

/// What a request says about names: `Some(None)` takes one away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Normalised.
    pub username: Option<Option<String>>,
    /// As it is shown.
    pub display: Option<Option<String>>,
}

impl Chosen {
    /// Nothing is said.
    pub(crate) const fn is_empty(&self) -> bool {
        self.username.is_none() && self.display.is_none()
    }

    /// The name to be taken.
    pub(crate) fn name(&self) -> Option<&str> {
        self.username.as_ref()?.as_deref()
    }

    /// Puts the names into a row that is shown and not written.
    pub(crate) fn put_into(&self, user: &mut User) {
        user.username = self.username.clone().flatten();
        user.display_username = self.display.clone().flatten();
    }
}

/// The names of a user to be: one of them stands for the other where it can.
///
/// # Errors
/// Those of [`check`] with 400; `FAILED_TO_CREATE_USER`, `INVALID_DISPLAY_USERNAME`.
pub(crate) fn at_sign_up(app: &App, body: Option<&Value>) -> Result<Chosen> {
    if !app.config.features.username {
        return Ok(Chosen::default());
    }
    let member = |name: &str| body.and_then(|body| body.get(name)).filter(|value| !value.is_null());
    let display = match member("displayUsername") {
        None => None,
        Some(Value::String(text)) => Some(shown(text)?),
        Some(_) => return Err(FAILED_TO_CREATE_USER.into()),
    };
    let username = match member("username") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(FAILED_TO_CREATE_USER.into()),
        None => display.clone().filter(|text| check(app, text, StatusCode::BAD_REQUEST).is_ok()),
    };
    let Some(written) = username else {
        return Ok(Chosen { username: None, display: display.map(Some) });
    };
    let name = taken_name(app, &written)?;
    let display = display.filter(|text| !text.is_empty()).unwrap_or(written);
    Ok(Chosen { username: Some(Some(name)), display: Some(Some(display)) })
}

/// The names that a user wants from now on.
///
/// # Errors
/// Those of [`check`] with 400; `INVALID_DISPLAY_USERNAME`.
pub(crate) fn at_update(app: &App, body: Option<&Value>) -> Result<Chosen> {
    if !app.config.features.username {
        return Ok(Chosen::default());
    }
    let member = |name: &str| body.and_then(|body| body.get(name));
    let username = match member("username") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(taken_name(app, text)?)),
        Some(_) => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, INVALID.0, INVALID.1).into());
        }
    };
    let display = match member("displayUsername") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(shown(text)?)),
        Some(_) => return Err(INVALID_DISPLAY.into()),
    };
    Ok(Chosen { username, display })
}

fn taken_name(app: &App, written: &str) -> Result<String> {
    check(app, written, StatusCode::BAD_REQUEST)?;
    let name = normalised(written);
    if app.config.username.reserved.contains(&name) {
        return Err(TAKEN.into());
    }
    Ok(name)
}

fn shown(text: &str) -> Result<String> {
    if text.chars().count() > LONGEST_DISPLAY || text.chars().any(char::is_control) {
        return Err(INVALID_DISPLAY.into());
    }
    Ok(text.to_owned())
}

/// Refuses a name that somebody else has. Whoever is faster after this is refused by [`store::set_names`].
///
/// # Errors
/// `USERNAME_IS_ALREADY_TAKEN`, `USERNAME_IS_IMMUTABLE`.
pub(crate) async fn refuse_taken(
    app: &App,
    conn: &impl GenericClient,
    chosen: &Chosen,
    owner: Option<&User>,
) -> Result<()> {
    let Some(wanted) = &chosen.username else { return Ok(()) };
    let present = owner.and_then(|owner| owner.username.as_ref());
    if app.config.username.immutable && present.is_some() && present != wanted.as_ref() {
        return Err(IMMUTABLE.into());
    }
    let Some(name) = wanted else { return Ok(()) };
    match store::find_owner(conn, name).await? {
        Some(other) if owner.is_none_or(|owner| owner.id != other) => Err(TAKEN.into()),
        _ => Ok(()),
    }
}

/// Gives a user the chosen names, in the caller's transaction.
///
/// # Errors
/// `USERNAME_IS_ALREADY_TAKEN`: the transaction is over then.
pub(crate) async fn take(
    conn: &impl GenericClient,
    user: Uuid,
    chosen: &Chosen,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<User>> {
    match store::set_names(conn, user, chosen, now).await? {
        store::Names::Set(user) => Ok(user.map(|user| *user)),
        // Not a plain refusal: Postgres has ended the transaction, so it cannot be committed.
        store::Names::Taken => Err(Error::Explained(
            TAKEN.status,
            TAKEN.code.unwrap_or_default(),
            TAKEN.message.to_owned(),
        )),
    }
}
