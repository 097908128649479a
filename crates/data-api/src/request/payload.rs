//! Request bodies: only what the plan needs to know of them is read.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::media::MediaType;
use super::query::{QueryParams, pairs};
use super::types::{Action, CallMethod, Mutation, Payload};
use crate::error::{ApiError, ErrorKind};

/// The payload of a writing request and the columns it sets.
pub(super) fn payload(
    action: &Action,
    content_type: &MediaType,
    query: &QueryParams,
    body: &Bytes,
) -> Result<(Option<Payload>, BTreeSet<String>), ApiError> {
    let is_call = matches!(action, Action::Call { .. });
    let wanted = match action {
        Action::Mutate { mutation, .. } => *mutation != Mutation::Delete,
        Action::Call { method, .. } => *method == CallMethod::Post,
        _ => false,
    };
    if !wanted {
        return Ok((None, BTreeSet::new()));
    }
    let columns = match action {
        Action::Mutate { mutation: Mutation::Create | Mutation::Update, .. }
        | Action::Call { .. } => query.columns.as_ref(),
        _ => None,
    };
    let payload = read(content_type, is_call, columns.is_some(), body)?;
    let keys = match (&payload, columns) {
        (Payload::Json { keys, .. } | Payload::Form { keys, .. }, _) => keys.clone(),
        (Payload::RawJson(_), Some(columns)) => columns.iter().cloned().collect(),
        _ => BTreeSet::new(),
    };
    Ok((Some(payload), keys))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidBody, message)
}

fn read(
    content_type: &MediaType,
    is_call: bool,
    has_columns: bool,
    body: &Bytes,
) -> Result<Payload, ApiError> {
    match (content_type, is_call) {
        (MediaType::Json, _) if has_columns => Ok(Payload::RawJson(body.clone())),
        (MediaType::Json, _) => {
            if body.is_empty() && is_call {
                return Ok(Payload::Json { raw: Bytes::from_static(b"{}"), keys: BTreeSet::new() });
            }
            json(body.clone())
        }
        (MediaType::Csv, _) => json(csv_to_json(body)?),
        (MediaType::Form, true) => {
            let pairs = form(body);
            let keys = pairs.iter().map(|(key, _)| key.clone()).collect();
            Ok(Payload::Form { pairs, keys })
        }
        (MediaType::Form, false) => {
            let object: serde_json::Map<String, serde_json::Value> =
                form(body).into_iter().map(|(key, value)| (key, value.into())).collect();
            let keys = object.keys().cloned().collect();
            Ok(Payload::Json { raw: serde_json::Value::Object(object).to_string().into(), keys })
        }
        (MediaType::Text | MediaType::Xml | MediaType::Octets, true) => {
            Ok(Payload::Raw(body.clone()))
        }
        (other, _) => Err(invalid(format!("Content-Type not acceptable: {}", other.name()))),
    }
}

fn form(body: &Bytes) -> Vec<(String, String)> {
    pairs(&String::from_utf8_lossy(body))
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect()
}

fn json(raw: Bytes) -> Result<Payload, ApiError> {
    let shape: Shape =
        serde_json::from_slice(&raw).map_err(|_| invalid("Empty or invalid json"))?;
    match shape {
        Shape::Object(keys) | Shape::Uniform(keys) => Ok(Payload::Json { raw, keys }),
        Shape::Mixed => Err(invalid("All object keys must match")),
        // Nothing to insert: an empty array inserts no row.
        Shape::Other => Ok(Payload::Json { raw: Bytes::from_static(b"[]"), keys: BTreeSet::new() }),
    }
}

fn csv_to_json(body: &Bytes) -> Result<Bytes, ApiError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body.as_ref());
    let headers = reader.headers().map_err(|error| invalid(error.to_string()))?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| invalid(error.to_string()))?;
        if record.len() != headers.len() {
            return Err(invalid("All lines must have same number of fields"));
        }
        let row: serde_json::Map<String, serde_json::Value> = headers
            .iter()
            .zip(record.iter())
            .map(|(key, value)| {
                let value = if value == "NULL" { serde_json::Value::Null } else { value.into() };
                (key.to_owned(), value)
            })
            .collect();
        rows.push(serde_json::Value::Object(row));
    }
    Ok(serde_json::Value::Array(rows).to_string().into())
}

/// What the planner must know of a JSON body; values are skipped, not kept.
enum Shape {
    Object(BTreeSet<String>),
    Uniform(BTreeSet<String>),
    Mixed,
    Other,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            keys.insert(key);
        }
        Ok(Shape::Object(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut first: Option<BTreeSet<String>> = None;
        let mut uniform = true;
        while let Some(element) = seq.next_element::<Shape>()? {
            match (element, &first) {
                (Shape::Object(keys), None) if uniform => first = Some(keys),
                (Shape::Object(keys), Some(known)) => uniform &= keys == *known,
                _ => uniform = false,
            }
        }
        Ok(match (uniform, first) {
            (false, _) => Shape::Mixed,
            (true, Some(keys)) => Shape::Uniform(keys),
            (true, None) => Shape::Other,
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Other)
    }
}
