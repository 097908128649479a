//! Passkeys (WebAuthn).

use deadpool_postgres::GenericClient;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) mod store;

use crate::{app::App, config::Config as Whole, error::Result, http::Endpoint};

/// Passkeys.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Users may have some, and sign in by them.
    pub enabled: bool,
}

/// The endpoints.
pub(crate) fn endpoints(_: &Whole) -> Vec<Endpoint> {
    Vec::new()
}

pub(crate) async fn is_second_factor(
    _app: &App,
    _conn: &impl GenericClient,
    _user: Uuid,
) -> Result<bool> {
    Ok(false)
}
