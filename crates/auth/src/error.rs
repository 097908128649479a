//! The one error of the HTTP surface.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::http::Answer;

/// A refusal the client may read: part of the wire contract, declared as a constant by the feature that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code; the few that Better Auth sends without one are `None`.
    pub code: Option<&'static str>,
    /// The sentence; clients choose by its words, so it is part of the contract. Empty: no body at all.
    pub message: &'static str,
}

impl Refusal {
    /// A refusal with a code.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code: Some(code), message }
    }

    /// A refusal that carries a sentence only.
    #[must_use]
    pub const fn without_code(status: StatusCode, message: &'static str) -> Self {
        Self { status, code: None, message }
    }

    /// A refusal with an empty body.
    #[must_use]
    pub const fn bare(status: StatusCode) -> Self {
        Self { status, code: None, message: "" }
    }
}

/// A refusal in the words of OAuth (RFC 6749 section 5.2): `error` and `error_description`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthRefusal {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code.
    pub error: &'static str,
    /// The sentence.
    pub description: Cow<'static, str>,
}

impl OAuthRefusal {
    /// For constants.
    #[must_use]
    pub const fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description: Cow::Borrowed(description) }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "error": self.error, "error_description": self.description })
    }

    /// The whole answer, for an endpoint that adds headers to it.
    ///
    /// # Errors
    /// Internal, never in practice: text can be written as JSON.
    pub fn answer(&self) -> Result<Answer> {
        Ok(Answer { status: self.status, ..Answer::json(&self.body())? })
    }
}

/// Nobody is signed in.
pub const UNAUTHORIZED: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Unauthorized");
/// No such route, or not with this method, or the feature is off: nothing more is said.
pub const NOT_FOUND: Refusal = Refusal::bare(StatusCode::NOT_FOUND);

/// Postgres keeps no NUL in a text.
const NUL: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", "A text must not contain NUL");

/// Why a request has no ordinary answer.
#[derive(Debug)]
pub enum Error {
    /// The client may know why.
    Refused(Refusal),
    /// The same, with words made at run time.
    Explained(StatusCode, &'static str, String),
    /// The client is an OAuth client and may know why.
    OAuth(OAuthRefusal),
    /// Too many requests; seconds to wait.
    Limited(u64),
    /// The server is busy; seconds to wait.
    Busy(u64),
    /// Postgres cannot be reached: the work was not done and may be tried again.
    Unavailable(anyhow::Error),
    /// Logged once at the boundary, under the request id that the client also gets.
    Internal(anyhow::Error),
}

/// What handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<OAuthRefusal> for Error {
    fn from(refusal: OAuthRefusal) -> Self {
        Self::OAuth(refusal)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.code() == Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) {
            return NUL.into();
        }
        if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) {
            return Self::Busy(1);
        }
        // Class 08 is a broken connection, 57P01..57P03 a server going down or coming up, 53300 too many clients.
        let gone = error.is_closed()
            || error.as_db_error().is_none() && error.code().is_none()
            || error.code().is_some_and(|code| {
                code.code().starts_with("08")
                    || code.code().starts_with("57P")
                    || code.code() == "53300"
            });
        if gone { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl Error {
    /// Status, body and seconds to wait, as the client sees them.
    #[must_use]
    pub fn wire(&self) -> (StatusCode, Option<Value>, Option<u64>) {
        match self {
            Self::Refused(Refusal { status, message: "", .. }) => (*status, None, None),
            Self::Refused(Refusal { status, code: None, message }) => {
                (*status, Some(json!({ "message": message })), None)
            }
            Self::Refused(Refusal { status, code: Some(code), message }) => {
                (*status, Some(json!({ "message": message, "code": code })), None)
            }
            Self::Explained(status, "", message) => {
                (*status, Some(json!({ "message": message })), None)
            }
            Self::Explained(status, code, message) => {
                (*status, Some(json!({ "message": message, "code": code })), None)
            }
            Self::OAuth(refusal) => (refusal.status, Some(refusal.body()), None),
            Self::Limited(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                Some(json!({ "message": "Too many requests. Please try again later." })),
                Some(*seconds),
            ),
            Self::Busy(seconds) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some(
                    json!({ "message": "The server is busy. Please try again.", "code": "SERVER_BUSY" }),
                ),
                Some(*seconds),
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some(
                    json!({ "message": "The database cannot be reached. Please try again.", "code": "DATABASE_UNAVAILABLE" }),
                ),
                Some(1),
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                Some(
                    json!({ "message": "Internal Server Error", "code": "INTERNAL_SERVER_ERROR" }),
                ),
                None,
            ),
        }
    }
}
