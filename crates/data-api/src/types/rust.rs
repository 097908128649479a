use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::shapes::{Shape, Shapes};
use super::{named, tables};
use crate::schema::{Catalog, Column};

/// Those that are in use and those that are kept for later.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// A serde struct per table and view, in a module per schema.
pub fn rust(catalog: &Catalog, shapes: &Shapes, schemas: &[String]) -> String {
    let mut text = String::new();
    let mut modules = BTreeSet::new();
    for schema in named(schemas) {
        let module = once(&mut modules, &field(schema));
        let _ = writeln!(text, "pub mod {module} {{\n    use serde::{{Deserialize, Serialize}};");
        let mut structs = BTreeSet::new();
        for table in tables(catalog, schema) {
            text.push('\n');
            for line in table.description.iter().flat_map(|description| description.lines()) {
                let _ = writeln!(text, "    /// {}", line.replace(char::is_control, " "));
            }
            let _ = writeln!(
                text,
                "    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]\n    pub struct {} {{",
                once(&mut structs, &pascal(&table.name.name))
            );
            let mut fields = BTreeSet::new();
            for column in &table.columns {
                let name = once(&mut fields, &field(&column.name));
                if name.trim_start_matches("r#") != column.name {
                    let _ = writeln!(text, "        #[serde(rename = {:?})]", column.name);
                }
                let _ = writeln!(text, "        pub {name}: {},", value(column, shapes));
            }
            text.push_str("    }\n");
        }
        text.push_str("}\n");
    }
    text
}

/// The name, or with a number what is not taken yet.
fn once(taken: &mut BTreeSet<String>, name: &str) -> String {
    let plain = name.trim_start_matches("r#");
    let mut unused = name.to_owned();
    let mut number = 2;
    while !taken.insert(unused.clone()) {
        unused = format!("{plain}_{number}");
        number += 1;
    }
    unused
}

/// A name of letters, digits and `_` that is no keyword.
fn field(name: &str) -> String {
    let mut plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if plain.chars().next().is_none_or(|c| c.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    match plain.as_str() {
        "self" | "Self" | "super" | "crate" | "_" => format!("{plain}_"),
        other if KEYWORDS.contains(&other) => format!("r#{plain}"),
        _ => plain,
    }
}

fn pascal(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    field(&text)
}

fn scalar(kind: &str, shapes: &Shapes) -> String {
    if let Some(element) = kind.strip_suffix("[]") {
        return format!("Vec<{}>", scalar(element, shapes));
    }
    match shapes.find(kind) {
        Some(Shape::Domain(base)) => return scalar(base, shapes),
        Some(Shape::Composite(..) | Shape::Row(_)) => return "serde_json::Value".to_owned(),
        Some(Shape::Enum(..)) | None => {}
    }
    match kind {
        "boolean" => "bool",
        "smallint" => "i16",
        "integer" => "i32",
        "bigint" => "i64",
        "real" => "f32",
        "double precision" => "f64",
        "numeric" => "serde_json::Number",
        "json" | "jsonb" => "serde_json::Value",
        _ => "String",
    }
    .to_owned()
}

fn value(column: &Column, shapes: &Shapes) -> String {
    let kind = scalar(&column.base_type, shapes);
    if column.nullable { format!("Option<{kind}>") } else { kind }
}
