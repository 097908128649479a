//! The SQL of API keys.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::key::{ApiKey, COLUMNS, from_row, key_columns};
use crate::{
    database::statements::Statement,
    error::Result,
    user::{self, User},
};

const CREATE: Statement = Statement::new(
    "api_key.create",
    concat!(
        r#"insert into neon_auth.apikey as k
  ("configId", name, start, "referenceId", prefix, key, enabled, "rateLimitEnabled", "rateLimitTimeWindow", "rateLimitMax",
   "requestCount", remaining, "refillAmount", "refillInterval", "expiresAt", "createdAt", "updatedAt", permissions, metadata)
values ($1, $2, $3, $4, $5, $6, true, $7, $8, $9, 0, $10, $11, $12, $13, $14, $14, $15, $16)
returning "#,
        key_columns!()
    ),
);

const HAND_OVER: Statement = Statement::new(
    "api_key.hand_over",
    "insert into neon_auth.gatepost_api_key_holder (key_id, user_id, role) values ($1, $2, $3)",
);

const FIND: Statement = Statement::new(
    "api_key.find",
    concat!("select ", key_columns!(), " from neon_auth.apikey k where k.id = $1"),
);

/// The key, and the user in whose hands it is: the owner, or the maker of an organization's key.
const FIND_BY_HASH: Statement = Statement::new(
    "api_key.find_by_hash",
    concat!(
        "select ",
        key_columns!(),
        ", ",
        user::columns!(),
        r#"
from neon_auth.apikey k
left join neon_auth."user" u
  on u.id = case when k."configId" = 'organization'
    then (select h.user_id from neon_auth.gatepost_api_key_holder h where h.key_id = k.id) when k."referenceId" ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then k."referenceId"::uuid end
where k.key = $1"#
    ),
);

/// Counts one use, if every limit allows it. Of many at once, each sees what the one before it left.
/// $2: now. $3: limits are on.
const USE: Statement = Statement::new(
    "api_key.use",
    concat!(
        r#"update neon_auth.apikey k set
  remaining = case
    when k.remaining is null then null
    when k."refillInterval" > 0 and k."refillAmount" > 0 and $2 - coalesce(k."lastRefillAt", k."createdAt") > k."refillInterval" * interval '1 millisecond'
      then k."refillAmount" - 1
    else k.remaining - 1 end,
  "lastRefillAt" = case
    when k.remaining is not null and k."refillInterval" > 0 and k."refillAmount" > 0
      and $2 - coalesce(k."lastRefillAt", k."createdAt") > k."refillInterval" * interval '1 millisecond' then $2
    else k."lastRefillAt" end,
  "requestCount" = case
    when not $3 or k."rateLimitEnabled" is false or k."rateLimitTimeWindow" is null or k."rateLimitMax" is null then k."requestCount"
    when k."lastRequest" is null or $2 - k."lastRequest" > k."rateLimitTimeWindow" * interval '1 millisecond' then 1
    else coalesce(k."requestCount", 0) + 1 end,
  "lastRequest" = $2,
  "updatedAt" = $2
where k.id = $1 and k.enabled is not false and (k."expiresAt" is null or k."expiresAt" >= $2)
  and (k.remaining is null or k.remaining > 0
    or k."refillInterval" > 0 and k."refillAmount" > 0 and $2 - coalesce(k."lastRefillAt", k."createdAt") > k."refillInterval" * interval '1 millisecond')
  and (not $3 or k."rateLimitEnabled" is false or k."rateLimitTimeWindow" is null or k."rateLimitMax" is null
    or k."lastRequest" is null or $2 - k."lastRequest" > k."rateLimitTimeWindow" * interval '1 millisecond'
    or coalesce(k."requestCount", 0) < k."rateLimitMax")
returning "#,
        key_columns!()
    ),
);

const LIST: Statement = Statement::new(
    "api_key.list",
    concat!(
        "select ",
        key_columns!(),
        r#" from neon_auth.apikey k
where k."referenceId" = $1 and (k."configId" = 'organization') = $2
order by
  case when not $4::boolean then case $3::text when 'name' then k.name when 'prefix' then k.prefix when 'start' then k.start end end,
  case when $4 then case $3 when 'name' then k.name when 'prefix' then k.prefix when 'start' then k.start end end desc,
  case when not $4 then case $3 when 'createdAt' then k."createdAt" when 'updatedAt' then k."updatedAt" when 'expiresAt' then k."expiresAt" when 'lastRequest' then k."lastRequest" end end,
  case when $4 then case $3 when 'createdAt' then k."createdAt" when 'updatedAt' then k."updatedAt" when 'expiresAt' then k."expiresAt" when 'lastRequest' then k."lastRequest" end end desc,
  k."createdAt", k.id"#
    ),
);

const UPDATE: Statement = Statement::new(
    "api_key.update",
    concat!(
        r#"update neon_auth.apikey k set
  name = coalesce($2, k.name), enabled = coalesce($3, k.enabled),
  "expiresAt" = case when $4 then $5 else k."expiresAt" end,
  metadata = case when $6 then $7 else k.metadata end, "updatedAt" = $8
where k.id = $1
returning "#,
        key_columns!()
    ),
);

const DELETE: Statement =
    Statement::new("api_key.delete", "delete from neon_auth.apikey where id = $1");

const DELETE_OWNED: Statement = Statement::new(
    "api_key.delete_owned",
    r#"delete from neon_auth.apikey where "referenceId" = $1 and "configId" <> 'organization' 
  or id in (select key_id from neon_auth.gatepost_api_key_holder where user_id = $2)"#,
);

const DELETE_EXPIRED: Statement = Statement::new(
    "api_key.delete_expired",
    r#"delete from neon_auth.apikey where "expiresAt" < $1"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] =
    &[&CREATE, &FIND, &FIND_BY_HASH, &USE, &LIST, &UPDATE, &DELETE, &DELETE_OWNED, &DELETE_EXPIRED];

/// A key about to be stored.
#[derive(Clone, Debug)]
pub(super) struct NewRow<'a> {
    pub(super) config_id: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) start: &'a str,
    pub(super) reference_id: &'a str,
    pub(super) prefix: Option<&'a str>,
    pub(super) hash: &'a str,
    pub(super) rate_limit_enabled: bool,
    pub(super) rate_limit_window: i32,
    pub(super) rate_limit_max: i32,
    pub(super) remaining: Option<i32>,
    pub(super) refill_amount: Option<i32>,
    pub(super) refill_interval: Option<i32>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) permissions: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    /// Of an organization's key: in whose hands it is, and the role it acts with.
    pub(super) holder: Option<(Uuid, &'a str)>,
}

pub(super) async fn create(
    conn: &impl GenericClient,
    new: &NewRow<'_>,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let row = conn
        .query_one(
            &statement,
            &[
                &new.config_id,
                &new.name,
                &new.start,
                &new.reference_id,
                &new.prefix,
                &new.hash,
                &new.rate_limit_enabled,
                &new.rate_limit_window,
                &new.rate_limit_max,
                &new.remaining,
                &new.refill_amount,
                &new.refill_interval,
                &new.expires_at,
                &now,
                &new.permissions,
                &new.metadata,
            ],
        )
        .await?;
    let mut key = from_row(&row)?;
    if let Some((holder, role)) = new.holder {
        let statement = conn.prepare_cached(HAND_OVER.sql).await?;
        conn.execute(&statement, &[&key.id, &holder, &role]).await?;
        (key.created_by, key.role) = (Some(holder), Some(role.to_owned()));
    }
    Ok(key)
}

/// The key of that id.
///
/// # Errors
/// Those of Postgres.
pub async fn find(conn: &impl GenericClient, id: Uuid) -> Result<Option<ApiKey>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(from_row).transpose()
}

/// The key of that hash, and the user in whose hands it is.
pub(super) async fn find_by_hash(
    conn: &impl GenericClient,
    hash: &str,
) -> Result<Option<(ApiKey, Option<User>)>> {
    let statement = conn.prepare_cached(FIND_BY_HASH.sql).await?;
    let Some(row) = conn.query_opt(&statement, &[&hash]).await? else { return Ok(None) };
    let holder: Option<Uuid> = row.try_get(COLUMNS)?;
    let holder = holder.map(|_| user::from_row(&row, COLUMNS)).transpose()?;
    Ok(Some((from_row(&row)?, holder)))
}

/// Counts a use; `None`: a limit forbids it.
pub(super) async fn count_use(
    conn: &impl GenericClient,
    id: Uuid,
    limits: bool,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>> {
    let statement = conn.prepare_cached(USE.sql).await?;
    conn.query_opt(&statement, &[&id, &now, &limits]).await?.as_ref().map(from_row).transpose()
}

/// The keys of a user or an organization, oldest first unless another order is asked.
///
/// # Errors
/// Those of Postgres.
pub async fn list(
    conn: &impl GenericClient,
    reference_id: &str,
    organizations: bool,
    sort: Option<&str>,
    descending: bool,
) -> Result<Vec<ApiKey>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&reference_id, &organizations, &sort, &descending])
        .await?
        .iter()
        .map(from_row)
        .collect()
}

/// What an owner may change; `Some(None)` empties a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) expires_at: Option<Option<DateTime<Utc>>>,
    pub(super) metadata: Option<Option<String>>,
}

pub(super) async fn update(
    conn: &impl GenericClient,
    id: Uuid,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>> {
    let statement = conn.prepare_cached(UPDATE.sql).await?;
    conn.query_opt(
        &statement,
        &[
            &id,
            &change.name,
            &change.enabled,
            &change.expires_at.is_some(),
            &change.expires_at.flatten(),
            &change.metadata.is_some(),
            &change.metadata.clone().flatten(),
            &now,
        ],
    )
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Deletes a key.
///
/// # Errors
/// Those of Postgres.
pub async fn delete(conn: &impl GenericClient, id: Uuid) -> Result<bool> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    Ok(conn.execute(&statement, &[&id]).await? > 0)
}

/// Deletes every key that is in a user's hands: the own ones, and those made for organizations. Of a user who is deleted
/// or whose address is taken over by its owner.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_owned(conn: &impl GenericClient, user: Uuid) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_OWNED.sql).await?;
    Ok(conn.execute(&statement, &[&user.to_string(), &user]).await?)
}

/// Deletes keys whose time is over: the `deleteAllExpiredApiKeys` of Better Auth.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_expired(conn: &impl GenericClient, now: DateTime<Utc>) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_EXPIRED.sql).await?;
    Ok(conn.execute(&statement, &[&now]).await?)
}
