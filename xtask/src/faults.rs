//! SIGKILL of the server and of Postgres during load: what was acknowledged stays, and service returns.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::conformance::profiles::{self, Place};
use crate::http::{Http, client, post, send};
use crate::postgres::{Postgres, connect, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

/// Requests that sign up at the same time.
const WORKERS: usize = 8;
/// How long load runs before and after a fault.
const LOAD: Duration = Duration::from_secs(3);
/// How long Postgres stays away.
const OUTAGE: Duration = Duration::from_secs(2);
/// How soon after Postgres answers the service must be back.
const BACK: Duration = Duration::from_secs(2);
/// How long a request may take during an outage; beyond it is stuck.
const ANSWER: Duration = Duration::from_secs(10);
const PASSWORD: &str = "a good long password";

/// How often each fault is made.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds of each fault.
    #[arg(long, default_value_t = 2)]
    rounds: u32,
}

#[derive(Clone, Copy)]
enum Fault {
    Server,
    Postgres,
}

/// What the load saw.
#[derive(Default)]
struct Log {
    /// Address and session cookie of every acknowledged sign-up.
    acknowledged: Mutex<Vec<(String, String)>>,
    refused: AtomicU64,
    unreachable: AtomicU64,
    stuck: AtomicU64,
}

/// Makes every fault, and counts what held.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-faults-").tempdir()?;
    let mut postgres = Postgres::start(&["max_connections=200"]).await?;
    let database_url = postgres.create_database("faults").await?;
    let mut server = start(&binary, dir.path(), &database_url).await?;
    let mut counts = Counts::default();
    for round in 1..=options.rounds {
        for fault in [Fault::Server, Fault::Postgres] {
            let checks = one(fault, round, &mut server, &mut postgres, &database_url).await?;
            for (held, what) in checks {
                println!("{}  {what}", if held { "PASS" } else { "FAIL" });
                if held { counts.passed += 1 } else { counts.failed += 1 }
            }
        }
    }
    Ok(counts)
}

async fn start(binary: &Path, dir: &Path, database_url: &str) -> Result<Server> {
    let place = Place { port: free_port()?, database_url, hashed_tokens: true, provider: None };
    let config = profiles::neon("default", &place);
    Server::start(binary, dir, "faults", &config, &client()).await
}

async fn one(
    fault: Fault,
    round: u32,
    server: &mut Server,
    postgres: &mut Postgres,
    database_url: &str,
) -> Result<Vec<(bool, String)>> {
    let name = match fault {
        Fault::Server => "server killed",
        Fault::Postgres => "Postgres killed",
    };
    let log = Arc::new(Log::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for worker in 0..WORKERS {
        let tag = format!("{}-{round}-{worker}", name.replace(' ', "-").to_lowercase());
        load.spawn(sign_ups(server.origin.clone(), tag, Arc::clone(&log), Arc::clone(&stop)));
    }
    tokio::time::sleep(LOAD).await;
    let before = log.acknowledged.lock().await.len();
    match fault {
        Fault::Server => {
            server.kill().await?;
            server.start_again(&client()).await?;
        }
        Fault::Postgres => {
            postgres.kill().await?;
            tokio::time::sleep(OUTAGE).await;
            postgres.start_again().await?;
        }
    }
    let back = service_back(&server.origin, &log).await;
    tokio::time::sleep(LOAD).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(worker) = load.join_next().await {
        worker?;
    }
    let acknowledged = log.acknowledged.lock().await.clone();
    let lost = lost(&acknowledged, database_url).await?;
    let dead = dead_sessions(&acknowledged, &server.origin).await?;
    let held = held_connections(database_url).await?;
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let after = acknowledged.len().saturating_sub(before);
    Ok(vec![
        (
            before > 0 && after > 0,
            format!("{name} {round}: sign-ups before ({before}) and after ({after})"),
        ),
        (lost == 0, format!("{name} {round}: {} acknowledged, {lost} lost", acknowledged.len())),
        (dead == 0, format!("{name} {round}: {dead} acknowledged sessions do not open")),
        (
            back.is_some_and(|took| took <= BACK),
            format!("{name} {round}: back after {}", shown(back)),
        ),
        (
            count(&log.stuck) == 0,
            format!(
                "{name} {round}: {} requests without an answer in {ANSWER:?} ({} refused, {} unreachable)",
                count(&log.stuck),
                count(&log.refused),
                count(&log.unreachable)
            ),
        ),
        (held == 0, format!("{name} {round}: {held} connections left inside a transaction")),
    ])
}

fn shown(took: Option<Duration>) -> String {
    took.map_or_else(|| "never".to_owned(), |took| format!("{} ms", took.as_millis()))
}

/// Signs up new users until told to stop.
async fn sign_ups(origin: String, tag: String, log: Arc<Log>, stop: Arc<AtomicBool>) {
    let http = client();
    let mut number = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let email = format!("{tag}-{number}@example.com");
        let user = json!({ "email": email, "password": PASSWORD, "name": "Load" });
        let url = format!("{origin}/api/auth/sign-up/email");
        match tokio::time::timeout(ANSWER, post(&http, &url, &origin, &user)).await {
            Err(_) => {
                log.stuck.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Err(_)) => {
                log.unreachable.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(Ok(answer)) if answer.status() == StatusCode::OK => {
                let cookie = session_cookie(&answer).unwrap_or_default();
                log.acknowledged.lock().await.push((email, cookie));
            }
            Ok(Ok(_)) => {
                log.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn session_cookie(answer: &http::Response<bytes::Bytes>) -> Option<String> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut named = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    named.find(|cookie| cookie.contains("session_token=")).map(str::to_owned)
}

/// Asks for a known session until it is answered from the database again.
async fn service_back(origin: &str, log: &Log) -> Option<Duration> {
    let cookie = log.acknowledged.lock().await.first()?.1.clone();
    let start = Instant::now();
    let http = client();
    while start.elapsed() < ANSWER {
        if opens(&http, origin, &cookie).await.unwrap_or(false) {
            return Some(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

async fn opens(http: &Http, origin: &str, cookie: &str) -> Result<bool> {
    let url = format!("{origin}/api/auth/get-session");
    let request = Request::get(url).header("cookie", cookie).body(Full::default())?;
    let answer = send(http, request).await?;
    Ok(answer.status() == StatusCode::OK && answer.body().as_ref() != b"null")
}

async fn lost(acknowledged: &[(String, String)], database_url: &str) -> Result<usize> {
    let emails: Vec<&str> = acknowledged.iter().map(|(email, _)| email.as_str()).collect();
    let database = connect(database_url).await?;
    let there = database
        .query("select email from neon_auth.\"user\" where email = any($1)", &[&emails])
        .await?;
    Ok(emails.len().saturating_sub(there.len()))
}

async fn dead_sessions(acknowledged: &[(String, String)], origin: &str) -> Result<usize> {
    let http = client();
    let mut dead = 0;
    for (_, cookie) in acknowledged {
        if !opens(&http, origin, cookie).await? {
            dead += 1;
        }
    }
    Ok(dead)
}

/// Connections that sit inside a transaction although nothing runs any more.
async fn held_connections(database_url: &str) -> Result<i64> {
    let database = connect(database_url).await?;
    let sql = "select count(*) from pg_stat_activity where pid <> pg_backend_pid() \
        and datname = current_database() and state like 'idle in transaction%'";
    let limit = Instant::now() + Duration::from_secs(2);
    loop {
        let held: i64 = database.query_one(sql, &[]).await.context("pg_stat_activity")?.get(0);
        if held == 0 || Instant::now() > limit {
            return Ok(held);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
