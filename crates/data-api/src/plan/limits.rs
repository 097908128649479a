//! Refusals beyond PostgREST's rules: off unless configured.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::types::{LogicTree, Mutation, Operation, SelectItem};
use crate::schema::{Cardinality, Catalog, OpenDefiner, Relationship, Routine, Table};

use super::types::{Condition, MutatePlan, ReadPlan};

fn refused(message: String) -> ApiError {
    ApiError::new(ErrorKind::LimitExceeded, message)
}

/// DA-20: embeds no deeper and conditions no more than configured.
pub(super) fn check(config: &Config, request: &ApiRequest, role: &str) -> Result<(), ApiError> {
    if let Some(deepest) = config.safety.roles.get(role).map(|limits| limits.max_depth)
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

/// DA-11, DA-18: a table without Row Level Security is refused to the configured roles, a view of the auth server's
/// schema to all.
pub(super) fn relation(config: &Config, table: &Table, role: &str) -> Result<(), ApiError> {
    let Name { schema, name } = &table.name;
    let unavailable = |kind: ErrorKind| {
        ApiError::new(kind, format!("The relation '{schema}.{name}' is not available"))
    };
    if table.shows_auth && !config.safety.hidden_schemas.is_empty() {
        return Err(unavailable(ErrorKind::ShowsAuth).with_hint(
            "It reads schema neon_auth, which is never served: show what is meant to be seen by a function",
        ));
    }
    if guarded(config, role) && !table.row_security {
        return Err(unavailable(ErrorKind::NoRowSecurity).with_hint(if table.is_view {
            "Let the view run with its caller's rights (security_invoker), over tables with row level security"
        } else {
            "Enable row level security on the table and add policies"
        }));
    }
    Ok(())
}

fn guarded(config: &Config, role: &str) -> bool {
    config.safety.row_security_required_for.iter().any(|name| name == role)
}

/// The same for everything a read comes by: tables, junctions, functions that stand for a column or a relationship.
pub(super) fn tree(
    config: &Config,
    catalog: &Catalog,
    plan: &ReadPlan,
    role: &str,
) -> Result<(), ApiError> {
    if config.safety.hidden_schemas.is_empty() && !guarded(config, role) {
        return Ok(());
    }
    for child in &plan.children {
        let junction = match &child.relationship {
            Some(Relationship::Computed { function, table, .. }) => {
                computed(config, catalog, function, table, role)?;
                None
            }
            Some(Relationship::Key { cardinality: Cardinality::ManyToMany(junction), .. }) => {
                Some(&junction.table)
            }
            _ => None,
        };
        for name in [Some(&child.from), junction].into_iter().flatten() {
            if let Some(table) = catalog.table(name) {
                relation(config, table, role)?;
            }
        }
        tree(config, catalog, child, role)?;
    }
    let mut names: BTreeSet<&str> =
        plan.select.iter().map(|item| item.column.name.as_str()).collect();
    names.extend(plan.order.iter().map(|term| term.column.name.as_str()));
    condition_names(&plan.conditions, &mut names);
    // DA-02: PostgreSQL cuts a longer name off, and would find another column by it.
    if let Some(long) = names.iter().find(|name| name.len() > LONGEST_NAME) {
        return Err(ApiError::new(
            ErrorKind::NoColumn,
            format!("Could not find the '{long}' column of '{}' in the schema cache", plan.name),
        ));
    }
    columns(config, catalog, &plan.from, &names, role)
}

/// Bytes of a name in PostgreSQL.
const LONGEST_NAME: usize = 63;

/// The same for the filters of a write.
pub(super) fn write_filters(
    config: &Config,
    catalog: &Catalog,
    plan: &MutatePlan,
    role: &str,
) -> Result<(), ApiError> {
    let (MutatePlan::Update { table, conditions, .. }
    | MutatePlan::Delete { from: table, conditions, .. }) = plan
    else {
        return Ok(());
    };
    let mut names = BTreeSet::new();
    condition_names(conditions, &mut names);
    columns(config, catalog, table, &names, role)
}

/// DA-07: a relationship that is a function is one of a served schema.
fn computed(
    config: &Config,
    catalog: &Catalog,
    function: &Name,
    table: &Name,
    role: &str,
) -> Result<(), ApiError> {
    let mut served = config.db_schemas.iter().chain(&config.db_extra_search_path);
    if !config.safety.hidden_schemas.is_empty() && !served.any(|schema| *schema == function.schema)
    {
        return Err(ApiError::new(
            ErrorKind::NoRelationship,
            format!(
                "Could not find a relationship between '{}' and '{}' in the schema cache",
                table.name, function.name
            ),
        ));
    }
    let mut open = catalog.open_definers.iter();
    let open = open.find(|open| open.name == *function && open.row.as_ref() == Some(table));
    if guarded(config, role) { granted(open, role) } else { Ok(()) }
}

/// Columns that are functions: `select=full_name` calls `full_name(people)`.
///
/// Whose row it takes is not asked: under the name of a write's or call's rows the relation is not known.
fn columns(
    config: &Config,
    catalog: &Catalog,
    relation: &Name,
    names: &BTreeSet<&str>,
    role: &str,
) -> Result<(), ApiError> {
    if !guarded(config, role) {
        return Ok(());
    }
    let table = catalog.table(relation);
    let is_column = |name: &str| table.is_some_and(|table| table.column(name).is_some());
    let fields = catalog.open_definers.iter().filter(|open| open.row.is_some());
    for open in fields.filter(|open| names.contains(open.name.name.as_str())) {
        if !is_column(&open.name.name) {
            granted(Some(open), role)?;
        }
    }
    Ok(())
}

fn condition_names<'a>(conditions: &'a [Condition], names: &mut BTreeSet<&'a str>) {
    for condition in conditions {
        match condition {
            Condition::Node { children, .. } => condition_names(children, names),
            Condition::Filter { column, .. } => {
                names.insert(&column.name);
            }
            Condition::EmbedIsNull { .. } => {}
        }
    }
}

/// DA-09: a function with its owner's rights is called by whom it was granted to by name.
fn granted(open: Option<&OpenDefiner>, role: &str) -> Result<(), ApiError> {
    match open.filter(|open| !open.granted_to.iter().any(|name| name == role)) {
        None => Ok(()),
        Some(open) => Err(ApiError::new(
            ErrorKind::OpenDefiner,
            format!("The function '{}.{}' is not available", open.name.schema, open.name.name),
        )
        .with_hint("It runs with its owner's rights and is everybody's to call: grant it to the role by name")),
    }
}

/// A function, and the table whose rows it returns.
pub(super) fn routine(
    config: &Config,
    catalog: &Catalog,
    routine: &Routine,
    role: &str,
) -> Result<(), ApiError> {
    if !guarded(config, role) {
        return Ok(());
    }
    granted(catalog.open_definers.iter().find(|open| open.oid == routine.oid), role)?;
    match catalog.table(&routine.returns.name) {
        // With its owner's rights, and granted by name: somebody meant it.
        Some(table) if !routine.definer => relation(config, table, role),
        _ => Ok(()),
    }
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
