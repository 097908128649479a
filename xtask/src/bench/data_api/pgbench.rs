//! One run of `pgbench`.

use std::fs;

use anyhow::{Context, Result};

use super::place::Place;
use super::script::Script;
use super::{CLIENTS, Speed};
use crate::command::output;

/// Runs a script with prepared statements, as the login of the Data API.
pub(super) async fn run(
    place: &Place,
    script: &Script,
    pipelined: bool,
    seconds: u32,
) -> Result<Speed> {
    let logs = tempfile::Builder::new().prefix("pgbench-").tempdir_in(place.dir.path())?;
    let mut command = tokio::process::Command::new(place.postgres.program("pgbench"));
    command
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"])
        .args(["--client", &CLIENTS.to_string()])
        .args(["--time", &seconds.to_string()])
        .arg("--file")
        .arg(if pipelined { &script.pipelined } else { &script.pieces })
        .arg("--log-prefix")
        .arg(logs.path().join("log"))
        .arg(place.login("bench"))
        .kill_on_drop(true);
    let text = output(command).await?;
    let per_second = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .with_context(|| format!("pgbench prints no rate: {text}"))?;
    Ok(Speed { per_second, p99: p99(logs.path())? })
}

/// In milliseconds, of every transaction.
fn p99(logs: &std::path::Path) -> Result<f64> {
    let mut took: Vec<u64> = Vec::new();
    for entry in fs::read_dir(logs)? {
        let text = fs::read_to_string(entry?.path())?;
        // client, transaction, microseconds, …
        took.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
    }
    took.sort_unstable();
    let at = took.len() * 99 / 100;
    Ok(took.get(at).copied().unwrap_or_default() as f64 / 1000.0)
}
