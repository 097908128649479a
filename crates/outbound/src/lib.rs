//! The one HTTP client for calls that Gatepost makes itself: to identity providers, gateways for text messages, webhooks.
//!
//! An address that somebody else can choose must not lead into the operator's network (SSRF): every address is checked
//! after the name was resolved, and it is the checked address that is connected to, so a name cannot mean something else
//! a moment later. Redirects are not followed, an answer has a largest size and a last moment, and no proxy of the
//! environment is used.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde::{Serialize, de::DeserializeOwned};
use url::{Host, Url};

mod address;
#[cfg(test)]
mod tests;

pub use address::is_public;

/// Where calls may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `https` to public addresses: for what users or tenants can name.
    Public,
    /// Any address, also over `http`: for what the operator's configuration names, and for development.
    Anywhere,
}

/// Largest answer, in bytes.
const LARGEST: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(10);

/// Why there is no answer. The words are for the log: they may name addresses of the operator's network.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not a URL that may be called: scheme, host, or a name that leads to an address of a private network.
    #[error("{0}: not a URL that may be called")]
    Forbidden(String),
    /// No connection, no answer in time, or one that breaks off.
    #[error("the call failed")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Longer than what is read.
    #[error("the answer is longer than {LARGEST} bytes")]
    TooLong,
    /// Not the JSON that was expected.
    #[error("the answer is not the expected JSON")]
    Unreadable(#[source] serde_json::Error),
}

/// What came back, of whatever status.
#[derive(Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, whole.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Failure::Unreadable`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }
}

impl std::fmt::Debug for Answer {
    /// Without the body, which may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A call to be made.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl std::fmt::Debug for Request {
    /// Without headers, query and body, which hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Request {
    /// `GET`.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self::new(Method::GET, url)
    }

    /// `POST` without a body yet.
    #[must_use]
    pub fn post(url: &str) -> Self {
        Self::new(Method::POST, url)
    }

    /// Any method.
    #[must_use]
    pub fn new(method: Method, url: &str) -> Self {
        Self { method, url: url.to_owned(), headers: HeaderMap::new(), body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds `Authorization: Bearer …`; a token that cannot stand in a header is left out.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        match HeaderValue::from_str(&format!("Bearer {token}")) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.header(header::AUTHORIZATION, value)
            }
            Err(_) => self,
        }
    }

    /// A body of any kind.
    #[must_use]
    pub fn body(mut self, content_type: HeaderValue, body: Bytes) -> Self {
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self.body = Some(body);
        self
    }

    /// A body of form fields.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body(HeaderValue::from_static("application/x-www-form-urlencoded"), Bytes::from(body))
    }

    /// A JSON body.
    ///
    /// # Errors
    /// [`Failure::Unreadable`], when `body` cannot be written as JSON.
    pub fn json(self, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::Unreadable)?;
        Ok(self.body(HeaderValue::from_static("application/json"), body.into()))
    }
}

/// The client. Cheap to clone: clones share connections.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: Client,
    reach: Reach,
}

impl Outbound {
    /// A client with a pool of its own.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(reach: Reach) -> Result<Self, Failure> {
        // Another part of the process may have installed it; it is the same one then.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .https_only(reach == Reach::Public)
            .dns_resolver(Arc::new(Checked(reach)))
            .user_agent(concat!("gatepost/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::Transport(error.into()))?;
        Ok(Self { client, reach })
    }

    /// Makes the call, whatever status answers it.
    ///
    /// # Errors
    /// [`Failure`]; never for a status.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let url = self.permitted(&request.url)?;
        let mut building = self.client.request(request.method, url).headers(request.headers);
        if let Some(body) = request.body {
            building = building.body(body);
        }
        let transport = |error: reqwest::Error| Failure::Transport(error.without_url().into());
        let mut response = building.send().await.map_err(transport)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Failure::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, body: body.freeze() })
    }

    /// An address in place of a name is not resolved, so it is checked here.
    fn permitted(&self, url: &str) -> Result<Url, Failure> {
        let forbidden =
            || Failure::Forbidden(url.split(['?', '#']).next().unwrap_or_default().to_owned());
        let parsed = Url::parse(url).map_err(|_| forbidden())?;
        let address = match parsed.host() {
            None => return Err(forbidden()),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        let scheme = match self.reach {
            Reach::Public => parsed.scheme() == "https",
            Reach::Anywhere => matches!(parsed.scheme(), "http" | "https"),
        };
        let bare = parsed.username().is_empty() && parsed.password().is_none();
        let reached = address.is_none_or(|address| self.reach.allows(address));
        if scheme && bare && reached { Ok(parsed) } else { Err(forbidden()) }
    }
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_public(address)
    }
}

/// The system's resolver, without the addresses that may not be called.
struct Checked(Reach);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Failure::Forbidden(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
