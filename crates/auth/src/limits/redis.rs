//! Counters in Redis or Valkey: one script per step, so that each is atomic.

use std::fmt;

use ::redis::{Client, RedisError, aio::MultiplexedConnection};
use tokio::sync::Mutex;

use super::{
    Count, Key,
    account::{Attempt, Backoff},
    shared::Group,
};

// Windows are judged by the caller's clock; Redis only forgets what ended long ago.
const COUNT: &str = "
local now, answer = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
    local units, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local held = redis.call('HMGET', key, 'hits', 'ends_at')
    local hits, ends_at = units, tonumber(held[2] or 0)
    if ends_at <= now then
        ends_at = now + window
        redis.call('HSET', key, 'hits', hits, 'ends_at', ends_at)
        redis.call('PEXPIRE', key, window + 60000)
    else
        hits = redis.call('HINCRBY', key, 'hits', units)
    end
    answer[2 * i - 1], answer[2 * i] = hits, ends_at
end
return answer";

const ATTEMPT: &str = "
local now, budget, first, longest, forget =
    tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local held = redis.call('HMGET', KEYS[1], 'hits', 'ends_at', 'next_at')
local hits, next_at = tonumber(held[1] or 0), tonumber(held[3] or 0)
if tonumber(held[2] or 0) <= now then hits, next_at = 0, 0 end
if next_at > now then return {0, next_at} end
hits, next_at = hits + 1, 0
if hits >= budget then next_at = now + math.min(first * 2 ^ math.min(hits - budget, 30), longest) end
redis.call('HSET', KEYS[1], 'hits', hits, 'ends_at', now + forget, 'next_at', next_at)
redis.call('PEXPIRE', KEYS[1], forget + 60000)
return {1, hits}";

const SUCCEEDED: &str = "
local hits = tonumber(redis.call('HGET', KEYS[1], 'hits') or 0)
if hits <= tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) else redis.call('HINCRBY', KEYS[1], 'hits', -1) end
return 0";

/// The Redis URL cannot be used. Does not show it, since it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Redis URL cannot be used: {0}; it reads redis://[user:password@]host[:port][/database] or unix:///socket"
)]
pub struct BadRedisUrl(String);

pub(super) struct Server {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    prefix: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(url: &str, prefix: &str) -> Result<Self, BadRedisUrl> {
        let client = Client::open(url).map_err(|error| BadRedisUrl(error.to_string()))?;
        Ok(Self { client, connection: Mutex::new(None), prefix: prefix.to_owned() })
    }

    /// The counters after the hits of `groups`, whose keys differ.
    pub(super) async fn count(&self, groups: &[Group]) -> anyhow::Result<Vec<(Key, Count)>> {
        let now = groups.iter().map(|group| group.now).max().unwrap_or_default();
        let mut script = ::redis::cmd("EVAL");
        script.arg(COUNT).arg(groups.len());
        for group in groups {
            script.arg(self.name(group.key));
        }
        script.arg(now);
        for group in groups {
            script.arg(group.units()).arg(group.window);
        }
        let answer: Vec<i64> = self.run(&script).await?;
        let counts = answer.chunks(2).zip(groups).filter_map(|(pair, group)| match pair {
            [hits, ends_at] => Some((group.key, Count { hits: *hits, ends_at: *ends_at })),
            _ => None,
        });
        Ok(counts.collect())
    }

    pub(super) async fn attempt(
        &self,
        key: Key,
        backoff: &Backoff,
        now: i64,
    ) -> anyhow::Result<Attempt> {
        let mut script = ::redis::cmd("EVAL");
        script.arg(ATTEMPT).arg(1).arg(self.name(key)).arg(now).arg(backoff.budget);
        script.arg(backoff.first()).arg(backoff.longest()).arg(backoff.forget());
        Ok(match self.run(&script).await? {
            (1i64, failures) => Attempt::Begun { failures },
            (_, next_at) => Attempt::Refused { next_at },
        })
    }

    pub(super) async fn succeeded(&self, key: Key, budget: i64) -> anyhow::Result<()> {
        let mut script = ::redis::cmd("EVAL");
        let _: i64 = self.run(script.arg(SUCCEEDED).arg(1).arg(self.name(key)).arg(budget)).await?;
        Ok(())
    }

    /// The braces keep all keys in one slot of a cluster, since a script may touch only one.
    fn name(&self, key: Key) -> String {
        format!("{{{}}}:limit:{:032x}", self.prefix, key.0)
    }

    async fn run<T: ::redis::FromRedisValue>(
        &self,
        command: &::redis::Cmd,
    ) -> Result<T, RedisError> {
        let mut connection = self.connect().await?;
        let answer = command.query_async(&mut connection).await;
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        answer
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref() {
            return Ok(connection.clone());
        }
        let connection = self.client.get_multiplexed_async_connection().await?;
        Ok(held.insert(connection).clone())
    }
}
