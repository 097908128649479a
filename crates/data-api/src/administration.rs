//! For administrators: why a request was refused, and what is wrong with the schema.
//!
//! An administrator proves that with an access token, as every caller does, and with a role that is looked up at that
//! moment. No cookie is read, so no foreign page can ask in somebody's name.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::door::{Check, Door, unavailable};
use crate::error::{ApiError, ErrorKind};
use crate::explain_denial::{Connections, Explanation, connect, explain_denial};
use crate::request::HttpRequest;
use crate::server::{clock, read_body};
use crate::state::State;
use crate::verify::Identity;
use crate::{advise, cors, respond};

/// Who is an administrator, and with which login hidden rows are read.
pub struct Administration {
    /// Whether a token's user is an administrator now.
    pub administrator: Check,
    /// A login above Row Level Security; `None`: nothing is explained.
    pub database_url: Option<String>,
}

/// Explanations at a time: each reads with rights above Row Level Security.
const AT_ONCE: usize = 2;
/// What one explanation may take in all.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of a question.
const LARGEST: usize = 1024 * 1024;

struct Desk {
    state: State,
    administration: Administration,
    places: Semaphore,
}

/// `POST /explain-denial` and `GET /advice`.
pub fn administration(state: State, administration: Administration) -> Router {
    let desk = Arc::new(Desk { state, administration, places: Semaphore::new(AT_ONCE) });
    Router::new()
        .route("/explain-denial", post(explain).options(preflight))
        .route("/advice", get(advice).options(preflight))
        .with_state(desk)
}

/// What an administrator asks: about a request that was refused, or about one that somebody could make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    request_id: Option<Uuid>,
    request: Option<Asked>,
    subject: Option<Subject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    /// `/todos?id=eq.1`
    path: String,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    role: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidBody, message)
}

async fn preflight(Shared(desk): Shared<Arc<Desk>>, request: Request) -> Response {
    let origins = &desk.state.config().server_cors_allowed_origins;
    let answer = cors::preflight(request.method(), request.headers(), origins);
    answer.unwrap_or_default().map(Body::from)
}

async fn explain(Shared(desk): Shared<Arc<Desk>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let now = clock();
    let explained = async {
        desk.administrator(&parts.headers, now).await?;
        let question = serde_json::from_slice(&read_body(body, LARGEST).await?)
            .map_err(|error| bad(format!("The question cannot be read: {error}")))?;
        desk.explain(question, now).await
    };
    desk.answer(&parts.headers, explained.await)
}

async fn advice(Shared(desk): Shared<Arc<Desk>>, request: Request) -> Response {
    let headers = request.headers().clone();
    let advised = async {
        desk.administrator(&headers, clock()).await?;
        let config = desk.state.config();
        let client = connect(&config.db_uri).await?;
        advise::advise(&client, &config.db_schemas).await.map_err(|error| {
            tracing::error!(%error, "the schema cannot be examined");
            ApiError::new(ErrorKind::Internal, "The schema could not be examined")
        })
    };
    desk.answer(&headers, advised.await)
}

impl Desk {
    /// Lets an administrator pass, as of now.
    async fn administrator(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<(), ApiError> {
        let Door::Neon(door) = self.state.door() else {
            return Err(ApiError::new(ErrorKind::InvalidPath, "No administration here"));
        };
        let claims = door.claims(headers, now).await?;
        match (self.administration.administrator)((*claims).clone(), now).await {
            Some(true) => Ok(()),
            Some(false) => {
                Err(ApiError::new(ErrorKind::NotAdministrator, "For administrators only"))
            }
            None => Err(unavailable()),
        }
    }

    async fn explain(
        &self,
        question: Question,
        now: DateTime<Utc>,
    ) -> Result<Explanation, ApiError> {
        let (request, identity) = self.asked(question, now)?;
        let url = self.administration.database_url.as_deref().ok_or_else(|| {
            ApiError::new(
                ErrorKind::NotImplemented,
                "Nothing is explained: no explain_database_url is set",
            )
            .with_status(501)
        })?;
        let _place = self.places.try_acquire().map_err(|_| {
            ApiError::new(ErrorKind::LimitExceeded, "Other requests are being explained")
                .with_status(429)
        })?;
        let config = self.state.config();
        let catalog = self.state.catalog().ok_or_else(unavailable)?;
        let explaining = async {
            let connections = Connections::open(url, &config.db_uri).await?;
            explain_denial(&connections, &config, &catalog, &request, &identity).await
        };
        tokio::time::timeout(LONGEST, explaining).await.unwrap_or_else(|_| {
            Err(ApiError::new(ErrorKind::LimitExceeded, "The explanation took too long")
                .with_status(504))
        })
    }

    /// The request in question and who makes it.
    fn asked(
        &self,
        question: Question,
        now: DateTime<Utc>,
    ) -> Result<(HttpRequest, Identity), ApiError> {
        match question {
            Question { request_id: Some(id), request: None, subject: None } => {
                let refused = self.state.refused().get(id, now).ok_or_else(|| {
                    ApiError::new(
                        ErrorKind::InvalidPath,
                        "No refused request of this id is remembered",
                    )
                })?;
                Ok((refused.request, refused.identity))
            }
            Question { request_id: None, request: Some(asked), subject } => {
                let config = self.state.config();
                let subject = subject.unwrap_or(Subject { role: None, claims: Map::new() });
                let role = match subject.role {
                    Some(role) if config.safety.allowed_roles.contains(&role) => role,
                    Some(_) => return Err(bad("subject.role is no role of callers")),
                    None if subject.claims.contains_key("sub") => "authenticated".to_owned(),
                    None => config.db_anon_role.clone().unwrap_or_default(),
                };
                // A token names its role, and policies may ask for it.
                let mut claims = subject.claims;
                claims.entry("role").or_insert_with(|| Value::String(role.clone()));
                Ok((asked.request()?, Identity { role, claims }))
            }
            _ => Err(bad("Give a request_id, or a request and a subject")),
        }
    }

    fn answer<T: Serialize>(&self, headers: &HeaderMap, answer: Result<T, ApiError>) -> Response {
        let config = self.state.config();
        let mut response = match answer {
            Ok(value) => {
                let body = serde_json::to_vec(&value).unwrap_or_default();
                let mut response = http::Response::new(Bytes::from(body));
                let json = HeaderValue::from_static("application/json; charset=utf-8");
                response.headers_mut().insert("content-type", json);
                response
            }
            Err(error) => respond::error(&error, false),
        };
        response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
        cors::expose(
            headers.get(http::header::ORIGIN),
            &config.server_cors_allowed_origins,
            &mut response,
        );
        response.map(Body::from)
    }
}

impl Asked {
    fn request(self) -> Result<HttpRequest, ApiError> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| bad("request.method is not a method"))?;
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = value.as_str().map(HeaderValue::from_str);
            let (Ok(name), Some(Ok(value))) = (name, value) else {
                return Err(bad("request.headers are texts by name"));
            };
            headers.append(name, value);
        }
        let body = self.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        Ok(HttpRequest { method, path: path.to_owned(), query: query.to_owned(), headers, body })
    }
}
