//! The development inbox: every mail over HTTP, with a page to read them.
//!
//! It shows codes and links to whoever can reach it. It exists only where [`router`] is mounted, and that is for development.

mod page;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use chrono::{DateTime, SecondsFormat, Utc};
use deadpool_postgres::Pool;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Mailer, Outbox,
    message::Message,
    store::{self, Kept, Wanted},
    wake::Wakes,
};

/// The latest mails that one answer holds.
const LIST_LIMIT: i64 = 500;
/// The longest a request for a code waits.
const LONGEST_WAIT: u64 = 60;

struct Inbox {
    pool: Pool,
    outbox: Arc<Outbox>,
    wakes: Wakes,
}

/// The inbox as a router to be nested at any path. Mount it only where `[inbox] enabled` is set.
pub fn router(pool: Pool, outbox: Arc<Outbox>, wakes: Wakes) -> Router {
    let page = page::assemble(&outbox);
    Router::new()
        .route("/", get(|| async move { page }))
        .route("/messages", get(list_messages).delete(clear_messages))
        .route("/messages/{id}", get(read_message))
        .route("/code", get(wait_for_code))
        .route("/events", get(watch_messages))
        .layer(middleware::map_response(no_store))
        .with_state(Arc::new(Inbox { pool, outbox, wakes }))
}

/// Codes stay out of caches and out of other sites.
async fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::HeaderName::from_static("cross-origin-resource-policy"),
        header::HeaderValue::from_static("same-origin"),
    );
    response
}

/// A mail as the inbox shows it.
#[derive(Serialize)]
struct Shown {
    id: i64,
    at: String,
    to: String,
    kind: &'static str,
    subject: String,
    text: String,
    html: String,
    data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    to: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    after: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeQuery {
    to: String,
    kind: Option<String>,
    #[serde(default)]
    after: i64,
    #[serde(default)]
    wait: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearQuery {
    to: Option<String>,
}

#[derive(Serialize)]
struct Code {
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    id: i64,
}

enum Refusal {
    Query(String),
    NoMessage,
    Internal,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Query(message) => (StatusCode::BAD_REQUEST, "INVALID_QUERY", message),
            Self::NoMessage => {
                (StatusCode::NOT_FOUND, "NO_MESSAGE", "There is no such message".to_owned())
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL_SERVER_ERROR",
                "The inbox cannot be read now".to_owned(),
            ),
        };
        (status, Json(json!({ "code": code, "message": message }))).into_response()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Query(rejection.body_text())
    }
}

impl From<deadpool_postgres::PoolError> for Refusal {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        tracing::error!(%error, "the inbox has no connection");
        Self::Internal
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        tracing::error!(%error, "the inbox cannot be read");
        Self::Internal
    }
}

type Parameters<T> = Result<Query<T>, QueryRejection>;

/// An empty filter is none. What Postgres cannot hold as text cannot be in it either (IN-04).
fn filter(value: Option<&str>) -> Result<Option<&str>, Refusal> {
    match value {
        Some(text) if text.contains('\0') => Err(Refusal::Query("NUL in the query".to_owned())),
        Some("") | None => Ok(None),
        Some(text) => Ok(Some(text)),
    }
}

/// `GET /messages?to=&kind=&after=`: oldest first.
async fn list_messages(
    State(inbox): State<Arc<Inbox>>,
    query: Parameters<ListQuery>,
) -> Result<Json<Vec<Shown>>, Refusal> {
    let Query(query) = query?;
    let wanted = Wanted {
        recipient: filter(query.to.as_deref())?,
        kind: filter(query.kind.as_deref())?,
        after: query.after,
    };
    let kept = store::list_kept(&inbox.pool.get().await?, &wanted, LIST_LIMIT).await?;
    Ok(Json(kept.iter().filter_map(|kept| show(&inbox.outbox, kept)).collect()))
}

/// `GET /messages/{id}`.
async fn read_message(
    State(inbox): State<Arc<Inbox>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    let id = id.parse().map_err(|_| Refusal::NoMessage)?;
    let kept = store::find_kept(&inbox.pool.get().await?, id).await?;
    kept.and_then(|kept| show(&inbox.outbox, &kept)).map(Json).ok_or(Refusal::NoMessage)
}

/// `DELETE /messages?to=`. A mail that still waits for the mail server stays.
async fn clear_messages(
    State(inbox): State<Arc<Inbox>>,
    query: Parameters<ClearQuery>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query?;
    let nothing_leaves = matches!(inbox.outbox.mailer, Mailer::Inbox);
    let conn = inbox.pool.get().await?;
    let deleted = store::delete_kept(&conn, filter(query.to.as_deref())?, nothing_leaves).await?;
    Ok(Json(json!({ "deleted": deleted })))
}

/// `GET /code?to=&kind=&after=&wait=`: the latest code, token or link for somebody; when there is none yet later than `after`,
/// the next one within `wait` seconds (60 at most).
async fn wait_for_code(
    State(inbox): State<Arc<Inbox>>,
    query: Parameters<CodeQuery>,
) -> Result<Json<Code>, Refusal> {
    let Query(query) = query?;
    if query.to.is_empty() {
        return Err(Refusal::Query("`to` names nobody".to_owned()));
    }
    let mut wakes = inbox.wakes.clone();
    let search = async {
        loop {
            wakes.forget();
            if let Some(code) = find_code(&inbox, &query).await? {
                return Ok(Json(code));
            }
            if query.wait == 0 || !wakes.wait_or_end().await {
                return Err(Refusal::NoMessage);
            }
        }
    };
    let wait = Duration::from_secs(query.wait.min(LONGEST_WAIT));
    if query.wait == 0 {
        return search.await;
    }
    tokio::time::timeout(wait, search).await.unwrap_or(Err(Refusal::NoMessage))
}

async fn find_code(inbox: &Inbox, query: &CodeQuery) -> Result<Option<Code>, Refusal> {
    let wanted = Wanted {
        recipient: filter(Some(&query.to))?,
        kind: filter(query.kind.as_deref())?,
        after: query.after,
    };
    let kept = store::list_kept(&inbox.pool.get().await?, &wanted, LIST_LIMIT).await?;
    Ok(kept.iter().rev().find_map(|kept| {
        let message = inbox.outbox.open(kept.message_id, &kept.payload)?;
        let key = message.key()?;
        Some(Code {
            otp: key.otp.map(str::to_owned),
            token: key.token.map(str::to_owned),
            url: key.url.map(str::to_owned),
            id: kept.id,
        })
    }))
}

/// `GET /events`: an event `change` whenever there may be something new. Ends when listening does, so that it does not hold up a
/// shutdown.
async fn watch_messages(
    State(inbox): State<Arc<Inbox>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = stream::unfold(inbox.wakes.clone(), |mut wakes| async move {
        wakes.wait_or_end().await.then(|| (Ok(Event::default().event("change").data("")), wakes))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// `None` for what was sealed with another secret.
fn show(outbox: &Outbox, kept: &Kept) -> Option<Shown> {
    let message: Message = outbox.open(kept.message_id, &kept.payload)?;
    let rendered = outbox.render(&message, kept.language.as_deref()).ok()?;
    Some(Shown {
        id: kept.id,
        at: timestamp(kept.created_at),
        to: kept.recipient.clone(),
        kind: message.kind(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        data: message.data(),
    })
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
