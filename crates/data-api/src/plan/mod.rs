//! Plan: a request and the catalogue become a [`Plan`]. Pure; one file per pass.

mod aggregates;
mod call;
mod columns;
mod embeds;
mod limits;
mod mutate;
mod negotiate;
mod relations;
mod resolve;
#[cfg(test)]
mod tests;
mod tree;
pub mod types;

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::hints;
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::media::MediaType;
use crate::request::range::RowRange;
use crate::request::types::{Action, CallMethod, Mutation};
use crate::schema::{Catalog, Routine, Table, Volatility};
use resolve::Resolver;
use types::{CrudPlan, Plan, ReadPlan, Work};

/// Whether a relation may be seen by `role` at all.
pub(crate) fn is_available(config: &Config, table: &Table, role: &str) -> bool {
    limits::relation(config, table, role).is_ok()
}

/// Whether a function may be called by `role`, as far as the database is not asked.
pub(crate) fn is_callable(
    config: &Config,
    catalog: &Catalog,
    routine: &Routine,
    role: &str,
) -> bool {
    limits::routine(config, catalog, routine, role).is_ok()
}

/// Plans a request made by `role`.
pub fn plan(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    role: &str,
) -> Result<Plan, ApiError> {
    limits::check(config, request, role)?;
    match &request.action {
        Action::Read { relation, head } => read(config, catalog, request, relation, role, *head),
        Action::Mutate { relation, mutation } => {
            write(config, catalog, request, relation, role, *mutation)
        }
        Action::Call { function, method } => {
            call(config, catalog, request, function, role, *method)
        }
        Action::Schema { schema, head } => open_api(request, schema, *head),
        Action::RelationInfo(relation) => {
            Ok(Plan::Info(table_verbs(table(config, catalog, relation, role)?)))
        }
        Action::FunctionInfo(function) => {
            let names = call::argument_names(request, CallMethod::Head);
            let routine =
                call::find(catalog, function, &names, &request.content_type, CallMethod::Head)?;
            Ok(Plan::Info(
                if routine.volatility == Volatility::Volatile {
                    "OPTIONS,POST"
                } else {
                    "OPTIONS,GET,HEAD,POST"
                }
                .to_owned(),
            ))
        }
        Action::SchemaInfo => Ok(Plan::Info("OPTIONS,GET,HEAD".to_owned())),
    }
}

fn table<'a>(
    config: &Config,
    catalog: &'a Catalog,
    name: &Name,
    role: &str,
) -> Result<&'a Table, ApiError> {
    let table = catalog.table(name).ok_or_else(|| {
        ApiError::new(
            ErrorKind::NoTable,
            format!("Could not find the table '{}.{}' in the schema cache", name.schema, name.name),
        )
        .with_optional_hint(hints::table(catalog, name))
    })?;
    limits::relation(config, table, role)?;
    Ok(table)
}

fn table_verbs(table: &Table) -> String {
    let mut verbs = "OPTIONS,GET,HEAD".to_owned();
    let possible = [
        (table.insertable, ",POST"),
        (table.insertable && table.updatable && !table.primary_key.is_empty(), ",PUT"),
        (table.updatable, ",PATCH"),
        (table.deletable, ",DELETE"),
    ];
    for (_, verb) in possible.iter().filter(|(possible, _)| *possible) {
        verbs.push_str(verb);
    }
    verbs
}

fn check_preferences(request: &ApiRequest) -> Result<(), ApiError> {
    if request.prefer.strict == Some(true) && !request.prefer.invalid.is_empty() {
        return Err(ApiError::new(
            ErrorKind::InvalidPreferences,
            "Invalid preferences given with handling=strict",
        )
        .with_details(format!("Invalid preferences: {}", request.prefer.invalid.join(", "))));
    }
    Ok(())
}

fn read(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    relation: &Name,
    role: &str,
    head: bool,
) -> Result<Plan, ApiError> {
    table(config, catalog, relation, role)?;
    let read = read_plan(config, catalog, request, relation, role)?;
    let (handler, media) = negotiate::negotiate(
        config,
        request,
        relation,
        &catalog.handlers,
        read.is_default_select(),
    )?;
    check_preferences(request)?;
    Ok(Plan::Crud(Box::new(CrudPlan {
        work: Work::Read { head },
        read,
        handler,
        media,
        target: relation.clone(),
        read_only: true,
        max_rows: config.max_rows(role),
    })))
}

fn write(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    relation: &Name,
    role: &str,
    mutation: Mutation,
) -> Result<Plan, ApiError> {
    let table = table(config, catalog, relation, role)?;
    limits::filters(config, request, mutation)?;
    let read = read_plan(config, catalog, request, relation, role)?;
    let plan = Box::new(mutate::plan(catalog, request, table, mutation, &read)?);
    limits::write_filters(config, catalog, &plan, role)?;
    check_preferences(request)?;
    let (handler, media) = negotiate::negotiate(
        config,
        request,
        relation,
        &catalog.handlers,
        read.is_default_select(),
    )?;
    Ok(Plan::Crud(Box::new(CrudPlan {
        work: Work::Mutate { plan, mutation },
        read,
        handler,
        media,
        target: relation.clone(),
        read_only: false,
        max_rows: config.max_rows(role),
    })))
}

fn call(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    function: &Name,
    role: &str,
    method: CallMethod,
) -> Result<Plan, ApiError> {
    let names = call::argument_names(request, method);
    let routine: &Routine = call::find(catalog, function, &names, &request.content_type, method)?;
    limits::routine(config, catalog, routine, role)?;
    // A function that returns rows of a table embeds what the table embeds.
    let relation = Name::new(&routine.name.schema, routine.table().unwrap_or(&routine.name.name));
    let read = read_plan(config, catalog, request, &relation, role)?;
    let plan = Box::new(call::plan(routine, request, method, &names, &read));
    let (handler, media) = negotiate::negotiate(
        config,
        request,
        &relation,
        &catalog.handlers,
        read.is_default_select(),
    )?;
    check_preferences(request)?;
    if request.prefer.max_affected.is_some()
        && request.prefer.strict == Some(true)
        && !routine.returns.set
    {
        return Err(ApiError::new(
            ErrorKind::MaxAffectedRpc,
            "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
        ));
    }
    Ok(Plan::Crud(Box::new(CrudPlan {
        read_only: method.is_read() || routine.volatility != Volatility::Volatile,
        work: Work::Call { plan, method },
        read,
        handler,
        media,
        target: function.clone(),
        max_rows: config.max_rows(role),
    })))
}

fn open_api(request: &ApiRequest, schema: &str, head: bool) -> Result<Plan, ApiError> {
    let produced = [MediaType::OpenApi, MediaType::Json, MediaType::Any];
    if !request.accept.iter().any(|media| produced.contains(media)) {
        let names: Vec<String> = request.accept.iter().map(MediaType::name).collect();
        return Err(ApiError::new(
            ErrorKind::MediaType,
            format!("None of these media types are available: {}", names.join(", ")),
        ));
    }
    Ok(Plan::OpenApi { schema: schema.to_owned(), head })
}

/// Builds the tree and runs the passes over it.
fn read_plan(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    relation: &Name,
    role: &str,
) -> Result<ReadPlan, ApiError> {
    let resolver = Resolver { catalog, relation };
    let mut plan = tree::build(resolver, request);
    tree::attach(resolver, request, config, &mut plan)?;
    let mut plan = relations::add(&relation.schema, &request.action, &catalog.relationships, plan)?;
    limits::tree(config, catalog, &plan, role)?;
    columns::expand_stars(resolver, &mut plan, false);
    columns::add_aliases(&mut plan);
    embeds::add_related_orders(&mut plan)?;
    embeds::add_null_filters(&mut plan);
    embeds::add_selects(&mut plan);
    aggregates::validate(&plan, config.db_aggregates_enabled)?;
    aggregates::hoist(&mut plan);
    aggregates::order_spreads(&mut plan)?;
    if !matches!(request.action, Action::Mutate { .. }) {
        restrict(&mut plan, config.max_rows(role));
    }
    Ok(plan)
}

/// The server's row cap holds at every level.
fn restrict(plan: &mut ReadPlan, max_rows: Option<i64>) {
    plan.range = if plan.range.is_limit_zero() {
        RowRange::LIMIT_ZERO
    } else {
        plan.range.restricted(max_rows.map(i128::from))
    };
    plan.children.iter_mut().for_each(|child| restrict(child, max_rows));
}

/// Splits `embed.embed.limit`.
fn embed_path(key: &str) -> Result<Vec<String>, ApiError> {
    crate::request::query::embed_path(key)
}
