//! Changing who is in an organization as what: remove, other roles, leave. An owner always stays (OR-07, OR-08).

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    meant, membership_of,
    permissions::holds_creator_role,
    refusals as no, row_id,
    store::{members as store, organizations, roles, teams},
};
use crate::{
    app::{App, connection},
    error::{Error, Result},
    events::{self, Deed, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    permissions::{Roles, joined, role_list},
    session::{self, Current},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Remove, _>(
            "/organization/remove-member",
            "remove_organization_member",
            Access::Session,
            remove_member,
        )
        .about("Remove a member, named by member id or address; never the only owner."),
        Endpoint::post::<UpdateRole, _>(
            "/organization/update-member-role",
            "update_organization_member_role",
            Access::Session,
            update_member_role,
        )
        .about("Give a member other roles; only owners make and unmake owners."),
        Endpoint::post::<Leave, _>(
            "/organization/leave",
            "leave_organization",
            Access::Session,
            leave,
        )
        .about("Leave an organization; its only owner cannot."),
    ]
}

/// Whether nobody else holds the creator's role. The organization is locked.
async fn is_only_creator(app: &App, conn: &impl GenericClient, organization: Uuid) -> Result<bool> {
    let role = &app.config.organization.creator_role;
    Ok(store::count_holders(conn, organization, role).await? <= 1)
}

/// Takes a user out of the organization and its teams; the caller's own session does not point at it any more.
async fn remove(
    call: &Call,
    conn: &impl GenericClient,
    organization: Uuid,
    user: Uuid,
    caller: &Current,
) -> Result<()> {
    store::delete(conn, organization, user).await?;
    teams::leave_all(conn, organization, user).await?;
    let session = &caller.signed_in.session;
    let active = session.active_organization_id.as_deref().map(row_id);
    if session.user_id == user && active == Some(organization) {
        organizations::set_active(conn, session.id, None, None, call.now).await?;
    }
    Ok(())
}

struct Remove {
    member: String,
    organization: Option<String>,
}

impl FromFields for Remove {
    fn read(fields: &mut Fields) -> Self {
        Self {
            member: fields.text("memberIdOrEmail"),
            organization: fields.optional_text("organizationId"),
        }
    }
}

async fn remove_member(app: App, call: Call) -> Result<Answer> {
    let body: Remove = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    let by_email = body.member.contains('@');
    let found = if by_email {
        store::find_by_email(&tx, id, &body.member).await?
    } else {
        store::find(&tx, row_id(&body.member)).await?
    };
    // A member of another organization is nobody here, whatever that one is there (OR-09).
    let found = found.filter(|found| found.member.organization_id == id);
    let found = found.ok_or(no::MEMBER_NOT_FOUND)?;
    if holds_creator_role(&app, &found.member.role)
        && (!own.is_creator(&app) || is_only_creator(&app, &tx, id).await?)
    {
        return Err(no::ONLY_OWNER.into());
    }
    if !own.may(&app, "member", "delete") {
        return Err(no::MAY_NOT_REMOVE_MEMBER.into());
    }
    remove(&call, &tx, id, found.member.user_id, &caller).await?;
    let about = Some(found.user.email.clone());
    let event = Event::Organization { deed: Deed::Removed, organization: id, about };
    events::record(&app, &tx, &call, event, Some(caller.signed_in.user.id)).await?;
    tx.commit().await?;
    if by_email {
        Answer::json(&json!({ "member": found }))
    } else {
        Answer::json(&json!({ "member": found.member }))
    }
}

struct UpdateRole {
    roles: Vec<String>,
    member: String,
    organization: Option<String>,
}

impl FromFields for UpdateRole {
    fn read(fields: &mut Fields) -> Self {
        Self {
            roles: fields.texts("role"),
            member: fields.text("memberId"),
            organization: fields.optional_text("organizationId"),
        }
    }
}

async fn update_member_role(app: App, call: Call) -> Result<Answer> {
    let body: UpdateRole = call.body()?;
    let caller = session::required(&app, &call).await?;
    if body.roles == [""] {
        return Err(no::BARE_BAD_REQUEST.into());
    }
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let role = joined(body.roles.iter().map(String::as_str));
    if role.is_empty() {
        return Err(no::BARE_BAD_REQUEST.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    let member = store::find(&tx, row_id(&body.member)).await?.ok_or(no::MEMBER_NOT_FOUND)?.member;
    if member.organization_id != id {
        return Err(no::MAY_NOT_UPDATE_MEMBER.into());
    }
    let (was_creator, becomes_creator) =
        (holds_creator_role(&app, &member.role), holds_creator_role(&app, &role));
    if (was_creator || becomes_creator) && !own.is_creator(&app) {
        return Err(no::MAY_NOT_UPDATE_MEMBER.into());
    }
    let is_self = own.member.id == member.id;
    if is_self && was_creator && !becomes_creator && is_only_creator(&app, &tx, id).await? {
        return Err(no::WITHOUT_AN_OWNER.into());
    }
    if !own.is_creator(&app) && !own.may(&app, "member", "update") {
        return Err(no::MAY_NOT_UPDATE_MEMBER.into());
    }
    let own_roles = known_roles(&app, &tx, id, &role).await?.map_err(|unknown| {
        let message = format!("ROLE_NOT_FOUND: {unknown}");
        Error::Explained(StatusCode::BAD_REQUEST, "ROLE_NOT_FOUND", message)
    })?;
    if !own.may_grant(&app, role_list(&role), &own_roles) {
        return Err(no::MAY_NOT_UPDATE_MEMBER.into());
    }
    let updated = store::set_role(&tx, member.id, &role).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    let about = Some(format!("{}: {} -> {role}", member.user_id, member.role));
    let event = Event::Organization { deed: Deed::RoleChanged, organization: id, about };
    events::record(&app, &tx, &call, event, Some(caller.signed_in.user.id)).await?;
    tx.commit().await?;
    Answer::json(&updated)
}

/// The organization's own roles among these, or the names that no role has.
pub(super) async fn known_roles(
    app: &App,
    conn: &impl GenericClient,
    organization: Uuid,
    role: &str,
) -> Result<std::result::Result<Roles, String>> {
    let unknown: Vec<&str> =
        role_list(role).filter(|role| !app.organization_roles.knows(role)).collect();
    if unknown.is_empty() {
        return Ok(Ok(Roles::default()));
    }
    let own = if app.config.organization.dynamic_roles {
        roles::named(conn, organization, &unknown).await?
    } else {
        Roles::default()
    };
    let invalid: Vec<&str> = unknown.into_iter().filter(|role| !own.knows(role)).collect();
    Ok(if invalid.is_empty() { Ok(own) } else { Err(invalid.join(", ")) })
}

struct Leave {
    organization: String,
}

impl FromFields for Leave {
    fn read(fields: &mut Fields) -> Self {
        Self { organization: fields.text("organizationId") }
    }
}

async fn leave(app: App, call: Call) -> Result<Answer> {
    let body: Leave = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = row_id(&body.organization);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    if own.is_creator(&app) && is_only_creator(&app, &tx, id).await? {
        return Err(no::ONLY_OWNER.into());
    }
    remove(&call, &tx, id, own.member.user_id, &caller).await?;
    let event = Event::Organization { deed: Deed::Left, organization: id, about: None };
    events::record(&app, &tx, &call, event, Some(own.member.user_id)).await?;
    tx.commit().await?;
    Answer::json(&own.with_user())
}
