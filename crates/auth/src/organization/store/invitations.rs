//! The SQL of `neon_auth.invitation`.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::rows::Invitation;
use crate::{database::statements::Statement, error::Result};

macro_rules! columns {
    () => {
        r#"i.id, i."organizationId", i.email, coalesce(i.role, 'member'), i."teamId", i.status, i."expiresAt", i."createdAt", i."inviterId""#
    };
}

const FIND: Statement = Statement::new(
    "invitation.find",
    concat!("select ", columns!(), " from neon_auth.invitation i where i.id = $1"),
);

/// With what its reader is told of organization and inviter.
const FIND_TOLD: Statement = Statement::new(
    "invitation.find_told",
    concat!(
        "select ",
        columns!(),
        r#", o.name, o.slug, u.email
from neon_auth.invitation i
join neon_auth.organization o on o.id = i."organizationId"
left join neon_auth.member m on m."organizationId" = i."organizationId" and m."userId" = i."inviterId"
left join neon_auth."user" u on u.id = m."userId"
where i.id = $1
limit 1"#
    ),
);

const CREATE: Statement = Statement::new(
    "invitation.create",
    concat!(
        r#"insert into neon_auth.invitation as i
  (id, "organizationId", email, role, "teamId", status, "expiresAt", "createdAt", "inviterId")
values ($1, $2, $3, $4, $5, 'pending', $6, $7, $8)
returning "#,
        columns!()
    ),
);

const LIST: Statement = Statement::new(
    "invitation.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.invitation i where i."organizationId" = $1 order by i."createdAt", i.id"#
    ),
);

const LIST_PENDING_OF_EMAIL: Statement = Statement::new(
    "invitation.list_pending_of_email",
    concat!(
        "select ",
        columns!(),
        r#", o.name
from neon_auth.invitation i join neon_auth.organization o on o.id = i."organizationId"
where i.email = $1 and i.status = 'pending'
order by i."createdAt", i.id"#
    ),
);

const FIND_OPEN: Statement = Statement::new(
    "invitation.find_open",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.invitation i
where i."organizationId" = $1 and i.email = $2 and i.status = 'pending' and i."expiresAt" > $3
order by i."createdAt", i.id
limit 1"#
    ),
);

const CANCEL_OPEN: Statement = Statement::new(
    "invitation.cancel_open",
    r#"update neon_auth.invitation set status = 'canceled'
where "organizationId" = $1 and email = $2 and status = 'pending' and "expiresAt" > $3"#,
);

const COUNT_OPEN: Statement = Statement::new(
    "invitation.count_open",
    r#"select count(*) from neon_auth.invitation
where "organizationId" = $1 and status = 'pending' and "expiresAt" > $2"#,
);

const EXTEND: Statement = Statement::new(
    "invitation.extend",
    r#"update neon_auth.invitation set "expiresAt" = $2 where id = $1"#,
);

/// Of many answers at once, one finds the row as it must be.
const ANSWER: Statement = Statement::new(
    "invitation.answer",
    concat!(
        "update neon_auth.invitation as i set status = $2 where i.id = $1 and i.status = 'pending' returning ",
        columns!()
    ),
);

const CANCEL: Statement = Statement::new(
    "invitation.cancel",
    concat!(
        "update neon_auth.invitation as i set status = 'canceled' where i.id = $1 returning ",
        columns!()
    ),
);

const FORGET_TEAM: Statement = Statement::new(
    "invitation.forget_team",
    r#"update neon_auth.invitation
set "teamId" = nullif(array_to_string(array_remove(string_to_array("teamId", ','), $2), ','), '')
where "organizationId" = $1 and status = 'pending' and $2 = any(string_to_array("teamId", ','))"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &FIND,
    &FIND_TOLD,
    &CREATE,
    &LIST,
    &LIST_PENDING_OF_EMAIL,
    &FIND_OPEN,
    &CANCEL_OPEN,
    &COUNT_OPEN,
    &EXTEND,
    &ANSWER,
    &CANCEL,
    &FORGET_TEAM,
];

/// Columns of `columns!`.
const COLUMNS: usize = 9;

fn invitation(row: &Row) -> Result<Invitation> {
    Ok(Invitation {
        id: row.try_get(0)?,
        organization_id: row.try_get(1)?,
        email: row.try_get(2)?,
        role: row.try_get(3)?,
        team_id: row.try_get(4)?,
        status: row.try_get(5)?,
        expires_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
        inviter_id: row.try_get(8)?,
    })
}

/// An invitation with what its reader is told beside it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The row.
    pub invitation: Invitation,
    /// The organization's name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// The inviter's address; `None`: the inviter is a member no more.
    pub inviter: Option<String>,
}

/// The invitation of that id.
///
/// # Errors
/// Those of Postgres.
pub async fn find(conn: &impl GenericClient, id: Uuid) -> Result<Option<Invitation>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(invitation).transpose()
}

/// The same with organization and inviter.
///
/// # Errors
/// Those of Postgres.
pub async fn find_told(conn: &impl GenericClient, id: Uuid) -> Result<Option<Told>> {
    let statement = conn.prepare_cached(FIND_TOLD.sql).await?;
    let Some(row) = conn.query_opt(&statement, &[&id]).await? else { return Ok(None) };
    Ok(Some(Told {
        invitation: invitation(&row)?,
        name: row.try_get(COLUMNS)?,
        slug: row.try_get(COLUMNS + 1)?,
        inviter: row.try_get(COLUMNS + 2)?,
    }))
}

/// Writes an invitation that waits for an answer.
///
/// # Errors
/// Those of Postgres.
pub async fn create(conn: &impl GenericClient, new: &Invitation) -> Result<Invitation> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let row = conn
        .query_one(
            &statement,
            &[
                &new.id,
                &new.organization_id,
                &new.email,
                &new.role,
                &new.team_id,
                &new.expires_at,
                &new.created_at,
                &new.inviter_id,
            ],
        )
        .await?;
    invitation(&row)
}

/// Every invitation of an organization, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn list(conn: &impl GenericClient, organization: Uuid) -> Result<Vec<Invitation>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&organization]).await?.iter().map(invitation).collect()
}

/// The invitations to an address that wait for an answer, with the names of their organizations.
///
/// # Errors
/// Those of Postgres.
pub async fn list_pending_of_email(
    conn: &impl GenericClient,
    email: &str,
) -> Result<Vec<(Invitation, String)>> {
    let statement = conn.prepare_cached(LIST_PENDING_OF_EMAIL.sql).await?;
    let rows = conn.query(&statement, &[&email]).await?;
    rows.iter().map(|row| Ok((invitation(row)?, row.try_get(COLUMNS)?))).collect()
}

/// The oldest invitation of an address that can still be accepted.
///
/// # Errors
/// Those of Postgres.
pub async fn find_open(
    conn: &impl GenericClient,
    organization: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>> {
    let statement = conn.prepare_cached(FIND_OPEN.sql).await?;
    conn.query_opt(&statement, &[&organization, &email, &now])
        .await?
        .as_ref()
        .map(invitation)
        .transpose()
}

/// Cancels what [`find_open`] would find.
///
/// # Errors
/// Those of Postgres.
pub async fn cancel_open(
    conn: &impl GenericClient,
    organization: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(CANCEL_OPEN.sql).await?;
    conn.execute(&statement, &[&organization, &email, &now]).await?;
    Ok(())
}

/// How many can still be accepted.
///
/// # Errors
/// Those of Postgres.
pub async fn count_open(
    conn: &impl GenericClient,
    organization: Uuid,
    now: DateTime<Utc>,
) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT_OPEN.sql).await?;
    Ok(conn.query_one(&statement, &[&organization, &now]).await?.try_get(0)?)
}

/// Moves the end of an invitation.
///
/// # Errors
/// Those of Postgres.
pub async fn extend(conn: &impl GenericClient, id: Uuid, until: DateTime<Utc>) -> Result<()> {
    let statement = conn.prepare_cached(EXTEND.sql).await?;
    conn.execute(&statement, &[&id, &until]).await?;
    Ok(())
}

/// Answers an invitation that waits for an answer; `None`: it does not, any more.
///
/// # Errors
/// Those of Postgres.
pub async fn answer(
    conn: &impl GenericClient,
    id: Uuid,
    status: &str,
) -> Result<Option<Invitation>> {
    let statement = conn.prepare_cached(ANSWER.sql).await?;
    conn.query_opt(&statement, &[&id, &status]).await?.as_ref().map(invitation).transpose()
}

/// Cancels an invitation, answered or not.
///
/// # Errors
/// Those of Postgres.
pub async fn cancel(conn: &impl GenericClient, id: Uuid) -> Result<Option<Invitation>> {
    let statement = conn.prepare_cached(CANCEL.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(invitation).transpose()
}

/// Takes a team out of the invitations that wait for an answer.
///
/// # Errors
/// Those of Postgres.
pub async fn forget_team(conn: &impl GenericClient, organization: Uuid, team: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(FORGET_TEAM.sql).await?;
    conn.execute(&statement, &[&organization, &team.to_string()]).await?;
    Ok(())
}
