//! The SQL of sessions.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::{
    StoredToken,
    live::{Named, Standing},
    rows::{Session, session, session_columns},
};
use crate::{database::statements::Statement, error::Result, user};

/// What is known of the browser that signs in.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Address.
    pub ip_address: &'a str,
    /// `User-Agent`.
    pub user_agent: &'a str,
}

/// Many look-ups at once: session, user and active organization in one round trip.
pub(super) const FIND: Statement = Statement {
    name: "session.find",
    sql: concat!(
        "select ",
        session_columns!(),
        ", ",
        user::columns!(),
        r#", o.id, o.slug, m.role
from neon_auth.session s
join neon_auth."user" u on u.id = s."userId"
left join neon_auth.organization o
  on o.id = case when s."activeOrganizationId" ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then s."activeOrganizationId"::uuid end
left join neon_auth.member m on m."organizationId" = o.id and m."userId" = u.id
where s.token = any($1)"#
    ),
};

/// Many look-ups at once, by what tokens name: one row for each that holds. A token that an API key was exchanged for names
/// the key in place of a session, and gives no role.
const STANDING: Statement = Statement {
    name: "session.standing",
    sql: r#"select asked.place - 1, case when k.id is null then u.role end
from unnest($1::uuid[], $2::uuid[]) with ordinality asked ("user", session, place)
left join neon_auth.apikey k on k.id = asked.session and k.enabled is not false
  and (k."expiresAt" is null or k."expiresAt" > $3)
  and case when k."configId" = 'organization' then k.id = asked."user" else k."referenceId" = asked."user"::text end
left join neon_auth.gatepost_api_key_holder h on h.key_id = k.id
join neon_auth."user" u on u.id = case when k."configId" = 'organization' then h.user_id else asked."user" end
where not (coalesce(u.banned, false) and (u."banExpires" is null or u."banExpires" > $3))
  and (k."configId" is distinct from 'organization' or exists (
    select from neon_auth.member m where m."userId" = u.id and m."organizationId" = k."referenceId"::uuid))
  and (k.id is not null or exists (
    select from neon_auth.session s
    where s."userId" = u.id and s."expiresAt" > $3 and (asked.session is null or s.id = asked.session)))"#,
};

/// The lock makes a ban and a sign-in wait for each other: whichever comes second sees the first (AD-09).
const CREATE: Statement = Statement {
    name: "session.create",
    sql: concat!(
        r#"with owner as (
  select u.id from neon_auth."user" u
  where u.id = $2 and not (coalesce(u.banned, false) and (u."banExpires" is null or u."banExpires" > $4))
  for no key update)
insert into neon_auth.session as s
  (token, "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent", "impersonatedBy")
select $1::text, owner.id, $3::timestamptz, $4::timestamptz, $4, $5::text, $6::text, $7::uuid::text from owner
returning "#,
        session_columns!()
    ),
};

const RENEW: Statement = Statement {
    name: "session.renew",
    sql: r#"update neon_auth.session set "expiresAt" = $2, "updatedAt" = $3 where id = $1"#,
};

const ROTATE: Statement = Statement {
    name: "session.rotate",
    sql: concat!(
        r#"insert into neon_auth.session as s
  (token, "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent", "impersonatedBy", "activeOrganizationId", "activeTeamId")
select $2, o."userId", $3, $4, $4, o."ipAddress", o."userAgent", o."impersonatedBy", o."activeOrganizationId", o."activeTeamId"
from neon_auth.session o where o.id = $1
returning "#,
        session_columns!()
    ),
};

const PROVE: Statement = Statement {
    name: "session.prove",
    sql: "update neon_auth.session set gatepost_proven_at = $2 where id = $1",
};

const LIST: Statement = Statement {
    name: "session.list",
    sql: concat!(
        "select ",
        session_columns!(),
        r#" from neon_auth.session s
where s."userId" = $1 and s."expiresAt" > $2 and s."impersonatedBy" is null
order by s."createdAt", s.id"#
    ),
};

const DELETE: Statement =
    Statement { name: "session.delete", sql: "delete from neon_auth.session where token = $1" };

const DELETE_OWN: Statement = Statement {
    name: "session.delete_own",
    sql: r#"delete from neon_auth.session where "userId" = $1 and (token = $2 or id = $3) returning id"#,
};

const DELETE_ALL: Statement = Statement {
    name: "session.delete_all",
    sql: r#"delete from neon_auth.session where "userId" = $1"#,
};

const DELETE_OTHERS: Statement = Statement {
    name: "session.delete_others",
    sql: r#"delete from neon_auth.session where "userId" = $1 and id <> $2"#,
};

const PURGE: Statement = Statement::new(
    "session.purge",
    r#"delete from neon_auth.session where id in (
  select id from neon_auth.session where "expiresAt" < $1 limit 1000
)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &FIND,
    &STANDING,
    &CREATE,
    &RENEW,
    &ROTATE,
    &PROVE,
    &LIST,
    &DELETE,
    &DELETE_OWN,
    &DELETE_ALL,
    &DELETE_OTHERS,
    &PURGE,
];

/// A session to be.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// As stored.
    pub token: &'a StoredToken,
    /// Whose.
    pub user_id: Uuid,
    /// What is known of the browser.
    pub client: Client<'a>,
    /// How long it lasts.
    pub lifetime: TimeDelta,
    /// The administrator behind it.
    pub impersonated_by: Option<Uuid>,
}

/// Begins a session; `None`: the user is shut out, or gone.
///
/// # Errors
/// Those of Postgres.
pub async fn create_session(
    conn: &impl GenericClient,
    new: &NewSession<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Session>> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let Client { ip_address, user_agent } = new.client;
    let expires_at = now + new.lifetime;
    let row = conn
        .query_opt(
            &statement,
            &[
                &new.token.0,
                &new.user_id,
                &expires_at,
                &now,
                &ip_address,
                &user_agent,
                &new.impersonated_by,
            ],
        )
        .await?;
    row.as_ref().map(session).transpose()
}

/// A new session in the place of another, whose choices it takes over; `None`: that one is gone. It is not ended.
///
/// # Errors
/// Those of Postgres.
pub async fn rotate_session(
    conn: &impl GenericClient,
    old: Uuid,
    token: &StoredToken,
    now: DateTime<Utc>,
    lifetime: TimeDelta,
) -> Result<Option<Session>> {
    let statement = conn.prepare_cached(ROTATE.sql).await?;
    let row = conn.query_opt(&statement, &[&old, &token.0, &(now + lifetime), &now]).await?;
    row.as_ref().map(session).transpose()
}

/// Notes that the user of a session proved to be the same just now: it is fresh again.
///
/// # Errors
/// Those of Postgres.
pub async fn prove_session(conn: &impl GenericClient, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let statement = conn.prepare_cached(PROVE.sql).await?;
    conn.execute(&statement, &[&id, &now]).await?;
    Ok(())
}

/// Moves the end of a session.
///
/// # Errors
/// Those of Postgres.
pub async fn renew_session(
    conn: &impl GenericClient,
    id: Uuid,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(RENEW.sql).await?;
    conn.execute(&statement, &[&id, &expires_at, &now]).await?;
    Ok(())
}

/// The user's live sessions, oldest first; not those of an impersonator.
///
/// # Errors
/// Those of Postgres.
pub async fn list_sessions(
    conn: &impl GenericClient,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&user_id, &now]).await?.iter().map(session).collect()
}

/// Ends one session.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_session(conn: &impl GenericClient, token: &StoredToken) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&token.0]).await?;
    Ok(())
}

/// Ends one of the user's own sessions, named by token or row id; another's is left alone (SE-13). The id, if there was one.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_own_session(
    conn: &impl GenericClient,
    user_id: Uuid,
    token: Option<&StoredToken>,
    id: Option<Uuid>,
) -> Result<Option<Uuid>> {
    let statement = conn.prepare_cached(DELETE_OWN.sql).await?;
    let row =
        conn.query_opt(&statement, &[&user_id, &token.map(|token| token.0.as_str()), &id]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Ends all sessions of a user.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_sessions(conn: &impl GenericClient, user_id: Uuid) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_ALL.sql).await?;
    Ok(conn.execute(&statement, &[&user_id]).await?)
}

/// Ends all sessions of a user but one.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_other_sessions(
    conn: &impl GenericClient,
    user_id: Uuid,
    keep: Uuid,
) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_OTHERS.sql).await?;
    Ok(conn.execute(&statement, &[&user_id, &keep]).await?)
}

/// Removes sessions that ended long ago, a thousand at a time. Returns how many.
///
/// # Errors
/// Those of Postgres.
pub async fn purge(conn: &impl GenericClient, before: DateTime<Utc>) -> Result<u64> {
    let statement = conn.prepare_cached(PURGE.sql).await?;
    Ok(conn.execute(&statement, &[&before]).await?)
}

/// The standing of everybody named, in the same order; `None`: the session is over, or its user is shut out or gone.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn standings(
    conn: &impl GenericClient,
    named: &[Named],
    now: DateTime<Utc>,
) -> Result<Vec<Option<Standing>>> {
    let statement = conn.prepare_cached(STANDING.sql).await?;
    let users: Vec<Uuid> = named.iter().map(|named| named.user).collect();
    let sessions: Vec<Option<Uuid>> = named.iter().map(|named| named.session).collect();
    let mut standings = vec![None; named.len()];
    for row in conn.query(&statement, &[&users, &sessions, &now]).await? {
        let place: i64 = row.try_get(0)?;
        if let Some(standing) =
            usize::try_from(place).ok().and_then(|place| standings.get_mut(place))
        {
            *standing = Some(Standing { role: row.try_get(1)? });
        }
    }
    Ok(standings)
}
