//! `POST /organization/accept-invitation`.
//!
//! The organization is locked before the invitation changes, in the same order as everywhere: of several answers at
//! once one counts, and nobody slips in above a limit (OR-04, OR-16).

use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use serde_json::json;
use uuid::Uuid;

use super::{
    Config,
    answers::Which,
    pointed_at, pointed_at_team, received, refusals as no, row_id,
    rows::{Invitation, Member},
    store::{
        invitations as store, members, organizations,
        teams::{self, Added},
    },
    switch::remembered,
};
use crate::{
    app::{App, connection},
    error::Result,
    events::{self, Deed, Event},
    http::{Answer, Call, Endpoint, endpoint::Access},
    permissions::joined,
    session::{self, ActiveOrganization},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Which, _>(
            "/organization/accept-invitation",
            "accept_organization_invitation",
            Access::Session,
            accept,
        )
        .about("Accept an invitation to the own address; the organization becomes active."),
    ]
}

async fn accept(app: App, call: Call) -> Result<Answer> {
    let body: Which = call.body()?;
    let caller = session::required(&app, &call).await?;
    let user = &caller.signed_in.user;
    let mut conn = connection(&app).await?;
    let found = store::find(&conn, row_id(&body.invitation)).await?;
    let found = found.filter(|found| found.is_open(call.now)).ok_or(no::INVITATION_NOT_FOUND)?;
    received::check_recipient(&app, &caller, &found, no::VERIFY_BEFORE_ANSWERING)?;

    let tx = conn.transaction().await?;
    let id = found.organization_id;
    let organization = organizations::lock(&tx, id).await?.ok_or(no::ORGANIZATION_NOT_FOUND)?;
    let existing = members::membership(&tx, id, user.id, false).await?;
    let limit = i64::from(app.config.organization.membership_limit);
    if existing.is_none() && members::count(&tx, id).await? >= limit {
        return Err(no::MEMBERSHIP_LIMIT.into());
    }
    let accepted = store::answer(&tx, found.id, "accepted").await?;
    let accepted = accepted.ok_or(no::INVITATION_NOT_FOUND)?;
    let team = join_teams(&app, &call, &tx, user.id, &accepted).await?;
    let member = match existing {
        Some(membership) => membership.member,
        None => {
            let role = joined([accepted.role.as_str()]);
            members::create(&tx, &members::new(random::uuid(), id, user.id, &role, call.now))
                .await?
        }
    };
    organizations::set_active(&tx, caller.signed_in.session.id, Some(id), team, call.now).await?;
    let event = Event::Organization {
        deed: Deed::Joined,
        organization: id,
        about: Some(member.role.clone()),
    };
    events::record(&app, &tx, &call, event, Some(user.id)).await?;
    tx.commit().await?;

    let answer = answer(&app, &accepted, &member)?;
    let Some(team) = team else { return Ok(answer) };
    let active = ActiveOrganization { id, slug: organization.slug, role: member.role };
    let caller = pointed_at_team(&pointed_at(&caller, Some(active)), Some(team));
    remembered(&app, &call, &caller, answer)
}

fn answer(app: &App, accepted: &Invitation, member: &Member) -> Result<Answer> {
    let invitation = accepted.shown(app.config.features.teams);
    Answer::json(&json!({ "invitation": invitation, "member": member }))
}

/// Puts the user into the teams of the invitation. The team to be active, if it is the only one.
async fn join_teams(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: Uuid,
    invitation: &Invitation,
) -> Result<Option<Uuid>> {
    if !app.config.features.teams {
        return Ok(None);
    }
    let limit = app.config.organization.maximum_team_members;
    let mut joined = Vec::new();
    for team in invitation.teams().map(row_id) {
        let team = teams::find_in(conn, invitation.organization_id, team).await?;
        let team = team.ok_or(no::TEAM_NOT_FOUND)?.id;
        let is_full = |count| Config::reached(limit, count);
        match teams::add_member(conn, team, user, call.now, is_full).await? {
            Added::Member(_) => joined.push(team),
            Added::Full => return Err(no::TEAM_MEMBER_LIMIT.into()),
            Added::NoTeam => return Err(no::TEAM_NOT_FOUND.into()),
        }
    }
    Ok(match joined.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}
