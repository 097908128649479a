//! The SQL of `neon_auth.organization`, and of what a session points at.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::super::rows::Organization;
use crate::{database::statements::Statement, error::Result};

macro_rules! columns {
    () => {
        r#"o.id, o.name, o.slug, o.logo, o."createdAt", o.metadata"#
    };
}

const CREATE: Statement = Statement::new(
    "organization.create",
    concat!(
        r#"insert into neon_auth.organization as o (id, name, slug, logo, "createdAt", metadata)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
returning "#,
        columns!()
    ),
);

const LOCK: Statement = Statement::new(
    "organization.lock",
    concat!(
        "select ",
        columns!(),
        " from neon_auth.organization o where o.id = $1 for no key update"
    ),
);

/// The organization by id, or else by slug, with the user's role in it: one round trip.
const FIND: Statement = Statement::new(
    "organization.find",
    concat!(
        "select ",
        columns!(),
        r#", m.role
from neon_auth.organization o
left join neon_auth.member m on m."organizationId" = o.id and m."userId" = $1
where o.id = coalesce($2, (select id from neon_auth.organization where slug = $3))
limit 1"#
    ),
);

const FIND_ID_BY_SLUG: Statement = Statement::new(
    "organization.find_id_by_slug",
    "select id from neon_auth.organization where slug = $1",
);

const LIST: Statement = Statement::new(
    "organization.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.member m
join neon_auth.organization o on o.id = m."organizationId"
where m."userId" = $1
order by m."createdAt", m.id"#
    ),
);

const UPDATE: Statement = Statement::new(
    "organization.update",
    concat!(
        r#"update neon_auth.organization as o
set name = coalesce($2, o.name), slug = coalesce($3, o.slug),
  logo = case when $4 then $5 else o.logo end, metadata = coalesce($6, o.metadata)
where o.id = $1
returning "#,
        columns!()
    ),
);

const DELETE: Statement =
    Statement::new("organization.delete", "delete from neon_auth.organization where id = $1");

/// Finds the organization, looks whether the user is in it, and points the session at it or at none: one round trip.
/// A slug that nobody has leaves the session alone.
const ACTIVATE: Statement = Statement::new(
    "organization.activate",
    concat!(
        "with wanted as (
  select ",
        columns!(),
        r#", m.role
  from neon_auth.organization o
  left join neon_auth.member m on m."organizationId" = o.id and m."userId" = $2
  where o.id = coalesce($3, (select id from neon_auth.organization where slug = $4))
  limit 1
), pointed as (
  update neon_auth.session s
  set "activeOrganizationId" = (select w.id::text from wanted w where w.role is not null), "updatedAt" = $5
  where s.id = $1 and ($3::uuid is not null or exists (select from wanted))
)
select * from wanted"#
    ),
);

const SET_ACTIVE: Statement = Statement::new(
    "organization.set_active",
    r#"update neon_auth.session
set "activeOrganizationId" = $2, "activeTeamId" = coalesce($3, "activeTeamId"), "updatedAt" = $4
where id = $1"#,
);

const SET_ACTIVE_TEAM: Statement = Statement::new(
    "organization.set_active_team",
    r#"update neon_auth.session set "activeTeamId" = $2, "updatedAt" = $3 where id = $1"#,
);

/// By the members' sessions: there is no index on what sessions point at.
const FORGET_ACTIVE: Statement = Statement::new(
    "organization.forget_active",
    r#"update neon_auth.session s set "activeOrganizationId" = null
from neon_auth.member m
where m."organizationId" = $1 and s."userId" = m."userId" and s."activeOrganizationId" = $1::uuid::text"#,
);

const LOCK_USER: Statement = Statement::new(
    "organization.lock_user",
    r#"select 1 from neon_auth."user" where id = $1 for no key update"#,
);

const COUNT_OF_USER: Statement = Statement::new(
    "organization.count_of_user",
    r#"select count(*) from neon_auth.member where "userId" = $1"#,
);

const LOCK_OF_USER: Statement = Statement::new(
    "organization.lock_of_user",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.organization o
where o.id in (select m."organizationId" from neon_auth.member m where m."userId" = $1)
order by o.id
for no key update"#
    ),
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE,
    &LOCK,
    &FIND,
    &FIND_ID_BY_SLUG,
    &LIST,
    &UPDATE,
    &DELETE,
    &ACTIVATE,
    &SET_ACTIVE,
    &SET_ACTIVE_TEAM,
    &FORGET_ACTIVE,
    &LOCK_USER,
    &COUNT_OF_USER,
    &LOCK_OF_USER,
];

fn organization(row: &Row) -> Result<Organization> {
    Ok(Organization {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        slug: row.try_get(2)?,
        logo: row.try_get(3)?,
        created_at: row.try_get(4)?,
        metadata: row.try_get(5)?,
    })
}

fn with_role(row: &Row) -> Result<(Organization, Option<String>)> {
    Ok((organization(row)?, row.try_get(6)?))
}

/// Which organization is meant. An id wins; an id that is none stands for an organization that does not exist.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By row id.
    Id(Uuid),
    /// By slug.
    Slug(&'a str),
}

impl<'a> Which<'a> {
    const fn parameters(self) -> (Option<Uuid>, Option<&'a str>) {
        match self {
            Self::Id(id) => (Some(id), None),
            Self::Slug(slug) => (None, Some(slug)),
        }
    }
}

/// Creates an organization; `None`: the slug is taken.
///
/// # Errors
/// Those of Postgres.
pub async fn create(conn: &impl GenericClient, new: &Organization) -> Result<Option<Organization>> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    conn.query_opt(
        &statement,
        &[&new.id, &new.name, &new.slug, &new.logo, &new.created_at, &new.metadata],
    )
    .await?
    .as_ref()
    .map(organization)
    .transpose()
}

/// The organization, locked until the transaction ends.
///
/// # Errors
/// Those of Postgres.
pub async fn lock(conn: &impl GenericClient, id: Uuid) -> Result<Option<Organization>> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(organization).transpose()
}

/// The organization with the user's role in it; no role: a stranger.
///
/// # Errors
/// Those of Postgres.
pub async fn find(
    conn: &impl GenericClient,
    user: Uuid,
    which: Which<'_>,
) -> Result<Option<(Organization, Option<String>)>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    let (id, slug) = which.parameters();
    conn.query_opt(&statement, &[&user, &id, &slug]).await?.as_ref().map(with_role).transpose()
}

/// The id behind a slug.
///
/// # Errors
/// Those of Postgres.
pub async fn find_id(conn: &impl GenericClient, slug: &str) -> Result<Option<Uuid>> {
    let statement = conn.prepare_cached(FIND_ID_BY_SLUG.sql).await?;
    Ok(conn.query_opt(&statement, &[&slug]).await?.map(|row| row.try_get(0)).transpose()?)
}

/// The user's organizations, in the order of joining.
///
/// # Errors
/// Those of Postgres.
pub async fn list(conn: &impl GenericClient, user: Uuid) -> Result<Vec<Organization>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&user]).await?.iter().map(organization).collect()
}

/// What may be changed; `logo: Some(None)` removes the picture.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Any text.
    pub name: Option<String>,
    /// Unique.
    pub slug: Option<String>,
    /// URL of a picture.
    pub logo: Option<Option<String>>,
    /// JSON as text.
    pub metadata: Option<String>,
}

/// How a change ended.
#[derive(Clone, Debug)]
pub enum Changed {
    /// Done.
    Done(Organization),
    /// The slug is taken.
    SlugTaken,
    /// There is no such organization any more.
    Gone,
}

/// Changes an organization.
///
/// # Errors
/// Those of Postgres.
pub async fn update(conn: &impl GenericClient, id: Uuid, change: &Change) -> Result<Changed> {
    let statement = conn.prepare_cached(UPDATE.sql).await?;
    let logo = change.logo.clone().flatten();
    let updated = conn
        .query_opt(
            &statement,
            &[&id, &change.name, &change.slug, &change.logo.is_some(), &logo, &change.metadata],
        )
        .await;
    match updated {
        Ok(Some(row)) => Ok(Changed::Done(organization(&row)?)),
        Ok(None) => Ok(Changed::Gone),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Changed::SlugTaken),
        Err(error) => Err(error.into()),
    }
}

/// Deletes an organization and, through foreign keys, everything in it; no session points at it any more (OR-15).
///
/// # Errors
/// Those of Postgres.
pub async fn delete(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let forget = conn.prepare_cached(FORGET_ACTIVE.sql).await?;
    conn.execute(&forget, &[&id]).await?;
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Points the session at the organization if the user is in it, else at none.
///
/// # Errors
/// Those of Postgres.
pub async fn activate(
    conn: &impl GenericClient,
    session: Uuid,
    user: Uuid,
    which: Which<'_>,
    now: DateTime<Utc>,
) -> Result<Option<(Organization, Option<String>)>> {
    let statement = conn.prepare_cached(ACTIVATE.sql).await?;
    let (id, slug) = which.parameters();
    conn.query_opt(&statement, &[&session, &user, &id, &slug, &now])
        .await?
        .as_ref()
        .map(with_role)
        .transpose()
}

/// Points the session at an organization or at none; at a team, if one is given.
///
/// # Errors
/// Those of Postgres.
pub async fn set_active(
    conn: &impl GenericClient,
    session: Uuid,
    organization: Option<Uuid>,
    team: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(SET_ACTIVE.sql).await?;
    let text = |id: Option<Uuid>| id.map(|id| id.to_string());
    conn.execute(&statement, &[&session, &text(organization), &text(team), &now]).await?;
    Ok(())
}

/// Points the session at a team or at none.
///
/// # Errors
/// Those of Postgres.
pub async fn set_active_team(
    conn: &impl GenericClient,
    session: Uuid,
    team: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(SET_ACTIVE_TEAM.sql).await?;
    conn.execute(&statement, &[&session, &team.map(|id| id.to_string()), &now]).await?;
    Ok(())
}

/// In how many organizations the user is, counted while the user's row is locked; `None`: there is no such user.
///
/// # Errors
/// Those of Postgres.
pub async fn count_of_user(conn: &impl GenericClient, user: Uuid) -> Result<Option<i64>> {
    let lock = conn.prepare_cached(LOCK_USER.sql).await?;
    if conn.query_opt(&lock, &[&user]).await?.is_none() {
        return Ok(None);
    }
    let statement = conn.prepare_cached(COUNT_OF_USER.sql).await?;
    Ok(Some(conn.query_one(&statement, &[&user]).await?.try_get(0)?))
}

/// The user's organizations, locked in the order of their ids: two users who leave at once wait for each other.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_of_user(conn: &impl GenericClient, user: Uuid) -> Result<Vec<Organization>> {
    let statement = conn.prepare_cached(LOCK_OF_USER.sql).await?;
    conn.query(&statement, &[&user]).await?.iter().map(organization).collect()
}
