//! The SQL of the second factor.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{database::statements::Statement, error::Result};

const FIND: Statement = Statement::new(
    "two_factor.find",
    r#"select id, secret, "backupCodes", verified, "lockedUntil"
from neon_auth."twoFactor" where "userId" = $1 order by id limit 1"#,
);

const LOCK: Statement = Statement::new(
    "two_factor.lock",
    r#"select id, secret, "backupCodes", verified, "lockedUntil"
from neon_auth."twoFactor" where "userId" = $1 order by id limit 1 for update"#,
);

const CREATE: Statement = Statement::new(
    "two_factor.create",
    r#"insert into neon_auth."twoFactor" ("userId", secret, "backupCodes", verified, "failedVerificationCount")
values ($1, $2, $3, $4, 0)"#,
);

const REPLACE: Statement = Statement::new(
    "two_factor.replace",
    r#"update neon_auth."twoFactor"
set secret = $2, "backupCodes" = $3, verified = $4, gatepost_last_step = null where id = $1"#,
);

const COUNT: Statement = Statement::new(
    "two_factor.count",
    r#"update neon_auth."twoFactor" t
set "failedVerificationCount" = n.failures,
    "lockedUntil" = case when n.failures >= $3 then $4::timestamptz end
from (
  select id, case when "lockedUntil" is null then coalesce("failedVerificationCount", 0) else 0 end + 1 as failures
  from neon_auth."twoFactor" where id = $1 for update
) n
where t.id = n.id and (t."lockedUntil" is null or t."lockedUntil" <= $2)
returning n.failures"#,
);

const RESET: Statement = Statement::new(
    "two_factor.reset",
    r#"update neon_auth."twoFactor" set "failedVerificationCount" = 0, "lockedUntil" = null where id = $1"#,
);

const CONFIRM: Statement = Statement::new(
    "two_factor.confirm",
    r#"update neon_auth."twoFactor" set verified = true where id = $1"#,
);

const USE_STEP: Statement = Statement::new(
    "two_factor.use_step",
    r#"update neon_auth."twoFactor" set gatepost_last_step = $2
where id = $1 and (gatepost_last_step is null or gatepost_last_step < $2) returning id"#,
);

const SET_CODES: Statement = Statement::new(
    "two_factor.set_codes",
    r#"update neon_auth."twoFactor" set "backupCodes" = $2 where id = $1"#,
);

const DELETE: Statement =
    Statement::new("two_factor.delete", r#"delete from neon_auth."twoFactor" where "userId" = $1"#);

const IS_DEMANDED: Statement = Statement::new(
    "two_factor.is_demanded",
    r#"select exists (
  select from neon_auth.member m join neon_auth.organization o on o.id = m."organizationId"
  where m."userId" = $1
    and (o.slug = any($2) or '*' = any($2) or $3 and o.metadata ~ '"requireTwoFactor"\s*:\s*true')
)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &FIND,
    &LOCK,
    &CREATE,
    &REPLACE,
    &COUNT,
    &RESET,
    &CONFIRM,
    &USE_STEP,
    &SET_CODES,
    &DELETE,
    &IS_DEMANDED,
];

/// The authenticator and the backup codes of a user, sealed.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) secret: String,
    pub(super) backup_codes: String,
    pub(super) verified: Option<bool>,
    locked_until: Option<DateTime<Utc>>,
}

impl Row {
    /// A first code proved it. A row from before that was asked for counts as proven, as in Better Auth.
    pub(super) fn is_set_up(&self) -> bool {
        self.verified != Some(false)
    }

    /// Too many wrong guesses, not long ago.
    pub(super) fn is_locked(&self, now: DateTime<Utc>) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }
}

fn from_row(row: &tokio_postgres::Row) -> Result<Row> {
    Ok(Row {
        id: row.try_get(0)?,
        secret: row.try_get(1)?,
        backup_codes: row.try_get(2)?,
        verified: row.try_get(3)?,
        locked_until: row.try_get(4)?,
    })
}

/// The row of a user.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find(conn: &impl GenericClient, user: Uuid) -> Result<Option<Row>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&user]).await?.as_ref().map(from_row).transpose()
}

/// The row of a user, locked until the transaction ends: guesses at the same time wait.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn lock(conn: &impl GenericClient, user: Uuid) -> Result<Option<Row>> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query_opt(&statement, &[&user]).await?.as_ref().map(from_row).transpose()
}

/// Writes a secret and backup codes down, in the place of `earlier` if there is one.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn put(
    conn: &impl GenericClient,
    user: Uuid,
    earlier: Option<Uuid>,
    sealed: (&str, &str),
    verified: bool,
) -> Result<()> {
    let (secret, codes) = sealed;
    if let Some(id) = earlier {
        let statement = conn.prepare_cached(REPLACE.sql).await?;
        conn.execute(&statement, &[&id, &secret, &codes, &verified]).await?;
    } else {
        let statement = conn.prepare_cached(CREATE.sql).await?;
        conn.execute(&statement, &[&user, &secret, &codes, &verified]).await?;
    }
    Ok(())
}

/// Counts a failure; the one that uses up `budget` locks the account until `until`. `None`: it is locked already, and
/// nothing was counted.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn count_failure(
    conn: &impl GenericClient,
    id: Uuid,
    budget: i32,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<i32>> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    let row = conn.query_opt(&statement, &[&id, &now, &budget, &until]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Forgets failures.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn reset_failures(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(RESET.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// A first code proved the authenticator.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn confirm(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(CONFIRM.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Uses a step of the authenticator up; `false`: it, or a later one, was used before.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn use_step(conn: &impl GenericClient, id: Uuid, step: i64) -> Result<bool> {
    let statement = conn.prepare_cached(USE_STEP.sql).await?;
    Ok(conn.query_opt(&statement, &[&id, &step]).await?.is_some())
}

/// Replaces the backup codes.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn set_codes(conn: &impl GenericClient, id: Uuid, sealed: &str) -> Result<()> {
    let statement = conn.prepare_cached(SET_CODES.sql).await?;
    conn.execute(&statement, &[&id, &sealed]).await?;
    Ok(())
}

/// Forgets authenticator and backup codes of a user.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn delete(conn: &impl GenericClient, user: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&user]).await?;
    Ok(())
}

/// Whether an organization of the user demands a second factor: one of those names, or, where they may, one that says so.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn is_demanded(
    conn: &impl GenericClient,
    user: Uuid,
    organizations: &[String],
    they_decide: bool,
) -> Result<bool> {
    let statement = conn.prepare_cached(IS_DEMANDED.sql).await?;
    let row = conn.query_one(&statement, &[&user, &organizations, &they_decide]).await?;
    Ok(row.try_get(0)?)
}
