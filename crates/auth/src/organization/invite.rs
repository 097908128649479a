//! `POST /organization/invite-member`: judged twice, before mail is counted and once more under the lock.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use http::StatusCode;
use url::Url;
use uuid::Uuid;

use super::{
    Config, meant,
    membership::known_roles,
    membership_of,
    permissions::{Membership, holds_creator_role},
    refusals as no, row_id,
    rows::{Invitation, Organization},
    store::{invitations as store, members, organizations, teams},
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
    mail::{self, Message},
    permissions::{joined, role_list},
    session::{self, Current},
    user::Email,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Invite, _>(
            "/organization/invite-member",
            "create_organization_invitation",
            Access::Session,
            invite_member,
        )
        .about("Invite an address; `resend` mails a waiting invitation again and extends it."),
    ]
}

struct Invite {
    email: String,
    roles: Vec<String>,
    organization: Option<String>,
    resend: bool,
    teams: Vec<String>,
}

impl FromFields for Invite {
    fn read(fields: &mut Fields) -> Self {
        let email = fields.text("email");
        let roles = fields.texts("role");
        let organization = fields.optional_text("organizationId");
        let resend = fields.flag("resend").unwrap_or_default();
        let teams = fields.optional_texts("teamId").unwrap_or_default();
        let teams = teams.into_iter().filter(|team| !team.is_empty()).collect();
        Self { email, roles, organization, resend, teams }
    }
}

/// What is asked for, in one form.
struct Wanted<'a> {
    organization: Uuid,
    email: &'a Email,
    role: &'a str,
}

async fn invite_member(app: App, call: Call) -> Result<Answer> {
    let body: Invite = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::ORGANIZATION_NOT_FOUND)?;
    let email = Email::parse(&body.email).ok_or(no::INVALID_EMAIL)?;
    let role = joined(body.roles.iter().map(String::as_str));
    let wanted = Wanted { organization: id, email: &email, role: &role };
    let mut conn = connection(&app).await?;
    judge(&app, &conn, &caller, &wanted).await?;
    // Only who may invite uses up what a mailbox may get (RL-17).
    let mails = app.config.organization.send_invitation_email;
    let may_send = mails && app.limits.may_mail(&email, call.now).await;

    let tx = conn.transaction().await?;
    let organization = organizations::lock(&tx, id).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    let inviter = judge(&app, &tx, &caller, &wanted).await?;
    let invitation = match waiting(&app, &call, &tx, &inviter, &wanted, body.resend).await? {
        Some(invitation) => invitation,
        None => create(&app, &call, &tx, &inviter, &wanted, &body.teams).await?,
    };
    if mails {
        let message = message(&app, &call, &inviter, &organization, &invitation);
        if may_send {
            mail::send(&app, &call, &tx, email.as_str(), &message).await?;
        } else {
            mail::pretend(&app, &call, &tx, email.as_str(), &message).await?;
        }
    }
    let about = Some(format!("{} as {}", invitation.email, invitation.role));
    let event = Event::Organization { deed: Deed::Invited, organization: id, about };
    events::record(&app, &tx, &call, event, Some(caller.signed_in.user.id)).await?;
    tx.commit().await?;
    Answer::json(&invitation.shown(app.config.features.teams))
}

/// Whether the caller may invite this address in this role.
async fn judge(
    app: &App,
    conn: &impl GenericClient,
    caller: &Current,
    wanted: &Wanted<'_>,
) -> Result<Membership> {
    let inviter = membership_of(app, conn, wanted.organization, caller).await?;
    let inviter = inviter.ok_or(no::MEMBER_NOT_FOUND)?;
    if !inviter.may(app, "invitation", "create") {
        return Err(no::MAY_NOT_INVITE.into());
    }
    if wanted.role.is_empty() {
        return Err(no::ROLE_NOT_FOUND.into());
    }
    let own_roles = known_roles(app, conn, wanted.organization, wanted.role).await?;
    let own_roles = own_roles.map_err(|unknown| {
        Error::Explained(StatusCode::BAD_REQUEST, "", format!("ROLE_NOT_FOUND: {unknown}"))
    })?;
    let passes_ownership_on = holds_creator_role(app, wanted.role) && !inviter.is_creator(app);
    if passes_ownership_on || !inviter.may_grant(app, role_list(wanted.role), &own_roles) {
        return Err(no::MAY_NOT_INVITE_WITH_ROLE.into());
    }
    let (id, email) = (wanted.organization, wanted.email.as_str());
    if members::find_by_email(conn, id, email).await?.is_some() {
        return Err(no::ALREADY_A_MEMBER.into());
    }
    Ok(inviter)
}

/// The invitation that waits already, extended when it is to be sent again.
async fn waiting(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    inviter: &Membership,
    wanted: &Wanted<'_>,
    resend: bool,
) -> Result<Option<Invitation>> {
    let (id, email) = (wanted.organization, wanted.email.as_str());
    let Some(open) = store::find_open(conn, id, email, call.now).await? else { return Ok(None) };
    if resend {
        if holds_creator_role(app, &open.role) && !inviter.is_creator(app) {
            return Err(no::MAY_NOT_INVITE_WITH_ROLE.into());
        }
        let expires_at = expiry(app, call);
        store::extend(conn, open.id, expires_at).await?;
        return Ok(Some(Invitation { expires_at, ..open }));
    }
    if !app.config.organization.cancel_pending_on_reinvite {
        return Err(no::ALREADY_INVITED.into());
    }
    store::cancel_open(conn, id, email, call.now).await?;
    Ok(None)
}

fn expiry(app: &App, call: &Call) -> chrono::DateTime<chrono::Utc> {
    call.now + TimeDelta::seconds(i64::from(app.config.organization.invitation_expires_in))
}

async fn create(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    inviter: &Membership,
    wanted: &Wanted<'_>,
    teams: &[String],
) -> Result<Invitation> {
    let config = &app.config.organization;
    let id = wanted.organization;
    if store::count_open(conn, id, call.now).await? >= i64::from(config.invitation_limit) {
        return Err(no::INVITATION_LIMIT.into());
    }
    let mut team_ids = Vec::new();
    if app.config.features.teams {
        check_teams(config, conn, id, teams).await?;
        team_ids.extend(teams.iter().map(|team| row_id(team).to_string()));
    }
    let new = Invitation {
        id: random::uuid(),
        organization_id: id,
        email: wanted.email.as_str().to_owned(),
        role: wanted.role.to_owned(),
        team_id: (!team_ids.is_empty()).then(|| team_ids.join(",")),
        status: String::new(),
        expires_at: expiry(app, call),
        created_at: call.now,
        inviter_id: inviter.member.user_id,
    };
    store::create(conn, &new).await
}

async fn check_teams(
    config: &Config,
    conn: &impl GenericClient,
    organization: Uuid,
    asked: &[String],
) -> Result<()> {
    if asked.iter().any(|team| team.contains(',')) {
        return Err(no::INVALID_TEAM_ID.into());
    }
    let mut found = Vec::new();
    for team in asked {
        let team = teams::find_in(conn, organization, row_id(team)).await?;
        found.push(team.ok_or(no::TEAM_NOT_FOUND)?.id);
    }
    for team in found {
        let count = teams::count_members(conn, team).await?;
        if Config::reached(config.maximum_team_members, count) {
            return Err(no::TEAM_MEMBER_LIMIT.into());
        }
    }
    Ok(())
}

fn message(
    app: &App,
    call: &Call,
    inviter: &Membership,
    organization: &Organization,
    invitation: &Invitation,
) -> Message {
    Message::OrganizationInvitation(mail::Invitation {
        id: invitation.id.to_string(),
        role: invitation.role.clone(),
        organization_name: organization.name.clone(),
        inviter_name: inviter.user.name.clone(),
        inviter_email: inviter.user.email.clone(),
        url: Some(link(app, call, invitation.id)),
    })
}

/// The application's page, or this server's.
fn link(app: &App, call: &Call, invitation: Uuid) -> String {
    let id = invitation.to_string();
    match Url::parse(&app.config.organization.accept_page) {
        Ok(mut page) => {
            page.query_pairs_mut().append_pair("invitationId", &id);
            page.into()
        }
        Err(_) => format!("{}/accept-invitation?invitationId={id}", call.mount.base),
    }
}
