//! Counters in the table `neon_auth.gatepost_limit`.

use chrono::{DateTime, TimeDelta, Utc};
use gatepost_postgres::Pool;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    Count, Key,
    account::{Attempt, Backoff},
    shared::Group,
};

/// Rows of one purge at most.
const PURGE: i64 = 1000;
/// How long ended rows stay: longer than the clocks of two replicas may differ.
const GRACE: TimeDelta = TimeDelta::seconds(60);

// In key order, so that two batches with common keys wait for each other instead of deadlocking.
const COUNT: &str = "
insert into neon_auth.gatepost_limit as held (key, hits, ends_at)
select key, units, ends_at from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as asked (key, units, ends_at) order by key
on conflict (key) do update set
    hits = case when held.ends_at <= $4 then excluded.hits else least(held.hits::bigint + excluded.hits, 1000000000)::int end,
    ends_at = case when held.ends_at <= $4 then excluded.ends_at else held.ends_at end
returning key, hits, ends_at";

const ATTEMPT: &str = "
with attempt as (
    insert into neon_auth.gatepost_limit as held (key, hits, ends_at, next_at)
    values ($1, 1, $3, case when $4 <= 1 then $2::timestamptz + $5 * interval '1 millisecond' end)
    on conflict (key) do update set
        hits = case when held.ends_at <= $2 then 1 else least(held.hits, 1000000000) + 1 end,
        ends_at = excluded.ends_at,
        next_at = case
            when held.ends_at <= $2 then excluded.next_at
            when held.hits + 1 >= $4 then
                $2 + least($5 * 2 ^ least(held.hits + 1 - $4, 30), $6) * interval '1 millisecond'
        end
    where held.ends_at <= $2 or held.next_at is null or held.next_at <= $2
    returning hits, next_at
)
select true, hits, next_at from attempt
union all
select false, hits, next_at from neon_auth.gatepost_limit where key = $1 and not exists (select from attempt)";

const SUCCEEDED: &str = "
with reset as (delete from neon_auth.gatepost_limit where key = $1 and hits <= $2)
update neon_auth.gatepost_limit set hits = hits - 1 where key = $1 and hits > $2";

const REMOVE_ENDED: &str = "
delete from neon_auth.gatepost_limit where key = any(array(
    select key from neon_auth.gatepost_limit where ends_at < $1 order by ends_at limit $2 for update skip locked))";

#[derive(Debug)]
pub(super) struct Table {
    pool: Pool,
}

impl Table {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The counters after the hits of `groups`, whose keys differ.
    pub(super) async fn count(&self, groups: &[Group]) -> anyhow::Result<Vec<(Key, Count)>> {
        let now = groups.iter().map(|group| group.now).max().unwrap_or_default();
        let keys: Vec<Uuid> = groups.iter().map(|group| Uuid::from_u128(group.key.0)).collect();
        let units: Vec<i32> = groups.iter().map(Group::units).collect();
        let ends: Vec<DateTime<Utc>> =
            groups.iter().map(|group| time(now.saturating_add(group.window))).collect();
        let rows = self.query(COUNT, &[&keys, &units, &ends, &time(now)]).await?;
        let counts = rows.into_iter().map(|row| {
            let ends_at: DateTime<Utc> = row.try_get(2)?;
            let count = Count {
                hits: row.try_get::<_, i32>(1)?.into(),
                ends_at: ends_at.timestamp_millis(),
            };
            Ok((Key(row.try_get::<_, Uuid>(0)?.as_u128()), count))
        });
        counts.collect()
    }

    pub(super) async fn attempt(
        &self,
        key: Key,
        backoff: &Backoff,
        now: i64,
    ) -> anyhow::Result<Attempt> {
        let forget_at = time(now.saturating_add(backoff.forget()));
        let budget = i32::try_from(backoff.budget)?;
        let (first, longest) =
            (f64::from(backoff.first_delay) * 1000.0, f64::from(backoff.longest_delay) * 1000.0);
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&Uuid::from_u128(key.0), &time(now), &forget_at, &budget, &first, &longest];
        let rows = self.query(ATTEMPT, &parameters).await?;
        // Another replica's row may be younger than this statement's snapshot: then only the refusal is known.
        let Some(row) = rows.first() else {
            return Ok(Attempt::Refused { next_at: now.saturating_add(backoff.first()) });
        };
        let next_at: Option<DateTime<Utc>> = row.try_get(2)?;
        Ok(match row.try_get(0)? {
            true => Attempt::Begun { failures: row.try_get::<_, i32>(1)?.into() },
            false => Attempt::Refused {
                next_at: next_at
                    .map_or(now.saturating_add(backoff.first()), |at| at.timestamp_millis()),
            },
        })
    }

    pub(super) async fn succeeded(&self, key: Key, budget: i64) -> anyhow::Result<()> {
        self.query(SUCCEEDED, &[&Uuid::from_u128(key.0), &i32::try_from(budget)?]).await?;
        Ok(())
    }

    /// Removes some rows that ended before `now`.
    pub(super) async fn remove_ended(&self, rows: i64, now: i64) -> anyhow::Result<()> {
        self.query(REMOVE_ENDED, &[&(time(now) - GRACE), &rows.min(PURGE)]).await?;
        Ok(())
    }

    async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> anyhow::Result<Vec<tokio_postgres::Row>> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, parameters).await?)
    }
}

fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
