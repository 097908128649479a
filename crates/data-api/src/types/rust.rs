use std::fmt::Write as _;

use super::tables;
use crate::schema::{Catalog, Column};

const KEYWORDS: [&str; 38] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "static", "struct", "trait", "true", "type", "unsafe", "use", "where",
    "while", "yield", "try", "box",
];

/// A serde struct per table and view, in a module per schema.
pub fn rust(catalog: &Catalog, schemas: &[String]) -> String {
    let mut text = String::new();
    for schema in schemas {
        let _ = writeln!(
            text,
            "pub mod {} {{\n    use serde::{{Deserialize, Serialize}};",
            field(schema)
        );
        for table in tables(catalog, schema) {
            if let Some(description) = &table.description {
                for line in description.lines() {
                    let _ = writeln!(text, "\n    /// {line}");
                }
            }
            let _ = writeln!(
                text,
                "\n    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]\n    pub struct {} {{",
                pascal(&table.name.name)
            );
            for column in &table.columns {
                let name = field(&column.name);
                if name.trim_start_matches("r#") != column.name {
                    let original = serde_json::Value::String(column.name.clone());
                    let _ = writeln!(text, "        #[serde(rename = {original})]");
                }
                let _ = writeln!(text, "        pub {name}: {},", value(column));
            }
            text.push_str("    }\n");
        }
        text.push_str("}\n");
    }
    text
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

fn scalar(kind: &str) -> String {
    if let Some(element) = kind.strip_suffix("[]") {
        return format!("Vec<{}>", scalar(element));
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

fn value(column: &Column) -> String {
    let kind = scalar(&column.base_type);
    if column.nullable { format!("Option<{kind}>") } else { kind }
}
