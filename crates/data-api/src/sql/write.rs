//! INSERT, UPDATE and DELETE. The body is one JSON parameter, taken apart by the server.

use bytes::Bytes;
use tokio_postgres::types::Type;

use super::filter::{column_of, conditions};
use super::read::where_all;
use super::{Param, Sql};
use crate::ident::Name;
use crate::plan::types::{Column, Condition, MutatePlan};
use crate::request::prefer::Resolution;

const BODY: &str = "pgrst_body";

/// The writing statement.
pub(super) fn query(plan: &MutatePlan) -> Sql {
    match plan {
        MutatePlan::Insert { .. } => insert(plan),
        MutatePlan::Update { table, columns, body, conditions: filters, returning, defaults } => {
            if columns.is_empty() {
                return nothing(table, returning);
            }
            let assignments = columns.iter().map(|column| {
                Sql::new()
                    .ident(&column.name)
                    .raw(" = ")
                    .then(column_of(&Name::alias(BODY), &column.name))
            });
            Sql::text("UPDATE ")
                .name(table)
                .raw(" SET ")
                .joined(", ", assignments)
                .raw(" ")
                .then(body_rows(
                    body.as_ref(),
                    columns,
                    BodyUse { one_row: false, defaults: *defaults },
                ))
                .then(where_all(conditions(table, filters)))
                .then(returning_columns(table, returning))
        }
        MutatePlan::Delete { from, conditions: filters, returning } => Sql::text("DELETE FROM ")
            .name(from)
            .then(where_all(conditions(from, filters)))
            .then(returning_columns(from, returning)),
    }
}

/// An update of no column: no row, but with the columns the response names.
fn nothing(table: &Name, returning: &[String]) -> Sql {
    let sql = Sql::text("SELECT ");
    let sql = if returning.is_empty() {
        sql.raw("NULL")
    } else {
        let alias = Name::alias(&table.name);
        sql.joined(", ", returning.iter().map(|column| column_of(&alias, column)))
    };
    sql.raw(" FROM ").name(table).raw(" WHERE false")
}

fn insert(plan: &MutatePlan) -> Sql {
    let MutatePlan::Insert {
        into,
        columns,
        body,
        on_conflict,
        conditions: filters,
        returning,
        defaults,
        ..
    } = plan
    else {
        return Sql::new();
    };
    let sql = Sql::text("INSERT INTO ").name(into);
    let sql = if columns.is_empty() {
        sql.raw(" ")
    } else {
        sql.raw("(")
            .joined(", ", columns.iter().map(|column| Sql::new().ident(&column.name)))
            .raw(") ")
    };
    let selected = columns.iter().map(|column| column_of(&Name::alias(BODY), &column.name));
    let sql = sql.raw("SELECT ").joined(", ", selected).raw(" ").then(body_rows(
        body.as_ref(),
        columns,
        BodyUse { one_row: false, defaults: *defaults },
    ));
    let merges = matches!(on_conflict, Some((Resolution::Merge, _)));
    let sql = sql.then(insert_conditions(filters, merges));
    let sql = match on_conflict {
        Some((resolution, target)) if !target.is_empty() => {
            let sql = sql
                .raw(" ON CONFLICT(")
                .joined(", ", target.iter().map(|column| Sql::new().ident(column)))
                .raw(")");
            match resolution {
                Resolution::Merge if !columns.is_empty() => {
                    let assignments = columns.iter().map(|column| {
                        Sql::new().ident(&column.name).raw(" = EXCLUDED.").ident(&column.name)
                    });
                    sql.raw(" DO UPDATE SET ")
                        .joined(", ", assignments)
                        .raw(" WHERE ")
                        .raw(COUNT_UPDATED)
                }
                _ => sql.raw(" DO NOTHING"),
            }
        }
        _ => sql,
    };
    sql.then(returning_columns(into, returning))
}

/// Counts rows that were tried; rows that turn into updates are counted back. True for every row.
const COUNT_INSERTED: &str = "pg_catalog.set_config('pgrst.inserted', \
    (coalesce(nullif(pg_catalog.current_setting('pgrst.inserted', true), '')::int, 0) + 1)::text, true) <> '0'";
const COUNT_UPDATED: &str = "pg_catalog.set_config('pgrst.inserted', \
    (coalesce(nullif(pg_catalog.current_setting('pgrst.inserted', true), '')::int, 0) - 1)::text, true) <> '-1'";

fn insert_conditions(filters: &[Condition], merges: bool) -> Sql {
    if filters.is_empty() && !merges {
        return Sql::new();
    }
    let counted = Sql::text(COUNT_INSERTED);
    let own = conditions(&Name::alias(BODY), filters);
    Sql::text(" WHERE ").joined(" AND ", [counted].into_iter().chain(own))
}

fn returning_columns(table: &Name, returning: &[String]) -> Sql {
    if returning.is_empty() {
        // The number of rows is needed even if nothing of them is.
        return Sql::text(" RETURNING 1");
    }
    Sql::text(" RETURNING ").joined(", ", returning.iter().map(|column| column_of(table, column)))
}

/// How a body is taken apart.
#[derive(Clone, Copy)]
pub(super) struct BodyUse {
    /// Only the first row: arguments of a call.
    pub one_row: bool,
    /// Missing keys take the column's default.
    pub defaults: bool,
}

/// `FROM` the rows of a JSON body, one column per key, under the name `pgrst_body`.
pub(super) fn body_rows(body: Option<&Bytes>, columns: &[Column], how: BodyUse) -> Sql {
    let is_object = body.is_some_and(|body| {
        body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'{')
    });
    let kind = if how.defaults { Type::JSONB } else { Type::JSON };
    let sql = Sql::text("FROM (SELECT ")
        .param(Param::typed(body.cloned(), kind))
        .raw(" AS json_data) pgrst_payload, ");
    let sql = if how.defaults { sql.then(defaults(columns, is_object)) } else { sql };
    let source = if how.defaults { "pgrst_json_defs.val" } else { "pgrst_payload.json_data" };
    let sql = sql.raw("LATERAL (SELECT ").joined(", ", columns.iter().map(parsed)).raw(" FROM ");
    let sql = if columns.is_empty() {
        match (is_object, how.defaults) {
            (true, _) => sql.raw("(VALUES (1)) _"),
            (false, true) => sql.raw("pg_catalog.jsonb_array_elements(").raw(source).raw(") _"),
            (false, false) => sql.raw("pg_catalog.json_array_elements(").raw(source).raw(") _"),
        }
    } else {
        let function = match (is_object, how.defaults) {
            (true, true) => "pg_catalog.jsonb_to_record(",
            (true, false) => "pg_catalog.json_to_record(",
            (false, true) => "pg_catalog.jsonb_to_recordset(",
            (false, false) => "pg_catalog.json_to_recordset(",
        };
        let typed = columns
            .iter()
            .map(|column| Sql::new().ident(&column.name).raw(" ").catalog(&column.kind));
        let sql = sql.raw(function).raw(source).raw(") AS _(").joined(", ", typed).raw(")");
        if how.one_row { sql.raw(" LIMIT 1") } else { sql }
    };
    sql.raw(") pgrst_body")
}

fn parsed(column: &Column) -> Sql {
    match &column.transform {
        None => Sql::new().ident(&column.name),
        Some(function) => Sql::new()
            .catalog(function)
            .raw("(")
            .ident(&column.name)
            .raw(") AS ")
            .ident(&column.name),
    }
}

/// Each object laid over an object of the defaults.
fn defaults(columns: &[Column], is_object: bool) -> Sql {
    let pairs = columns.iter().filter_map(|column| {
        let default = column.default.as_ref()?;
        Some(Sql::new().catalog_literal(&column.name).raw(", ").catalog(default))
    });
    let object = Sql::text("pg_catalog.jsonb_build_object(").joined(", ", pairs).raw(")");
    if is_object {
        Sql::text("LATERAL (SELECT ")
            .then(object)
            .raw(" || pgrst_payload.json_data AS val) pgrst_json_defs, ")
    } else {
        Sql::text("LATERAL (SELECT pg_catalog.jsonb_agg(")
            .then(object)
            .raw(" || elem) AS val FROM pg_catalog.jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs, ")
    }
}
