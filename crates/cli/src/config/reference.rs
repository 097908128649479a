//! What settings there are: the dump of those in force, the example file, its JSON Schema.

use serde_json::{Map, Value, json};
use toml::Table;

use super::{
    Auth, Settings,
    document::SECRET_KEYS,
    process::Process,
    shape::{self, Section, Shape},
};

/// Every key with its default and what it does. Generated; a test compares it.
pub(super) const EXAMPLE: &str = include_str!("../../../../gatepost.example.toml");

/// What stands in for a secret.
const HIDDEN: &str = "(hidden)";

/// The settings in force as TOML, without secrets.
///
/// # Errors
/// A setting that TOML cannot express.
pub(super) fn dump(settings: &Settings) -> anyhow::Result<String> {
    let mut table = table(&settings.process, &settings.auth)?;
    hide(&mut table);
    Ok(toml::to_string(&table)?)
}

fn table(process: &Process, auth: &Auth) -> anyhow::Result<Table> {
    let mut table = Table::try_from(process)?;
    table.extend(Table::try_from(auth)?);
    Ok(table)
}

/// The types hide what they must by themselves; this catches one that was forgotten (LG-07).
fn hide(table: &mut Table) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => hide(inner),
            toml::Value::Array(items) if SECRET_KEYS.contains(&key.as_str()) => {
                items.iter_mut().for_each(|item| *item = HIDDEN.into());
            }
            toml::Value::String(text)
                if SECRET_KEYS.contains(&key.as_str())
                    && !key.ends_with("database_url")
                    && !text.is_empty() =>
            {
                HIDDEN.clone_into(text);
            }
            _ => {}
        }
    }
}

/// All keys: the process's first, then the auth server's.
pub(super) fn shape() -> Section {
    let mut all = Section { name: "Settings", keys: Vec::new() };
    for part in [shape::of::<Process>(), shape::of::<Auth>()] {
        if let Shape::Section(section) = part {
            all.keys.extend(section.keys);
        }
    }
    all
}

/// The settings without a file.
pub(super) fn defaults() -> anyhow::Result<Table> {
    table(&Process::default(), &Auth::default())
}

/// A JSON Schema (2020-12) for editors, with the words of the example file.
pub(super) fn schema() -> Value {
    let comments = comments();
    let defaults = defaults().unwrap_or_default();
    let mut schema = section_schema(&shape(), "", &comments, Some(&defaults));
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("gatepost.toml"));
    }
    schema
}

fn section_schema(
    section: &Section,
    prefix: &str,
    comments: &Map<String, Value>,
    defaults: Option<&Table>,
) -> Value {
    let mut properties = Map::new();
    for (key, shape) in &section.keys {
        let path = format!("{prefix}{key}");
        let default = defaults.and_then(|defaults| defaults.get(*key));
        let mut schema = key_schema(shape, &path, comments, default);
        if let Some(object) = schema.as_object_mut() {
            if let Some(comment) = comments.get(&path) {
                object.insert("description".to_owned(), comment.clone());
            }
            let default = default.filter(|default| !default.is_table());
            if let Some(default) = default.and_then(|default| serde_json::to_value(default).ok()) {
                object.insert("default".to_owned(), default);
            }
        }
        properties.insert((*key).to_owned(), schema);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn key_schema(
    shape: &Shape,
    path: &str,
    comments: &Map<String, Value>,
    default: Option<&toml::Value>,
) -> Value {
    let below = |shape| key_schema(shape, path, comments, None);
    match shape {
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(true) => json!({ "type": "integer", "minimum": 0 }),
        Shape::Integer(false) => json!({ "type": "integer" }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::List(item) => json!({ "type": "array", "items": below(item) }),
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": below(value) }),
        Shape::Section(section) => {
            let defaults = default.and_then(toml::Value::as_table);
            section_schema(section, &format!("{path}."), comments, defaults)
        }
        Shape::Anything => json!({}),
    }
}

/// The comment above each key of the example file, by dotted path.
fn comments() -> Map<String, Value> {
    let mut comments = Map::new();
    let (mut section, mut words) = (String::new(), Vec::new());
    for line in EXAMPLE.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            words.push(comment);
            continue;
        }
        let bare = line.trim_start_matches('#');
        let header = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let key =
            line.strip_prefix('#').and_then(|rest| rest.split_once(" = ")).map(|(key, _)| key);
        let path = match (header, key) {
            (Some(header), _) => {
                section = format!("{header}.");
                Some(header.to_owned())
            }
            (None, Some(key)) => Some(format!("{section}{key}")),
            (None, None) => None,
        };
        if let Some(path) = path {
            comments.insert(path, words.join(" ").into());
        }
        words.clear();
    }
    comments
}
