//! A request as the endpoints see it: parsed once, past the guards that concern every endpoint.

use std::{fmt, net::IpAddr, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gatepost_protocol::cookie::Cookies;
use http::{HeaderMap, Method, header};
use serde_json::Value;

use super::{
    Aside, Mount,
    address::Resolved,
    fields::{Fields, FromFields},
    origin::Redirect,
};
use crate::{
    app::App,
    error::{Error, Refusal, Result},
    session::Current,
};

/// A request as the endpoints see it. Its `Debug` is its id: path, query, headers and body hold secrets.
pub struct Call {
    /// The one reading of the clock for this request.
    pub now: DateTime<Utc>,
    /// Method.
    pub method: Method,
    /// Path below the mount.
    pub path: String,
    /// What a `:name` in the route stood for.
    pub parameter: Option<String>,
    /// The session for which an API key stands, where keys are as good as sessions.
    pub api_key: Option<Current>,
    /// The endpoint is one that nobody may use for somebody else.
    pub personal: bool,
    /// Headers.
    pub headers: HeaderMap,
    /// Decoded parameters, in order.
    pub query: Vec<(String, String)>,
    /// The JSON or form body; none was sent: `None`.
    pub body: Option<Value>,
    /// The body as it came, for signatures over it.
    pub raw: Bytes,
    /// The pairs of a form body in order, repeated ones too.
    pub form: Vec<(String, String)>,
    /// The mount it came through.
    pub mount: Arc<Mount>,
    /// The socket's other end.
    pub peer: IpAddr,
    /// The client's address, as far as it is known.
    pub client: Resolved,
    /// Goes into the answer, every log line and the error page.
    pub request_id: String,
    /// What is to be said beside the answer.
    pub aside: Arc<Aside>,
}

impl Call {
    /// The Cookie header, taken apart.
    #[must_use]
    pub fn cookies(&self) -> Cookies<'_> {
        Cookies::parse(
            self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()),
        )
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`.
    pub fn body<T: FromFields>(&self) -> Result<T> {
        Fields::body(self.body.as_ref())
    }

    /// The query as `T`.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`.
    pub fn query<T: FromFields>(&self) -> Result<T> {
        Fields::query(&self.query)
    }

    /// The first query parameter of that name.
    #[must_use]
    pub fn parameter_of_query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every query parameter of that name.
    pub fn parameters_of_query(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The client's address as far as it is known, else the peer's: for the audit table.
    #[must_use]
    pub fn address(&self) -> String {
        if self.client.stored.is_empty() {
            self.peer.to_string()
        } else {
            self.client.stored.clone()
        }
    }

    /// A truth value of the query, spelled `true` or `1`.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.parameter_of_query(name).map(|value| value == "true" || value == "1")
    }

    /// A header as text; unreadable is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What the browser calls itself, as sessions store it.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        self.header("user-agent").unwrap_or_default()
    }

    /// A redirect target that the configuration trusts.
    ///
    /// # Errors
    /// `refusal`, when it does not.
    pub fn redirect(&self, app: &App, target: &str, refusal: Refusal) -> Result<Redirect> {
        app.origins.allows_redirect(target).ok_or(Error::Refused(refusal))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}
