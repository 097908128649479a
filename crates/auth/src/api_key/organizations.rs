//! Keys that belong to an organization: whose rights they need, and with which role they act.
//!
//! Such a key is in the hands of the member who made it, and is worth something only while that is a member who holds
//! the role it acts with (AD-14).

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::{create::Grant, key::ApiKey};
use crate::{
    app::App,
    error::{Refusal, Result},
    organization::{
        permissions::Membership,
        store::{
            members,
            organizations::{self, Which},
        },
    },
    permissions::role_list,
};

const ORGANIZATION_PLUGIN_REQUIRED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "ORGANIZATION_PLUGIN_REQUIRED",
    "Organization plugin is required for organization-owned API keys. Please install and configure the organization plugin.",
);
const ORGANIZATION_ID_REQUIRED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "ORGANIZATION_ID_REQUIRED",
    "Organization ID is required for organization-owned API keys.",
);
const NOT_A_MEMBER: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "USER_NOT_MEMBER_OF_ORGANIZATION",
    "You are not a member of the organization that owns this API key.",
);
const NOT_PERMITTED: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "INSUFFICIENT_API_KEY_PERMISSIONS",
    "You do not have permission to perform this action on organization API keys.",
);

/// The role of a key for which none is named.
const LEAST: &str = "member";

/// The organization for which a token speaks, as the `o` claim of tokens has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Standing {
    id: Uuid,
    slug: String,
    role: String,
}

/// The user's membership, if it allows `action` on the organization's keys; its owners may do everything.
///
/// # Errors
/// `ORGANIZATION_PLUGIN_REQUIRED`, `USER_NOT_MEMBER_OF_ORGANIZATION`, `INSUFFICIENT_API_KEY_PERMISSIONS`.
pub(super) async fn demand(
    app: &App,
    conn: &impl GenericClient,
    user: Uuid,
    organization: &str,
    action: &str,
) -> Result<Membership> {
    if !app.config.features.organization {
        return Err(ORGANIZATION_PLUGIN_REQUIRED.into());
    }
    let id = Uuid::parse_str(organization).map_err(|_| NOT_A_MEMBER)?;
    let membership = membership(app, conn, id, user).await?.ok_or(NOT_A_MEMBER)?;
    if membership.is_creator(app) || membership.may(app, "apiKey", action) {
        return Ok(membership);
    }
    Err(NOT_PERMITTED.into())
}

async fn membership(
    app: &App,
    conn: &impl GenericClient,
    organization: Uuid,
    user: Uuid,
) -> Result<Option<Membership>> {
    members::membership(conn, organization, user, app.config.organization.dynamic_roles).await
}

/// Whose a new key of an organization is: it acts with a role that its maker holds.
///
/// # Errors
/// As [`demand`]; `ORGANIZATION_ID_REQUIRED`.
pub(super) async fn grant(
    app: &App,
    conn: &impl GenericClient,
    user: Uuid,
    organization: Option<&str>,
    role: Option<&str>,
) -> Result<Grant> {
    let id = organization.filter(|id| !id.is_empty()).ok_or(ORGANIZATION_ID_REQUIRED)?;
    let membership = demand(app, conn, user, id, "create").await?;
    let role = role.filter(|role| !role.is_empty()).unwrap_or(LEAST);
    if !holds(app, &membership, role) {
        return Err(NOT_PERMITTED.into());
    }
    let id = membership.member.organization_id;
    Ok(Grant::Organization { id, by: user, role: role.to_owned() })
}

/// Everybody holds the least role; an owner, every role of which there is one.
fn holds(app: &App, membership: &Membership, role: &str) -> bool {
    role == LEAST
        || role_list(&membership.member.role).any(|held| held == role)
        || membership.is_creator(app)
            && (app.organization_roles.knows(role) || membership.own_roles.knows(role))
}

/// For which organization a key speaks; `None`: it may not speak for it any more. `asked`: an organization of its owner.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn standing(
    app: &App,
    conn: &impl GenericClient,
    key: &ApiKey,
    asked: Option<&str>,
) -> Result<Option<Option<Standing>>> {
    let (organization, user) = if key.is_organizations() {
        if asked.is_some_and(|asked| asked != key.reference_id) {
            return Ok(None);
        }
        (Some(key.reference_id.as_str()), key.created_by)
    } else {
        (asked, Uuid::parse_str(&key.reference_id).ok())
    };
    let Some(organization) = organization else { return Ok(Some(None)) };
    let (Ok(id), Some(user)) = (Uuid::parse_str(organization), user) else { return Ok(None) };
    let Some(membership) = membership(app, conn, id, user).await? else { return Ok(None) };
    let role = match &key.role {
        Some(role) if key.is_organizations() => role.clone(),
        _ if key.is_organizations() => LEAST.to_owned(),
        _ => membership.member.role.clone(),
    };
    if key.is_organizations() && !holds(app, &membership, &role) {
        return Ok(None);
    }
    let found = organizations::find(conn, user, Which::Id(id)).await?;
    Ok(found.map(|(organization, _)| Some(Standing { id, slug: organization.slug, role })))
}
