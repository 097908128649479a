//! One request through the pipeline: verify, parse, plan, render, execute, respond.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use http::HeaderValue;

use crate::access_log::Handled;
use crate::config::{Config, LogLevel, OpenApiMode};
use crate::door::Door;
use crate::error::{ApiError, ErrorKind};
use crate::execute::{self, Condition, End, Failure, Outcome, Prepare, Transaction, Work};
use crate::plan::types::{self, CrudPlan, Plan, ReadPlan};
use crate::request::media::MediaType;
use crate::request::prefer::{Count, TxEnd};
use crate::request::types::Mutation;
use crate::request::{ApiRequest, HttpRequest};
use crate::respond::{self, ApiResponse, discreet};
use crate::schema::{Catalog, Routine, Table};
use crate::server::too_large;
use crate::state::State;
use crate::verify::Identity;
use crate::{door, plan, sql};

/// How long each stage took.
#[derive(Default)]
struct Timings([Duration; 5]);

impl Timings {
    fn header(&self) -> String {
        let names = ["jwt", "parse", "plan", "transaction", "response"];
        let parts: Vec<String> = names
            .iter()
            .zip(self.0)
            .map(|(name, took)| format!("{name};dur={:.1}", took.as_secs_f64() * 1000.0))
            .collect();
        parts.join(", ")
    }
}

/// Answers a request. Every error is an answer too.
pub async fn handle(state: &State, http: HttpRequest, now: DateTime<Utc>) -> ApiResponse {
    let mut handled = Handled::default();
    let mut response = judge(state, http, now, &mut handled).await;
    response.extensions_mut().insert(handled);
    response
}

async fn judge(
    state: &State,
    http: HttpRequest,
    now: DateTime<Utc>,
    handled: &mut Handled,
) -> ApiResponse {
    let config = state.config();
    let http = Arc::new(http);
    let begun = Instant::now();
    let identity = match door::identify(state, &config, &http.headers, now).await {
        Ok(identity) => identity,
        Err(error) => return refuse(state, &config, &error),
    };
    handled.role = Some(identity.role.clone());
    let largest = config.safety.roles.get(&identity.role).and_then(|limits| limits.max_body);
    if largest.is_some_and(|largest| http.body.len() > largest) {
        return refuse(state, &config, &too_large());
    }
    match answer(state, &config, &http, &identity, begun, handled).await {
        Ok(response) => response,
        Err(error) => {
            let error = if config.safety.terse_errors { discreet(error, &http) } else { error };
            let mut response = refuse(state, &config, &error);
            // A right that is missing, a policy that says no: what an administrator can have explained.
            if matches!(error.code.as_str(), "42501" | "GPDA001")
                && matches!(state.door(), Door::Neon(_))
                && let Ok(id) =
                    HeaderValue::from_str(&state.refused().put(&http, identity, now).to_string())
            {
                response.headers_mut().insert("x-request-id", id);
            }
            response
        }
    }
}

fn refuse(state: &State, config: &Config, error: &ApiError) -> ApiResponse {
    if error.status >= 500 && config.log_level >= LogLevel::Error {
        tracing::error!(code = error.code, message = error.message, "request failed");
    }
    let mut response = respond::error(error, config.minimal_errors);
    if error.status == 503 {
        response.headers_mut().insert("retry-after", HeaderValue::from(state.retry_after()));
    }
    response
}

async fn answer(
    state: &State,
    config: &Arc<Config>,
    http: &HttpRequest,
    identity: &Identity,
    begun: Instant,
    handled: &mut Handled,
) -> Result<ApiResponse, ApiError> {
    let mut clock = begun;
    let mut lap = move || {
        let took = clock.elapsed();
        clock = Instant::now();
        took
    };
    let jwt = lap();
    let catalog = state.catalog().ok_or_else(|| {
        ApiError::new(
            ErrorKind::NoCatalog,
            "Could not query the database for the schema cache. Retrying.",
        )
    })?;
    let mut request = ApiRequest::parse(config, http)?;
    // DA-14: the planner's statistics know about rows the caller may not see.
    if config.safety.exact_counts && request.prefer.explains_count() {
        request.prefer.count = Some(Count::Exact);
    }
    let parse = lap();
    let plan = plan::plan(config, &catalog, &request, &identity.role)?;
    let planned = lap();
    let transaction = transaction(config, http, &request, &plan, identity);
    if config.log_query {
        handled.statements = transaction.iter().flat_map(Transaction::texts).collect();
    }
    let outcome = match transaction {
        None => None,
        Some(transaction) => Some(execute(state, config, transaction, identity).await?),
    };
    let executed = lap();
    let mut response = respond(config, &catalog, &request, &plan, outcome, &identity.role)?;
    let timings = Timings([jwt, parse, planned, executed, lap()]);
    finish(config, &plan, &timings, &mut response);
    Ok(response)
}

fn transaction(
    config: &Config,
    http: &HttpRequest,
    request: &ApiRequest,
    plan: &Plan,
    identity: &Identity,
) -> Option<Transaction> {
    let (work, read_only) = match plan {
        Plan::Info(_) => return None,
        Plan::OpenApi { schema, .. } => (Work::OpenApi(sql::openapi(schema)), true),
        Plan::Crud(plan) => {
            let statements = sql::render(request, plan);
            let work = match plan.media {
                MediaType::Plan { .. } => Work::Explain(statements.main),
                _ => Work::Rows {
                    main: statements.main,
                    explain: statements.explain,
                    conditions: conditions(request, plan),
                },
            };
            (work, plan.read_only)
        }
    };
    let routine = match plan {
        Plan::Crud(plan) => match &plan.work {
            types::Work::Call { plan, .. } => Some(&plan.routine),
            _ => None,
        },
        _ => None,
    };
    let of_role = config.role_settings.isolation.get(&identity.role);
    let rolls_back = request.prefer.tx == Some(TxEnd::Rollback)
        || (config.db_tx_rollback && request.prefer.tx != Some(TxEnd::Commit));
    let reads_catalog = matches!(plan, Plan::OpenApi { .. });
    Some(Transaction {
        isolation: routine.and_then(|routine| routine.isolation.as_ref()).or(of_role).cloned(),
        read_only,
        settings: sql::settings(config, http, request, plan, identity),
        pre_request: config.db_pre_request.as_ref().map(sql::pre_request),
        work,
        end: if rolls_back && !reads_catalog { End::Rollback } else { End::Commit },
    })
}

/// Row counts that undo a write. A read has nothing to undo: its count is judged afterwards.
fn conditions(request: &ApiRequest, plan: &CrudPlan) -> Vec<Condition> {
    if plan.read_only {
        return Vec::new();
    }
    row_conditions(request, plan)
}

fn row_conditions(request: &ApiRequest, plan: &CrudPlan) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if let types::Work::Mutate { mutation: Mutation::SingleUpsert, .. } = &plan.work {
        conditions.push(Condition::Put);
    } else if plan.media.is_object() {
        conditions.push(Condition::Single);
    }
    let counted = match &plan.work {
        types::Work::Mutate { mutation, .. } => {
            matches!(mutation, Mutation::Update | Mutation::Delete)
        }
        types::Work::Call { .. } => true,
        types::Work::Read { .. } => false,
    };
    if let Some(most) =
        request.prefer.max_affected.filter(|_| counted && request.prefer.strict == Some(true))
    {
        conditions.push(Condition::AtMost(most));
    }
    conditions
}

/// DA-33: PostgreSQL's protocol counts the parameters of a statement in 16 bits.
const MOST_PARAMETERS: usize = 65_535;

async fn execute(
    state: &State,
    config: &Config,
    transaction: Transaction,
    identity: &Identity,
) -> Result<Outcome, ApiError> {
    let prepare = match &transaction.work {
        _ if !config.db_prepared_statements => Prepare::Nothing,
        Work::Rows { main, .. } if state.seen_before(&main.text) => Prepare::Everything,
        _ => Prepare::Frame,
    };
    if transaction.most_parameters() > MOST_PARAMETERS {
        return Err(ApiError::new(
            ErrorKind::LimitExceeded,
            format!("A request can have at most {MOST_PARAMETERS} values"),
        ));
    }
    let places = state.enter(config, identity).await?;
    let mut connection = state.connect().await?;
    let done = execute::ToTheEnd::new(async move {
        let _places = places;
        execute::run(&mut connection, &transaction, prepare).await
    });
    let authenticated = Some(&identity.role) != config.db_anon_role.as_ref();
    match done.await {
        Ok(outcome) => Ok(outcome),
        Err(Failure::Refused(error)) => Err(error),
        Err(Failure::Database(error)) => {
            Err(respond::from_database(&error, authenticated, config.safety.terse_errors))
        }
        Err(Failure::Connection(reason)) => {
            tracing::error!(reason, "the database connection broke");
            Err(ApiError::new(
                ErrorKind::ConnectionLost,
                "Database client error. Retrying the connection.",
            ))
        }
    }
}

fn respond(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    plan: &Plan,
    outcome: Option<Outcome>,
    role: &str,
) -> Result<ApiResponse, ApiError> {
    match (plan, outcome) {
        (Plan::Info(allow), _) => Ok(respond::info(allow)),
        (Plan::Crud(plan), Some(Outcome::Rows(row))) => {
            let refused = row_conditions(request, plan)
                .into_iter()
                .find_map(|condition| execute::violated(condition, row.page_total));
            match refused {
                Some(error) => Err(error),
                None => respond::rows(config, request, plan, &row),
            }
        }
        (Plan::Crud(plan), Some(Outcome::Plan(text))) => {
            Ok(respond::plan_text(request, &plan.media, text))
        }
        (
            Plan::OpenApi { schema, head },
            Some(Outcome::OpenApi { tables, functions, description }),
        ) => {
            let follows = config.openapi_mode == OpenApiMode::FollowPrivileges;
            let visible: Vec<&Table> = sorted_tables(catalog, schema)
                .into_iter()
                .filter(|table| !follows || tables.contains(&table.name.name))
                .filter(|table| plan::is_available(config, table, role))
                .collect();
            let callable: Vec<&Routine> = sorted_routines(catalog, schema)
                .into_iter()
                .filter(|routine| !follows || functions.contains(&routine.oid))
                .filter(|routine| plan::is_callable(config, catalog, routine, role))
                .collect();
            let document =
                respond::document(config, catalog, &visible, &callable, description.as_deref());
            Ok(respond::open_api(request, *head, &document))
        }
        _ => Err(ApiError::new(ErrorKind::Internal, "The database answered something unexpected")),
    }
}

fn sorted_tables<'a>(catalog: &'a Catalog, schema: &str) -> Vec<&'a Table> {
    let mut tables: Vec<&Table> =
        catalog.tables.values().filter(|table| table.name.schema == schema).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

fn sorted_routines<'a>(catalog: &'a Catalog, schema: &str) -> Vec<&'a Routine> {
    let mut routines: Vec<&Routine> = catalog
        .routines
        .values()
        .flatten()
        .filter(|routine| routine.name.schema == schema)
        .collect();
    routines.sort_by(|a, b| a.name.cmp(&b.name));
    routines
}

fn finish(config: &Config, plan: &Plan, timings: &Timings, response: &mut ApiResponse) {
    let headers = response.headers_mut();
    if config.server_timing_enabled
        && let Ok(value) = HeaderValue::from_str(&timings.header())
    {
        headers.insert("server-timing", value);
    }
    if let Plan::Crud(plan) = plan {
        let mut renamed = Vec::new();
        legacy_names(&plan.read, &mut renamed);
        if config.url_use_legacy_target_names
            && !renamed.is_empty()
            && let Ok(value) = HeaderValue::from_str(&legacy_warning(&renamed))
        {
            let names = renamed.join(", ");
            tracing::warn!(names, "embedded resources with an alias are named by their relation");
            headers.insert("warning", value);
        }
    }
    if !headers.contains_key("vary") {
        headers.insert("vary", HeaderValue::from_static("Accept, Prefer, Range"));
    }
}

fn legacy_names(plan: &ReadPlan, names: &mut Vec<String>) {
    if let (true, Some(alias)) = (plan.legacy_name_used, &plan.alias) {
        names.push(format!("`{}` to `{alias}`", plan.name));
    }
    plan.children.iter().for_each(|child| legacy_names(child, names));
}

/// RFC 9111 section 5.5: 299 is a miscellaneous persistent warning.
fn legacy_warning(names: &[String]) -> String {
    format!(
        "299 PostgREST \"Embedded resource was referenced by relation name even though it has an alias. This is \
         deprecated and will stop working in a future release. Update {} in query string filters, orders or limits.\"",
        names.join(", ")
    )
}
