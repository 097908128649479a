//! The catalogue for people: `/schema_cache` and `--dump-schema`. Sorted, so that two can be compared.

use serde_json::{Value, json};

use super::{Catalog, Handler, HandlerTarget};
use crate::request::media::MediaType;

impl Catalog {
    /// Everything, as JSON. Its form is nobody's to rely on.
    pub fn to_json(&self) -> Value {
        let mut tables: Vec<_> = self.tables.values().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        let mut relationships: Vec<_> = self.relationships.values().flatten().collect();
        relationships.sort();
        let mut routines: Vec<_> = self.routines.iter().collect();
        routines.sort_by_key(|(name, _)| *name);
        let mut representations: Vec<_> = self.representations.iter().collect();
        representations.sort();
        json!({
            "dbTables": tables,
            "dbRelationships": relationships,
            "dbRoutines": routines.into_iter().flat_map(|(_, all)| all).collect::<Vec<_>>(),
            "dbRepresentations": representations.into_iter().map(|((from, to), function)|
                json!({ "from": from, "to": to, "function": function })).collect::<Vec<_>>(),
            "dbMediaHandlers": self.media_handlers(),
        })
    }

    fn media_handlers(&self) -> Vec<Value> {
        let mut all: Vec<(String, Value)> = self
            .handlers
            .iter()
            .map(|(accepted, answered)| described(accepted, answered))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.into_iter().map(|(_, value)| value).collect()
    }
}

fn described(
    (target, accepted): &(HandlerTarget, MediaType),
    (handler, answered): &(Handler, MediaType),
) -> (String, Value) {
    let target = match target {
        HandlerTarget::AnyElement => "anyelement".to_owned(),
        HandlerTarget::Relation(name) => name.to_string(),
    };
    let function = match handler {
        Handler::Custom { function, .. } => Some(function.to_string()),
        _ => None,
    };
    let accepted = accepted.content_type();
    let value = json!({
        "target": target, "accept": accepted, "contentType": answered.content_type(), "function": function,
    });
    (format!("{target} {accepted}"), value)
}
