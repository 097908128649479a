//! The tree of what to read: from `select`, with filters, order and ranges put at their nodes.

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::types::{Action, SelectField, SelectItem};

use super::resolve::Resolver;
use super::types::{OrderBy, ReadPlan, SelectColumn, Spread};

/// The bare tree.
pub(super) fn build(resolver: Resolver<'_>, request: &ApiRequest) -> ReadPlan {
    let root = ReadPlan {
        from: resolver.relation.clone(),
        name: resolver.relation.name.clone(),
        ..ReadPlan::default()
    };
    add_items(resolver, root, &request.query.select)
}

fn add_items(resolver: Resolver<'_>, mut plan: ReadPlan, items: &[SelectItem]) -> ReadPlan {
    for item in items {
        match item {
            SelectItem::Field(field) => {
                let column = select_column(resolver.within(&plan.from), field);
                plan.select.push(column);
            }
            SelectItem::Relation(relation) => {
                let child = ReadPlan {
                    from: Name::new(&resolver.relation.schema, &relation.name),
                    name: relation.name.clone(),
                    alias: relation.alias.clone(),
                    hint: relation.hint.clone(),
                    join: relation.join,
                    spread: relation.spread.then_some(Spread::ToOne),
                    depth: plan.depth + 1,
                    ..ReadPlan::default()
                };
                plan.children.push(add_items(resolver, child, &relation.items));
            }
        }
    }
    plan
}

fn select_column(resolver: Resolver<'_>, field: &SelectField) -> SelectColumn {
    SelectColumn {
        column: resolver.output(&field.field),
        aggregate: field.aggregate,
        aggregate_cast: field.aggregate_cast.clone(),
        cast: field.cast.clone(),
        alias: field.alias.clone(),
    }
}

/// Puts filters, logic trees, order and ranges where they belong.
pub(super) fn attach(
    resolver: Resolver<'_>,
    request: &ApiRequest,
    config: &Config,
    plan: &mut ReadPlan,
) -> Result<(), ApiError> {
    let legacy = config.url_use_legacy_target_names;
    let writes = matches!(request.action, Action::Mutate { .. });
    for (path, filter) in
        request.query.filters.iter().filter(|(path, _)| !writes || !path.is_empty())
    {
        at(plan, path, legacy, |node| {
            let condition = resolver.within(&node.from.clone()).filter(filter);
            node.conditions.push(condition);
        })?;
    }
    for (path, terms) in &request.query.order {
        at(plan, path, legacy, |node| {
            node.order = terms
                .iter()
                .map(|term| OrderBy {
                    relation: term.relation.clone(),
                    column: resolver.order(&term.field),
                    direction: term.direction,
                    nulls: term.nulls,
                })
                .collect();
        })?;
    }
    if !writes {
        for (key, range) in &request.ranges {
            let mut path: Vec<String> = super::embed_path(key)?;
            path.pop();
            at(plan, &path, legacy, |node| node.range = *range)?;
        }
    }
    for (path, tree) in request.query.logic.iter().filter(|(path, _)| !writes || !path.is_empty()) {
        at(plan, path, legacy, |node| {
            let condition = resolver.within(&node.from.clone()).logic(tree);
            // Logic stands before the plain filters, as PostgREST puts it.
            node.conditions.insert(0, condition);
        })?;
    }
    Ok(())
}

/// Finds the node and changes it.
fn at(
    plan: &mut ReadPlan,
    path: &[String],
    legacy: bool,
    change: impl FnOnce(&mut ReadPlan),
) -> Result<(), ApiError> {
    let Some((name, rest)) = path.split_first() else {
        change(plan);
        return Ok(());
    };
    let by_relation = |child: &ReadPlan| {
        child.name == *name && child.alias.as_deref().is_some_and(|alias| alias != name)
    };
    let found = plan.children.iter().position(|child| {
        if legacy {
            child.name == *name || child.alias.as_deref() == Some(name)
        } else {
            child.request_name() == name
        }
    });
    let Some(child) = found.and_then(|index| plan.children.get_mut(index)) else {
        return Err(not_embedded(name, plan.children.iter().find(|child| by_relation(child))));
    };
    if by_relation(child) {
        child.legacy_name_used = true;
    }
    at(child, rest, legacy, change)
}

/// The request refers to something it does not embed, or embeds under another name.
pub(super) fn not_embedded(name: &str, aliased: Option<&ReadPlan>) -> ApiError {
    let error = ApiError::new(
        ErrorKind::NotEmbedded,
        format!("'{name}' is not an embedded resource in this request"),
    );
    match aliased {
        None => error.with_hint(format!(
            "Verify that '{name}' is included in the 'select' query parameter."
        )),
        Some(child) => error
            .with_details("Target names are not allowed in filters if they have an alias")
            .with_hint(format!(
                "Change '{}' to '{}' in filters, orders or limits.",
                child.name,
                child.request_name()
            )),
    }
}
