//! The SQL of `neon_auth.member`.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::super::{
    permissions::Membership,
    rows::{Member, MemberUser, WithUser},
    store::roles,
};
use crate::{
    database::statements::Statement,
    error::{Error, Result, UNAUTHORIZED},
};

macro_rules! columns {
    () => {
        r#"m.id, m."organizationId", m."userId", m.role, m."createdAt""#
    };
}

macro_rules! with_user {
    () => {
        r#"m.id, m."organizationId", m."userId", m.role, m."createdAt", u.name, u.email, u.image"#
    };
}

/// The member with the user and the organization's own roles among the member's: one round trip for every question
/// about permissions.
const FIND_MEMBERSHIP: Statement = Statement::new(
    "member.find_membership",
    concat!(
        "select ",
        with_user!(),
        r#", own.roles, own.permissions
from neon_auth.member m
join neon_auth."user" u on u.id = m."userId"
left join lateral (
  select array_agg(r.role order by r.id) as roles, array_agg(r.permission order by r.id) as permissions
  from neon_auth."organizationRole" r
  where $3 and r."organizationId" = m."organizationId" and r.role = any(regexp_split_to_array(btrim(m.role), '\s*,\s*'))
) own on true
where m."organizationId" = $1 and m."userId" = $2
order by m."createdAt", m.id
limit 1"#
    ),
);

const FIND: Statement = Statement::new(
    "member.find",
    concat!(
        "select ",
        with_user!(),
        r#" from neon_auth.member m join neon_auth."user" u on u.id = m."userId" where m.id = $1"#
    ),
);

const FIND_BY_EMAIL: Statement = Statement::new(
    "member.find_by_email",
    concat!(
        "select ",
        with_user!(),
        r#" from neon_auth."user" u join neon_auth.member m on m."userId" = u.id
where u.email = lower($2) and m."organizationId" = $1
limit 1"#
    ),
);

const CREATE: Statement = Statement::new(
    "member.create",
    concat!(
        r#"insert into neon_auth.member as m (id, "organizationId", "userId", role, "createdAt")
values ($1, $2, $3, $4, $5)
returning "#,
        columns!()
    ),
);

const SET_ROLE: Statement = Statement::new(
    "member.set_role",
    concat!("update neon_auth.member as m set role = $2 where m.id = $1 returning ", columns!()),
);

const DELETE: Statement = Statement::new(
    "member.delete",
    r#"delete from neon_auth.member where "organizationId" = $1 and "userId" = $2"#,
);

const COUNT: Statement = Statement::new(
    "member.count",
    r#"select count(*) from neon_auth.member where "organizationId" = $1"#,
);

const COUNT_HOLDERS: Statement = Statement::new(
    "member.count_holders",
    r#"select count(*) from neon_auth.member
where "organizationId" = $1 and $2 = any(regexp_split_to_array(btrim(role), '\s*,\s*'))"#,
);

const LIST_FIRST: Statement = Statement::new(
    "member.list_first",
    concat!(
        "select ",
        with_user!(),
        r#" from neon_auth.member m join neon_auth."user" u on u.id = m."userId"
where m."organizationId" = $1
order by m."createdAt", m.id
limit $2"#
    ),
);

/// Filter, order and page in one statement: fields and operators are parameters too, so that nothing is assembled.
const LIST: Statement = Statement::new(
    "member.list",
    concat!(
        "with matching as (
  select ",
        with_user!(),
        r#", sorted.field as sort
  from neon_auth.member m
  join neon_auth."user" u on u.id = m."userId"
  cross join lateral (select case $2
    when 'id' then m.id::text when 'organizationId' then m."organizationId"::text
    when 'userId' then m."userId"::text when 'role' then m.role
    when 'createdAt' then to_char(m."createdAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end as field) filtered
  cross join lateral (select case $5
    when 'id' then m.id::text when 'organizationId' then m."organizationId"::text
    when 'userId' then m."userId"::text when 'role' then m.role
    when 'createdAt' then to_char(m."createdAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end as field) sorted
  where m."organizationId" = $1 and ($2::text is null or case $3
    when 'eq' then filtered.field = any($4::text[])
    when 'ne' then filtered.field <> all($4)
    when 'lt' then filtered.field < all($4)
    when 'lte' then filtered.field <= all($4)
    when 'gt' then filtered.field > all($4)
    when 'gte' then filtered.field >= all($4)
    when 'in' then filtered.field = any($4)
    when 'not_in' then filtered.field <> all($4)
    when 'contains' then position($4[1] in filtered.field) > 0
    when 'starts_with' then starts_with(filtered.field, $4[1])
    when 'ends_with' then right(filtered.field, length($4[1])) = $4[1]
  end)
), page as (
  select row_number() over (order by case when not $6 then sort end, case when $6 then sort end desc, "createdAt", id) as place,
    matching.*
  from matching
  order by place
  limit $7 offset $8
)
select page.id, page."organizationId", page."userId", page.role, page."createdAt", page.name, page.email, page.image,
  total.count
from (select count(*) from matching) total
left join page on true
order by page.place"#
    ),
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &FIND_MEMBERSHIP,
    &FIND,
    &FIND_BY_EMAIL,
    &CREATE,
    &SET_ROLE,
    &DELETE,
    &COUNT,
    &COUNT_HOLDERS,
    &LIST_FIRST,
    &LIST,
];

fn member(row: &Row) -> Result<Member> {
    Ok(Member {
        id: row.try_get(0)?,
        organization_id: row.try_get(1)?,
        user_id: row.try_get(2)?,
        role: row.try_get(3)?,
        created_at: row.try_get(4)?,
    })
}

fn with_user(row: &Row) -> Result<WithUser> {
    let member = member(row)?;
    let user = MemberUser {
        id: member.user_id,
        name: row.try_get(5)?,
        email: row.try_get(6)?,
        image: row.try_get(7)?,
    };
    Ok(WithUser { member, user })
}

/// The user's membership as of now; `own_roles`: with what the organization's own roles grant.
///
/// # Errors
/// Those of Postgres.
pub async fn membership(
    conn: &impl GenericClient,
    organization: Uuid,
    user: Uuid,
    own_roles: bool,
) -> Result<Option<Membership>> {
    let statement = conn.prepare_cached(FIND_MEMBERSHIP.sql).await?;
    let Some(row) = conn.query_opt(&statement, &[&organization, &user, &own_roles]).await? else {
        return Ok(None);
    };
    let names: Option<Vec<String>> = row.try_get(8)?;
    let permissions: Option<Vec<String>> = row.try_get(9)?;
    let WithUser { member, user } = with_user(&row)?;
    let own_roles = roles::granted(names.unwrap_or_default(), &permissions.unwrap_or_default());
    Ok(Some(Membership { member, user, own_roles }))
}

/// A member by row id, in whichever organization.
///
/// # Errors
/// Those of Postgres.
pub async fn find(conn: &impl GenericClient, id: Uuid) -> Result<Option<WithUser>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(with_user).transpose()
}

/// The member of that address.
///
/// # Errors
/// Those of Postgres.
pub async fn find_by_email(
    conn: &impl GenericClient,
    organization: Uuid,
    email: &str,
) -> Result<Option<WithUser>> {
    let statement = conn.prepare_cached(FIND_BY_EMAIL.sql).await?;
    conn.query_opt(&statement, &[&organization, &email]).await?.as_ref().map(with_user).transpose()
}

/// Adds a member. The organization is locked, so nobody is added twice.
///
/// # Errors
/// `UNAUTHORIZED`, when the user was deleted meanwhile; those of Postgres.
pub async fn create(conn: &impl GenericClient, new: &Member) -> Result<Member> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let created = conn
        .query_one(
            &statement,
            &[&new.id, &new.organization_id, &new.user_id, &new.role, &new.created_at],
        )
        .await;
    match created {
        Ok(row) => member(&row),
        Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => {
            Err(UNAUTHORIZED.into())
        }
        Err(error) => Err(Error::from(error)),
    }
}

/// Gives a member other roles; `None`: there is no such member any more.
///
/// # Errors
/// Those of Postgres.
pub async fn set_role(conn: &impl GenericClient, id: Uuid, role: &str) -> Result<Option<Member>> {
    let statement = conn.prepare_cached(SET_ROLE.sql).await?;
    conn.query_opt(&statement, &[&id, &role]).await?.as_ref().map(member).transpose()
}

/// Removes a user from an organization.
///
/// # Errors
/// Those of Postgres.
pub async fn delete(conn: &impl GenericClient, organization: Uuid, user: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&organization, &user]).await?;
    Ok(())
}

/// How many members there are.
///
/// # Errors
/// Those of Postgres.
pub async fn count(conn: &impl GenericClient, organization: Uuid) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    Ok(conn.query_one(&statement, &[&organization]).await?.try_get(0)?)
}

/// How many members hold a role.
///
/// # Errors
/// Those of Postgres.
pub async fn count_holders(
    conn: &impl GenericClient,
    organization: Uuid,
    role: &str,
) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT_HOLDERS.sql).await?;
    Ok(conn.query_one(&statement, &[&organization, &role]).await?.try_get(0)?)
}

/// The first members, in the order of joining.
///
/// # Errors
/// Those of Postgres.
pub async fn list_first(
    conn: &impl GenericClient,
    organization: Uuid,
    limit: i64,
) -> Result<Vec<WithUser>> {
    let statement = conn.prepare_cached(LIST_FIRST.sql).await?;
    conn.query(&statement, &[&organization, &limit]).await?.iter().map(with_user).collect()
}

/// Which members are asked for, in which order.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Field, operator and values as the wire names them; a time as the wire writes it.
    pub filter: Option<(&'a str, &'a str, Vec<String>)>,
    /// A field as the wire names it.
    pub sort_by: Option<&'a str>,
    /// Greatest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// Members with their users, and how many match.
///
/// # Errors
/// Those of Postgres.
pub async fn list(
    conn: &impl GenericClient,
    organization: Uuid,
    wanted: &Wanted<'_>,
) -> Result<(Vec<WithUser>, i64)> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    let (field, operator, values) = match &wanted.filter {
        Some((field, operator, values)) => (Some(*field), Some(*operator), values.as_slice()),
        None => (None, None, [].as_slice()),
    };
    let rows = conn
        .query(
            &statement,
            &[
                &organization,
                &field,
                &operator,
                &values,
                &wanted.sort_by,
                &wanted.descending,
                &wanted.limit,
                &wanted.offset,
            ],
        )
        .await?;
    let total = rows.first().map(|row| row.try_get(8)).transpose()?.unwrap_or_default();
    let is_row = |row: &&Row| matches!(row.try_get::<_, Option<Uuid>>(0), Ok(Some(_)) | Err(_));
    let members = rows.iter().filter(is_row).map(with_user).collect::<Result<_>>()?;
    Ok((members, total))
}

/// A member to be.
#[must_use]
pub fn new(id: Uuid, organization: Uuid, user: Uuid, role: &str, now: DateTime<Utc>) -> Member {
    Member {
        id,
        organization_id: organization,
        user_id: user,
        role: role.to_owned(),
        created_at: now,
    }
}
