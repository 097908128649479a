//! The SQL that removes a difference.

use super::{
    catalogue::{Column, Key, KeyKind, Relation},
    drift::Repair,
    migrations::ALL,
};

/// An identifier, always quoted: that is right for every name.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn qualified(relation: &str) -> String {
    format!("neon_auth.{}", quoted(relation))
}

fn alter(relation: &str, change: &str) -> String {
    format!("alter table {} {change};", qualified(relation))
}

fn spelled(column: &Column) -> String {
    column.to_string().replace("default identity", "generated always as identity")
}

/// Column, constraints and indexes of a whole table.
pub(super) fn table(name: &str, relation: &Relation) -> Repair {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|(name, column)| format!("    {} {}", quoted(name), spelled(column)))
        .collect();
    let mut sql = format!("create table {} (\n{}\n);", qualified(name), columns.join(",\n"));
    for wanted in &relation.keys {
        sql.push('\n');
        sql.push_str(&key_sql(name, wanted, ""));
    }
    Repair::Safe(sql)
}

/// The migration that made the view has its text.
pub(super) fn view(name: &str) -> Repair {
    let start = format!("create view neon_auth.{name} as");
    let text = ALL
        .iter()
        .rev()
        .find_map(|migration| migration.sql.find(&start).and_then(|at| migration.sql.get(at..)));
    match text.and_then(|text| text.split_once(';')) {
        Some((statement, _)) => Repair::Safe(format!("{statement};")),
        None => Repair::None,
    }
}

pub(super) fn column(relation: &str, name: &str, column: &Column) -> Repair {
    let sql = alter(relation, &format!("add column {} {}", quoted(name), spelled(column)));
    if column.not_null && column.default.is_none() {
        Repair::Decide { only_if: "the table is empty, or a default for its rows is added", sql }
    } else {
        Repair::Safe(sql)
    }
}

pub(super) fn kind(relation: &str, name: &str, expected: &Column, found: &Column) -> Repair {
    let change = format!("alter column {} type {}", quoted(name), expected.kind);
    if expected.kind == "text" && found.kind.starts_with("character varying") {
        return Repair::Safe(alter(relation, &change));
    }
    if expected.kind == "timestamp with time zone" && found.kind.starts_with("timestamp") {
        let sql = alter(relation, &format!("{change} using {} at time zone 'UTC'", quoted(name)));
        return Repair::Decide { only_if: "its values are in UTC", sql };
    }
    Repair::None
}

pub(super) fn nullability(relation: &str, name: &str, expected: &Column) -> Repair {
    let verb = if expected.not_null { "set" } else { "drop" };
    Repair::Safe(alter(relation, &format!("alter column {} {verb} not null", quoted(name))))
}

pub(super) fn default(relation: &str, name: &str, expected: &Column) -> Repair {
    match expected.default.as_deref() {
        Some("identity") | None => Repair::None,
        Some(default) => Repair::Safe(alter(
            relation,
            &format!("alter column {} set default {default}", quoted(name)),
        )),
    }
}

/// Lets Gatepost insert although it does not know the column.
pub(super) fn optional(relation: &str, name: &str) -> Repair {
    let sql = alter(relation, &format!("alter column {} drop not null", quoted(name)));
    Repair::Decide {
        only_if: "the column may be empty; giving it a default is the alternative",
        sql,
    }
}

/// A constraint or index. Indexes are built without blocking writers.
pub(super) fn key(relation: &str, key: &Key) -> Repair {
    Repair::Safe(key_sql(relation, key, "concurrently "))
}

fn key_sql(relation: &str, key: &Key, concurrently: &str) -> String {
    let (table, name, definition) = (qualified(relation), quoted(&key.name), &key.definition);
    match key.kind {
        KeyKind::Index => {
            format!("create index {concurrently}{name} on {table} using {definition};")
        }
        // A constraint covers columns only; an expression or a predicate needs an index.
        KeyKind::Unique if definition.contains(" where ") || definition.rfind('(') > Some(0) => {
            format!("create unique index {concurrently}{name} on {table} {definition};")
        }
        KeyKind::Primary | KeyKind::Unique | KeyKind::Foreign => {
            alter(relation, &format!("add constraint {name} {} {definition}", key.kind))
        }
    }
}
