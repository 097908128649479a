//! Keys that belong to an organization: whose rights they need, and with which role they act.

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::{create::Grant, store::ApiKey};
use crate::{
    app::App,
    error::{Refusal, Result},
};

/// The organization for which a token speaks, as the `o` claim of tokens has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Standing {
    id: Uuid,
    slug: String,
    role: String,
}

const ORGANIZATION_PLUGIN_REQUIRED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "ORGANIZATION_PLUGIN_REQUIRED",
    "Organization plugin is required for organization-owned API keys. Please install and configure the organization plugin.",
);

pub(super) async fn demand(
    _app: &App,
    _conn: &impl GenericClient,
    _user: Uuid,
    _organization: &str,
    _action: &str,
) -> Result<()> {
    Err(ORGANIZATION_PLUGIN_REQUIRED.into())
}

pub(super) async fn grant(
    _app: &App,
    _conn: &impl GenericClient,
    _user: Uuid,
    _organization: &Option<String>,
    _role: Option<String>,
) -> Result<Grant> {
    Err(ORGANIZATION_PLUGIN_REQUIRED.into())
}

pub(super) async fn standing(
    _app: &App,
    _conn: &impl GenericClient,
    key: &ApiKey,
    asked: Option<&str>,
) -> Result<Option<Option<Standing>>> {
    Ok((!key.is_organizations() && asked.is_none()).then_some(None))
}
