//! An answer under construction: status, body, headers, cookies.

use std::fmt;

use bytes::Bytes;
use gatepost_protocol::cookie::SetCookie;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::{Error, Result};

/// What an endpoint answers. Its `Debug` is the status: body and headers hold tokens.
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Content type and bytes; `None`: an empty body.
    pub body: Option<(HeaderValue, Bytes)>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Cookies, in order.
    pub cookies: Vec<SetCookie>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

impl Answer {
    /// 200 with a JSON body.
    ///
    /// # Errors
    /// Internal, when `body` cannot be written as JSON.
    pub fn json(body: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self::json_bytes(bytes.into()))
    }

    /// 200 with JSON that is already text.
    #[must_use]
    pub fn json_bytes(body: Bytes) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some((JSON, body)),
            headers: Vec::new(),
            cookies: Vec::new(),
        }
    }

    /// 200 with a page.
    #[must_use]
    pub fn html(page: String) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some((HTML, page.into())),
            headers: Vec::new(),
            cookies: Vec::new(),
        }
    }

    /// A status and nothing else.
    #[must_use]
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, body: None, headers: Vec::new(), cookies: Vec::new() }
    }

    /// 302 to a target that was checked before. Better Auth names a content type although there is no content.
    ///
    /// # Errors
    /// Internal, when the target cannot stand in a header.
    pub fn redirect(target: &str) -> Result<Self> {
        let mut answer = Self::json_bytes(Bytes::new());
        answer.status = StatusCode::FOUND;
        answer.with_header(header::LOCATION, target)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// Internal, when the value cannot stand in a header.
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value).map_err(|error| Error::Internal(error.into()))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Adds cookies.
    #[must_use]
    pub fn with_cookies(mut self, cookies: impl IntoIterator<Item = SetCookie>) -> Self {
        self.cookies.extend(cookies);
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}
