//! Columns of the response: `*` spelled out where needed, and names for what has none.

use crate::ident::Name;
use crate::request::types::{Aggregate, JsonOperand};
use crate::sql::SOURCE;

use super::resolve::Resolver;
use super::types::{Column, ReadPlan, SelectColumn, Spread};

/// Spells out `*` where a column is shown through a function, beside an aggregate, and in a to-many spread.
pub(super) fn expand_stars(resolver: Resolver<'_>, plan: &mut ReadPlan, aggregated: bool) {
    let aggregated = aggregated
        || plan.select.iter().any(|column| column.aggregate.is_some())
        || matches!(plan.spread, Some(Spread::ToMany { .. }));
    let relation = match &plan.from_alias {
        // Rows of a write or call: they are those of the table the CTE is named after.
        Some(alias) if plan.from == Name::alias(SOURCE) => {
            Name::new(&resolver.relation.schema, alias)
        }
        _ => plan.from.clone(),
    };
    expand(resolver.within(&relation), plan, aggregated);
    for child in &mut plan.children {
        expand_stars(resolver, child, aggregated);
    }
}

fn expand(resolver: Resolver<'_>, plan: &mut ReadPlan, aggregated: bool) {
    let spread = plan.spread.is_some();
    let has_star = plan.select.iter().any(|column| {
        column.column.name == "*"
            && (column.aggregate.is_none()
                || (spread && column.aggregate == Some(Aggregate::Count)))
    });
    if !has_star || !(aggregated || resolver.has_representation()) {
        return;
    }
    let mut expanded = Vec::new();
    for item in std::mem::take(&mut plan.select) {
        let star = item.column.name == "*" && item.column.path.is_empty();
        match item.aggregate {
            None if star => expanded.extend(
                resolver
                    .all_output()
                    .into_iter()
                    .map(|column| SelectColumn { column, ..item.clone() }),
            ),
            // COUNT(*) would count the parent's rows.
            Some(Aggregate::Count) if star && spread => {
                expanded.push(SelectColumn {
                    column: Column { full_row: true, ..item.column },
                    ..item
                });
            }
            _ => expanded.push(item),
        }
    }
    plan.select = expanded;
}

/// Names for JSON paths, converted columns and aggregates in spreads.
pub(super) fn add_aliases(plan: &mut ReadPlan) {
    let spread = plan.spread.is_some();
    for item in plan.select.iter_mut().filter(|item| item.alias.is_none()) {
        item.alias = match item.aggregate {
            Some(aggregate) => spread.then(|| aggregate_name(aggregate).to_owned()),
            None if !item.column.path.is_empty() => Some(last_key(&item.column)),
            None => item.column.transform.as_ref().map(|_| item.column.name.clone()),
        };
    }
    for child in &mut plan.children {
        add_aliases(child);
    }
}

fn aggregate_name(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Sum => "sum",
        Aggregate::Avg => "avg",
        Aggregate::Max => "max",
        Aggregate::Min => "min",
        Aggregate::Count => "count",
    }
}

/// The last key of a path names the value; a path of indexes only is named as its column. An empty key is no name in SQL.
fn last_key(column: &Column) -> String {
    let keys = column.path.iter().rev().find_map(|step| match &step.operand {
        JsonOperand::Key(key) if !key.is_empty() && !key.starts_with('\0') => Some(key.clone()),
        JsonOperand::Key(_) | JsonOperand::Index(_) => None,
    });
    keys.unwrap_or_else(|| column.name.clone())
}
