use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::shapes::{Shape, Shapes};
use super::{named, tables};
use crate::schema::{Cardinality, Catalog, Column, Relationship, Routine, Table};

const JSON: &str = "export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]\n\n";
/// An object that nothing can be put into.
const NOTHING: &str = "Record<PropertyKey, never>";

/// What is printed, and of what.
#[derive(Clone, Copy)]
struct Printed<'a> {
    catalog: &'a Catalog,
    shapes: &'a Shapes,
    schemas: &'a [&'a str],
}

/// A `Database` type with tables, views, functions, enums and composite types of each schema.
pub fn typescript(catalog: &Catalog, shapes: &Shapes, schemas: &[String]) -> String {
    let schemas = named(schemas);
    let printed = Printed { catalog, shapes, schemas: &schemas };
    let mut text = JSON.to_owned();
    text.push_str("export type Database = {\n");
    for schema in &schemas {
        let _ = writeln!(text, "  {}: {{", key(schema));
        for (section, views) in [("Tables", false), ("Views", true)] {
            let _ = writeln!(text, "    {section}: {{");
            for table in tables(catalog, schema).iter().filter(|table| table.is_view == views) {
                printed.relation(&mut text, table);
            }
            text.push_str("    }\n");
        }
        printed.functions(&mut text, schema);
        printed.types(&mut text, schema);
        text.push_str("  }\n");
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

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

fn scalar(kind: &str) -> &'static str {
    match kind {
        "boolean" => "boolean",
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "number",
        "json" | "jsonb" => "Json",
        "record" => "Record<string, unknown>",
        "void" => "undefined",
        _ => "string",
    }
}

fn object(members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.collect();
    if members.is_empty() { NOTHING.to_owned() } else { format!("{{ {} }}", members.join("; ")) }
}

impl Printed<'_> {
    /// A type by its name as PostgreSQL prints it.
    fn kind(self, kind: &str) -> String {
        if let Some(element) = kind.strip_suffix("[]") {
            let element = self.kind(element);
            return if element.contains(" | ") {
                format!("({element})[]")
            } else {
                format!("{element}[]")
            };
        }
        let reference = |schema: &str, section: &str, name: &str| {
            format!("Database[{}][\"{section}\"][{}]", quoted(schema), quoted(name))
        };
        match self.shapes.find(kind) {
            None => scalar(kind).to_owned(),
            Some(Shape::Domain(base)) => self.kind(base),
            Some(Shape::Enum(name, _)) if self.schemas.contains(&name.schema.as_str()) => {
                reference(&name.schema, "Enums", &name.name)
            }
            Some(Shape::Enum(_, labels)) => union(labels),
            Some(Shape::Composite(name, _)) if self.schemas.contains(&name.schema.as_str()) => {
                reference(&name.schema, "CompositeTypes", &name.name)
            }
            Some(Shape::Composite(_, fields)) => self.fields(fields),
            Some(Shape::Row(name)) => match self.catalog.table(name) {
                Some(table) if self.schemas.contains(&name.schema.as_str()) => {
                    let section = if table.is_view { "Views" } else { "Tables" };
                    format!("{}[\"Row\"]", reference(&name.schema, section, &name.name))
                }
                _ => "Record<string, unknown>".to_owned(),
            },
        }
    }

    fn fields(self, fields: &[(String, String)]) -> String {
        let member =
            |(name, kind): &(String, String)| format!("{}: {} | null", key(name), self.kind(kind));
        object(fields.iter().map(member))
    }

    fn column(self, column: &Column) -> String {
        let declared = column.declared_type.as_str();
        let element = declared.strip_suffix("[]").unwrap_or(declared);
        // Of PostgreSQL's own types the base is printed without its length.
        let known = self.shapes.find(element).is_some();
        let kind = self.kind(if known { declared } else { &column.base_type });
        if column.nullable { format!("{kind} | null") } else { kind }
    }

    fn relation(self, text: &mut String, table: &Table) {
        let _ = writeln!(text, "      {}: {{", key(&table.name.name));
        let changes = table.insertable || table.updatable || !table.is_view;
        let shapes = [("Row", true), ("Insert", table.insertable), ("Update", table.updatable)];
        for (shape, possible) in shapes {
            if !possible {
                if changes {
                    let _ = writeln!(text, "        {shape}: {NOTHING}");
                }
                continue;
            }
            let _ = writeln!(text, "        {shape}: {{");
            for column in &table.columns {
                let never =
                    shape != "Row" && self.shapes.is_always_generated(&table.name, &column.name);
                let optional = match shape {
                    "Row" => false,
                    "Insert" => never || column.nullable || column.default.is_some(),
                    _ => true,
                };
                let mark = if optional { "?" } else { "" };
                let kind = if never { "never".to_owned() } else { self.column(column) };
                let _ = writeln!(text, "          {}{mark}: {kind}", key(&column.name));
            }
            text.push_str("        }\n");
        }
        text.push_str("        Relationships: [\n");
        self.relationships(text, table);
        text.push_str("        ]\n      }\n");
    }

    fn relationships(self, text: &mut String, table: &Table) {
        let key = (table.name.clone(), table.name.schema.clone());
        for relationship in self.catalog.relationships.get(&key).into_iter().flatten() {
            let Relationship::Key { foreign, cardinality, .. } = relationship else { continue };
            let one_to_one = match cardinality {
                Cardinality::ManyToOne { .. } => false,
                Cardinality::OneToOne { parent: false, .. } => true,
                _ => continue,
            };
            let _ = writeln!(
                text,
                "          {{ foreignKeyName: {}; columns: {}; isOneToOne: {one_to_one}; referencedRelation: {}; \
                 referencedColumns: {} }},",
                quoted(cardinality.constraint().unwrap_or_default()),
                list(cardinality.columns().iter().map(|(own, _)| own)),
                quoted(&foreign.name),
                list(cardinality.columns().iter().map(|(_, other)| other)),
            );
        }
    }

    fn functions(self, text: &mut String, schema: &str) {
        let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let routines = self.catalog.routines.values().flatten();
        for routine in routines.filter(|routine| routine.name.schema == schema) {
            by_name.entry(&routine.name.name).or_default().push(self.function(routine));
        }
        text.push_str("    Functions: {\n");
        for (name, mut overloads) in by_name {
            overloads.sort();
            let _ = writeln!(text, "      {}: {}", key(name), overloads.join(" | "));
        }
        text.push_str("    }\n");
    }

    fn function(self, routine: &Routine) -> String {
        let arguments = object(routine.parameters.iter().map(|parameter| {
            let mark = if parameter.required { "" } else { "?" };
            format!("{}{mark}: {}", key(&parameter.name), self.kind(&parameter.kind))
        }));
        let set = if routine.returns.set { "[]" } else { "" };
        if let Some(columns) = self.shapes.returned(routine.oid) {
            let member =
                |(name, kind): &(String, String)| format!("{}: {}", key(name), self.kind(kind));
            let row = object(columns.iter().map(member));
            return format!("{{ Args: {arguments}; Returns: {row}{set} }}");
        }
        let returned = &routine.returns.name;
        // A row of a table can be selected from, with what it embeds.
        let table = self.catalog.table(returned).filter(|_| routine.returns.composite);
        let options = table.filter(|table| table.name.schema == routine.name.schema).map(|table| {
            format!(
                "; SetofOptions: {{ from: \"*\"; to: {}; isOneToOne: {}; isSetofReturn: {} }}",
                quoted(&table.name.name),
                !routine.returns.set,
                routine.returns.set
            )
        });
        let kind = if returned.schema == "pg_catalog" {
            internal(&returned.name)
        } else {
            printed(&returned.schema, &returned.name)
        };
        let kind = self.kind(&kind);
        let kind = if set.is_empty() || !kind.contains(" | ") { kind } else { format!("({kind})") };
        format!("{{ Args: {arguments}; Returns: {kind}{set}{} }}", options.unwrap_or_default())
    }

    fn types(self, text: &mut String, schema: &str) {
        let of_schema = || self.shapes.all();
        text.push_str("    Enums: {\n");
        for shape in of_schema() {
            if let Shape::Enum(name, labels) = shape
                && name.schema == schema
            {
                let _ = writeln!(text, "      {}: {}", key(&name.name), union(labels));
            }
        }
        text.push_str("    }\n    CompositeTypes: {\n");
        for shape in of_schema() {
            if let Shape::Composite(name, fields) = shape
                && name.schema == schema
            {
                let _ = writeln!(text, "      {}: {}", key(&name.name), self.fields(fields));
            }
        }
        text.push_str("    }\n");
    }
}

fn union(labels: &[String]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
    if labels.is_empty() { "never".to_owned() } else { labels.join(" | ") }
}

/// `schema.type` as PostgreSQL prints it: quoted where it must be.
fn printed(schema: &str, name: &str) -> String {
    let part = |text: &str| {
        let plain = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    format!("{}.{}", part(schema), part(name))
}

/// `pg_type` names as SQL spells them; an array's begins with `_`.
fn internal(name: &str) -> String {
    if let Some(element) = name.strip_prefix('_') {
        return format!("{}[]", internal(element));
    }
    match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        other => other,
    }
    .to_owned()
}
