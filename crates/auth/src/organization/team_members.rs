//! Who is in which team.

use serde_json::json;
use uuid::Uuid;

use super::{
    Config, meant, membership_of, refusals as no, row_id,
    store::{
        members,
        teams::{self as store, Added},
    },
};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/organization/list-user-teams",
            "list_user_teams",
            Access::Session,
            list_user_teams,
        )
        .about("The own teams, or those of another member for those who may change members.")
        .with_query::<Whose>(),
        Endpoint::get(
            "/organization/list-team-members",
            "list_team_members",
            Access::Session,
            list_team_members,
        )
        .about("The members of a team that the caller is in.")
        .with_query::<Of>(),
        Endpoint::post::<Who, _>(
            "/organization/add-team-member",
            "add_team_member",
            Access::Session,
            add,
        )
        .about("Put a member of the organization into a team."),
        Endpoint::post::<Who, _>(
            "/organization/remove-team-member",
            "remove_team_member",
            Access::Session,
            remove,
        )
        .about("Take a member out of a team."),
    ]
}

struct Whose {
    user: Option<String>,
    organization: Option<String>,
}

impl FromFields for Whose {
    fn read(fields: &mut Fields) -> Self {
        Self {
            user: fields.optional_text("userId"),
            organization: fields.optional_text("organizationId"),
        }
    }
}

async fn list_user_teams(app: App, call: Call) -> Result<Answer> {
    let query: Whose = call.query()?;
    let caller = session::required(&app, &call).await?;
    let own_id = caller.signed_in.user.id;
    let user = query.user.as_deref().filter(|user| !user.is_empty()).map_or(own_id, row_id);
    let conn = connection(&app).await?;
    if user != own_id {
        let id = meant(query.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
        let own = membership_of(&app, &conn, id, &caller).await?.ok_or(no::NOT_A_MEMBER)?;
        if !own.may(&app, "member", "update") {
            return Err(no::MAY_NOT_UPDATE_MEMBER.into());
        }
        let other = members::membership(&conn, id, user, false).await?;
        other.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
        return Answer::json(&store::list_of_user(&conn, user, Some(id)).await?);
    }
    let named = query.organization.as_deref().filter(|id| !id.is_empty()).map(row_id);
    if let Some(id) = named {
        membership_of(&app, &conn, id, &caller).await?.ok_or(no::NOT_A_MEMBER)?;
    }
    Answer::json(&store::list_of_user(&conn, user, named).await?)
}

struct Of {
    team: Option<String>,
}

impl FromFields for Of {
    fn read(fields: &mut Fields) -> Self {
        Self { team: fields.optional_text("teamId") }
    }
}

async fn list_team_members(app: App, call: Call) -> Result<Answer> {
    let query: Of = call.query()?;
    let caller = session::required(&app, &call).await?;
    let active = caller.signed_in.session.active_team_id.clone();
    let team = query.team.filter(|team| !team.is_empty()).or(active);
    let team = team.filter(|team| !team.is_empty()).ok_or(no::NO_ACTIVE_TEAM)?;
    let conn = connection(&app).await?;
    let team = store::find(&conn, row_id(&team)).await?.ok_or(no::TEAM_NOT_FOUND)?;
    let own = membership_of(&app, &conn, team.organization_id, &caller).await?;
    own.ok_or(no::NOT_IN_TEAM)?;
    let in_team = store::find_member(&conn, team.id, caller.signed_in.user.id).await?;
    in_team.ok_or(no::NOT_IN_TEAM)?;
    Answer::json(&store::list_members(&conn, team.id).await?)
}

struct Who {
    team: Uuid,
    user: Uuid,
    organization: Option<String>,
}

impl FromFields for Who {
    fn read(fields: &mut Fields) -> Self {
        Self {
            team: row_id(&fields.text("teamId")),
            user: row_id(&fields.coerced_text("userId")),
            organization: fields.optional_text("organizationId"),
        }
    }
}

async fn add(app: App, call: Call) -> Result<Answer> {
    let body: Who = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    // Under the lock, so that nobody is put into a team while leaving the organization.
    super::store::organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    if !own.may(&app, "member", "update") {
        return Err(no::MAY_NOT_ADD_TO_TEAM.into());
    }
    let other = members::membership(&tx, id, body.user, false).await?;
    other.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    store::find_in(&tx, id, body.team).await?.ok_or(no::TEAM_NOT_FOUND)?;
    let limit = app.config.organization.maximum_team_members;
    let is_full = |count| Config::reached(limit, count);
    let added = store::add_member(&tx, body.team, body.user, call.now, is_full).await?;
    let member = match added {
        Added::Member(member) => member,
        Added::Full => return Err(no::TEAM_MEMBER_LIMIT.into()),
        Added::NoTeam => return Err(no::TEAM_NOT_FOUND.into()),
    };
    tx.commit().await?;
    Answer::json(&member)
}

async fn remove(app: App, call: Call) -> Result<Answer> {
    let body: Who = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    if !own.may(&app, "member", "delete") {
        return Err(no::MAY_NOT_REMOVE_FROM_TEAM.into());
    }
    let other = members::membership(&tx, id, body.user, false).await?;
    other.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    store::find_in(&tx, id, body.team).await?.ok_or(no::TEAM_NOT_FOUND)?;
    if !store::remove_member(&tx, body.team, body.user).await? {
        return Err(no::NOT_IN_TEAM.into());
    }
    tx.commit().await?;
    Answer::json(&json!({ "message": "Team member removed successfully." }))
}
