use std::time::Duration;

use super::{RedisServer, SIGN_IN, empty_table, pool_of, race, seconds, start};
use crate::limits::{
    Limits,
    account::Backoff,
    redis::Server,
    shared::{Shared, Store},
};

/// What must hold while a store is away: the limits of one replica, never none and never an error.
async fn counts_alone(limits: &Limits, client: &'static str) {
    let results = race(40, limits, limits, move |limits| async move {
        limits.hit(SIGN_IN, &["/sign-in/email", client], start()).await.is_ok()
    })
    .await;
    assert_eq!(results.into_iter().filter(|allowed| *allowed).count(), 3);
    let rule = Backoff::default();
    let results = race(40, limits, limits, move |limits| async move {
        limits.begin_attempt(&rule, client, false, start()).await.is_ok()
    })
    .await;
    assert_eq!(results.into_iter().filter(|allowed| *allowed).count(), 5);
    assert_eq!(seconds(limits.begin_attempt(&rule, client, false, start()).await), 30);
}

#[tokio::test]
async fn rl_12_without_the_table_each_replica_counts_for_itself() {
    let database = empty_table().await;
    let (client, _task) = gatepost_postgres::connect(&database.url).await.unwrap();
    let limits = Limits::postgres(pool_of(&database.url));
    limits.hit(SIGN_IN, &["before"], start()).await.unwrap();
    client.batch_execute("alter table neon_auth.gatepost_limit rename to away").await.unwrap();
    counts_alone(&limits, "a").await;
    counts_alone(&Limits::postgres(pool_of(&database.url)), "a").await;
}

#[tokio::test]
async fn rl_12_without_the_database_each_replica_counts_for_itself() {
    let nowhere = tempfile::tempdir().unwrap();
    let url = format!("host={} user=nobody dbname=none", nowhere.path().display());
    counts_alone(&Limits::postgres(pool_of(&url)), "a").await;
}

#[tokio::test]
async fn rl_12_a_stuck_database_does_not_stop_the_limits() {
    let database = empty_table().await;
    let (client, _task) = gatepost_postgres::connect(&database.url).await.unwrap();
    client
        .batch_execute("begin; lock table neon_auth.gatepost_limit in access exclusive mode")
        .await
        .unwrap();
    counts_alone(&Limits::postgres(pool_of(&database.url)), "a").await;
}

#[tokio::test]
async fn rl_12_without_redis_each_replica_counts_for_itself() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let (one, other) =
        (Limits::redis(&url, "gatepost").unwrap(), Limits::redis(&url, "gatepost").unwrap());
    one.hit(SIGN_IN, &["before"], start()).await.unwrap();
    redis.kill();
    counts_alone(&one, "a").await;
    counts_alone(&other, "a").await;
}

#[tokio::test]
async fn rl_12_a_store_that_is_back_counts_for_all_again() {
    let mut redis = RedisServer::start().await;
    let replica = |url: &str| {
        let server = Server::new(url, "gatepost").unwrap();
        Limits::Shared(Shared::start_with(Store::Redis(Box::new(server)), Duration::ZERO))
    };
    let (one, other) = (replica(&redis.url()), replica(&redis.url()));
    redis.kill();
    counts_alone(&one, "a").await;
    redis.restart().await;
    for limits in [&one, &other, &one] {
        limits.hit(SIGN_IN, &["/sign-in/email", "a"], start()).await.unwrap();
    }
    assert_eq!(seconds(other.hit(SIGN_IN, &["/sign-in/email", "a"], start()).await), 10);
}

#[test]
fn a_redis_url_that_cannot_be_used_is_refused_without_showing_its_password() {
    for url in ["rediss://user:hunter2@localhost", "http://user:hunter2@localhost", "user:hunter2"]
    {
        let error = Limits::redis(url, "gatepost").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
