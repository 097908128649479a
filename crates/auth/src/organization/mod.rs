//! Organizations: members with roles, invitations by mail, teams, and roles of their own.
//!
//! Nothing is believed of an earlier request: every endpoint reads the caller's membership anew, in the statement that
//! also brings the permissions ([`permissions::Membership`]), and asks it one question. A session remembers which
//! organization is active, never what its user may do there.
//!
//! An organization keeps an owner: whoever takes one away, by leaving, removing, demoting or deleting a user, holds the
//! organization's row locked and counts afterwards (OR-08). Limits are kept the same way (OR-16).

use deadpool_postgres::GenericClient;
use uuid::Uuid;

mod accept;
mod answers;
mod config;
mod full;
mod invite;
mod members;
mod membership;
mod organizations;
mod page;
mod parting;
pub mod permissions;
mod received;
mod refusals;
mod roles;
pub mod rows;
mod slug;
pub mod store;
mod switch;
mod team_members;
mod teams;
#[cfg(test)]
pub(crate) mod tests;

pub use config::Config;
pub use parting::part;
pub(crate) use refusals::{ORGANIZATION_ID_REQUIRED, STRANGER};

use crate::{
    app::App,
    config::Config as Whole,
    error::{Error, Refusal, Result, UNAUTHORIZED},
    http::{
        Call, Endpoint,
        fields::{Fields, FromFields},
    },
    session::{self, ActiveOrganization, Current, SignedIn},
};
use permissions::Membership;

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.features.organization {
        return Vec::new();
    }
    let mut endpoints = organizations::endpoints();
    endpoints.extend(full::endpoints());
    endpoints.extend(switch::endpoints());
    endpoints.extend(members::endpoints());
    endpoints.extend(membership::endpoints());
    endpoints.extend(invite::endpoints());
    endpoints.extend(answers::endpoints());
    endpoints.extend(accept::endpoints());
    endpoints.extend(received::endpoints());
    endpoints.extend(page::endpoints());
    if config.features.teams {
        endpoints.extend(teams::endpoints());
        endpoints.extend(team_members::endpoints());
    }
    if config.organization.dynamic_roles {
        endpoints.extend(roles::endpoints());
    }
    endpoints
}

/// The caller, or this refusal: some endpoints have words of their own for nobody.
async fn caller_or(app: &App, call: &Call, refusal: Refusal) -> Result<Current> {
    session::required(app, call).await.map_err(|error| match error {
        Error::Refused(UNAUTHORIZED) => refusal.into(),
        other => other,
    })
}

/// The row id in a text. What is no id stands for a row that does not exist: it is answered as an unknown one.
fn row_id(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap_or_default()
}

/// The organization that is named, or else the session's active one.
fn meant(named: Option<&str>, caller: &Current) -> Option<Uuid> {
    let active = caller.signed_in.session.active_organization_id.as_deref();
    let named = named.filter(|text| !text.is_empty());
    named.or(active.filter(|text| !text.is_empty())).map(row_id)
}

/// The caller's membership in an organization, as of now.
async fn membership_of(
    app: &App,
    conn: &impl GenericClient,
    organization: Uuid,
    caller: &Current,
) -> Result<Option<Membership>> {
    let own_roles = app.config.organization.dynamic_roles;
    store::members::membership(conn, organization, caller.signed_in.user.id, own_roles).await
}

/// The query of what concerns one organization: `organizationId`, else the active one.
struct Of {
    organization: Option<String>,
}

impl FromFields for Of {
    fn read(fields: &mut Fields) -> Self {
        Self { organization: fields.optional_text("organizationId") }
    }
}

/// The caller, once the session points at this organization.
pub(crate) fn pointed_at(caller: &Current, organization: Option<ActiveOrganization>) -> Current {
    let mut signed_in: SignedIn = (*caller.signed_in).clone();
    signed_in.session.active_organization_id =
        organization.as_ref().map(|organization| organization.id.to_string());
    signed_in.organization = organization;
    Current { signed_in: signed_in.into(), ..caller.clone() }
}

/// The caller, once the session points at this team.
fn pointed_at_team(caller: &Current, team: Option<Uuid>) -> Current {
    let mut signed_in: SignedIn = (*caller.signed_in).clone();
    signed_in.session.active_team_id = team.map(|team| team.to_string());
    Current { signed_in: signed_in.into(), ..caller.clone() }
}
