//! `neon_auth.users_sync`: every user as a row for foreign keys and joins, whoever owns the identities.
//!
//! The own users are mirrored by a trigger, in the transaction that changes them. Users of an outside provider come by
//! its signed webhooks, and a full sync reconciles what a webhook missed. A provider can only touch rows that came from
//! it, and an older word never undoes a newer one. The mirror holds what a join shows and nothing else of a profile;
//! of who was deleted it keeps the id alone.

use std::collections::BTreeMap;

use gatepost_protocol::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::http::Endpoint;

mod full;
mod profile;
mod routes;
mod signature;
mod store;
#[cfg(test)]
mod tests;

pub use full::{Outcome, sync};
pub(crate) use store::STATEMENTS;

/// Users of outside providers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Providers by a name of your choice: webhooks arrive at `/users-sync/{name}`.
    pub sources: BTreeMap<String, Source>,
    /// Hours between full syncs of the sources that name an `api_key`; 0: only when asked for.
    pub full_sync_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), full_sync_hours: 24 }
    }
}

/// One provider.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// Whose webhooks and lists these are.
    pub provider: Provider,
    /// Signs webhooks; of Auth0 the token of the webhook's authorization.
    pub secret: Secret,
    /// Where the provider's API is; empty: where it usually is. Auth0: `https://{tenant}.auth0.com`. Generic: the list itself.
    pub api_url: String,
    /// Reads the list of users; empty: no full sync.
    pub api_key: Secret,
    /// Stack Auth: the project. Auth0: the client.
    pub client_id: String,
    /// Where a generic provider's members stand.
    pub mapping: Mapping,
}

impl Source {
    /// Whether its list of users can be read.
    #[must_use]
    pub fn has_list(&self) -> bool {
        !self.api_key.reveal().is_empty()
    }
}

/// Providers that are known.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Stack Auth: Svix signatures.
    StackAuth,
    /// Clerk: Svix signatures.
    Clerk,
    /// Auth0 event streams: CloudEvents with a bearer token.
    Auth0,
    /// WorkOS: `WorkOS-Signature`.
    WorkOs,
    /// Anything that signs JSON with HMAC-SHA256.
    #[default]
    Generic,
}

/// Where a generic provider's members stand, as JSON Pointers (RFC 6901).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Header of the signature, HMAC-SHA256 of the body in hexadecimal or base64; what stands before `=` is ignored.
    pub signature_header: String,
    /// Header of the time of signing in seconds; signed before the body and a dot. Empty: the body alone is signed.
    pub timestamp_header: String,
    /// The kind of event.
    pub event: String,
    /// Kinds that mean that a user is gone.
    pub deleted_events: Vec<String>,
    /// The user inside an event.
    pub user: String,
    /// The users inside the list.
    pub items: String,
    /// The URL of the list's next page inside the list.
    pub next: String,
    /// Inside a user: id.
    pub id: String,
    /// Inside a user: name.
    pub name: String,
    /// Inside a user: address.
    pub email: String,
    /// Inside a user: whether the address is proven.
    pub email_verified: String,
    /// Inside a user: picture.
    pub image: String,
    /// Inside a user: sign-up; ISO 8601, or milliseconds since 1970.
    pub created_at: String,
    /// Inside a user: last change.
    pub updated_at: String,
}

impl Default for Mapping {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            signature_header: text("x-signature"),
            timestamp_header: String::new(),
            event: text("/type"),
            deleted_events: vec![text("user.deleted")],
            user: text("/data"),
            items: text("/data"),
            next: text("/next"),
            id: text("/id"),
            name: text("/name"),
            email: text("/email"),
            email_verified: text("/email_verified"),
            image: text("/image"),
            created_at: text("/created_at"),
            updated_at: text("/updated_at"),
        }
    }
}

/// The endpoints; none without a source.
pub(crate) fn endpoints(config: &crate::Config) -> Vec<Endpoint> {
    if config.users_sync.sources.is_empty() { Vec::new() } else { routes::endpoints() }
}
