//! What a database's schema lacks, compared with what the migrations produce.
//!
//! Names of constraints and indexes do not count, what they cover does. Further tables, columns, indexes and
//! constraints of the database's owner are welcome, except a column that makes every insert fail.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use tokio_postgres::Client;

use super::{
    catalogue::{Catalogue, Column, Key, KeyKind, Relation},
    repair,
    roles::missing_rights,
};

/// One way in which the schema is not what the server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table or view, without schema.
    pub relation: String,
    /// What is wrong.
    pub problem: Problem,
    /// What the migrations produce.
    pub expected: Option<String>,
    /// What the database has.
    pub found: Option<String>,
    /// What to do about it.
    pub repair: Repair,
}

/// The kinds of difference. The text is the name of the column, constraint or index; of the right for the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The table is not there.
    MissingTable,
    /// The view is not there. The server does not need it, SQL users do.
    MissingView,
    /// The column is not there.
    MissingColumn(String),
    /// The column has another type.
    WrongType(String),
    /// The column takes null where it must not, or the other way round.
    WrongNullability(String),
    /// The column's default is missing or another one.
    WrongDefault(String),
    /// A column of somebody else that has to be given a value in every insert.
    RequiredColumn(String),
    /// No primary key, unique or foreign key constraint covers this.
    MissingConstraint(String),
    /// No index covers this. Slow, not wrong.
    MissingIndex(String),
    /// The connected role may not do this to the table.
    MissingRight(String),
}

/// SQL that brings the schema back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Changes no row, and fails without effect if the rows do not allow it.
    Safe(String),
    /// Right only if the comment above it is true: a person decides.
    Decide {
        /// The condition.
        only_if: &'static str,
        /// The SQL.
        sql: String,
    },
    /// Nothing general can be said.
    None,
}

impl Difference {
    /// Whether the server cannot do its work with this difference; slow or inconvenient is not enough.
    #[must_use]
    pub fn stops_server(&self) -> bool {
        !matches!(self.problem, Problem::MissingView | Problem::MissingIndex(_))
    }
}

/// Compares the database with what the migrations of this binary produce. Needs no rights on the tables.
///
/// # Errors
/// The database's error if it cannot be asked.
pub async fn drift(client: &Client) -> Result<Vec<Difference>, tokio_postgres::Error> {
    // Both questions travel together: one round trip.
    let (catalogue, rights) = tokio::try_join!(Catalogue::read(client), missing_rights(client))?;
    let mut differences = compare(&Catalogue::expected(), &catalogue);
    differences.extend(rights);
    Ok(differences)
}

/// What keeps tables that were here before Gatepost from being adopted: all that the migrations would not add.
pub(super) fn unadoptable(found: &Catalogue) -> Vec<Difference> {
    let expected = Catalogue::expected();
    let mut differences = compare(&expected, found);
    differences.retain(|difference| match &difference.problem {
        Problem::MissingTable
        | Problem::MissingView
        | Problem::MissingIndex(_)
        | Problem::MissingRight(_) => false,
        Problem::MissingColumn(name) => expected
            .0
            .get(&difference.relation)
            .and_then(|table| table.columns.get(name))
            .is_none_or(|c| c.not_null),
        Problem::MissingConstraint(name) => {
            covers_existing_columns(&expected, found, &difference.relation, name)
        }
        _ => true,
    });
    differences
}

/// A unique constraint arrives together with its column, so only one on existing columns is truly missing.
fn covers_existing_columns(
    expected: &Catalogue,
    found: &Catalogue,
    relation: &str,
    name: &str,
) -> bool {
    let (Some(expected), Some(found)) = (expected.0.get(relation), found.0.get(relation)) else {
        return true;
    };
    let Some(key) = expected.keys.iter().find(|key| key.name == name) else { return true };
    let missing = expected.columns.keys().filter(|column| !found.columns.contains_key(*column));
    !missing.into_iter().any(|column| key.definition.replace('"', "") == format!("({column})"))
}

/// Every difference, tables in alphabetical order.
pub(super) fn compare(expected: &Catalogue, found: &Catalogue) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, relation) in &expected.0 {
        match found.0.get(name) {
            None if relation.view => differences.push(Difference {
                relation: name.clone(),
                problem: Problem::MissingView,
                expected: Some("view".to_owned()),
                found: None,
                repair: repair::view(name),
            }),
            None => differences.push(Difference {
                relation: name.clone(),
                problem: Problem::MissingTable,
                expected: Some("table".to_owned()),
                found: None,
                repair: repair::table(name, relation),
            }),
            Some(_) if relation.view => {}
            Some(found) => {
                compare_columns(name, &relation.columns, &found.columns, &mut differences);
                compare_keys(name, relation, found, &mut differences);
            }
        }
    }
    differences
}

fn compare_columns(
    relation: &str,
    expected: &BTreeMap<String, Column>,
    found: &BTreeMap<String, Column>,
    differences: &mut Vec<Difference>,
) {
    for (name, column) in expected {
        let actual = found.get(name);
        let Some((problem, repair)) = compare_column(relation, name, column, actual) else {
            continue;
        };
        differences.push(Difference {
            relation: relation.to_owned(),
            problem,
            expected: Some(format!("{} {column}", repair::quoted(name))),
            found: actual.map(|actual| format!("{} {actual}", repair::quoted(name))),
            repair,
        });
    }
    for (name, column) in found {
        if !expected.contains_key(name) && column.not_null && column.default.is_none() {
            differences.push(Difference {
                relation: relation.to_owned(),
                problem: Problem::RequiredColumn(name.clone()),
                expected: None,
                found: Some(format!("{} {column}", repair::quoted(name))),
                repair: repair::optional(relation, name),
            });
        }
    }
}

fn compare_column(
    relation: &str,
    name: &str,
    expected: &Column,
    found: Option<&Column>,
) -> Option<(Problem, Repair)> {
    let Some(found) = found else {
        return Some((
            Problem::MissingColumn(name.to_owned()),
            repair::column(relation, name, expected),
        ));
    };
    if found.kind != expected.kind {
        return Some((
            Problem::WrongType(name.to_owned()),
            repair::kind(relation, name, expected, found),
        ));
    }
    if found.not_null != expected.not_null {
        return Some((
            Problem::WrongNullability(name.to_owned()),
            repair::nullability(relation, name, expected),
        ));
    }
    let same = match (&expected.default, &found.default) {
        (None, _) => true,
        (Some(_), None) => false,
        // Any generator of ids will do; whoever chose another one had a reason.
        (Some(_), Some(_)) if name == "id" => true,
        (Some(expected), Some(found)) => same_default(expected, found),
    };
    (!same).then(|| {
        (Problem::WrongDefault(name.to_owned()), repair::default(relation, name, expected))
    })
}

fn same_default(expected: &str, found: &str) -> bool {
    let now =
        |default: &str| default.eq_ignore_ascii_case("current_timestamp") || default == "now()";
    expected == found || (now(expected) && now(found))
}

fn compare_keys(
    relation: &str,
    expected: &Relation,
    found: &Relation,
    differences: &mut Vec<Difference>,
) {
    for key in &expected.keys {
        if found.keys.iter().any(|other| covers(other, key)) {
            continue;
        }
        let problem = match key.kind {
            KeyKind::Index => Problem::MissingIndex(key.name.clone()),
            _ => Problem::MissingConstraint(key.name.clone()),
        };
        differences.push(Difference {
            relation: relation.to_owned(),
            problem,
            expected: Some(format!(
                "{} {} {}",
                key.kind,
                repair::quoted(&key.name),
                key.definition
            )),
            found: None,
            repair: repair::key(relation, key),
        });
    }
}

/// Whether `found` does what `expected` is for, under whatever name.
fn covers(found: &Key, expected: &Key) -> bool {
    let unique = |key: &Key| matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
    let same_kind =
        found.kind == expected.kind || (expected.kind == KeyKind::Unique && unique(found));
    (same_kind && found.definition == expected.definition)
        || (expected.kind == KeyKind::Index
            && unique(found)
            && expected.definition == format!("btree {}", found.definition))
}

/// A headline, `-` what Gatepost needs, `+` what is there, then the repair.
impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = format!("neon_auth.{}", self.relation);
        match &self.problem {
            Problem::MissingTable => writeln!(f, "{relation}: the table is missing"),
            Problem::MissingView => writeln!(f, "{relation}: the view is missing"),
            Problem::MissingColumn(name) => writeln!(f, "{relation}: column {name} is missing"),
            Problem::WrongType(name) => writeln!(f, "{relation}: column {name} has another type"),
            Problem::WrongNullability(name) => {
                writeln!(f, "{relation}: column {name} treats null differently")
            }
            Problem::WrongDefault(name) => {
                writeln!(f, "{relation}: column {name} has another default")
            }
            Problem::RequiredColumn(name) => {
                writeln!(
                    f,
                    "{relation}: column {name} is not Gatepost's and needs a value, so no row can be inserted"
                )
            }
            Problem::MissingConstraint(name) => {
                writeln!(f, "{relation}: constraint {name} is missing")
            }
            Problem::MissingIndex(name) => writeln!(f, "{relation}: index {name} is missing"),
            Problem::MissingRight(right) => {
                writeln!(f, "{relation}: this role lacks the right to {right}")
            }
        }?;
        if let Some(expected) = &self.expected {
            writeln!(f, "  - {expected}")?;
        }
        if let Some(found) = &self.found {
            writeln!(f, "  + {found}")?;
        }
        match &self.repair {
            Repair::Safe(sql) => writeln!(f, "  repair: {}", sql.replace('\n', "\n          ")),
            Repair::Decide { only_if, sql } => writeln!(f, "  only if {only_if}: {sql}"),
            Repair::None => Ok(()),
        }
    }
}
