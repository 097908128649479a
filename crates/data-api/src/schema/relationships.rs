//! Relationships: foreign keys, seen from both sides and through views, junctions, and functions.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::views::{KeyRow, ViewKeys};
use super::{Relationships, Table};
use crate::ident::Name;

/// A way from one relation to another. The order of variants and fields is the order in which candidates are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Relationship {
    /// By columns.
    Key {
        table: Name,
        foreign: Name,
        is_self: bool,
        cardinality: Cardinality,
        view: bool,
        foreign_view: bool,
    },
    /// By a function from a row to rows.
    Computed { function: Name, table: Name, foreign: Name, to_one: bool, is_self: bool },
}

/// How many rows belong together, and by which columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Cardinality {
    /// Many on the other side.
    OneToMany { constraint: String, columns: Vec<(String, String)> },
    /// One on the other side.
    ManyToOne { constraint: String, columns: Vec<(String, String)> },
    /// One on either side; `parent` on the referenced side.
    OneToOne { constraint: String, columns: Vec<(String, String)>, parent: bool },
    /// Through a junction.
    ManyToMany(Junction),
}

/// A table with two foreign keys within its primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Junction {
    /// The junction table.
    pub table: Name,
    /// Key to the origin.
    pub constraint1: String,
    /// Key to the target.
    pub constraint2: String,
    /// Origin and junction columns.
    pub source: Vec<(String, String)>,
    /// Target and junction columns.
    pub target: Vec<(String, String)>,
}

impl Cardinality {
    /// Constraint of a direct relationship.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::OneToMany { constraint, .. }
            | Self::ManyToOne { constraint, .. }
            | Self::OneToOne { constraint, .. } => Some(constraint),
            Self::ManyToMany(_) => None,
        }
    }

    /// Columns of a direct relationship: origin, target.
    pub fn columns(&self) -> &[(String, String)] {
        match self {
            Self::OneToMany { columns, .. }
            | Self::ManyToOne { columns, .. }
            | Self::OneToOne { columns, .. } => columns,
            Self::ManyToMany(_) => &[],
        }
    }
}

impl Relationship {
    /// Where it starts.
    pub fn table(&self) -> &Name {
        match self {
            Self::Key { table, .. } | Self::Computed { table, .. } => table,
        }
    }

    /// Where it leads.
    pub fn foreign(&self) -> &Name {
        match self {
            Self::Key { foreign, .. } | Self::Computed { foreign, .. } => foreign,
        }
    }

    /// At most one row on the other side.
    pub fn is_to_one(&self) -> bool {
        match self {
            Self::Key { cardinality, .. } => {
                matches!(cardinality, Cardinality::ManyToOne { .. } | Cardinality::OneToOne { .. })
            }
            Self::Computed { to_one, .. } => *to_one,
        }
    }
}

fn swap(columns: &[(String, String)]) -> Vec<(String, String)> {
    columns.iter().map(|(a, b)| (b.clone(), a.clone())).collect()
}

/// A foreign key as a to-one relationship, plus where it came from.
#[derive(Clone)]
struct Forward {
    table: Name,
    foreign: Name,
    is_self: bool,
    constraint: String,
    columns: Vec<(String, String)>,
    one_to_one: bool,
    view: bool,
    foreign_view: bool,
}

impl Forward {
    fn relationship(&self) -> Relationship {
        let (constraint, columns) = (self.constraint.clone(), self.columns.clone());
        let cardinality = if self.one_to_one {
            Cardinality::OneToOne { constraint, columns, parent: false }
        } else {
            Cardinality::ManyToOne { constraint, columns }
        };
        self.with(cardinality, false)
    }

    fn inverse(&self) -> Relationship {
        let (constraint, columns) = (self.constraint.clone(), swap(&self.columns));
        let cardinality = if self.one_to_one {
            Cardinality::OneToOne { constraint, columns, parent: true }
        } else {
            Cardinality::OneToMany { constraint, columns }
        };
        self.with(cardinality, true)
    }

    fn with(&self, cardinality: Cardinality, inverse: bool) -> Relationship {
        let (table, foreign) = (self.table.clone(), self.foreign.clone());
        if inverse {
            Relationship::Key {
                table: foreign,
                foreign: table,
                is_self: self.is_self,
                cardinality,
                view: self.foreign_view,
                foreign_view: self.view,
            }
        } else {
            Relationship::Key {
                table,
                foreign,
                is_self: self.is_self,
                cardinality,
                view: self.view,
                foreign_view: self.foreign_view,
            }
        }
    }
}

/// Builds all relationships whose ends and junctions are exposed.
pub(super) fn build(
    keys: &[KeyRow],
    views: &ViewKeys,
    computed: Vec<Relationship>,
    tables: &HashMap<Name, Table>,
    schemas: &[String],
) -> Relationships {
    let forward = forward(keys, views);
    let mut all: Vec<Relationship> = forward.iter().map(Forward::relationship).collect();
    let mut primary: HashMap<Name, Vec<&str>> = keys
        .iter()
        .filter(|key| key.primary)
        .map(|key| {
            let columns = key.columns.iter().map(|(_, column)| column.as_str()).collect();
            (Name::new(&key.table_schema, &key.table_name), columns)
        })
        .collect();
    for table in tables.values() {
        primary.insert(table.name.clone(), table.primary_key.iter().map(String::as_str).collect());
    }
    all.extend(many_to_many(&forward, &primary));
    all.extend(forward.iter().map(Forward::inverse));
    let exposed = |name: &Name| schemas.contains(&name.schema);
    // A computed relationship named as a related table stands in for the detected ones.
    let overridden: BTreeSet<(Name, Name)> = computed
        .iter()
        .filter_map(|relationship| match relationship {
            Relationship::Computed { function, table, .. } => {
                Some((table.clone(), function.clone()))
            }
            Relationship::Key { .. } => None,
        })
        .collect();
    all.retain(|relationship| {
        !overridden.contains(&(relationship.table().clone(), relationship.foreign().clone()))
    });
    all.extend(computed);
    let mut indexed = Relationships::new();
    for relationship in all.into_iter().filter(|relationship| exposed(relationship.table())) {
        let key = (relationship.table().clone(), relationship.foreign().schema.clone());
        indexed.entry(key).or_default().push(relationship);
    }
    for relationships in indexed.values_mut() {
        // What leads to or through a hidden schema does not exist. The key stays: the relation itself is known.
        relationships.retain(|relationship| match relationship {
            Relationship::Key {
                cardinality: Cardinality::ManyToMany(junction), foreign, ..
            } => exposed(foreign) && exposed(&junction.table),
            other => exposed(other.foreign()),
        });
        relationships.sort();
        relationships.dedup();
    }
    indexed
}

fn forward(keys: &[KeyRow], views: &ViewKeys) -> Vec<Forward> {
    let mut all = Vec::new();
    for key in keys.iter().filter(|key| !key.primary && !key.inherited) {
        let (Some(schema), Some(name), Some(columns)) =
            (&key.foreign_schema, &key.foreign_name, &key.foreign_columns)
        else {
            continue;
        };
        let own: Vec<&String> = key.columns.iter().map(|(_, name)| name).collect();
        let other: Vec<&String> = columns.iter().map(|(_, name)| name).collect();
        let base = Forward {
            table: Name::new(&key.table_schema, &key.table_name),
            foreign: Name::new(schema, name),
            is_self: key.table == key.foreign_table,
            constraint: key.name.clone(),
            columns: pair(&own, &other),
            one_to_one: key.one_to_one,
            view: false,
            foreign_view: false,
        };
        let referencing = expand(views.referencing.get(&key.oid));
        let referenced = expand(views.referenced.get(&key.oid));
        all.push(base.clone());
        for (view, shown) in &referencing {
            let columns = pair(&refs(shown), &other);
            all.push(Forward {
                table: view.clone(),
                columns,
                is_self: false,
                view: true,
                ..base.clone()
            });
        }
        for (view, shown) in &referenced {
            let columns = pair(&own, &refs(shown));
            all.push(Forward {
                foreign: view.clone(),
                columns,
                is_self: false,
                foreign_view: true,
                ..base.clone()
            });
        }
        for (view, shown) in &referencing {
            for (foreign_view, foreign_shown) in &referenced {
                all.push(Forward {
                    table: view.clone(),
                    foreign: foreign_view.clone(),
                    is_self: view == foreign_view,
                    columns: pair(&refs(shown), &refs(foreign_shown)),
                    view: true,
                    foreign_view: true,
                    ..base.clone()
                });
            }
        }
    }
    all
}

fn refs(names: &[String]) -> Vec<&String> {
    names.iter().collect()
}

fn pair(own: &[&String], other: &[&String]) -> Vec<(String, String)> {
    own.iter().zip(other).map(|(a, b)| ((*a).clone(), (*b).clone())).collect()
}

/// Every choice of one view column per key column.
fn expand(keys: Option<&Vec<super::views::ViewKey>>) -> Vec<(Name, Vec<String>)> {
    let mut all = Vec::new();
    for key in keys.into_iter().flatten() {
        let mut choices: Vec<Vec<String>> = vec![Vec::new()];
        for shown in &key.columns {
            choices = choices
                .into_iter()
                .flat_map(|choice| {
                    shown
                        .iter()
                        .map(move |name| choice.iter().cloned().chain([name.clone()]).collect())
                })
                .collect();
        }
        all.extend(choices.into_iter().map(|columns| (key.view.clone(), columns)));
    }
    all
}

/// A table is a junction when two of its foreign keys lie within its primary key.
fn many_to_many(forward: &[Forward], primary: &HashMap<Name, Vec<&str>>) -> Vec<Relationship> {
    let mut by_table: HashMap<&Name, Vec<&Forward>> = HashMap::new();
    for key in forward.iter().filter(|key| !key.one_to_one) {
        by_table.entry(&key.table).or_default().push(key);
    }
    let mut all = Vec::new();
    for (junction, keys) in by_table {
        let Some(primary) = primary.get(junction) else { continue };
        for first in &keys {
            for second in keys.iter().filter(|second| second.constraint != first.constraint) {
                let within = first
                    .columns
                    .iter()
                    .chain(&second.columns)
                    .all(|(column, _)| primary.contains(&column.as_str()));
                if !within {
                    continue;
                }
                all.push(Relationship::Key {
                    table: first.foreign.clone(),
                    foreign: second.foreign.clone(),
                    is_self: first.foreign == second.foreign,
                    cardinality: Cardinality::ManyToMany(Junction {
                        table: junction.clone(),
                        constraint1: first.constraint.clone(),
                        constraint2: second.constraint.clone(),
                        source: swap(&first.columns),
                        target: swap(&second.columns),
                    }),
                    view: first.foreign_view,
                    foreign_view: second.foreign_view,
                });
            }
        }
    }
    all
}
