//! Relationships between the nodes of the tree, and the conditions that join them.

use crate::error::{ApiError, ErrorKind};
use crate::hints;
use crate::ident::Name;
use crate::request::types::Action;
use crate::schema::{Cardinality, Junction, Relationship, Relationships};
use crate::sql::SOURCE;

use super::types::{JoinCondition, ReadPlan, Spread};

/// Finds a relationship for every embed.
pub(super) fn add(
    schema: &str,
    action: &Action,
    relationships: &Relationships,
    mut root: ReadPlan,
) -> Result<ReadPlan, ApiError> {
    if matches!(action, Action::Mutate { .. } | Action::Call { .. } | Action::FunctionInfo(_)) {
        // The rows come from the CTE of the write or call, under the name of their table.
        root.from_alias = Some(root.from.name.clone());
        root.from = Name::alias(SOURCE);
    }
    add_children(schema, relationships, &mut root)?;
    Ok(root)
}

fn add_children(
    schema: &str,
    relationships: &Relationships,
    parent: &mut ReadPlan,
) -> Result<(), ApiError> {
    let origin = match &parent.from_alias {
        Some(alias) if parent.depth == 0 => alias.clone(),
        _ => parent.from.name.clone(),
    };
    let parent_alias = parent.from_alias.clone();
    for child in &mut parent.children {
        let relationship =
            find(schema, relationships, &origin, &child.name, child.hint.as_deref())?.clone();
        link(child, relationship, parent_alias.as_deref());
        add_children(schema, relationships, child)?;
    }
    Ok(())
}

fn link(child: &mut ReadPlan, relationship: Relationship, parent_alias: Option<&str>) {
    let new_alias = format!("{}_{}", relationship.foreign().name, child.depth);
    child.embed_alias =
        format!("{}_{}_{}", relationship.table().name, child.request_name(), child.depth);
    child.from = relationship.foreign().clone();
    if child.spread.is_some() && !relationship.is_to_one() {
        child.spread = Some(Spread::ToMany { extra: Vec::new(), order: Vec::new() });
    }
    match &relationship {
        Relationship::Computed { table, .. } => {
            child.parent_alias = Some(parent_alias.map_or_else(|| table.clone(), Name::alias));
            child.from_alias = Some(new_alias);
        }
        Relationship::Key {
            cardinality: Cardinality::ManyToMany(junction),
            table,
            foreign,
            ..
        } => {
            child.join_conditions = junction_conditions(junction, table, foreign, parent_alias);
        }
        Relationship::Key { cardinality, table, foreign, .. } => {
            let parent = parent_alias.map_or_else(|| table.clone(), Name::alias);
            // A self-join and a table embedded twice need names of their own.
            let own = Name::alias(&new_alias);
            debug_assert!(!foreign.name.is_empty());
            child.join_conditions = cardinality
                .columns()
                .iter()
                .map(|(column, foreign)| JoinCondition {
                    left: (own.clone(), foreign.clone()),
                    right: (parent.clone(), column.clone()),
                })
                .collect();
            child.from_alias = Some(new_alias);
        }
    }
    child.relationship = Some(relationship);
}

fn junction_conditions(
    junction: &Junction,
    table: &Name,
    foreign: &Name,
    parent_alias: Option<&str>,
) -> Vec<JoinCondition> {
    let parent = parent_alias.map_or_else(|| table.clone(), Name::alias);
    let target = junction.target.iter().map(|(column, through)| JoinCondition {
        left: (junction.table.clone(), through.clone()),
        right: (foreign.clone(), column.clone()),
    });
    let source = junction.source.iter().map(|(column, through)| JoinCondition {
        left: (junction.table.clone(), through.clone()),
        right: (parent.clone(), column.clone()),
    });
    target.chain(source).collect()
}

fn single_column(cardinality: &Cardinality) -> Option<&(String, String)> {
    match cardinality.columns() {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether a relationship is what `target!hint` names.
fn matches(relationship: &Relationship, target: &str, hint: Option<&str>) -> bool {
    let (foreign, is_self, cardinality, foreign_view) = match relationship {
        Relationship::Computed { function, .. } => return function.name == target,
        Relationship::Key { foreign, is_self, cardinality, foreign_view, .. } => {
            (foreign, *is_self, cardinality, *foreign_view)
        }
    };
    let column_is =
        |name: &str| single_column(cardinality).is_some_and(|(column, _)| column == name);
    let foreign_column_is =
        |name: &str| single_column(cardinality).is_some_and(|(_, column)| column == name);
    let is_target = foreign.name == target;
    let to_many = matches!(cardinality, Cardinality::OneToMany { .. });
    match (is_self, hint) {
        // One foreign key to the table itself gives two relationships: the table's name means the many side,
        // the column's name the one side.
        (true, None) => {
            (is_target && to_many)
                || (column_is(target) && matches!(cardinality, Cardinality::ManyToOne { .. }))
        }
        (true, Some(hint)) => is_target && to_many && foreign_column_is(hint),
        (false, None) => {
            is_target
                || (!foreign_view
                    && (cardinality.constraint() == Some(target) || column_is(target)))
        }
        (false, Some(hint)) => {
            let junction = matches!(cardinality, Cardinality::ManyToMany(junction) if junction.table.name == hint);
            is_target
                && (cardinality.constraint() == Some(hint)
                    || column_is(hint)
                    || foreign_column_is(hint)
                    || junction)
        }
    }
}

fn find<'a>(
    schema: &str,
    relationships: &'a Relationships,
    origin: &str,
    target: &str,
    hint: Option<&str>,
) -> Result<&'a Relationship, ApiError> {
    let key = (Name::new(schema, origin), schema.to_owned());
    let candidates = relationships.get(&key).map(Vec::as_slice).unwrap_or_default();
    let found: Vec<&Relationship> =
        candidates.iter().filter(|relationship| matches(relationship, target, hint)).collect();
    match found.as_slice() {
        [] => Err(none(schema, relationships, origin, target, hint)),
        [only] => Ok(only),
        several => Err(ambiguous(origin, target, several)),
    }
}

fn none(
    schema: &str,
    relationships: &Relationships,
    origin: &str,
    target: &str,
    hint: Option<&str>,
) -> ApiError {
    let hint_text = hint.map(|hint| format!("' using the hint '{hint}")).unwrap_or_default();
    ApiError::new(
        ErrorKind::NoRelationship,
        format!("Could not find a relationship between '{origin}' and '{target}' in the schema cache"),
    )
    .with_details(format!(
        "Searched for a foreign key relationship between '{origin}' and '{target}{hint_text}' in the schema \
         '{schema}', but no matches were found."
    ))
    .with_optional_hint(hints::relationship(schema, relationships, origin, target))
}

fn ambiguous(origin: &str, target: &str, several: &[&Relationship]) -> ApiError {
    let hints: Vec<String> =
        several.iter().filter_map(|relationship| how_to_name(relationship)).collect();
    let details: Vec<serde_json::Value> =
        several.iter().map(|relationship| describe(relationship)).collect();
    ApiError::new(
        ErrorKind::AmbiguousRelationship,
        format!("Could not embed because more than one relationship was found for '{origin}' and '{target}'"),
    )
    .with_details(details)
    .with_hint(format!(
        "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        hints.join(", ")
    ))
}

fn how_to_name(relationship: &Relationship) -> Option<String> {
    let Relationship::Key { foreign, cardinality, .. } = relationship else { return None };
    let hint = match cardinality {
        Cardinality::ManyToMany(junction) => &junction.table.name,
        other => other.constraint()?,
    };
    Some(format!("'{}!{hint}'", foreign.name))
}

fn list<'a>(columns: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = columns.map(String::as_str).collect();
    format!("({})", names.join(", "))
}

fn describe(relationship: &Relationship) -> serde_json::Value {
    let Relationship::Key { table, foreign, cardinality, .. } = relationship else {
        return serde_json::json!({});
    };
    let direct = |constraint: &str, columns: &[(String, String)]| {
        format!(
            "{constraint} using {}{} and {}{}",
            table.name,
            list(columns.iter().map(|(column, _)| column)),
            foreign.name,
            list(columns.iter().map(|(_, column)| column))
        )
    };
    let (kind, text) = match cardinality {
        Cardinality::ManyToMany(junction) => (
            "many-to-many",
            format!(
                "{} using {}{} and {}{}",
                junction.table.name,
                junction.constraint1,
                list(junction.source.iter().map(|(_, column)| column)),
                junction.constraint2,
                list(junction.target.iter().map(|(_, column)| column))
            ),
        ),
        Cardinality::ManyToOne { constraint, columns } => {
            ("many-to-one", direct(constraint, columns))
        }
        Cardinality::OneToOne { constraint, columns, .. } => {
            ("one-to-one", direct(constraint, columns))
        }
        Cardinality::OneToMany { constraint, columns } => {
            ("one-to-many", direct(constraint, columns))
        }
    };
    serde_json::json!({
        "cardinality": kind,
        "embedding": format!("{} with {}", table.name, foreign.name),
        "relationship": text,
    })
}
