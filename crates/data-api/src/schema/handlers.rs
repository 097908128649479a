//! Media type handlers: how rows become a body.

use std::collections::HashMap;

use crate::ident::Name;
use crate::request::media::MediaType;

/// What a handler applies to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandlerTarget {
    /// Rows of one relation, or a function's result.
    Relation(Name),
    /// Anything.
    AnyElement,
}

/// How rows become a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handler {
    /// A JSON array, or the value of a scalar function.
    Json { stripped: bool },
    /// One JSON object.
    Object { stripped: bool },
    /// A GeoJSON feature collection.
    GeoJson,
    /// CSV.
    Csv,
    /// A function or aggregate of the database.
    Custom { function: Name, target: HandlerTarget },
    /// No body.
    None,
}

/// Handlers by target and media type, with the media type they answer with.
pub type Handlers = HashMap<(HandlerTarget, MediaType), (Handler, MediaType)>;

/// The handlers every database has.
pub(crate) fn built_in() -> Handlers {
    let json = Handler::Json { stripped: false };
    [
        (MediaType::Any, json.clone(), MediaType::Json),
        (MediaType::Json, json, MediaType::Json),
        (MediaType::Csv, Handler::Csv, MediaType::Csv),
        (MediaType::GeoJson, Handler::GeoJson, MediaType::GeoJson),
    ]
    .into_iter()
    .map(|(accepted, handler, answered)| {
        ((HandlerTarget::AnyElement, accepted), (handler, answered))
    })
    .collect()
}

/// One row of the handlers query.
pub(super) fn custom(
    function: Name,
    target: Name,
    media: &str,
    answered: &str,
) -> ((HandlerTarget, MediaType), (Handler, MediaType)) {
    let target = if target == Name::new("pg_catalog", "anyelement") {
        HandlerTarget::AnyElement
    } else {
        HandlerTarget::Relation(target)
    };
    let handler = Handler::Custom { function, target: target.clone() };
    ((target, MediaType::parse(media)), (handler, MediaType::parse(answered)))
}
