//! Reading one organization: the row alone, or with members, invitations and teams.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    membership_of,
    permissions::{Membership, holds_creator_role},
    refusals as no, row_id,
    rows::{Invitation, Organization, Team, WithUser},
    store::{
        invitations, members,
        organizations::{self as store, Which},
        teams,
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
    session::{self, Current},
};
use deadpool_postgres::GenericClient;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/organization/get-organization",
            "get_organization",
            Access::Session,
            get_organization,
        )
        .about("The active organization, or the one that is named; `null` when there is none.")
        .with_query::<Asked>(),
        Endpoint::get(
            "/organization/get-full-organization",
            "get_full_organization",
            Access::Session,
            get_full_organization,
        )
        .about("The same with members, teams, and, for those who may invite, invitations.")
        .with_query::<AskedInFull>(),
    ]
}

struct Asked {
    id: Option<String>,
    slug: Option<String>,
}

impl FromFields for Asked {
    fn read(fields: &mut Fields) -> Self {
        Self {
            id: fields.optional_text("organizationId"),
            slug: fields.optional_text("organizationSlug"),
        }
    }
}

impl Asked {
    /// A slug wins over an id, an id over the active organization.
    fn which<'a>(&'a self, caller: &Current) -> Option<Which<'a>> {
        match self.slug.as_deref().filter(|slug| !slug.is_empty()) {
            Some(slug) => Some(Which::Slug(slug)),
            None => super::meant(self.id.as_deref(), caller).map(Which::Id),
        }
    }
}

struct AskedInFull {
    asked: Asked,
    members: Option<String>,
}

impl FromFields for AskedInFull {
    fn read(fields: &mut Fields) -> Self {
        Self { asked: Asked::read(fields), members: fields.optional_text("membersLimit") }
    }
}

async fn get_organization(app: App, call: Call) -> Result<Answer> {
    let asked: Asked = call.query()?;
    let caller = session::required(&app, &call).await?;
    let Some(which) = asked.which(&caller) else { return Answer::json(&()) };
    let conn = connection(&app).await?;
    Answer::json(&find(&call, &conn, &caller, which).await?)
}

/// The organization, for its members. Whoever asks for a foreign one has none active afterwards, as in Better Auth.
async fn find(
    call: &Call,
    conn: &impl GenericClient,
    caller: &Current,
    which: Which<'_>,
) -> Result<Organization> {
    let found = store::find(conn, caller.signed_in.user.id, which).await?;
    let (organization, role) = found.ok_or(no::ORGANIZATION_NOT_FOUND)?;
    if role.is_none() {
        store::set_active(conn, caller.signed_in.session.id, None, None, call.now).await?;
        return Err(no::STRANGER.into());
    }
    Ok(organization)
}

#[derive(Serialize)]
struct Full {
    #[serde(flatten)]
    organization: Organization,
    invitations: Vec<Map<String, Value>>,
    members: Vec<WithUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<Team>>,
}

async fn get_full_organization(app: App, call: Call) -> Result<Answer> {
    let AskedInFull { asked, members } = call.query()?;
    let caller = session::required(&app, &call).await?;
    let Some(which) = asked.which(&caller) else { return Answer::json(&()) };
    let limit = members.and_then(|text| leading_number(&text));
    let limit = limit.unwrap_or_else(|| i64::from(app.config.organization.membership_limit));
    let conn = connection(&app).await?;
    let organization = find(&call, &conn, &caller, which).await?;
    let id = organization.id;
    // Sent one after the other without waiting: one round trip.
    let (membership, members, invitations, teams) = tokio::try_join!(
        membership_of(&app, &conn, id, &caller),
        members::list_first(&conn, id, limit),
        invitations::list(&conn, id),
        async {
            match app.config.features.teams {
                true => Ok(Some(teams::list_counted(&conn, id).await?)),
                false => Ok(None),
            }
        },
    )?;
    let membership = membership.ok_or(no::STRANGER)?;
    let invitations = if membership.may(&app, "invitation", "create") {
        visible(&app, &membership, &invitations)
    } else {
        Vec::new()
    };
    Answer::json(&Full { organization, invitations, members, teams })
}

/// The number a text begins with, as JavaScript's `parseInt` reads it; none for what limits nothing.
fn leading_number(text: &str) -> Option<i64> {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|number| *number > 0)
}

/// The invitations that a member may see: their ids are what is accepted with, and only an owner passes ownership on.
pub(super) fn visible(
    app: &App,
    membership: &Membership,
    invitations: &[Invitation],
) -> Vec<Map<String, Value>> {
    let creator = membership.is_creator(app);
    let shown = invitations.iter().filter(|it| creator || !holds_creator_role(app, &it.role));
    shown.map(|it| it.shown(app.config.features.teams)).collect()
}

/// The id behind what a query names; a slug wins.
pub(super) async fn meant_by(
    conn: &impl GenericClient,
    id: Option<&str>,
    slug: Option<&str>,
    caller: &Current,
) -> Result<uuid::Uuid> {
    if let Some(slug) = slug.filter(|slug| !slug.is_empty()) {
        return Ok(store::find_id(conn, slug).await?.ok_or(no::ORGANIZATION_NOT_FOUND)?);
    }
    let active = caller.signed_in.session.active_organization_id.as_deref();
    let named = id.filter(|id| !id.is_empty()).or(active.filter(|id| !id.is_empty()));
    Ok(named.map(row_id).ok_or(no::NO_ACTIVE_ORGANIZATION)?)
}
