//! Redirect targets that endpoints name in their queries.

use http::StatusCode;

use crate::error::Refusal;

/// `callbackURL` is not trusted.
pub const INVALID_CALLBACK_URL: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "INVALID_CALLBACK_URL", "Invalid callbackURL");
