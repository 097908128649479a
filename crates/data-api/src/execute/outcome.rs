//! What a transaction brought back, read from its rows.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::{Failure, Work};

/// The response row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultRow {
    /// Rows there are.
    pub total: Option<i64>,
    /// Rows in the response.
    pub page_total: i64,
    /// `key=eq.value` of the inserted row.
    pub location: Vec<String>,
    /// Body.
    pub body: Bytes,
    /// `response.headers`
    pub headers: Option<String>,
    /// `response.status`
    pub status: Option<String>,
    /// Rows inserted rather than updated.
    pub inserted: Option<i32>,
    /// The planner's guess of the total.
    pub planned: Option<i64>,
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Rows.
    Rows(ResultRow),
    /// A query plan.
    Plan(Bytes),
    /// What the role may see: relations, function OIDs, comment of the schema.
    OpenApi { tables: Vec<String>, functions: Vec<u32>, description: Option<String> },
}

/// Bytes of a value whatever its type; JSONB's version byte is dropped.
struct Raw(Bytes);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let raw = if *ty == Type::JSONB { raw.strip_prefix(&[1]).unwrap_or(raw) } else { raw };
        Ok(Self(Bytes::copy_from_slice(raw)))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(super) fn outcome(work: &Work, results: &[Vec<Row>]) -> Result<Outcome, Failure> {
    let result = |index: usize| results.get(index).map(Vec::as_slice).unwrap_or_default();
    match work {
        Work::Rows { .. } => {
            let mut row = result(0).first().map(result_row).transpose()?.unwrap_or_default();
            row.planned = result(1).first().map(planned_rows).transpose()?.flatten();
            Ok(Outcome::Rows(row))
        }
        Work::Explain(_) => {
            let mut text = Vec::new();
            for row in result(0) {
                text.extend_from_slice(&row.try_get::<_, Raw>(0)?.0);
                text.push(b'\n');
            }
            Ok(Outcome::Plan(text.into()))
        }
        Work::OpenApi(_) => Ok(Outcome::OpenApi {
            tables: result(0).iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
            functions: result(1).iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
            description: result(2).first().map(|row| row.try_get(0)).transpose()?.flatten(),
        }),
    }
}

fn result_row(row: &Row) -> Result<ResultRow, tokio_postgres::Error> {
    Ok(ResultRow {
        total: row.try_get("total_result_set")?,
        page_total: row.try_get("page_total")?,
        location: location(row)?,
        body: row.try_get::<_, Option<Raw>>("body")?.map(|raw| raw.0).unwrap_or_default(),
        headers: row.try_get("response_headers")?,
        status: row.try_get("response_status")?,
        inserted: row.try_get("response_inserted")?,
        planned: None,
    })
}

/// Only writes have the column.
fn location(row: &Row) -> Result<Vec<String>, tokio_postgres::Error> {
    if !row.columns().iter().any(|column| column.name() == "header") {
        return Ok(Vec::new());
    }
    Ok(row.try_get::<_, Option<Vec<String>>>("header")?.unwrap_or_default())
}

fn planned_rows(row: &Row) -> Result<Option<i64>, tokio_postgres::Error> {
    let plan: serde_json::Value = row.try_get(0)?;
    Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_i64))
}
