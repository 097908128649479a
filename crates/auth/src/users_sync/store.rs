//! The SQL of the mirror.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde_json::Value;
use uuid::Uuid;

use super::profile::Change;
use crate::{
    database::statements::{Statement, prepare},
    error::Result,
};

/// One statement, so that two deliveries of the same user cannot pass each other. `$6` is the id, should it be one of ours:
/// no provider may write over an own user, nor over a user of another provider.
const APPLY: Statement = Statement::new(
    "users_sync.apply",
    r#"with claimed as (
  insert into neon_auth.gatepost_users_source as s (user_id, source, changed_at, seen_at)
  select $1, $2, $3, $4
  where not exists (select 1 from neon_auth."user" u where u.id = $6)
  on conflict (user_id) do update
  set changed_at = excluded.changed_at, seen_at = excluded.seen_at
  where s.source = excluded.source and s.changed_at <= excluded.changed_at
  returning user_id
)
insert into neon_auth.users_sync (raw_json, updated_at, deleted_at)
select $5, $3, $7 from claimed
on conflict (id) do update
set raw_json = excluded.raw_json, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at"#,
);

/// What a full sync saw again without news.
const SEEN: Statement = Statement::new(
    "users_sync.seen",
    "update neon_auth.gatepost_users_source set seen_at = $3 where source = $1 and user_id = any($2)",
);

/// Whom a full sync did not see, and nobody wrote since it began.
const DELETE_UNSEEN: Statement = Statement::new(
    "users_sync.delete_unseen",
    "with gone as (
  update neon_auth.gatepost_users_source set changed_at = $3
  where source = $1 and seen_at < $2 and changed_at < $2
  returning user_id
)
update neon_auth.users_sync
set raw_json = jsonb_build_object('id', id), updated_at = $3, deleted_at = $3
where id in (select user_id from gone) and deleted_at is null",
);

/// Of several replicas, one does the full sync: whoever gets here first in this interval.
const BEGIN: Statement = Statement::new(
    "users_sync.begin",
    "insert into neon_auth.gatepost_users_full_sync as f (source, started_at) values ($1, $2)
on conflict (source) do update set started_at = excluded.started_at where f.started_at <= $3",
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&APPLY, &SEEN, &DELETE_UNSEEN, &BEGIN];

/// Writes down what a provider says; `false`: it is older than what is known, or about somebody else's user.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn apply(
    conn: &impl GenericClient,
    source: &str,
    change: &Change,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (profile, raw, deleted_at): (_, Value, Option<DateTime<Utc>>) = match change {
        Change::Written(profile) => (profile, profile.raw(), None),
        Change::Deleted(profile) => (profile, profile.trace(), Some(at)),
        Change::Nothing => return Ok(false),
    };
    let statement = prepare(conn, &APPLY).await?;
    let own = Uuid::try_parse(&profile.id).ok();
    let rows = conn
        .execute(&statement, &[&profile.id, &source, &at, &now, &raw, &own, &deleted_at])
        .await?;
    Ok(rows == 1)
}

/// Notes that these users still exist.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn seen(
    conn: &impl GenericClient,
    source: &str,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = prepare(conn, &SEEN).await?;
    conn.execute(&statement, &[&source, &ids, &now]).await?;
    Ok(())
}

/// Marks as deleted whom a full sync that began then did not see; how many.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn delete_unseen(
    conn: &impl GenericClient,
    source: &str,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let statement = prepare(conn, &DELETE_UNSEEN).await?;
    Ok(conn.execute(&statement, &[&source, &began, &now]).await?)
}

/// Whether this process may begin a full sync: nobody began one after `before`.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn begin(
    conn: &impl GenericClient,
    source: &str,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<bool> {
    let statement = prepare(conn, &BEGIN).await?;
    Ok(conn.execute(&statement, &[&source, &now, &before]).await? == 1)
}
