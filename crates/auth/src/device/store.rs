//! The SQL of device codes.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{database::statements::Statement, error::Result};

/// What became of a request for sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody decided yet.
    Pending,
    /// The device may sign in, once.
    Approved,
    /// It may not.
    Denied,
}

impl Status {
    /// As it stands in the table and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Denied].into_iter().find(|it| it.as_str() == text)
    }
}

/// A row of `neon_auth."deviceCode"`.
#[derive(Clone, Debug)]
pub struct Device {
    /// Row id.
    pub id: Uuid,
    /// Who looked the code up while signed in, or for whom it was asked.
    pub user_id: Option<String>,
    /// The end.
    pub expires_at: DateTime<Utc>,
    /// `None`: a word that no Gatepost wrote.
    pub status: Option<Status>,
    /// The last poll that was in time.
    pub last_polled_at: Option<DateTime<Utc>>,
    /// The pause that polls must keep.
    pub interval: TimeDelta,
    /// The program that asks.
    pub client_id: Option<String>,
    /// What it asks for, in its own words.
    pub scope: Option<String>,
}

/// A row to be. Codes as they are stored.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice<'a> {
    /// The long code.
    pub device_code: &'a str,
    /// The short code.
    pub user_code: &'a str,
    /// For whom it is asked, when that is known.
    pub user_id: Option<&'a str>,
    /// The end.
    pub expires_at: DateTime<Utc>,
    /// Milliseconds between polls.
    pub interval: i32,
    /// The program that asks.
    pub client_id: &'a str,
    /// What it asks for.
    pub scope: Option<&'a str>,
}

macro_rules! columns {
    () => {
        r#"d.id, d."userId", d."expiresAt", d.status, d."lastPolledAt", d."pollingInterval", d."clientId", d.scope"#
    };
}

const CREATE: Statement = Statement::new(
    "device.create",
    r#"insert into neon_auth."deviceCode"
  ("deviceCode", "userCode", "userId", "expiresAt", status, "pollingInterval", "clientId", scope)
values ($1, $2, $3, $4, 'pending', $5, $6, $7)
on conflict do nothing"#,
);

/// The row stays locked: of many polls at once, one is answered after the other.
const LOCK: Statement = Statement::new(
    "device.lock",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."deviceCode" d where d."deviceCode" = $1 for update"#
    ),
);

const FIND: Statement = Statement::new(
    "device.find",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."deviceCode" d where d."userCode" = any($1)"#
    ),
);

const POLLED: Statement = Statement::new(
    "device.polled",
    r#"update neon_auth."deviceCode" set "lastPolledAt" = $2 where id = $1"#,
);

const CLAIM: Statement = Statement::new(
    "device.claim",
    concat!(
        r#"update neon_auth."deviceCode" d set "userId" = $2
where d.id = $1 and d.status = 'pending' and d."userId" is null returning "#,
        columns!()
    ),
);

const DECIDE: Statement = Statement::new(
    "device.decide",
    r#"update neon_auth."deviceCode" set status = $3, "userId" = $2
where id = $1 and status = 'pending' and coalesce("userId", $2) = $2"#,
);

const DELETE: Statement =
    Statement::new("device.delete", r#"delete from neon_auth."deviceCode" where id = $1"#);

const PURGE: Statement = Statement::new(
    "device.purge",
    r#"delete from neon_auth."deviceCode" where id in (
  select id from neon_auth."deviceCode" where "expiresAt" < $1 limit 1000
)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] =
    &[&CREATE, &LOCK, &FIND, &POLLED, &CLAIM, &DECIDE, &DELETE, &PURGE];

fn device(row: &Row) -> Result<Device> {
    let interval: Option<i32> = row.try_get(5)?;
    Ok(Device {
        id: row.try_get(0)?,
        user_id: row.try_get(1)?,
        expires_at: row.try_get(2)?,
        status: Status::read(row.try_get(3)?),
        last_polled_at: row.try_get(4)?,
        interval: TimeDelta::milliseconds(interval.unwrap_or_default().into()),
        client_id: row.try_get(6)?,
        scope: row.try_get(7)?,
    })
}

/// Writes a pair of codes down. `false`: one of them is taken.
///
/// # Errors
/// Those of Postgres.
pub async fn create_device(conn: &impl GenericClient, new: &NewDevice<'_>) -> Result<bool> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let written = conn
        .execute(
            &statement,
            &[
                &new.device_code,
                &new.user_code,
                &new.user_id,
                &new.expires_at,
                &new.interval,
                &new.client_id,
                &new.scope,
            ],
        )
        .await?;
    Ok(written == 1)
}

/// The row of a long code, held until the transaction ends.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_device(tx: &impl GenericClient, device_code: &str) -> Result<Option<Device>> {
    let statement = tx.prepare_cached(LOCK.sql).await?;
    tx.query_opt(&statement, &[&device_code]).await?.as_ref().map(device).transpose()
}

/// The row of a short code: the first of `candidates` that there is.
///
/// # Errors
/// Those of Postgres.
pub async fn find_device(
    conn: &impl GenericClient,
    candidates: &[String],
) -> Result<Option<Device>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query(&statement, &[&candidates]).await?.first().map(device).transpose()
}

/// Notes a poll.
///
/// # Errors
/// Those of Postgres.
pub async fn note_poll(conn: &impl GenericClient, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let statement = conn.prepare_cached(POLLED.sql).await?;
    conn.execute(&statement, &[&id, &now]).await?;
    Ok(())
}

/// Binds a code that nobody looked up yet to a user. `None`: somebody was faster.
///
/// # Errors
/// Those of Postgres.
pub async fn claim_device(
    conn: &impl GenericClient,
    id: Uuid,
    user: Uuid,
) -> Result<Option<Device>> {
    let statement = conn.prepare_cached(CLAIM.sql).await?;
    let row = conn.query_opt(&statement, &[&id, &user.to_string()]).await?;
    row.as_ref().map(device).transpose()
}

/// Writes the decision of a user down, unless there is one or the code is another user's. Whether it was written.
///
/// # Errors
/// Those of Postgres.
pub async fn decide(
    conn: &impl GenericClient,
    id: Uuid,
    user: Uuid,
    decision: Status,
) -> Result<bool> {
    let statement = conn.prepare_cached(DECIDE.sql).await?;
    let written = conn.execute(&statement, &[&id, &user.to_string(), &decision.as_str()]).await?;
    Ok(written == 1)
}

/// Uses a pair of codes up.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_device(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Removes codes that ended long ago, a thousand at a time. Returns how many.
///
/// # Errors
/// Those of Postgres.
pub async fn purge(conn: &impl GenericClient, before: DateTime<Utc>) -> Result<u64> {
    let statement = conn.prepare_cached(PURGE.sql).await?;
    Ok(conn.execute(&statement, &[&before]).await?)
}
