//! Better Auth on Node beside Gatepost, over equal databases, in turns; organizations in a large database beside a small
//! one. Ratios, never a test.

mod data_api;
mod organizations;
mod peers;
mod process;
mod table;
mod wrk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::command::{exists, output, program};
use crate::postgres::Postgres;
use crate::report::Counts;

use peers::Peer;
use wrk::{Load, Measured};

/// Of every seeded user.
const PASSWORD: &str = "correct horse battery";
/// Signs the cookies of both.
const SECRET: &str = "bench-secret-bench-secret-bench-secret-32";

/// How long and how often to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(default_value = "auth", value_enum)]
    part: Part,
    /// Seconds of every measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Users in each database.
    #[arg(long, default_value_t = 100_000)]
    users: u32,
    /// Seconds over which memory is watched (`data-api`).
    #[arg(long, default_value_t = 600)]
    memory_seconds: u32,
    /// Tables of the schema that is read again under load (`data-api`).
    #[arg(long, default_value_t = 10_000)]
    tables: u32,
    /// The development build, to try the bench itself (`data-api`, `organizations`).
    #[arg(long)]
    dev: bool,
}

/// What can be measured.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// The auth server, beside Better Auth.
    Auth,
    /// The Data API, beside pgbench.
    DataApi,
    /// Organizations in a large database, beside a small one.
    Organizations,
}

/// One operation at one number of connections.
const OPERATIONS: [(&str, u32); 7] = [
    ("get-session", 1),
    ("get-session", 64),
    ("token", 64),
    ("jwks", 64),
    ("sign-in", 1),
    ("sign-in", 16),
    ("sign-up", 16),
];

/// A measurement with what it cost.
struct Sample {
    wrk: Measured,
    /// Microseconds of processor per request: the server's, and Postgres's.
    server_cpu: f64,
    postgres_cpu: f64,
    /// The highest memory seen meanwhile, MiB.
    peak: f64,
}

/// Everything about one server.
#[derive(Default)]
struct Results {
    cold_start: Vec<Duration>,
    idle: f64,
    samples: Vec<Vec<Sample>>,
    /// p99 of get-session alone and during sign-ins, microseconds.
    p99_idle: Vec<f64>,
    p99_busy: Vec<f64>,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    ensure!(
        matches!(options.part, Part::Organizations)
            || exists("wrk", "--version").await
            || wrk_there().await,
        "no `wrk`: install the package of that name"
    );
    match options.part {
        Part::Auth => auth(options).await,
        Part::DataApi => data_api::run(options).await,
        Part::Organizations => organizations::run(options).await,
    }
}

async fn auth(options: &Options) -> Result<Counts> {
    let dir = tempfile::Builder::new().prefix("gatepost-bench-").tempdir()?;
    let settings =
        ["max_connections=200", "shared_buffers=512MB", "max_wal_size=4GB", "autovacuum=off"];
    let postgres = Postgres::start(&settings).await?;
    println!("seeding {} users in each database", options.users);
    let mut peers = peers::prepare(options.users, &postgres, &dir).await?;
    let cookies = cookies(&dir, options.users.min(20_000)).await?;
    let mut results = Vec::new();
    for peer in &mut peers {
        let mut result = Results::default();
        for _ in 0..5 {
            result.cold_start.push(peer.restart().await?);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        result.idle = process::memory(peer.pid()?);
        results.push(result);
    }
    peers::same_answers(&peers, &cookies).await?;
    for peer in &peers {
        for (operation, _) in OPERATIONS {
            let load = Load { users: options.users, operation, connections: 8, seconds: 1 };
            wrk::run(peer.origin(), load, &cookies, "warm").await?;
        }
    }
    for (operation, connections) in OPERATIONS {
        let load = Load { users: options.users, operation, connections, seconds: options.seconds };
        println!("{operation}@{connections} (load average {})", process::load_average());
        for result in &mut results {
            result.samples.push(Vec::new());
        }
        for round in 0..options.rounds {
            for (peer, result) in peers.iter().zip(&mut results) {
                let tag = format!("{connections}-{round}");
                let sample = measure(peer, &postgres, load, &cookies, &tag).await?;
                if let Some(samples) = result.samples.last_mut() {
                    samples.push(sample);
                }
            }
        }
    }
    for _ in 0..options.rounds {
        for (peer, result) in peers.iter().zip(&mut results) {
            during_sign_in(peer, options, &cookies, result).await?;
        }
    }
    table::print(&results, scrypt_baseline().await);
    Ok(Counts::default())
}

/// `wrk --version` prints its version and fails.
async fn wrk_there() -> bool {
    let mut command = tokio::process::Command::new("wrk");
    command
        .arg("--version")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.status().await.is_ok()
}

async fn cookies(dir: &TempDir, count: u32) -> Result<PathBuf> {
    let path = dir.path().join("cookies.txt");
    let mut command = program("node", "bench");
    command.args(["cookies.mjs", SECRET, &count.to_string()]);
    std::fs::write(&path, output(command).await?)?;
    Ok(path)
}

async fn measure(
    peer: &Peer,
    postgres: &Postgres,
    load: Load,
    cookies: &Path,
    tag: &str,
) -> Result<Sample> {
    let server = peer.pid()?;
    let database = postgres.pid().unwrap_or_default();
    let before = (process::cpu_seconds(server), process::cpu_seconds(database));
    let mut peak = process::memory(server);
    let running = wrk::run(peer.origin(), load, cookies, tag);
    tokio::pin!(running);
    let wrk = loop {
        tokio::select! {
            measured = &mut running => break measured?,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                peak = peak.max(process::memory(server));
            }
        }
    };
    let after = (process::cpu_seconds(server), process::cpu_seconds(database));
    let per_request = |seconds: f64| seconds * 1e6 / wrk.requests.max(1) as f64;
    let (server_cpu, postgres_cpu) =
        (per_request(after.0 - before.0), per_request(after.1 - before.1));
    Ok(Sample { wrk, server_cpu, postgres_cpu, peak })
}

/// How slow reading a session becomes while passwords are verified.
async fn during_sign_in(
    peer: &Peer,
    options: &Options,
    cookies: &Path,
    result: &mut Results,
) -> Result<()> {
    let (users, seconds) = (options.users, options.seconds);
    let reading = Load { users, operation: "get-session", connections: 4, seconds };
    let alone = wrk::run(peer.origin(), reading, cookies, "alone").await?;
    result.p99_idle.push(alone.p99);
    let signing_in = Load { users, operation: "sign-in", connections: 16, seconds };
    let (busy, _) = tokio::try_join!(
        wrk::run(peer.origin(), reading, cookies, "busy"),
        wrk::run(peer.origin(), signing_in, cookies, "busy"),
    )?;
    result.p99_busy.push(busy.p99);
    Ok(())
}

/// Hashes per second of the library itself, a thread per core.
async fn scrypt_baseline() -> Option<f64> {
    let threads = std::thread::available_parallelism().ok()?.get();
    let start = std::time::Instant::now();
    let work = (0..threads).map(|_| {
        tokio::task::spawn_blocking(move || {
            let mut hashes = 0_u32;
            while start.elapsed() < Duration::from_secs(4) {
                gatepost_password::hash(PASSWORD, gatepost_password::Scheme::Scrypt).ok()?;
                hashes += 1;
            }
            Some(hashes)
        })
    });
    let mut hashes = 0;
    for thread in work.collect::<Vec<_>>() {
        hashes += thread.await.ok()??;
    }
    Some(f64::from(hashes) / start.elapsed().as_secs_f64())
}
