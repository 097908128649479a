//! What the suites may do beside the wire: read captured mail in the recorded shape, and run SQL.
//!
//! `GET /{server}/__outbox?to=&kind=` and `POST /{server}/__fixture` `{sql, params}`.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::BytesMut;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::http::{Http, client};
use crate::postgres::connect;

/// A server that the sidecar can look into.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) origin: String,
    pub(crate) database_url: String,
}

struct Inner {
    targets: HashMap<String, Target>,
    http: Http,
}

/// Serves on a free port until the process ends; returns the origin.
pub(crate) async fn start(targets: HashMap<String, Target>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
    let app = Router::new()
        .route("/{server}/__outbox", get(outbox))
        .route("/{server}/__fixture", post(fixture))
        .with_state(Arc::new(Inner { targets, http: client() }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(origin)
}

type Answer = (StatusCode, Json<Value>);

fn answer(result: Result<Value>) -> Answer {
    match result {
        Ok(value) => (StatusCode::OK, Json(value)),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": format!("{error:#}") }))),
    }
}

async fn outbox(
    State(inner): State<Arc<Inner>>,
    Path(server): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    answer(messages(&inner, &server, query.as_deref().unwrap_or("")).await)
}

async fn messages(inner: &Inner, server: &str, query: &str) -> Result<Value> {
    let target = inner.targets.get(server).context("no such server")?;
    let url = format!("{}/inbox/messages?{query}", target.origin);
    let response = crate::http::get(&inner.http, &url).await?;
    anyhow::ensure!(response.status() == 200, "{url}: {}", response.status());
    let list: Vec<Value> = serde_json::from_slice(response.body())?;
    Ok(list.iter().map(recorded).collect())
}

/// A message as the recorded server showed it: the fields of its kind beside id, time and address.
fn recorded(message: &Value) -> Value {
    let kind = message.get("kind").and_then(Value::as_str).unwrap_or_default();
    let mut out = Map::new();
    for name in ["id", "at", "to", "kind"] {
        out.insert(name.to_owned(), message.get(name).cloned().unwrap_or(Value::Null));
    }
    for name in fields(kind) {
        if let Some(value) = message.get("data").and_then(|data| data.get(*name)) {
            out.insert((*name).to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

fn fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "verify-email" | "reset-password" | "magic-link" | "delete-account" => &["url", "token"],
        "change-email-confirmation" => &["newEmail", "url", "token"],
        "org-invitation" => &["id", "role", "organizationName", "inviterEmail"],
        "existing-user-sign-up" => &[],
        _ => &["otp"],
    }
}

#[derive(Deserialize)]
struct Statement {
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
}

async fn fixture(
    State(inner): State<Arc<Inner>>,
    Path(server): Path<String>,
    Json(statement): Json<Statement>,
) -> Answer {
    answer(run(&inner, &server, &statement).await)
}

async fn run(inner: &Inner, server: &str, statement: &Statement) -> Result<Value> {
    let target = inner.targets.get(server).context("no such server")?;
    let client = connect(&target.database_url).await?;
    client.batch_execute("set search_path to neon_auth, public").await?;
    let params: Vec<Text> = statement.params.iter().map(Text::from).collect();
    let params: Vec<&(dyn ToSql + Sync)> =
        params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
    let prepared = client.prepare(&statement.sql).await.map_err(readable)?;
    if prepared.columns().is_empty() {
        let count = client.execute(&prepared, &params).await.map_err(readable)?;
        return Ok(json!({ "rowCount": count, "rows": [] }));
    }
    let mut rows = Vec::new();
    for row in client.query(&prepared, &params).await.map_err(readable)? {
        let mut object = Map::new();
        for (at, column) in row.columns().iter().enumerate() {
            let cell: Cell = row.try_get(at)?;
            object.insert(column.name().to_owned(), cell.0);
        }
        rows.push(Value::Object(object));
    }
    Ok(json!({ "rowCount": rows.len(), "rows": rows }))
}

fn readable(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(db) => anyhow::anyhow!("{}", db.message()),
        None => error.into(),
    }
}

/// A parameter in text form: Postgres reads it as whatever type the statement needs.
#[derive(Debug)]
struct Text(Option<String>);

impl From<&Value> for Text {
    fn from(value: &Value) -> Self {
        Self(match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
    }
}

impl ToSql for Text {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> tokio_postgres::types::Format {
        tokio_postgres::types::Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A value as node-postgres gives it to JSON: ISO timestamps, numbers, objects; `bigint` as a string.
struct Cell(Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let iso = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Ok(Self(match *ty {
            Type::BOOL => json!(bool::from_sql(ty, raw)?),
            Type::INT2 => json!(i16::from_sql(ty, raw)?),
            Type::INT4 => json!(i32::from_sql(ty, raw)?),
            Type::INT8 => json!(i64::from_sql(ty, raw)?.to_string()),
            Type::FLOAT4 => json!(f32::from_sql(ty, raw)?),
            Type::FLOAT8 => json!(f64::from_sql(ty, raw)?),
            Type::UUID => json!(uuid::Uuid::from_sql(ty, raw)?.to_string()),
            Type::TIMESTAMPTZ => json!(iso(DateTime::from_sql(ty, raw)?)),
            Type::TIMESTAMP => json!(iso(NaiveDateTime::from_sql(ty, raw)?.and_utc())),
            Type::JSON | Type::JSONB => Value::from_sql(ty, raw)?,
            Type::BYTEA => json!(format!("\\x{}", hex(raw))),
            Type::TEXT_ARRAY => json!(Vec::<String>::from_sql(ty, raw)?),
            _ => json!(String::from_utf8(raw.to_vec())?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn hex(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}
