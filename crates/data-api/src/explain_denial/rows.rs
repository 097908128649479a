//! The rows that a request is about: as they are stored, and as it would write them.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::policies::rows_of;
use super::{MOST_ROWS, TIME_LIMIT, as_subject, failed, query, unexplained};
use crate::error::ApiError;
use crate::ident::{CatalogSql, Name};
use crate::plan::types::{Column, Condition, MutatePlan, Work};
use crate::request::prefer::Resolution;
use crate::schema::Table;
use crate::sql::{Param, Sql, Statement, conditions};

/// A row: what is stored, in PostgreSQL's own text, and what is laid over it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Given {
    stored: Option<String>,
    changes: Map<String, Value>,
}

/// The rows of a request.
#[derive(Default)]
pub(super) struct Found {
    pub(super) stored: Vec<Given>,
    pub(super) written: Vec<Given>,
    /// Columns of new rows that take their default unless they are given: name and expression.
    defaults: Vec<(String, CatalogSql)>,
    /// Columns that are computed from others: name and expression.
    generated: Vec<(String, CatalogSql)>,
}

/// Finds the rows of a request.
pub(super) async fn find(
    above: &Client,
    table: &Table,
    work: &Work,
    filters: &[Condition],
) -> Result<Found, ApiError> {
    let generated = generated(above, table).await.map_err(|error| failed(&error))?;
    let mut found = Found { generated, ..Found::default() };
    let Work::Mutate { plan, .. } = work else {
        found.stored = stored(above, table, own_filters(table, filters)?).await?;
        return Ok(found);
    };
    match plan.as_ref() {
        MutatePlan::Delete { conditions, .. } => {
            found.stored = stored(above, table, own_filters(table, conditions)?).await?;
        }
        MutatePlan::Update { conditions, columns, body, .. } => {
            found.stored = stored(above, table, own_filters(table, conditions)?).await?;
            let changes =
                objects(body.as_ref(), columns, false).into_iter().next().unwrap_or_default();
            found.written = found
                .stored
                .iter()
                .map(|row| Given { changes: changes.clone(), ..row.clone() })
                .collect();
        }
        MutatePlan::Insert { columns, body, on_conflict, defaults, .. } => {
            let given = |name: &str| columns.iter().any(|column| column.name == name);
            // A sequence cannot advance in a read-only transaction, and no policy depends on it.
            found.defaults = table
                .columns
                .iter()
                .filter(|column| *defaults || !given(&column.name))
                .filter_map(|column| Some((column.name.clone(), column.default.clone()?)))
                .filter(|(_, default)| !default.as_str().contains("nextval("))
                .collect();
            let most = usize::try_from(MOST_ROWS).unwrap_or_default();
            let rows = objects(body.as_ref(), columns, *defaults).into_iter().take(most);
            found.written = rows.map(|changes| Given { stored: None, changes }).collect();
            if let Some((Resolution::Merge, target)) = on_conflict {
                let same = conflicting(table, target, &found.written);
                found.stored = stored(above, table, same).await?;
            }
        }
    }
    Ok(found)
}

/// Conditions over columns of the table. What else a filter names is a function, and none runs above Row Level Security.
fn own_filters(table: &Table, filters: &[Condition]) -> Result<Vec<Sql>, ApiError> {
    let mut kept = Vec::new();
    for filter in filters {
        match of_columns(table, filter) {
            Some(filter) => kept.push(filter),
            // Whether an embed is empty: more rows are shown than were found.
            None if embeds(filter) => {}
            None => return Err(unexplained("A filter by a function cannot be explained")),
        }
    }
    Ok(conditions(&table.name, &kept))
}

fn embeds(filter: &Condition) -> bool {
    match filter {
        Condition::EmbedIsNull { .. } => true,
        Condition::Filter { .. } => false,
        Condition::Node { children, .. } => children.iter().any(embeds),
    }
}

fn of_columns(table: &Table, filter: &Condition) -> Option<Condition> {
    match filter {
        Condition::EmbedIsNull { .. } => None,
        Condition::Filter { column, negated, operation } => {
            table.column(&column.name)?;
            Some(Condition::Filter {
                column: Box::new(Column { transform: None, ..(**column).clone() }),
                negated: *negated,
                operation: operation.clone(),
            })
        }
        Condition::Node { negated, operator, children } => {
            let children: Option<Vec<Condition>> =
                children.iter().map(|child| of_columns(table, child)).collect();
            Some(Condition::Node { negated: *negated, operator: *operator, children: children? })
        }
    }
}

/// Rows that share the conflict's columns with one that is written.
fn conflicting(table: &Table, target: &[String], written: &[Given]) -> Vec<Sql> {
    let rows: Vec<&Map<String, Value>> = written.iter().map(|row| &row.changes).collect();
    let data = Bytes::from(serde_json::to_vec(&rows).unwrap_or_default());
    let same = target.iter().map(|column| {
        let own = Sql::new().name(&table.name).raw(".").ident(column);
        own.raw(" = pgrst_new.").ident(column)
    });
    let known = target.iter().all(|column| table.column(column).is_some());
    if !known || target.is_empty() {
        return vec![Sql::text("false")];
    }
    vec![
        Sql::text("EXISTS (SELECT FROM pg_catalog.jsonb_populate_recordset(null::")
            .name(&table.name)
            .raw(", ")
            .param(Param::typed(Some(data), Type::JSONB))
            .raw(") AS pgrst_new WHERE ")
            .joined(" AND ", same)
            .raw(")"),
    ]
}

/// Stored rows, read above Row Level Security: refused rather than filtered if the login is not above it.
async fn stored(above: &Client, table: &Table, filters: Vec<Sql>) -> Result<Vec<Given>, ApiError> {
    let sql = Sql::text("SELECT (").name(&Name::alias(&table.name.name)).raw(".*)::text FROM ");
    let sql = sql.name(&table.name);
    let sql = if filters.is_empty() { sql } else { sql.raw(" WHERE ").joined(" AND ", filters) };
    let key = table.primary_key.iter().map(|column| Sql::new().ident(column));
    let sql =
        if table.primary_key.is_empty() { sql } else { sql.raw(" ORDER BY ").joined(", ", key) };
    let statement = sql.raw(" LIMIT ").number(MOST_ROWS).finish();
    let asked = async {
        above.batch_execute("BEGIN READ ONLY; SET LOCAL row_security = off").await?;
        above.batch_execute(TIME_LIMIT).await?;
        query(above, &statement).await?.iter().map(|row| row.try_get(0)).collect()
    };
    let rows: Result<Vec<String>, tokio_postgres::Error> = asked.await;
    let ended = above.batch_execute("ROLLBACK").await;
    let rows = rows.and_then(|rows| ended.map(|()| rows)).map_err(|error| failed(&error))?;
    Ok(rows.into_iter().map(|row| Given { stored: Some(row), changes: Map::new() }).collect())
}

/// The objects of a body, with the columns that the request writes: one that an object lacks is NULL, or its default.
fn objects(body: Option<&Bytes>, columns: &[Column], defaults: bool) -> Vec<Map<String, Value>> {
    let parsed = body.and_then(|body| serde_json::from_slice(body).ok());
    let all = match parsed {
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let written = |object: &Map<String, Value>| {
        let value = |name: &str| match object.get(name) {
            None if defaults => None,
            value => Some(value.cloned().unwrap_or_default()),
        };
        columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), value(&column.name)?)))
            .collect()
    };
    all.iter().filter_map(Value::as_object).map(written).collect()
}

/// The row `pgrst_given.item` as a record of the table: what is stored, the defaults and the changes, and what is
/// computed from them.
pub(super) fn record(table: &Table, found: &Found) -> Sql {
    let stored = || Sql::text("(pgrst_given.item ->> 'stored')::").name(&table.name);
    let changes = || {
        let sql = object(&found.defaults, "CASE WHEN pgrst_given.item ->> 'stored' IS NULL THEN ");
        let sql = if sql.is_empty() { sql } else { sql.raw(" ELSE '{}' END || ") };
        sql.raw("(pgrst_given.item -> 'changes')")
    };
    let plain = Sql::text("pg_catalog.jsonb_populate_record(")
        .then(stored())
        .raw(", ")
        .then(changes())
        .raw(")");
    let computed = object(&found.generated, "");
    if computed.is_empty() {
        return plain;
    }
    Sql::text("pg_catalog.jsonb_populate_record(")
        .then(stored())
        .raw(", ")
        .then(changes())
        .raw(" || (SELECT ")
        .then(computed)
        .raw(" FROM ")
        .then(plain)
        .raw(" AS ")
        .ident(&table.name.name)
        .raw("))")
}

/// A JSON object of expressions by name, in pieces: a function takes a hundred arguments.
fn object(members: &[(String, CatalogSql)], before: &'static str) -> Sql {
    if members.is_empty() {
        return Sql::new();
    }
    let pieces = members.chunks(40).map(|chunk| {
        let pairs = chunk.iter().map(|(name, expression)| {
            Sql::new().catalog_literal(name).raw(", ").catalog(expression)
        });
        Sql::text("pg_catalog.jsonb_build_object(").joined(", ", pairs).raw(")")
    });
    Sql::text(before).raw("(").joined(" || ", pieces).raw(")")
}

async fn generated(
    above: &Client,
    table: &Table,
) -> Result<Vec<(String, CatalogSql)>, tokio_postgres::Error> {
    let rows = above
        .query(
            "SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid)
             FROM pg_attribute a
             JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             JOIN pg_class c ON c.oid = a.attrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 AND a.attgenerated <> '' AND NOT a.attisdropped",
            &[&table.name.schema, &table.name.name],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, CatalogSql::from_catalog(row.try_get(1)?))))
        .collect()
}

/// Rows as JSON, made as the subject; as they are, if the subject cannot.
pub(super) async fn shown(
    login: &Client,
    table: &Table,
    given: &[Given],
    found: &Found,
    who: &Statement,
) -> Vec<Value> {
    let statement = Sql::text("SELECT (SELECT pg_catalog.to_jsonb(pgrst_row.*) FROM ")
        .then(record(table, found))
        .raw(" AS pgrst_row) FROM ")
        .then(rows_of(given))
        .finish();
    let plain = || given.iter().filter_map(|row| serde_json::to_value(row).ok()).collect();
    match as_subject(login, who, &statement).await {
        Ok(rows) => rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()
            .unwrap_or_else(|_| plain()),
        Err(_) => plain(),
    }
}

/// The tables and views that a view reads.
pub(super) async fn of_view(
    above: &Client,
    view: &Table,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = above
        .query(
            "SELECT DISTINCT d.refobjid::regclass::text
             FROM pg_rewrite r
             JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
             JOIN pg_class c ON c.oid = r.ev_class
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 ORDER BY 1",
            &[&view.name.schema, &view.name.name],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Whether policies are in force.
pub(super) async fn row_security(
    above: &Client,
    table: &Table,
) -> Result<bool, tokio_postgres::Error> {
    let row = above
        .query_opt(
            "SELECT c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2",
            &[&table.name.schema, &table.name.name],
        )
        .await?;
    row.map_or(Ok(false), |row| row.try_get(0))
}
