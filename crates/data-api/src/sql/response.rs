//! The statement of a request: rows in a CTE, counted and turned into a body by the server.

use super::{SOURCE, Sql, Statement, call, read, write};
use crate::plan::types::{CrudPlan, MutatePlan, Work};
use crate::request::ApiRequest;
use crate::request::media::{MediaType, PlanFormat, PlanOption};
use crate::request::prefer::{Count, Resolution, Return};
use crate::request::range::RowRange;
use crate::schema::{Handler, HandlerTarget, Routine};

/// What is sent for a request, settings aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statements {
    /// One row: total, page total, location (writes only), body, response headers, response status, rows inserted.
    pub main: Statement,
    /// EXPLAIN of the count, when the planner's guess is wanted.
    pub explain: Option<Statement>,
}

/// Renders a plan.
pub fn render(request: &ApiRequest, plan: &CrudPlan) -> Statements {
    let body = match &plan.work {
        Work::Read { .. } => rows(request, plan, None),
        Work::Call { plan: call, .. } => {
            rows(request, plan, Some((&call.routine, call::query(call))))
        }
        Work::Mutate { plan: mutate, .. } => changes(request, plan, mutate),
    };
    let main = match &plan.media {
        MediaType::Plan { format, options, .. } => explain(*format, options).then(body),
        _ => body,
    };
    let explained = matches!(plan.work, Work::Read { .. }) && request.prefer.explains_count();
    let guess = explained
        .then(|| explain(PlanFormat::Json, &[]).then(read::count_query(&plan.read)).finish());
    Statements { main: main.finish(), explain: guess }
}

fn explain(format: PlanFormat, options: &[PlanOption]) -> Sql {
    let sql = Sql::text(match format {
        PlanFormat::Text => "EXPLAIN (FORMAT TEXT",
        PlanFormat::Json => "EXPLAIN (FORMAT JSON",
    });
    let sql = options.iter().fold(sql, |sql, option| {
        sql.raw(match option {
            PlanOption::Analyze => ", ANALYZE",
            PlanOption::Verbose => ", VERBOSE",
            PlanOption::Settings => ", SETTINGS",
            PlanOption::Buffers => ", BUFFERS",
            PlanOption::Wal => ", WAL",
        })
    });
    sql.raw(") ")
}

const GUC_COLUMNS: &str = " AS body, nullif(pg_catalog.current_setting('response.headers', true), '') AS response_headers, \
    nullif(pg_catalog.current_setting('response.status', true), '') AS response_status, ";

fn rows(request: &ApiRequest, plan: &CrudPlan, call: Option<(&Routine, Sql)>) -> Sql {
    let single = call.as_ref().is_some_and(|(routine, _)| !routine.returns.set);
    let routine = call.as_ref().map(|(routine, _)| *routine);
    let page_count = || {
        if single { Sql::text("1::bigint") } else { Sql::text("pg_catalog.count(_postgrest_t)") }
    };
    let selected = read::query(&plan.read);
    let is_call = call.is_some();
    let (source, outer) = match call {
        Some((_, sql)) => (sql, selected),
        None => (selected, Sql::text("SELECT * FROM pgrst_source")),
    };
    let (count_cte, total) = if !request.prefer.counts_rows() {
        (Sql::new(), Sql::text("null::bigint"))
    } else if plan.max_rows.is_some() || request.top_range != RowRange::ALL {
        let counted = read::count_query(&plan.read);
        // Estimates only need to know whether the cap is passed.
        let counted = match (request.prefer.count, plan.max_rows) {
            (Some(Count::Estimated), Some(cap)) if !is_call => {
                counted.raw(" LIMIT ").number(cap + 1)
            }
            _ => counted,
        };
        (
            Sql::text(", pgrst_source_count AS (").then(counted).raw(")"),
            Sql::text("(SELECT pg_catalog.count(*) FROM pgrst_source_count)"),
        )
    } else {
        (Sql::new(), page_count())
    };
    Sql::text("WITH pgrst_source AS (")
        .then(source)
        .raw(")")
        .then(count_cte)
        .raw(" SELECT ")
        .then(total)
        .raw(" AS total_result_set, ")
        .then(page_count())
        .raw(" AS page_total, ")
        .then(body(&plan.handler, routine))
        .raw(GUC_COLUMNS)
        .raw("null::int AS response_inserted FROM (")
        .then(outer)
        .raw(") _postgrest_t")
}

fn changes(request: &ApiRequest, plan: &CrudPlan, mutate: &MutatePlan) -> Sql {
    let (location, inserted) = match mutate {
        MutatePlan::Insert { primary_key, conditions, .. } => {
            let upsert =
                !conditions.is_empty() || request.prefer.resolution == Some(Resolution::Merge);
            let location = request.prefer.returning == Some(Return::HeadersOnly);
            (location.then_some(primary_key.as_slice()), upsert)
        }
        _ => (None, false),
    };
    let rows = if plan.handler == Handler::None {
        // Columns of `select` need not exist when nothing is returned.
        Sql::text("SELECT * FROM pgrst_source")
    } else {
        read::query(&plan.read)
    };
    Sql::text("WITH pgrst_source AS (")
        .then(write::query(mutate))
        .raw(") SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, ")
        .then(location.map_or_else(|| Sql::text("null::text[]"), location_columns))
        .raw(" AS header, ")
        .then(body(&plan.handler, None))
        .raw(GUC_COLUMNS)
        .raw(if inserted { "nullif(pg_catalog.current_setting('pgrst.inserted', true), '')::int" } else { "null::int" })
        .raw(" AS response_inserted FROM (")
        .then(rows)
        .raw(") _postgrest_t")
}

/// Key and value of each primary key column of the one row that was inserted.
fn location_columns(primary_key: &[String]) -> Sql {
    let names = super::filter::array_literal(primary_key);
    Sql::text(
        "CASE WHEN pg_catalog.count(_postgrest_t) = 1 THEN (\
         SELECT pg_catalog.array_agg(pair.key || '=' || coalesce('eq.' || pair.value, 'is.null')) \
         FROM (SELECT pg_catalog.row_to_json(_) AS data FROM pgrst_source AS _ LIMIT 1) one, \
         pg_catalog.json_each_text(one.data) AS pair WHERE pair.key = ANY(",
    )
    .value(&names)
    .raw("::text[])) END")
}

/// The aggregate that makes the body.
fn body(handler: &Handler, routine: Option<&Routine>) -> Sql {
    debug_assert!(!SOURCE.is_empty());
    let scalar = routine.is_some_and(Routine::returns_scalar);
    let scalars = routine.is_some_and(Routine::returns_set_of_scalar);
    let row = if scalar || scalars { "_postgrest_t.pgrst_scalar" } else { "_postgrest_t" };
    match handler {
        Handler::None => Sql::text("''::text"),
        Handler::Json { stripped } => {
            let first = scalar || routine.is_some_and(Routine::returns_single_composite);
            json(row, *stripped, first)
        }
        Handler::Object { stripped } => {
            json(if scalar { row } else { "_postgrest_t" }, *stripped, true)
        }
        Handler::GeoJson => Sql::text(
            "pg_catalog.json_build_object('type', 'FeatureCollection', 'features', \
             coalesce(pg_catalog.json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))",
        ),
        Handler::Csv => Sql::text(
            "(SELECT coalesce(pg_catalog.string_agg(keys.name, ','), '') FROM (\
             SELECT pg_catalog.json_object_keys(pg_catalog.row_to_json(one)) AS name FROM (SELECT * FROM pgrst_source LIMIT 1) one) keys) \
             || E'\\n' || \
             coalesce(pg_catalog.string_agg(pg_catalog.substring(_postgrest_t::text, 2, pg_catalog.length(_postgrest_t::text) - 2), E'\\n'), '')",
        ),
        Handler::Custom { function, target } => {
            let sql = Sql::new().name(function);
            match target {
                _ if scalar => sql.raw("(_postgrest_t.pgrst_scalar)"),
                HandlerTarget::AnyElement => sql.raw("(_postgrest_t)"),
                HandlerTarget::Relation(relation) => {
                    sql.raw("(_postgrest_t::").name(relation).raw(")")
                }
            }
        }
    }
}

fn json(row: &'static str, stripped: bool, first: bool) -> Sql {
    let rows = Sql::text("pg_catalog.json_agg(").raw(row).raw(")");
    let rows = if first { rows.raw("->0") } else { rows };
    let rows =
        if stripped { Sql::text("pg_catalog.json_strip_nulls(").then(rows).raw(")") } else { rows };
    Sql::text("coalesce(").then(rows).raw(if first { ", 'null')" } else { ", '[]')" })
}
