mod account;
mod hits;
mod outage;
mod rules;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use chrono::{DateTime, TimeDelta, Utc};
use gatepost_postgres::{
    Pool, PoolOptions, connect, pool,
    testing::{TestDatabase, database},
};

use super::{Limit, Limits, RetryAfter};

const MIGRATION: &str = include_str!("../../../migrations/0011_limits.sql");
const SIGN_IN: Limit = Limit { name: "request", window: 10, max: 3 };

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

async fn empty_table() -> TestDatabase {
    let template = format!("limits: {MIGRATION}");
    let prepare = |url: String| async move {
        let (client, _task) = connect(&url).await?;
        client.batch_execute(&format!("create schema neon_auth; {MIGRATION}")).await?;
        Ok::<_, gatepost_postgres::Error>(())
    };
    database(None, &template, prepare).await.unwrap()
}

fn pool_of(url: &str) -> Pool {
    pool(url, &PoolOptions { max_size: 4, ..PoolOptions::default() }).unwrap()
}

fn spawn(directory: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
        .arg(directory.path().join("redis.sock"))
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Debian package redis-server is installed")
}

/// A Redis of one's own on a socket in a directory of one's own.
struct RedisServer {
    server: Child,
    directory: tempfile::TempDir,
}

impl RedisServer {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self { server: spawn(&directory), directory };
        server.ready().await;
        server
    }

    async fn restart(&mut self) {
        self.server = spawn(&self.directory);
        self.ready().await;
    }

    /// Waits for the line with which the server says that it accepts connections.
    async fn ready(&mut self) {
        let said = BufReader::new(self.server.stdout.take().unwrap());
        let heard = tokio::task::spawn_blocking(move || {
            said.lines()
                .map_while(Result::ok)
                .any(|line| line.contains("ready to accept connections"))
        });
        assert!(heard.await.unwrap(), "redis-server starts");
    }

    fn url(&self) -> String {
        format!("unix://{}", self.directory.path().join("redis.sock").display())
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Two replicas on each store in turn: the one store in memory, which has one replica, stands for both.
async fn on_every_store<F: Future<Output = ()>>(check: impl Fn(Limits, Limits) -> F) {
    let memory = Limits::memory();
    check(memory.clone(), memory).await;
    let database = empty_table().await;
    check(Limits::postgres(pool_of(&database.url)), Limits::postgres(pool_of(&database.url))).await;
    let redis = RedisServer::start().await;
    let replica = || Limits::redis(&redis.url(), "gatepost").unwrap();
    check(replica(), replica()).await;
}

/// All of it at once, half of it on each replica; the results in any order.
async fn race<T: Send + 'static, F>(
    times: usize,
    one: &Limits,
    other: &Limits,
    work: impl Fn(Limits) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..times)
        .map(|i| tokio::spawn(work(if i % 2 == 0 { one.clone() } else { other.clone() })))
        .collect();
    let mut results = Vec::with_capacity(times);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn seconds<T>(result: Result<T, RetryAfter>) -> u32 {
    result.map(|_| ()).unwrap_err().0
}
