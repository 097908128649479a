//! What a transaction brought back, read from its rows.

use bytes::Bytes;
use gatepost_postgres::pipeline::{Error, Raw, Row, Rows};

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

/// `results` are the rows of each statement of the work.
pub(super) fn outcome(work: &Work, results: &[Rows]) -> Result<Outcome, Failure> {
    let result = |index: usize| results.get(index).into_iter().flat_map(Rows::iter);
    match work {
        Work::Rows { .. } => {
            let mut row = result(0).next().map(result_row).transpose()?.unwrap_or_default();
            row.planned = result(1).next().map(planned_rows).transpose()?.flatten();
            Ok(Outcome::Rows(row))
        }
        Work::Explain(_) => {
            let mut text = Vec::new();
            for row in result(0) {
                text.extend_from_slice(&row.at::<Raw>(0)?.0);
                text.push(b'\n');
            }
            Ok(Outcome::Plan(text.into()))
        }
        Work::OpenApi(_) => Ok(Outcome::OpenApi {
            tables: result(0).map(|row| row.at(0)).collect::<Result<_, _>>()?,
            functions: result(1).map(|row| row.at(0)).collect::<Result<_, _>>()?,
            description: result(2).next().map(|row| row.at(0)).transpose()?.flatten(),
        }),
    }
}

fn result_row(row: Row<'_>) -> Result<ResultRow, Error> {
    Ok(ResultRow {
        total: row.get("total_result_set")?,
        page_total: row.get("page_total")?,
        location: location(row)?,
        body: row.get::<Option<Raw>>("body")?.map(|raw| raw.0).unwrap_or_default(),
        headers: row.get("response_headers")?,
        status: row.get("response_status")?,
        inserted: row.get("response_inserted")?,
        planned: None,
    })
}

/// Only writes have the column.
fn location(row: Row<'_>) -> Result<Vec<String>, Error> {
    if !row.has("header") {
        return Ok(Vec::new());
    }
    Ok(row.get::<Option<Vec<String>>>("header")?.unwrap_or_default())
}

fn planned_rows(row: Row<'_>) -> Result<Option<i64>, Error> {
    let plan: serde_json::Value = row.at(0)?;
    Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_i64))
}
