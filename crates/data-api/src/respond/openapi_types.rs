//! PostgreSQL types and columns in OpenAPI 2.0 terms.

use serde_json::{Map, Value, json};

use crate::ident::Name;
use crate::schema::{Cardinality, Catalog, Column, Parameter, Relationship, Table};

/// JSON type; `None` for json itself.
pub(super) fn json_type(kind: &str) -> Option<&'static str> {
    match kind {
        "boolean" => Some("boolean"),
        "smallint" | "integer" | "bigint" => Some("integer"),
        "numeric" | "real" | "double precision" => Some("number"),
        "json" | "jsonb" => None,
        other if other.ends_with("[]") => Some("array"),
        _ => Some("string"),
    }
}

fn format(kind: &str) -> &str {
    match kind {
        "smallint" | "integer" => "int32",
        "bigint" => "int64",
        other => other,
    }
}

fn type_and_format(kind: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("format".to_owned(), format(kind).into());
    if let Some(name) = json_type(kind) {
        schema.insert("type".to_owned(), name.into());
    }
    if let Some(element) = kind.strip_suffix("[]") {
        let items = json_type(element).map_or_else(|| json!({}), |name| json!({ "type": name }));
        schema.insert("items".to_owned(), items);
    }
    schema
}

/// Schema of a column.
pub(super) fn property(catalog: &Catalog, table: &Table, column: &Column) -> Value {
    let mut schema = type_and_format(&column.base_type);
    if let Some(description) = description(catalog, table, column) {
        schema.insert("description".to_owned(), description.into());
    }
    if let Some(default) = column
        .default
        .as_ref()
        .and_then(|default| default_value(&column.base_type, default.as_str()))
    {
        schema.insert("default".to_owned(), default);
    }
    if !column.labels.is_empty() {
        schema.insert("enum".to_owned(), json!(column.labels));
    }
    if let Some(length) = column.max_length {
        schema.insert("maxLength".to_owned(), length.into());
    }
    Value::Object(schema)
}

fn default_value(kind: &str, expression: &str) -> Option<Value> {
    if json_type(kind) == Some("string") {
        let text = match expression.strip_suffix(&format!("::{kind}")) {
            Some(literal) => literal.trim_matches('\''),
            None => expression,
        };
        return serde_json::from_str(&format!("\"{text}\"")).ok();
    }
    serde_json::from_str(expression).ok()
}

fn description(catalog: &Catalog, table: &Table, column: &Column) -> Option<String> {
    let mut notes = vec!["Note:".to_owned()];
    if table.primary_key.contains(&column.name) {
        notes.push("This is a Primary Key.<pk/>".to_owned());
    }
    if let Some((table, column)) = foreign_key(catalog, &table.name, &column.name) {
        notes.push(format!(
            "This is a Foreign Key to `{table}.{column}`.<fk table='{table}' column='{column}'/>"
        ));
    }
    if notes.len() == 1 {
        return column.description.clone();
    }
    let before = column.description.as_ref().map(|text| format!("{text}\n\n")).unwrap_or_default();
    Some(format!("{before}{}", notes.join("\n")))
}

fn foreign_key(catalog: &Catalog, table: &Name, column: &str) -> Option<(String, String)> {
    let relationships = catalog.relationships.get(&(table.clone(), table.schema.clone()))?;
    let mut found: Vec<(bool, String, String)> = relationships
        .iter()
        .filter_map(|relationship| match relationship {
            Relationship::Key {
                foreign,
                cardinality:
                    Cardinality::ManyToOne { columns, .. }
                    | Cardinality::OneToOne { columns, parent: false, .. },
                foreign_view,
                ..
            } => match columns.as_slice() {
                [(own, other)] if own == column => {
                    Some((*foreign_view, foreign.name.clone(), other.clone()))
                }
                _ => None,
            },
            _ => None,
        })
        .collect();
    // Tables before views.
    found.sort_by_key(|(view, _, _)| *view);
    found.into_iter().next().map(|(_, table, column)| (table, column))
}

/// Type of a parameter as it is written within its own schema.
fn local<'a>(parameter: &'a Parameter, schema: &str) -> &'a str {
    parameter
        .kind
        .strip_prefix(schema)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(&parameter.kind)
}

/// Schema of a parameter in a body.
pub(super) fn body_parameter(parameter: &Parameter, schema: &str) -> Value {
    Value::Object(type_and_format(local(parameter, schema)))
}

/// A parameter in the query string.
pub(super) fn query_parameter(parameter: &Parameter, schema: &str) -> Value {
    let kind = local(parameter, schema);
    if parameter.variadic {
        let element = kind.strip_suffix("[]").unwrap_or(kind);
        let mut items = Map::new();
        items.insert("format".to_owned(), format(element).into());
        if let Some(name) = json_type(element) {
            items.insert("type".to_owned(), name.into());
        }
        return json!({
            "name": parameter.name, "in": "query", "required": parameter.required,
            "type": json_type(kind).unwrap_or("string"), "collectionFormat": "multi", "items": items,
        });
    }
    // Arrays are written `{a,b}` in a query string.
    let name = match json_type(kind) {
        None | Some("array") => "string",
        Some(other) => other,
    };
    json!({
        "name": parameter.name, "in": "query", "required": parameter.required,
        "type": name, "format": format(kind),
    })
}
