//! Aggregates: allowed or not, hoisted out of to-one spreads, refused in to-many spreads.

use crate::error::{ApiError, ErrorKind};
use crate::ident::CastType;
use crate::request::types::Aggregate;

use super::types::{Column, EmbedSelect, OrderBy, ReadPlan, SelectColumn, Spread};

/// Refuses aggregates unless they are enabled.
pub(super) fn validate(plan: &ReadPlan, enabled: bool) -> Result<(), ApiError> {
    if !enabled && plan.select.iter().any(|column| column.aggregate.is_some()) {
        return Err(ApiError::new(
            ErrorKind::AggregatesDisabled,
            "Use of aggregate functions is not allowed",
        ));
    }
    plan.children.iter().try_for_each(|child| validate(child, enabled))
}

/// An aggregate on its way up.
struct Hoisted {
    alias: String,
    column: String,
    aggregate: Aggregate,
    cast: Option<CastType>,
    name: Option<String>,
}

/// Moves aggregates of a to-one spread to the node whose rows they are to aggregate.
pub(super) fn hoist(plan: &mut ReadPlan) {
    hoist_node(plan);
}

fn hoist_node(plan: &mut ReadPlan) -> Vec<Hoisted> {
    let from_children: Vec<Hoisted> = plan.children.iter_mut().flat_map(hoist_node).collect();
    let to_one_spread = plan.spread == Some(Spread::ToOne);
    let stays = plan.depth == 0 || (plan.relationship.is_some() && !to_one_spread);
    let mut hoisted = Vec::new();
    if !stays {
        for item in plan.select.iter_mut() {
            let Some(aggregate) = item.aggregate.take() else { continue };
            hoisted.push(Hoisted {
                alias: plan.embed_alias.clone(),
                column: item.alias.clone().unwrap_or_else(|| item.column.name.clone()),
                aggregate,
                cast: item.aggregate_cast.take(),
                name: item.alias.clone(),
            });
        }
    }
    if to_one_spread {
        hoisted.extend(
            from_children
                .into_iter()
                .map(|other| Hoisted { alias: plan.embed_alias.clone(), ..other }),
        );
        return hoisted;
    }
    for embed in &mut plan.embeds {
        let EmbedSelect::Spread { columns, alias } = embed else { continue };
        for column in columns {
            if let Some(found) = from_children
                .iter()
                .find(|hoisted| hoisted.alias == *alias && hoisted.column == column.name)
            {
                column.aggregate = Some(found.aggregate);
                column.aggregate_cast.clone_from(&found.cast);
                column.alias.clone_from(&found.name);
            }
        }
    }
    hoisted
}

/// Orders the arrays of a to-many spread: the columns to order by must be selected, under names of their own.
pub(super) fn order_spreads(plan: &mut ReadPlan) -> Result<(), ApiError> {
    if matches!(plan.spread, Some(Spread::ToMany { .. })) {
        let own = plan.select.iter().any(|column| column.aggregate.is_some());
        let nested = plan.embeds.iter().any(|embed| {
            matches!(embed, EmbedSelect::Spread { columns, .. } if columns.iter().any(|column| column.aggregate.is_some()))
        });
        if own || nested {
            return Err(ApiError::new(ErrorKind::NotImplemented, "Feature not implemented")
                .with_details(
                    "Aggregates are not implemented for one-to-many or many-to-many spreads.",
                ));
        }
        let (mut extra, mut order) = (Vec::new(), Vec::new());
        for (index, term) in std::mem::take(&mut plan.order).into_iter().enumerate() {
            let alias = format!("{}_{}_{}", plan.embed_alias, term.column.name, index + 1);
            let sorted = Column { name: alias.clone(), to_json: true, ..Column::default() };
            extra.push((term.relation, SelectColumn::plain(term.column, Some(alias))));
            order.push(OrderBy {
                relation: None,
                column: sorted,
                direction: term.direction,
                nulls: term.nulls,
            });
        }
        plan.spread = Some(Spread::ToMany { extra, order });
    }
    plan.children.iter_mut().try_for_each(order_spreads)
}
