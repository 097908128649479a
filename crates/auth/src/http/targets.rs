//! Redirect targets that endpoints name in their queries.

use http::StatusCode;

use super::{
    Call,
    fields::{Fields, FromFields},
    origin::Redirect,
};
use crate::{
    app::App,
    error::{Refusal, Result},
};

/// `callbackURL` is not trusted.
pub const INVALID_CALLBACK_URL: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "INVALID_CALLBACK_URL", "Invalid callbackURL");

/// The query of a link in a mail: a secret, and where to go on.
pub struct Link {
    /// The secret.
    pub token: String,
    /// As it stands there.
    pub callback_url: Option<String>,
}

impl FromFields for Link {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.text("token"), callback_url: fields.optional_text("callbackURL") }
    }
}

impl Call {
    /// Where a link leads on to, checked anew: its query can be edited (ML-12, ML-13). An empty target is none.
    ///
    /// # Errors
    /// `INVALID_CALLBACK_URL`.
    pub fn target(&self, app: &App, url: Option<&str>) -> Result<Option<Redirect>> {
        match url.filter(|url| !url.is_empty()) {
            Some(url) => self.redirect(app, url, INVALID_CALLBACK_URL).map(Some),
            None => Ok(None),
        }
    }
}
