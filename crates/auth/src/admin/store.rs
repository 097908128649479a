//! The SQL of administration.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde_json::{Map, Value};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use crate::{
    database::statements::Statement,
    error::{Error, Result},
    session::{
        StoredToken,
        rows::{Session, session, session_columns},
    },
    user::{User, columns, from_row},
};

/// Members of the patch take the place of the row's own; what it does not name stays.
const PATCH: Statement = Statement::new(
    "admin.patch_user",
    concat!(
        r#"update neon_auth."user" as u
set (name, email, "emailVerified", image, role, banned, "banReason", "banExpires", "phoneNumber", "phoneNumberVerified", username, "displayUsername") = (
    select p.name, p.email, p."emailVerified", p.image, p.role, p.banned, p."banReason", p."banExpires", p."phoneNumber", p."phoneNumberVerified", p.username, p."displayUsername"
    from jsonb_populate_record(u, $2) p), "updatedAt" = $3
where u.id = $1
returning "#,
        columns!()
    ),
);

const LOCK_USER: Statement = Statement::new(
    "admin.lock_user",
    concat!("select ", columns!(), r#" from neon_auth."user" u where u.id = $1 for no key update"#),
);

const LOCK_ADMINS: Statement =
    Statement::new("admin.lock_admins", "select pg_advisory_xact_lock($1)");

const OTHER_ADMINS: Statement = Statement::new(
    "admin.other_admins",
    r#"select exists (
    select from neon_auth."user" u
    where u.id <> $1 and u.role <> 'user' and string_to_array(replace(u.role, ' ', ''), ',') && $2::text[]
      and not (coalesce(u.banned, false) and (u."banExpires" is null or u."banExpires" > $4)))
  or exists (
    select from neon_auth."user" u
    where u.id <> $1 and u.id = any ($3)
      and not (coalesce(u.banned, false) and (u."banExpires" is null or u."banExpires" > $4)))"#,
);

const END_IMPERSONATIONS: Statement = Statement::new(
    "admin.end_impersonations",
    r#"delete from neon_auth.session where "impersonatedBy" = $1::uuid::text"#,
);

const LIST_SESSIONS: Statement = Statement::new(
    "admin.list_sessions",
    concat!(
        "select ",
        session_columns!(),
        r#" from neon_auth.session s
where s."userId" = $1 and s."expiresAt" > $2 order by s."createdAt", s.id"#
    ),
);

const REVOKE_SESSION: Statement = Statement::new(
    "admin.revoke_session",
    r#"delete from neon_auth.session where token = $1 or id = $2 returning id, "userId""#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &PATCH,
    &LOCK_USER,
    &LOCK_ADMINS,
    &OTHER_ADMINS,
    &END_IMPERSONATIONS,
    &LIST_SESSIONS,
    &REVOKE_SESSION,
    &super::list_users::LIST,
    &super::list_users::COUNT,
];

/// How a change of a user ended.
#[derive(Clone, Debug)]
pub enum Patched {
    /// Done.
    Done(Box<User>),
    /// There is no such user any more.
    Gone,
    /// Somebody else has this address, user name or telephone number.
    Taken,
}

/// Sets the named columns of a user.
///
/// # Errors
/// Those of Postgres.
pub async fn patch_user(
    conn: &impl GenericClient,
    id: Uuid,
    patch: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Patched> {
    let statement = conn.prepare_cached(PATCH.sql).await?;
    match conn.query_opt(&statement, &[&id, &Value::Object(patch.clone()), &now]).await {
        Ok(Some(row)) => Ok(Patched::Done(Box::new(from_row(&row, 0)?))),
        Ok(None) => Ok(Patched::Gone),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Patched::Taken),
        Err(error) => Err(Error::from(error)),
    }
}

/// The user, unchanged by others until the transaction ends.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_user(conn: &impl GenericClient, id: Uuid) -> Result<Option<User>> {
    let statement = conn.prepare_cached(LOCK_USER.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.map(|row| from_row(&row, 0)).transpose()
}

/// Lets one transaction at a time take an administrator's rights away.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_admins(conn: &impl GenericClient) -> Result<()> {
    const LOCK: i64 = 0x6761_7465_6164_6d6e;
    let statement = conn.prepare_cached(LOCK_ADMINS.sql).await?;
    conn.execute(&statement, &[&LOCK]).await?;
    Ok(())
}

/// Whether somebody else is an administrator and not shut out.
///
/// # Errors
/// Those of Postgres.
pub async fn has_other_admin(
    conn: &impl GenericClient,
    id: Uuid,
    roles: &[String],
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<bool> {
    let statement = conn.prepare_cached(OTHER_ADMINS.sql).await?;
    Ok(conn.query_one(&statement, &[&id, &roles, &ids, &now]).await?.try_get(0)?)
}

/// Ends every session in which this user acts as somebody else.
///
/// # Errors
/// Those of Postgres.
pub async fn end_impersonations(conn: &impl GenericClient, by: Uuid) -> Result<u64> {
    let statement = conn.prepare_cached(END_IMPERSONATIONS.sql).await?;
    Ok(conn.execute(&statement, &[&by]).await?)
}

/// The live sessions of a user, oldest first; those of impersonators too.
///
/// # Errors
/// Those of Postgres.
pub async fn list_sessions(
    conn: &impl GenericClient,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    let statement = conn.prepare_cached(LIST_SESSIONS.sql).await?;
    conn.query(&statement, &[&user_id, &now]).await?.iter().map(session).collect()
}

/// Ends a session named by its token or its row; the ids of session and user, if there was one.
///
/// # Errors
/// Those of Postgres.
pub async fn revoke_session(
    conn: &impl GenericClient,
    token: Option<&StoredToken>,
    id: Option<Uuid>,
) -> Result<Option<(Uuid, Uuid)>> {
    let statement = conn.prepare_cached(REVOKE_SESSION.sql).await?;
    let token = token.map(|token| token.0.as_str());
    let row = conn.query_opt(&statement, &[&token, &id]).await?;
    row.map(|row: Row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}
