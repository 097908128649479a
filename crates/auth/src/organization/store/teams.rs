//! The SQL of `neon_auth.team` and `neon_auth."teamMember"`.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::{digest, random};
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::rows::{Team, TeamMember};
use crate::{database::statements::Statement, error::Result};

macro_rules! columns {
    () => {
        r#"t.id, t.name, t."memberCount", t."organizationId", t."createdAt", t."updatedAt""#
    };
}

macro_rules! member_columns {
    () => {
        r#"tm.id, tm."teamId", tm."userId", tm."createdAt""#
    };
}

const CREATE: Statement = Statement::new(
    "team.create",
    concat!(
        r#"insert into neon_auth.team as t (id, name, "memberCount", "organizationId", "createdAt", "updatedAt")
values ($1, $2, 0, $3, $4, $5)
returning "#,
        columns!()
    ),
);

const FIND: Statement = Statement::new(
    "team.find",
    concat!("select ", columns!(), " from neon_auth.team t where t.id = $1"),
);

const LOCK: Statement = Statement::new(
    "team.lock",
    concat!("select ", columns!(), " from neon_auth.team t where t.id = $1 for no key update"),
);

const LIST: Statement = Statement::new(
    "team.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.team t where t."organizationId" = $1 order by t."createdAt", t.id"#
    ),
);

/// A membership in a team counts as long as that in its organization lasts.
const LIST_OF_USER: Statement = Statement::new(
    "team.list_of_user",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."teamMember" tm join neon_auth.team t on t.id = tm."teamId"
where tm."userId" = $1 and ($2::uuid is null or t."organizationId" = $2)
  and exists (select from neon_auth.member m where m."userId" = $1 and m."organizationId" = t."organizationId")
order by tm."createdAt", tm.id"#
    ),
);

const RENAME: Statement = Statement::new(
    "team.rename",
    concat!(
        r#"update neon_auth.team as t set name = coalesce($2, t.name), "updatedAt" = $3 where t.id = $1 returning "#,
        columns!()
    ),
);

const FORGET_ACTIVE: Statement = Statement::new(
    "team.forget_active",
    r#"update neon_auth.session s set "activeTeamId" = null
from neon_auth."teamMember" tm
where tm."teamId" = $1 and s."userId" = tm."userId" and s."activeTeamId" = $1::uuid::text"#,
);

const DELETE: Statement = Statement::new("team.delete", "delete from neon_auth.team where id = $1");

const COUNT: Statement = Statement::new(
    "team.count",
    r#"select count(*) from neon_auth.team where "organizationId" = $1"#,
);

const COUNT_MEMBERS: Statement = Statement::new(
    "team_member.count",
    r#"select count(*) from neon_auth."teamMember" where "teamId" = $1"#,
);

const FIND_MEMBER: Statement = Statement::new(
    "team_member.find",
    concat!(
        "select ",
        member_columns!(),
        r#" from neon_auth."teamMember" tm where tm."teamId" = $1 and tm."userId" = $2 limit 1"#
    ),
);

const LIST_MEMBERS: Statement = Statement::new(
    "team_member.list",
    concat!(
        "select ",
        member_columns!(),
        r#" from neon_auth."teamMember" tm where tm."teamId" = $1 order by tm."createdAt", tm.id"#
    ),
);

const ADD_MEMBER: Statement = Statement::new(
    "team_member.create",
    concat!(
        r#"insert into neon_auth."teamMember" as tm (id, "teamId", "userId", "membershipKey", "createdAt")
values ($1, $2, $3, $4, $5)
returning "#,
        member_columns!()
    ),
);

const RECOUNT: Statement = Statement::new(
    "team.recount",
    r#"update neon_auth.team t
set "memberCount" = (select count(*) from neon_auth."teamMember" tm where tm."teamId" = t.id)
where t.id = $1"#,
);

const REMOVE_MEMBER: Statement = Statement::new(
    "team_member.delete",
    r#"delete from neon_auth."teamMember" where "teamId" = $1 and "userId" = $2"#,
);

/// Whoever leaves an organization leaves its teams.
const LEAVE_ALL: Statement = Statement::new(
    "team_member.leave_all",
    r#"with left_teams as (
  delete from neon_auth."teamMember" tm using neon_auth.team t
  where t.id = tm."teamId" and t."organizationId" = $1 and tm."userId" = $2
  returning tm."teamId"
)
update neon_auth.team t set "memberCount" = greatest(t."memberCount" - 1, 0)
where t.id in (select "teamId" from left_teams)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE,
    &FIND,
    &LOCK,
    &LIST,
    &LIST_OF_USER,
    &RENAME,
    &FORGET_ACTIVE,
    &DELETE,
    &COUNT,
    &COUNT_MEMBERS,
    &FIND_MEMBER,
    &LIST_MEMBERS,
    &ADD_MEMBER,
    &RECOUNT,
    &REMOVE_MEMBER,
    &LEAVE_ALL,
];

fn counted(row: &Row) -> Result<Team> {
    Ok(Team {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        member_count: Some(row.try_get(2)?),
        organization_id: row.try_get(3)?,
        created_at: row.try_get(4)?,
        updated_at: row.try_get(5)?,
    })
}

fn team(row: &Row) -> Result<Team> {
    Ok(Team { member_count: None, ..counted(row)? })
}

fn team_member(row: &Row) -> Result<TeamMember> {
    Ok(TeamMember {
        id: row.try_get(0)?,
        team_id: row.try_get(1)?,
        user_id: row.try_get(2)?,
        created_at: row.try_get(3)?,
    })
}

/// Creates a team without members. The team of a new organization was never changed: `updated` is none.
///
/// # Errors
/// Those of Postgres.
pub async fn create(
    conn: &impl GenericClient,
    organization: Uuid,
    name: &str,
    now: DateTime<Utc>,
    updated: Option<DateTime<Utc>>,
) -> Result<Team> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let row = conn
        .query_one(&statement, &[&random::uuid(), &name, &organization, &now, &updated])
        .await?;
    team(&row)
}

/// The team of that id, in whichever organization.
///
/// # Errors
/// Those of Postgres.
pub async fn find(conn: &impl GenericClient, id: Uuid) -> Result<Option<Team>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(team).transpose()
}

/// The team of that id in this organization.
///
/// # Errors
/// Those of Postgres.
pub async fn find_in(
    conn: &impl GenericClient,
    organization: Uuid,
    id: Uuid,
) -> Result<Option<Team>> {
    Ok(find(conn, id).await?.filter(|team| team.organization_id == organization))
}

/// The teams of an organization, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn list(conn: &impl GenericClient, organization: Uuid) -> Result<Vec<Team>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&organization]).await?.iter().map(team).collect()
}

/// The same with the number of members.
///
/// # Errors
/// Those of Postgres.
pub async fn list_counted(conn: &impl GenericClient, organization: Uuid) -> Result<Vec<Team>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&organization]).await?.iter().map(counted).collect()
}

/// The teams a user is in, of one organization or of all the user is in.
///
/// # Errors
/// Those of Postgres.
pub async fn list_of_user(
    conn: &impl GenericClient,
    user: Uuid,
    organization: Option<Uuid>,
) -> Result<Vec<Team>> {
    let statement = conn.prepare_cached(LIST_OF_USER.sql).await?;
    conn.query(&statement, &[&user, &organization]).await?.iter().map(team).collect()
}

/// Renames a team, or only marks it as changed.
///
/// # Errors
/// Those of Postgres.
pub async fn rename(
    conn: &impl GenericClient,
    id: Uuid,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Team>> {
    let statement = conn.prepare_cached(RENAME.sql).await?;
    conn.query_opt(&statement, &[&id, &name, &now]).await?.as_ref().map(team).transpose()
}

/// Deletes a team; no session of its members points at it any more.
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

/// How many teams there are.
///
/// # Errors
/// Those of Postgres.
pub async fn count(conn: &impl GenericClient, organization: Uuid) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    Ok(conn.query_one(&statement, &[&organization]).await?.try_get(0)?)
}

/// How many members a team has.
///
/// # Errors
/// Those of Postgres.
pub async fn count_members(conn: &impl GenericClient, team: Uuid) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT_MEMBERS.sql).await?;
    Ok(conn.query_one(&statement, &[&team]).await?.try_get(0)?)
}

/// A user's membership in a team.
///
/// # Errors
/// Those of Postgres.
pub async fn find_member(
    conn: &impl GenericClient,
    team: Uuid,
    user: Uuid,
) -> Result<Option<TeamMember>> {
    let statement = conn.prepare_cached(FIND_MEMBER.sql).await?;
    conn.query_opt(&statement, &[&team, &user]).await?.as_ref().map(team_member).transpose()
}

/// The members of a team, in the order of joining.
///
/// # Errors
/// Those of Postgres.
pub async fn list_members(conn: &impl GenericClient, team: Uuid) -> Result<Vec<TeamMember>> {
    let statement = conn.prepare_cached(LIST_MEMBERS.sql).await?;
    conn.query(&statement, &[&team]).await?.iter().map(team_member).collect()
}

/// How an addition ended.
#[derive(Clone, Debug)]
pub enum Added {
    /// The user is in the team, now or since before.
    Member(TeamMember),
    /// The team is full.
    Full,
    /// There is no such team any more.
    NoTeam,
}

/// Puts a user into a team, while its row is locked. `is_full` judges the number of members.
///
/// # Errors
/// Those of Postgres.
pub async fn add_member(
    conn: &impl GenericClient,
    id: Uuid,
    user: Uuid,
    now: DateTime<Utc>,
    is_full: impl Fn(i64) -> bool,
) -> Result<Added> {
    let lock = conn.prepare_cached(LOCK.sql).await?;
    if conn.query_opt(&lock, &[&id]).await?.is_none() {
        return Ok(Added::NoTeam);
    }
    if let Some(member) = find_member(conn, id, user).await? {
        return Ok(Added::Member(member));
    }
    if is_full(count_members(conn, id).await?) {
        return Ok(Added::Full);
    }
    let statement = conn.prepare_cached(ADD_MEMBER.sql).await?;
    let row =
        conn.query_one(&statement, &[&random::uuid(), &id, &user, &key(id, user), &now]).await?;
    recount(conn, id).await?;
    Ok(Added::Member(team_member(&row)?))
}

/// As Better Auth computes it: one text per team and user, so that a unique index on one column suffices.
fn key(team: Uuid, user: Uuid) -> String {
    digest::sha256_base64url(&format!("[\"{team}\",\"{user}\"]"))
}

async fn recount(conn: &impl GenericClient, team: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(RECOUNT.sql).await?;
    conn.execute(&statement, &[&team]).await?;
    Ok(())
}

/// Takes a user out of a team; whether there was anything to take out.
///
/// # Errors
/// Those of Postgres.
pub async fn remove_member(conn: &impl GenericClient, team: Uuid, user: Uuid) -> Result<bool> {
    let statement = conn.prepare_cached(REMOVE_MEMBER.sql).await?;
    let removed = conn.execute(&statement, &[&team, &user]).await? > 0;
    recount(conn, team).await?;
    Ok(removed)
}

/// Takes a user out of every team of an organization.
///
/// # Errors
/// Those of Postgres.
pub async fn leave_all(conn: &impl GenericClient, organization: Uuid, user: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(LEAVE_ALL.sql).await?;
    conn.execute(&statement, &[&organization, &user]).await?;
    Ok(())
}
