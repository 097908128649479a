//! User names: a name of one's own choice beside the address, for signing in with a password.
//!
//! Two spellings are kept: the name in lower case, which is unique, and the name as its owner writes it. Who signs in by
//! name does the same work whether or not the name is known. That a name is taken is told to everybody, as people choose
//! names in a form that must say so.

mod names;
mod routes;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use names::{Chosen, at_sign_up, at_update, refuse_taken, take};

use crate::{config::Config as Whole, http::Endpoint};

/// Which user names are taken. `features.username` switches them on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// A name once chosen stays.
    pub immutable: bool,
    /// Names that nobody may choose, in lower case: `admin`, `support`.
    pub reserved: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { min_length: 3, max_length: 30, immutable: false, reserved: Vec::new() }
    }
}

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if config.features.username { routes::endpoints() } else { Vec::new() }
}
