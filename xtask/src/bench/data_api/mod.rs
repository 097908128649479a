//! The Data API beside `pgbench`, which runs the same SQL with the same change of role on the same cores.

mod pgbench;
mod place;
mod reload;
mod script;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::wrk::Measured;
use super::{Options, process};
use crate::command::{output, program};
use crate::report::Counts;

use place::{Peer, Place};

/// Clients at a time.
const CLIENTS: u32 = 16;
/// The operations of `bench/data-api.lua`.
const OPERATIONS: [&str; 4] = ["read", "page", "count", "insert"];
/// What the project asks of itself, of requests and of how long the slowest in a hundred takes: as a part of what pgbench
/// does statement by statement, as clients do. The pipeline is the bound that no HTTP server reaches.
const WANTED: f64 = 0.6;

/// A rate and a 99th percentile in milliseconds.
#[derive(Clone, Copy, Default)]
struct Speed {
    per_second: f64,
    p99: f64,
}

/// Measures and prints.
pub(super) async fn run(options: &Options) -> Result<Counts> {
    let place = Place::prepare(options.dev).await?;
    let scripts = script::capture(&place).await?;
    let peers = place.peers().await?;
    println!(
        "requests/s and p99 in ms of {CLIENTS} clients, {} connections a server; in brackets as parts of pgbench: \
         requests, requests of its pipeline, p99 (its by ours)",
        place::pool_size()
    );
    println!(
        "{:<8} {:>14} {:>18} {:>32} {:>32} {:>6}",
        "", "pgbench", "in a pipeline", "gatepost data-api", "in the server, live", "load"
    );
    let mut slow = Vec::new();
    for operation in OPERATIONS {
        for peer in &peers {
            load(peer, operation, 1).await?;
        }
        let mut rounds: [Vec<Speed>; 4] = Default::default();
        for _ in 0..options.rounds {
            let script = scripts.get(operation).context("no script")?;
            for (at, pipelined) in [true, false].into_iter().enumerate() {
                let speed = pgbench::run(&place, script, pipelined, options.seconds).await?;
                rounds.get_mut(at).context("round")?.push(speed);
            }
            for (at, peer) in peers.iter().enumerate() {
                let measured = load(peer, operation, options.seconds).await?;
                ensure!(
                    measured.errors() == 0,
                    "{operation}: {} requests failed\n{}",
                    measured.errors(),
                    peer.log_tail()
                );
                let speed = Speed { per_second: measured.per_second(), p99: measured.p99 / 1000.0 };
                rounds.get_mut(at + 2).context("round")?.push(speed);
            }
        }
        let [whole, pieces, alone, inside] = rounds.map(|rounds| median(&rounds));
        let show = |speed: Speed| format!("{:.0} {:.2}", speed.per_second, speed.p99);
        let ratio = |speed: Speed| {
            format!(
                "{} ({:.2} {:.2} {:.2})",
                show(speed),
                speed.per_second / pieces.per_second,
                speed.per_second / whole.per_second,
                pieces.p99 / speed.p99
            )
        };
        println!(
            "{operation:<8} {:>14} {:>18} {:>32} {:>32} {:>6}",
            show(pieces),
            show(whole),
            ratio(alone),
            ratio(inside),
            process::load_average()
        );
        if alone.per_second < WANTED * pieces.per_second {
            slow.push(format!("{operation} (requests)"));
        }
        if pieces.p99 < WANTED * alone.p99 {
            slow.push(format!("{operation} (p99)"));
        }
    }
    if !slow.is_empty() {
        println!("below {WANTED} of pgbench: {}", slow.join(", "));
    }
    for peer in &peers {
        memory(peer, options.memory_seconds).await?;
    }
    reload::run(&place, options).await?;
    Ok(Counts::default())
}

fn median(rounds: &[Speed]) -> Speed {
    let middle = |of: fn(&Speed) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Speed { per_second: middle(|it| it.per_second), p99: middle(|it| it.p99) }
}

/// Loads a peer with one operation, or with all of them mixed.
async fn load(peer: &Peer, operation: &str, seconds: u32) -> Result<Measured> {
    let mut command = program("wrk", "bench");
    command
        .args(["--threads", "2", "--connections", &CLIENTS.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .args(["--timeout", "30s", "--latency", "--script", "data-api.lua", &peer.origin])
        .env("OP", operation)
        .env("BASE", &peer.base)
        .env("OWNER", place::OWNER)
        .env("TOKEN", peer.token().await?);
    let text = output(command).await?;
    let line = text.lines().find_map(|line| line.strip_prefix("JSON "));
    Ok(serde_json::from_str(line.context("wrk prints no result")?)?)
}

/// Whether memory stays where it was after warming up.
async fn memory(peer: &Peer, seconds: u32) -> Result<()> {
    let pid = peer.pid().context("the server ended")?;
    load(peer, "mixed", (seconds / 20).max(2)).await?;
    let start = process::memory(pid);
    let loading = load(peer, "mixed", seconds);
    tokio::pin!(loading);
    let (mut peak, mut samples) = (start, Vec::new());
    let measured = loop {
        tokio::select! {
            measured = &mut loading => break measured?,
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                let now = process::memory(pid);
                peak = peak.max(now);
                samples.push(now);
            }
        }
    };
    let at = |tenth: usize| samples.get(samples.len() * tenth / 10).copied().unwrap_or(start);
    let tenths: Vec<String> = (1..10).map(|tenth| format!("{:.1}", at(tenth))).collect();
    println!(
        "memory of {} over {seconds} s and {} requests, MiB: {start:.1} at first, {} after each tenth, {:.1} at the end, {peak:.1} at most",
        peer.name,
        measured.requests,
        tenths.join(" "),
        process::memory(pid)
    );
    Ok(())
}
