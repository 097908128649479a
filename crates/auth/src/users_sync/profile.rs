//! What providers say about a user, brought to one form: that of the legacy service's `raw_json`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Mapping, Provider, Source};

/// A user as the mirror shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    pub(super) id: String,
    name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    image: Option<String>,
    created_at: Option<DateTime<Utc>>,
    /// When the provider last changed it.
    pub(super) updated_at: Option<DateTime<Utc>>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// So it is now.
    Written(Profile),
    /// Gone.
    Deleted(Profile),
    /// Not about a user.
    Nothing,
}

/// Longer texts are no names, addresses or pictures.
const LONGEST: usize = 2048;

impl Profile {
    /// The row's `raw_json`.
    pub(super) fn raw(&self) -> Value {
        json!({
            "id": self.id,
            "display_name": self.name,
            "primary_email": self.email,
            "primary_email_verified": self.email_verified,
            "profile_image_url": self.image,
            "signed_up_at_millis": self.created_at.map(|at| at.timestamp_millis()),
        })
    }

    /// What stays of who was deleted.
    pub(super) fn trace(&self) -> Value {
        json!({ "id": self.id })
    }
}

/// What an event says; `None`: it cannot be read.
pub(super) fn change(source: &Source, event: &Value) -> Option<Change> {
    let (kind, user) = match source.provider {
        Provider::StackAuth | Provider::Clerk => (event.get("type"), event.get("data")),
        Provider::Auth0 => (event.get("type"), event.pointer("/data/object")),
        Provider::WorkOs => (event.get("event"), event.get("data")),
        Provider::Generic => {
            (event.pointer(&source.mapping.event), event.pointer(&source.mapping.user))
        }
    };
    let kind = kind?.as_str()?;
    let deleted = match source.provider {
        Provider::Generic => source.mapping.deleted_events.iter().any(|it| it == kind),
        _ if !kind.starts_with("user.") => return Some(Change::Nothing),
        _ => kind == "user.deleted",
    };
    let mut profile = profile(source, user?)?;
    // Auth0's envelope tells when it happened; a deleted user's own members tell when it was last changed.
    let happened = match source.provider {
        Provider::Auth0 => event.get("time"),
        Provider::WorkOs => event.get("created_at"),
        _ => None,
    };
    if let Some(at) = happened.and_then(time) {
        profile.updated_at = Some(at);
    } else if deleted {
        profile.updated_at = None;
    }
    Some(if deleted { Change::Deleted(profile) } else { Change::Written(profile) })
}

/// A user of the provider's list, or inside an event; `None`: it has no id.
pub(super) fn profile(source: &Source, user: &Value) -> Option<Profile> {
    let read = match source.provider {
        Provider::StackAuth => stack_auth(user),
        Provider::Clerk => clerk(user),
        Provider::Auth0 => auth0(user),
        Provider::WorkOs => work_os(user),
        Provider::Generic => generic(&source.mapping, user),
    };
    Some(read).filter(|profile| !profile.id.is_empty())
}

fn stack_auth(user: &Value) -> Profile {
    Profile {
        id: text(user.get("id")).unwrap_or_default(),
        name: text(user.get("display_name")),
        email: text(user.get("primary_email")),
        email_verified: flag(user.get("primary_email_verified")),
        image: text(user.get("profile_image_url")),
        created_at: user.get("signed_up_at_millis").and_then(time),
        updated_at: None,
    }
}

fn clerk(user: &Value) -> Profile {
    let primary = user.get("primary_email_address_id");
    let addresses = user.get("email_addresses").and_then(Value::as_array);
    let address = addresses.into_iter().flatten().find(|address| address.get("id") == primary);
    let names = [text(user.get("first_name")), text(user.get("last_name"))];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Profile {
        id: text(user.get("id")).unwrap_or_default(),
        name: Some(name).filter(|name| !name.is_empty()).or_else(|| text(user.get("username"))),
        email: address.and_then(|address| text(address.get("email_address"))),
        email_verified: address
            .and_then(|address| address.pointer("/verification/status"))
            .is_some_and(|status| status == "verified"),
        image: text(user.get("image_url")),
        created_at: user.get("created_at").and_then(time),
        updated_at: user.get("updated_at").and_then(time),
    }
}

fn auth0(user: &Value) -> Profile {
    Profile {
        id: text(user.get("user_id")).unwrap_or_default(),
        name: text(user.get("name")).or_else(|| text(user.get("nickname"))),
        email: text(user.get("email")),
        email_verified: flag(user.get("email_verified")),
        image: text(user.get("picture")),
        created_at: user.get("created_at").and_then(time),
        updated_at: user.get("updated_at").and_then(time),
    }
}

fn work_os(user: &Value) -> Profile {
    let names = [text(user.get("first_name")), text(user.get("last_name"))];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Profile {
        id: text(user.get("id")).unwrap_or_default(),
        name: Some(name).filter(|name| !name.is_empty()),
        email: text(user.get("email")),
        email_verified: flag(user.get("email_verified")),
        image: text(user.get("profile_picture_url")),
        created_at: user.get("created_at").and_then(time),
        updated_at: user.get("updated_at").and_then(time),
    }
}

fn generic(mapping: &Mapping, user: &Value) -> Profile {
    let at = |pointer: &str| user.pointer(pointer);
    Profile {
        id: text(at(&mapping.id)).unwrap_or_default(),
        name: text(at(&mapping.name)),
        email: text(at(&mapping.email)),
        email_verified: flag(at(&mapping.email_verified)),
        image: text(at(&mapping.image)),
        created_at: at(&mapping.created_at).and_then(time),
        updated_at: at(&mapping.updated_at).and_then(time),
    }
}

/// Text, or a number as text; NUL cannot stand in Postgres.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.replace('\0', "")),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
    .filter(|text| !text.is_empty() && text.len() <= LONGEST)
}

fn flag(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or_default()
}

/// ISO 8601, or milliseconds since 1970.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?),
        _ => None,
    }
}
