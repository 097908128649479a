//! Guests: a session without saying who one is, and a real account later.
//!
//! A guest is a user with an address that mail never reaches. When a browser that holds a guest's session signs in or up
//! as somebody, the guest ends in the same transaction: first `neon_auth.gatepost_guest_linked(guest, account)` is called,
//! which an installation replaces to move what the guest owns, then the guest is removed.

mod link;
mod routes;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use link::{brought, link, link_guest};

use crate::{config::Config as Whole, http::Endpoint};

/// Guests. `features.anonymous` switches them on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What guests are called.
    pub name: String,
    /// Guests get addresses `temp-…` here, instead of a domain that cannot exist.
    pub email_domain: String,
    /// Guests stay when they sign in as somebody, and cannot remove themselves.
    pub keep: bool,
    /// Days after which a guest without a live session is removed; 0: never.
    pub remove_after_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "Anonymous".to_owned(),
            email_domain: String::new(),
            keep: false,
            remove_after_days: 30,
        }
    }
}

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if config.features.anonymous { routes::endpoints() } else { Vec::new() }
}

pub use store::purge;
