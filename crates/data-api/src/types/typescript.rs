use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::tables;
use crate::schema::{Cardinality, Catalog, Column, Relationship, Routine, Table};

const JSON: &str = "export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]\n\n";

/// Names of enums by their type, with their labels.
type Enums<'a> = BTreeMap<&'a str, &'a [String]>;

/// A `Database` type with tables, views, functions and enums of each schema.
pub fn typescript(catalog: &Catalog, schemas: &[String]) -> String {
    let mut text = JSON.to_owned();
    text.push_str("export type Database = {\n");
    for schema in schemas {
        let all = tables(catalog, schema);
        let enums: Enums<'_> = all
            .iter()
            .flat_map(|table| &table.columns)
            .filter(|column| !column.labels.is_empty())
            .map(|column| (local(column.declared_type.as_str()), column.labels.as_slice()))
            .collect();
        let _ = writeln!(text, "  {}: {{", key(schema));
        for (section, views) in [("Tables", false), ("Views", true)] {
            let _ = writeln!(text, "    {section}: {{");
            for table in all.iter().filter(|table| table.is_view == views) {
                relation(&mut text, catalog, table, schema);
            }
            text.push_str("    }\n");
        }
        functions(&mut text, catalog, schema, &all);
        text.push_str("    Enums: {\n");
        for (name, labels) in &enums {
            let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
            let _ = writeln!(text, "      {}: {}", key(name), labels.join(" | "));
        }
        text.push_str("    }\n    CompositeTypes: {}\n  }\n");
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn key(name: &str) -> String {
    let plain = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { quoted(name) }
}

/// A type's name without its schema.
fn local(kind: &str) -> &str {
    kind.rsplit_once('.').map_or(kind, |(_, name)| name).trim_matches('"')
}

fn scalar(kind: &str) -> String {
    if let Some(element) = kind.strip_suffix("[]") {
        return format!("{}[]", scalar(element));
    }
    match kind {
        "boolean" => "boolean",
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "number",
        "json" | "jsonb" => "Json",
        _ => "string",
    }
    .to_owned()
}

fn value(column: &Column, schema: &str) -> String {
    let kind = if column.labels.is_empty() {
        scalar(&column.base_type)
    } else {
        format!(
            "Database[{}][\"Enums\"][{}]",
            quoted(schema),
            quoted(local(column.declared_type.as_str()))
        )
    };
    if column.nullable { format!("{kind} | null") } else { kind }
}

fn relation(text: &mut String, catalog: &Catalog, table: &Table, schema: &str) {
    let _ = writeln!(text, "      {}: {{", key(&table.name.name));
    let shapes = [("Row", true), ("Insert", table.insertable), ("Update", table.updatable)];
    for (shape, _) in shapes.iter().filter(|(_, possible)| *possible) {
        let _ = writeln!(text, "        {shape}: {{");
        for column in &table.columns {
            let optional = match *shape {
                "Row" => false,
                "Insert" => column.nullable || column.default.is_some(),
                _ => true,
            };
            let mark = if optional { "?" } else { "" };
            let _ =
                writeln!(text, "          {}{mark}: {}", key(&column.name), value(column, schema));
        }
        text.push_str("        }\n");
    }
    text.push_str("        Relationships: [\n");
    let found = catalog.relationships.get(&(table.name.clone(), schema.to_owned()));
    for relationship in found.into_iter().flatten() {
        if let Relationship::Key { foreign, cardinality, .. } = relationship {
            let one_to_one = match cardinality {
                Cardinality::ManyToOne { .. } => false,
                Cardinality::OneToOne { parent: false, .. } => true,
                _ => continue,
            };
            let list = |names: Vec<&String>| serde_json::json!(names).to_string();
            let _ = writeln!(
                text,
                "          {{ foreignKeyName: {}; columns: {}; isOneToOne: {one_to_one}; referencedRelation: {}; \
                 referencedColumns: {} }},",
                quoted(cardinality.constraint().unwrap_or_default()),
                list(cardinality.columns().iter().map(|(own, _)| own).collect()),
                quoted(&foreign.name),
                list(cardinality.columns().iter().map(|(_, other)| other).collect()),
            );
        }
    }
    text.push_str("        ]\n      }\n");
}

fn functions(text: &mut String, catalog: &Catalog, schema: &str, all: &[&Table]) {
    let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for routine in
        catalog.routines.values().flatten().filter(|routine| routine.name.schema == schema)
    {
        by_name.entry(&routine.name.name).or_default().push(function(routine, schema, all));
    }
    text.push_str("    Functions: {\n");
    for (name, mut overloads) in by_name {
        overloads.sort();
        let _ = writeln!(text, "      {}: {}", key(name), overloads.join(" | "));
    }
    text.push_str("    }\n");
}

fn function(routine: &Routine, schema: &str, all: &[&Table]) -> String {
    let arguments: Vec<String> = routine
        .parameters
        .iter()
        .map(|parameter| {
            let mark = if parameter.required { "" } else { "?" };
            format!("{}{mark}: {}", key(&parameter.name), scalar(&parameter.kind))
        })
        .collect();
    let arguments = if arguments.is_empty() {
        "Record<PropertyKey, never>".to_owned()
    } else {
        format!("{{ {} }}", arguments.join("; "))
    };
    let returned = &routine.returns.name;
    let table = all.iter().find(|table| table.name == *returned);
    let returns = match (routine.returns_void(), table) {
        (true, _) => "undefined".to_owned(),
        (false, Some(table)) => {
            let section = if table.is_view { "Views" } else { "Tables" };
            format!(
                "Database[{}][\"{section}\"][{}][\"Row\"]",
                quoted(schema),
                quoted(&returned.name)
            )
        }
        (false, None) if routine.returns.composite => "Record<string, unknown>".to_owned(),
        (false, None) => scalar(internal(&returned.name)),
    };
    let set = if routine.returns.set { "[]" } else { "" };
    format!("{{ Args: {arguments}; Returns: {returns}{set} }}")
}

/// `pg_type` names of the types SQL spells otherwise.
fn internal(name: &str) -> &str {
    match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        other => other,
    }
}
