//! Functions: which overload is meant, and with what arguments.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::error::{ApiError, ErrorKind};
use crate::hints;
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::media::MediaType;
use crate::request::types::{CallMethod, Payload};
use crate::schema::{Catalog, Parameter, Routine};

use super::types::{ArgumentValue, Arguments, CallPlan, Condition, ReadPlan};

/// Names of the arguments given.
pub(super) fn argument_names(request: &ApiRequest, method: CallMethod) -> BTreeSet<String> {
    if method.is_read() {
        request.query.arguments.iter().map(|(name, _)| name.clone()).collect()
    } else {
        request.columns.clone()
    }
}

/// Finds the overload that takes exactly these arguments.
pub(super) fn find<'a>(
    catalog: &'a Catalog,
    function: &Name,
    names: &BTreeSet<String>,
    content_type: &MediaType,
    method: CallMethod,
) -> Result<&'a Routine, ApiError> {
    let post = method == CallMethod::Post;
    let overloads = catalog.routines.get(function).map(Vec::as_slice).unwrap_or_default();
    let by_name: Vec<&Routine> =
        overloads.iter().filter(|routine| takes(routine, names, content_type, post)).collect();
    let fallback: Vec<&Routine> = overloads
        .iter()
        .filter(|routine| !takes(routine, names, content_type, post))
        .filter(|routine| post && takes_body(routine, content_type))
        .collect();
    match (by_name.as_slice(), fallback.as_slice()) {
        ([only], _) | ([], [only]) => Ok(only),
        ([], []) => Err(none(catalog, function, names, content_type, post)),
        ([], several) | (several, _) => Err(ambiguous(several)),
    }
}

fn is_raw(content_type: &MediaType) -> bool {
    matches!(content_type, MediaType::Octets | MediaType::Text | MediaType::Xml)
}

fn takes(
    routine: &Routine,
    names: &BTreeSet<String>,
    content_type: &MediaType,
    post: bool,
) -> bool {
    if routine.parameters.is_empty() {
        return names.is_empty() && !(post && is_raw(content_type));
    }
    let required = routine.parameters.iter().filter(|parameter| parameter.required);
    // A parameter without a name cannot be given by name, not even by an empty one.
    let known = |name: &String| {
        !name.is_empty() && routine.parameters.iter().any(|parameter| parameter.name == *name)
    };
    let mut required = required;
    required.all(|parameter| names.contains(&parameter.name)) && names.iter().all(known)
}

fn takes_body(routine: &Routine, content_type: &MediaType) -> bool {
    match routine.parameters.as_slice() {
        [only] if only.name.is_empty() => matches!(
            (content_type, only.kind.as_str()),
            (MediaType::Json, "json" | "jsonb")
                | (MediaType::Text, "text")
                | (MediaType::Xml, "xml")
                | (MediaType::Octets, "bytea")
        ),
        _ => false,
    }
}

fn none(
    catalog: &Catalog,
    function: &Name,
    names: &BTreeSet<String>,
    content_type: &MediaType,
    post: bool,
) -> ApiError {
    let shown = format!("{}.{}", function.schema, function.name);
    let list = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let raw = post && is_raw(content_type);
    let message = match (raw, names.is_empty()) {
        (true, _) => String::new(),
        (false, true) => " without parameters".to_owned(),
        (false, false) => format!("({list})"),
    };
    let searched = match names.len() {
        0 => " without parameters".to_owned(),
        1 => format!(" with parameter {list}"),
        _ => format!(" with parameters {list}"),
    };
    let details = match (post, content_type) {
        (true, MediaType::Text) => " with a single unnamed text parameter".to_owned(),
        (true, MediaType::Xml) => " with a single unnamed xml parameter".to_owned(),
        (true, MediaType::Octets) => " with a single unnamed bytea parameter".to_owned(),
        (true, MediaType::Json) => {
            format!("{searched} or with a single unnamed json/jsonb parameter")
        }
        _ => searched,
    };
    ApiError::new(
        ErrorKind::NoFunction,
        format!("Could not find the function {shown}{message} in the schema cache"),
    )
    .with_details(format!(
        "Searched for the function {shown}{details}, but no matches were found in the schema cache."
    ))
    .with_optional_hint(if raw { None } else { hints::function(catalog, function, names) })
}

fn ambiguous(several: &[&Routine]) -> ApiError {
    let candidates: Vec<String> = several
        .iter()
        .map(|routine| {
            let parameters: Vec<String> =
                routine.parameters.iter().map(|p| format!("{} => {}", p.name, p.kind)).collect();
            format!("{}.{}({})", routine.name.schema, routine.name.name, parameters.join(", "))
        })
        .collect();
    ApiError::new(
        ErrorKind::AmbiguousFunction,
        format!("Could not choose the best candidate function between: {}", candidates.join(", ")),
    )
    .with_hint(
        "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
    )
}

/// The call with its arguments.
pub(super) fn plan(
    routine: &Routine,
    request: &ApiRequest,
    method: CallMethod,
    names: &BTreeSet<String>,
    read: &ReadPlan,
) -> CallPlan {
    let mut filter_columns = BTreeSet::new();
    condition_columns(&read.conditions, &mut filter_columns);
    read.children.iter().for_each(|child| all_condition_columns(child, &mut filter_columns));
    CallPlan {
        arguments: arguments(routine, request, method, names),
        routine: routine.clone(),
        filter_columns,
        returning: super::mutate::needed_columns(read, &[]),
    }
}

fn all_condition_columns(plan: &ReadPlan, names: &mut BTreeSet<String>) {
    condition_columns(&plan.conditions, names);
    plan.children.iter().for_each(|child| all_condition_columns(child, names));
}

fn condition_columns(conditions: &[Condition], names: &mut BTreeSet<String>) {
    for condition in conditions {
        match condition {
            Condition::Node { children, .. } => condition_columns(children, names),
            Condition::Filter { column, .. } => {
                names.insert(column.name.clone());
            }
            Condition::EmbedIsNull { alias, .. } => {
                names.insert(alias.clone());
            }
        }
    }
}

fn arguments(
    routine: &Routine,
    request: &ApiRequest,
    method: CallMethod,
    names: &BTreeSet<String>,
) -> Arguments {
    let pairs: Option<&[(String, String)]> = match (&request.payload, method.is_read()) {
        (_, true) => Some(&request.query.arguments),
        (Some(Payload::Form { pairs, .. }), false) => Some(pairs),
        _ => None,
    };
    if let [only] = routine.parameters.as_slice()
        && only.name.is_empty()
    {
        let body = match pairs {
            None => request.payload.as_ref().and_then(Payload::raw).cloned(),
            Some(pairs) => Some(json_object(pairs)),
        };
        return Arguments::Whole { parameter: only.clone(), body };
    }
    let given: Vec<Parameter> = routine
        .parameters
        .iter()
        .filter(|parameter| names.contains(&parameter.name))
        .cloned()
        .collect();
    match pairs {
        Some(pairs) => Arguments::Direct(
            given
                .into_iter()
                .map(|parameter| {
                    let value = argument(&parameter, routine.variadic, pairs);
                    (parameter, value)
                })
                .collect(),
        ),
        None => {
            let body = request.payload.as_ref().and_then(Payload::raw).cloned();
            Arguments::Json { parameters: given, body }
        }
    }
}

fn json_object(pairs: &[(String, String)]) -> Bytes {
    let object: serde_json::Map<String, serde_json::Value> =
        pairs.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    serde_json::Value::Object(object).to_string().into()
}

fn argument(parameter: &Parameter, variadic: bool, pairs: &[(String, String)]) -> ArgumentValue {
    let mut values: Vec<&String> =
        pairs.iter().filter(|(name, _)| *name == parameter.name).map(|(_, value)| value).collect();
    if variadic && parameter.variadic {
        return ArgumentValue::Many(values.into_iter().cloned().collect());
    }
    // A parameter given twice: the last one counts.
    values.pop().map_or(ArgumentValue::Missing, |value| ArgumentValue::One(value.clone()))
}
