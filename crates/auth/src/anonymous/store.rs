//! The SQL of guests.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    database::statements::Statement,
    error::Result,
    session::StoredToken,
    user::{self, User},
};

const MARK: Statement = Statement::new(
    "anonymous.mark",
    concat!(
        r#"update neon_auth."user" as u set "isAnonymous" = true where u.id = $1 returning "#,
        user::columns!()
    ),
);

const FIND_GUEST: Statement = Statement::new(
    "anonymous.find_guest",
    r#"select u.id from neon_auth.session s join neon_auth."user" u on u.id = s."userId"
where s.token = $1 and s."expiresAt" > $2 and u."isAnonymous""#,
);

const IS_GUEST: Statement = Statement::new(
    "anonymous.is_guest",
    r#"select id from neon_auth."user" where id = $1 and "isAnonymous" for update"#,
);

const HAND_OVER: Statement =
    Statement::new("anonymous.hand_over", "select neon_auth.gatepost_guest_linked($1, $2)");

const PURGE: Statement = Statement::new(
    "anonymous.purge",
    r#"delete from neon_auth."user" where id in (
  select u.id from neon_auth."user" u
  where u."isAnonymous" and u."updatedAt" < $1
    and not exists (select from neon_auth.session s where s."userId" = u.id and s."expiresAt" > $1)
  limit 1000
)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&MARK, &FIND_GUEST, &IS_GUEST, &HAND_OVER, &PURGE];

/// Makes a user a guest; `None`: the user is gone.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn mark(conn: &impl GenericClient, id: Uuid) -> Result<Option<User>> {
    let statement = conn.prepare_cached(MARK.sql).await?;
    let row = conn.query_opt(&statement, &[&id]).await?;
    row.map(|row| user::from_row(&row, 0)).transpose()
}

/// The guest whose live session a token is.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find_guest(
    conn: &impl GenericClient,
    token: &StoredToken,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let statement = conn.prepare_cached(FIND_GUEST.sql).await?;
    let row = conn.query_opt(&statement, &[&token.0, &now]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Whether a guest of that id is still there, and nobody yet; until the transaction ends.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn is_guest(conn: &impl GenericClient, id: Uuid) -> Result<bool> {
    let statement = conn.prepare_cached(IS_GUEST.sql).await?;
    Ok(conn.query_opt(&statement, &[&id]).await?.is_some())
}

/// Calls what the installation does when a guest becomes a user.
///
/// # Errors
/// Those of Postgres and of that function.
pub(super) async fn hand_over(conn: &impl GenericClient, guest: Uuid, account: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(HAND_OVER.sql).await?;
    conn.query(&statement, &[&guest, &account]).await?;
    Ok(())
}

/// Removes guests whose last session ended before, a thousand at a time. Returns how many.
///
/// # Errors
/// Those of Postgres.
pub async fn purge(conn: &impl GenericClient, before: DateTime<Utc>) -> Result<u64> {
    let statement = conn.prepare_cached(PURGE.sql).await?;
    Ok(conn.execute(&statement, &[&before]).await?)
}
