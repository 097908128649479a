//! What embeds contribute: order by their columns, tests for being empty, their place among the columns.

use crate::error::{ApiError, ErrorKind};
use crate::request::types::{IsValue, Operation};

use super::tree::not_embedded;
use super::types::{Condition, EmbedSelect, ReadPlan, SpreadColumn};

/// Resolves `order=embed(column)` to the embed's alias.
pub(super) fn add_related_orders(plan: &mut ReadPlan) -> Result<(), ApiError> {
    let origin = plan.from.name.clone();
    for term in &mut plan.order {
        let Some(name) = &term.relation else { continue };
        let child = plan.children.iter().find(|child| child.request_name() == name);
        let child = child.ok_or_else(|| not_embedded(name, None))?;
        if !child.relationship.as_ref().is_some_and(crate::schema::Relationship::is_to_one) {
            let target = child.request_name();
            return Err(ApiError::new(
                ErrorKind::RelatedOrder,
                format!("A related order on '{target}' is not possible"),
            )
            .with_details(format!(
                "'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"
            )));
        }
        term.relation = Some(child.embed_alias.clone());
    }
    plan.children.iter_mut().try_for_each(add_related_orders)
}

/// Turns `embed=is.null` into a test of the embed.
pub(super) fn add_null_filters(plan: &mut ReadPlan) {
    let children: Vec<(String, String)> = plan
        .children
        .iter()
        .map(|child| (child.request_name().to_owned(), child.embed_alias.clone()))
        .collect();
    for condition in &mut plan.conditions {
        null_filter(condition, &children);
    }
    plan.children.iter_mut().for_each(add_null_filters);
}

fn null_filter(condition: &mut Condition, children: &[(String, String)]) {
    match condition {
        Condition::Node { children: nested, .. } => {
            nested.iter_mut().for_each(|condition| null_filter(condition, children));
        }
        Condition::Filter { column, negated, operation: Operation::Is(IsValue::Null) }
            if column.path.is_empty() =>
        {
            if let Some((_, alias)) = children.iter().find(|(name, _)| *name == column.name) {
                *condition = Condition::EmbedIsNull { negated: *negated, alias: alias.clone() };
            }
        }
        Condition::Filter { .. } | Condition::EmbedIsNull { .. } => {}
    }
}

/// Gives every embed its place among the parent's columns.
pub(super) fn add_selects(plan: &mut ReadPlan) {
    plan.children.iter_mut().for_each(add_selects);
    plan.embeds =
        plan.children.iter().filter(|child| child.relationship.is_some()).map(select).collect();
}

fn select(child: &ReadPlan) -> EmbedSelect {
    let alias = child.embed_alias.clone();
    if child.spread.is_some() {
        return EmbedSelect::Spread { columns: spread_columns(child), alias };
    }
    EmbedSelect::Json {
        name: child.request_name().to_owned(),
        alias,
        to_one: child.relationship.as_ref().is_some_and(crate::schema::Relationship::is_to_one),
        empty: is_empty(child),
    }
}

/// Neither it nor anything below selects a column: it only joins.
fn is_empty(plan: &ReadPlan) -> bool {
    plan.select.is_empty() && plan.children.iter().all(is_empty)
}

fn spread_columns(plan: &ReadPlan) -> Vec<SpreadColumn> {
    let plain = |name: &str| SpreadColumn {
        name: name.to_owned(),
        aggregate: None,
        aggregate_cast: None,
        alias: None,
    };
    let own =
        plan.select.iter().map(|item| plain(item.alias.as_deref().unwrap_or(&item.column.name)));
    let nested = plan.embeds.iter().flat_map(|embed| match embed {
        EmbedSelect::Json { name, .. } => vec![plain(name)],
        EmbedSelect::Spread { columns, .. } => columns.clone(),
    });
    own.chain(nested).collect()
}
