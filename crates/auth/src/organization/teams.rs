//! Teams: create, rename, remove, list, and which one is active.

use serde_json::json;

use super::{
    Config, Of, caller_or, meant, membership_of, pointed_at_team, refusals as no, row_id,
    store::{invitations, organizations, teams as store},
    switch::remembered,
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
        Endpoint::post::<Create, _>(
            "/organization/create-team",
            "create_team",
            Access::Session,
            create,
        )
        .about("Create a team in an organization."),
        Endpoint::post::<Remove, _>(
            "/organization/remove-team",
            "remove_team",
            Access::Session,
            remove,
        )
        .about("Remove a team: neither the active one nor the last."),
        Endpoint::post::<Update, _>(
            "/organization/update-team",
            "update_team",
            Access::Session,
            update,
        )
        .about("Rename a team."),
        Endpoint::get("/organization/list-teams", "list_teams", Access::Session, list)
            .about("The teams of an organization.")
            .with_query::<Of>(),
        Endpoint::post::<SetActive, _>(
            "/organization/set-active-team",
            "set_active_team",
            Access::Session,
            set_active,
        )
        .about("Choose the active team within the active organization, or none by `null`."),
    ]
}

struct Create {
    name: String,
    organization: Option<String>,
}

impl FromFields for Create {
    fn read(fields: &mut Fields) -> Self {
        Self { name: fields.text("name"), organization: fields.optional_text("organizationId") }
    }
}

async fn create(app: App, call: Call) -> Result<Answer> {
    let body: Create = call.body()?;
    let caller = caller_or(&app, &call, no::NOBODY).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::MAY_NOT_INVITE)?;
    if !own.may(&app, "team", "create") {
        return Err(no::MAY_NOT_CREATE_TEAMS.into());
    }
    let count = store::count(&tx, id).await?;
    if Config::reached(app.config.organization.maximum_teams, count) {
        return Err(no::TOO_MANY_TEAMS.into());
    }
    let team = store::create(&tx, id, &body.name, call.now, Some(call.now)).await?;
    tx.commit().await?;
    Answer::json(&team)
}

struct Remove {
    team: String,
    organization: Option<String>,
}

impl FromFields for Remove {
    fn read(fields: &mut Fields) -> Self {
        Self { team: fields.text("teamId"), organization: fields.optional_text("organizationId") }
    }
}

async fn remove(app: App, call: Call) -> Result<Answer> {
    let body: Remove = call.body()?;
    let caller = caller_or(&app, &call, no::NOBODY).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let team = row_id(&body.team);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let own = membership_of(&app, &tx, id, &caller).await?.ok_or(no::MAY_NOT_DELETE_TEAM)?;
    if caller.signed_in.session.active_team_id.as_deref().map(row_id) == Some(team) {
        return Err(no::MAY_NOT_DELETE_TEAM.into());
    }
    if !own.may(&app, "team", "delete") {
        return Err(no::MAY_NOT_DELETE_TEAMS.into());
    }
    store::find_in(&tx, id, team).await?.ok_or(no::TEAM_NOT_FOUND)?;
    if !app.config.organization.allow_removing_all_teams && store::count(&tx, id).await? <= 1 {
        return Err(no::LAST_TEAM.into());
    }
    invitations::forget_team(&tx, id, team).await?;
    store::delete(&tx, team).await?;
    tx.commit().await?;
    Answer::json(&json!({ "message": "Team removed successfully." }))
}

struct Update {
    team: String,
    name: Option<String>,
    organization: Option<String>,
}

impl FromFields for Update {
    fn read(fields: &mut Fields) -> Self {
        let team = fields.text("teamId");
        let (name, organization) = fields.object("data", |data| {
            (data.optional_some_text("name"), data.optional_text("organizationId"))
        });
        Self { team, name, organization }
    }
}

async fn update(app: App, call: Call) -> Result<Answer> {
    let body: Update = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    let own = membership_of(&app, &conn, id, &caller).await?.ok_or(no::MAY_NOT_UPDATE_TEAM)?;
    if !own.may(&app, "team", "update") {
        return Err(no::MAY_NOT_UPDATE_TEAM.into());
    }
    let team = store::find_in(&conn, id, row_id(&body.team)).await?.ok_or(no::TEAM_NOT_FOUND)?;
    let renamed = store::rename(&conn, team.id, body.name.as_deref(), call.now).await?;
    Answer::json(&renamed.ok_or(no::TEAM_NOT_FOUND)?)
}

async fn list(app: App, call: Call) -> Result<Answer> {
    let query: Of = call.query()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(query.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    membership_of(&app, &conn, id, &caller).await?.ok_or(no::MAY_NOT_LIST_TEAMS)?;
    Answer::json(&store::list(&conn, id).await?)
}

struct SetActive {
    /// `Some(None)`: none.
    team: Option<Option<String>>,
}

impl FromFields for SetActive {
    fn read(fields: &mut Fields) -> Self {
        Self { team: fields.nullable_text("teamId") }
    }
}

async fn set_active(app: App, call: Call) -> Result<Answer> {
    let body: SetActive = call.body()?;
    let caller = session::required(&app, &call).await?;
    let session = &caller.signed_in.session;
    let active = session.active_team_id.clone().filter(|team| !team.is_empty());
    if body.team == Some(None) {
        if active.is_none() {
            return Answer::json(&());
        }
        let conn = connection(&app).await?;
        organizations::set_active_team(&conn, session.id, None, call.now).await?;
        return remembered(&app, &call, &pointed_at_team(&caller, None), Answer::json(&())?);
    }
    let asked = body.team.flatten().filter(|team| !team.is_empty());
    let Some(team) = asked.or(active) else { return Answer::json(&()) };
    let organization = meant(None, &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    let team = store::find_in(&conn, organization, row_id(&team)).await?;
    let team = team.ok_or(no::TEAM_NOT_FOUND)?;
    let user = caller.signed_in.user.id;
    // Who left the organization is in none of its teams, whatever rows an older server left behind.
    membership_of(&app, &conn, organization, &caller).await?.ok_or(no::NOT_IN_TEAM_TO_ACTIVATE)?;
    store::find_member(&conn, team.id, user).await?.ok_or(no::NOT_IN_TEAM_TO_ACTIVATE)?;
    organizations::set_active_team(&conn, session.id, Some(team.id), call.now).await?;
    remembered(&app, &call, &pointed_at_team(&caller, Some(team.id)), Answer::json(&team)?)
}
