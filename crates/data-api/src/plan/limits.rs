//! Refusals beyond PostgREST's rules: off unless configured.

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::request::ApiRequest;
use crate::request::types::{LogicTree, Mutation, Operation, SelectItem};
use crate::schema::{Catalog, Table};

use super::types::ReadPlan;

fn refused(message: String) -> ApiError {
    ApiError::new(ErrorKind::LimitExceeded, message)
}

/// DA-20: embeds no deeper and conditions no more than configured.
pub(super) fn check(config: &Config, request: &ApiRequest) -> Result<(), ApiError> {
    if let Some(deepest) = config.safety.max_depth
        && depth(&request.query.select) > deepest
    {
        return Err(refused(format!("Resources can be embedded at most {deepest} levels deep")));
    }
    if config.safety.plain_casts {
        casts(&request.query.select)?;
    }
    if let Some(most) = config.safety.max_terms {
        let query = &request.query;
        let filters: usize =
            query.filters.iter().map(|(_, filter)| operation_terms(&filter.operation)).sum();
        let logic: usize = query.logic.iter().map(|(_, tree)| logic_terms(tree)).sum();
        let order: usize = query.order.iter().map(|(_, terms)| terms.len()).sum();
        if filters + logic + order + items(&query.select) > most {
            return Err(refused(format!(
                "A request can have at most {most} columns, conditions and values"
            )));
        }
    }
    Ok(())
}

/// Types whose input and output functions look at nothing but the value (DA-03).
const PLAIN_TYPES: [&str; 28] = [
    "bigint",
    "bool",
    "boolean",
    "bytea",
    "char",
    "character varying",
    "date",
    "decimal",
    "double precision",
    "float4",
    "float8",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

fn casts(items: &[SelectItem]) -> Result<(), ApiError> {
    for item in items {
        match item {
            SelectItem::Relation(relation) => casts(&relation.items)?,
            SelectItem::Field(field) => {
                for cast in field.cast.iter().chain(&field.aggregate_cast) {
                    if !PLAIN_TYPES.contains(&cast.as_str().to_ascii_lowercase().as_str()) {
                        return Err(refused(format!(
                            "Casting to '{}' is not allowed",
                            cast.as_str()
                        )));
                    }
                }
            }
        }
    }
    Ok(())
}

fn depth(items: &[SelectItem]) -> usize {
    let deeper = items.iter().map(|item| match item {
        SelectItem::Field(_) => 0,
        SelectItem::Relation(relation) => 1 + depth(&relation.items),
    });
    deeper.max().unwrap_or_default()
}

fn items(list: &[SelectItem]) -> usize {
    list.iter()
        .map(|item| match item {
            SelectItem::Field(_) => 1,
            SelectItem::Relation(relation) => 1 + items(&relation.items),
        })
        .sum()
}

fn operation_terms(operation: &Operation) -> usize {
    match operation {
        Operation::In(values) => values.len(),
        _ => 1,
    }
}

fn logic_terms(tree: &LogicTree) -> usize {
    match tree {
        LogicTree::Leaf(filter) => operation_terms(&filter.operation),
        LogicTree::Node { children, .. } => 1 + children.iter().map(logic_terms).sum::<usize>(),
    }
}

/// DA-11: a table without Row Level Security is refused to the configured roles.
pub(super) fn row_security(config: &Config, table: &Table, role: &str) -> Result<(), ApiError> {
    let required = config.safety.row_security_required_for.iter().any(|name| name == role);
    if required && !table.row_security {
        return Err(ApiError::new(
            ErrorKind::NoRowSecurity,
            format!("The table '{}.{}' is not available", table.name.schema, table.name.name),
        )
        .with_hint("Enable row level security on the table and add policies"));
    }
    Ok(())
}

/// The same for everything embedded.
pub(super) fn embeds(
    config: &Config,
    catalog: &Catalog,
    plan: &ReadPlan,
    role: &str,
) -> Result<(), ApiError> {
    if config.safety.row_security_required_for.is_empty() {
        return Ok(());
    }
    for child in &plan.children {
        if let Some(table) = catalog.table(&child.from) {
            row_security(config, table, role)?;
        }
        embeds(config, catalog, child, role)?;
    }
    Ok(())
}

/// DA-13: PATCH and DELETE of a whole table.
pub(super) fn filters(
    config: &Config,
    request: &ApiRequest,
    mutation: Mutation,
) -> Result<(), ApiError> {
    let whole = matches!(mutation, Mutation::Update | Mutation::Delete)
        && request.query.root_filters().next().is_none()
        && !request.query.logic.iter().any(|(path, _)| path.is_empty());
    if config.safety.filters_required && whole {
        return Err(refused("A filter is required to change or delete rows".to_owned()));
    }
    Ok(())
}
