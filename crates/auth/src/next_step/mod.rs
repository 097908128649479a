//! Where a user goes after signing in: to a page that founds an organization, into one, or to a choice of several.
//!
//! The decision is made here once, so that pages, SDK, gateway and applications need not each look at memberships. GET
//! tells; POST also enters, by pointing the session at the organization. What is told is read anew every time: a
//! membership that ended is not entered, whatever the session remembers.

use serde::{Deserialize, Serialize};

use crate::{config::Config as Whole, http::Endpoint};

mod routes;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use store::STATEMENTS;

/// The application's pages, answered as `url` beside the step; empty: the application knows them itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where nobody signed in is sent.
    pub sign_in_page: String,
    /// Where a user without an organization founds one or waits for an invitation.
    pub register_page: String,
    /// Where a user of several organizations chooses.
    pub choose_page: String,
    /// Where a user goes who has entered one; `{slug}` and `{id}` stand for the organization's.
    pub home_page: String,
}

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if config.features.organization { routes::endpoints() } else { Vec::new() }
}
