//! Writes.

use std::collections::BTreeSet;

use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::prefer::{Resolution, Return};
use crate::request::types::{Mutation, Operation, Payload, QuantOperator};
use crate::schema::{Cardinality, Catalog, Relationship, Table};

use super::resolve::Resolver;
use super::types::{Column, MutatePlan, ReadPlan};

/// The write a request asks for.
pub(super) fn plan(
    catalog: &Catalog,
    request: &ApiRequest,
    table: &Table,
    mutation: Mutation,
    read: &ReadPlan,
) -> Result<MutatePlan, ApiError> {
    let resolver = Resolver { catalog, relation: &table.name };
    let root_logic = request.query.logic.iter().map(|(_, tree)| resolver.logic(tree));
    let conditions = request
        .query
        .root_filters()
        .map(|filter| resolver.filter(filter))
        .chain(root_logic)
        .collect();
    let primary_key = table.primary_key.clone();
    let returning: Vec<String> = match request.prefer.returning {
        None | Some(Return::Minimal) => Vec::new(),
        Some(_) => needed_columns(read, &primary_key).into_iter().collect(),
    };
    let body = request.payload.as_ref().and_then(Payload::raw).cloned();
    let defaults = request.prefer.missing_default == Some(true);
    match mutation {
        Mutation::Delete => {
            Ok(MutatePlan::Delete { from: table.name.clone(), conditions, returning })
        }
        Mutation::Update => Ok(MutatePlan::Update {
            table: table.name.clone(),
            columns: columns(resolver, request)?,
            body,
            conditions,
            returning,
            defaults,
        }),
        Mutation::Create => {
            let conflict = request.query.on_conflict.clone().unwrap_or_else(|| primary_key.clone());
            Ok(MutatePlan::Insert {
                into: table.name.clone(),
                columns: columns(resolver, request)?,
                body,
                on_conflict: request.prefer.resolution.map(|resolution| (resolution, conflict)),
                conditions: Vec::new(),
                returning,
                primary_key,
                defaults,
            })
        }
        Mutation::SingleUpsert => {
            if !filters_are_key(request, &primary_key) {
                return Err(ApiError::new(
                    ErrorKind::InvalidFilters,
                    "Filters must include all and only primary key columns with 'eq' operators",
                ));
            }
            Ok(MutatePlan::Insert {
                into: table.name.clone(),
                columns: columns(resolver, request)?,
                body,
                on_conflict: Some((Resolution::Merge, primary_key)),
                conditions,
                returning,
                primary_key: Vec::new(),
                defaults: false,
            })
        }
    }
}

fn filters_are_key(request: &ApiRequest, primary_key: &[String]) -> bool {
    let fields: BTreeSet<&String> = request.query.filter_fields.iter().collect();
    let all_equal = request.query.root_filters().all(|filter| {
        !filter.negated
            && matches!(filter.operation, Operation::Quantified(QuantOperator::Equal, None, _))
    });
    request.query.logic.is_empty()
        && !primary_key.is_empty()
        && all_equal
        && fields == primary_key.iter().collect()
}

fn columns(resolver: Resolver<'_>, request: &ApiRequest) -> Result<Vec<Column>, ApiError> {
    request
        .columns
        .iter()
        .map(|name| resolver.input(name).ok_or_else(|| no_column(resolver.relation, name)))
        .collect()
}

fn no_column(relation: &Name, column: &str) -> ApiError {
    ApiError::new(
        ErrorKind::NoColumn,
        format!("Could not find the '{column}' column of '{}' in the schema cache", relation.name),
    )
}

/// Columns a write or call must return so that the response and its joins can be made of them.
pub(super) fn needed_columns(read: &ReadPlan, primary_key: &[String]) -> BTreeSet<String> {
    let selected: BTreeSet<String> =
        read.select.iter().map(|item| item.column.name.clone()).collect();
    let star = || BTreeSet::from(["*".to_owned()]);
    if selected.contains("*") {
        return star();
    }
    let mut needed = selected;
    for relationship in read.children.iter().filter_map(|child| child.relationship.as_ref()) {
        match relationship {
            // What a function looks at is unknown.
            Relationship::Computed { .. } => return star(),
            Relationship::Key { cardinality: Cardinality::ManyToMany(junction), .. } => {
                needed.extend(junction.source.iter().map(|(column, _)| column.clone()));
            }
            Relationship::Key { cardinality, .. } => {
                needed.extend(cardinality.columns().iter().map(|(column, _)| column.clone()));
            }
        }
    }
    needed.extend(primary_key.iter().cloned());
    needed
}
