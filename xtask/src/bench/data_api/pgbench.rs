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
    let interval = f64::from(CLIENTS) / per_second * 1e6;
    Ok(Speed { per_second, p99: p99(logs.path(), interval)? })
}

/// In milliseconds, of every transaction and of those that did not begin because the one before took so long: `interval` microseconds
/// lie between two of a client. wrk counts so too ("coordinated omission"), and one that does not would look better for nothing.
fn p99(logs: &std::path::Path, interval: f64) -> Result<f64> {
    let mut took: Vec<f64> = Vec::new();
    for entry in fs::read_dir(logs)? {
        let text = fs::read_to_string(entry?.path())?;
        // client, transaction, microseconds, …
        for micros in text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()) {
            took.push(micros);
            let mut omitted = micros - interval;
            while micros >= 2.0 * interval && omitted > interval {
                took.push(omitted);
                omitted -= interval;
            }
        }
    }
    took.sort_unstable_by(f64::total_cmp);
    let at = took.len() * 99 / 100;
    Ok(took.get(at).copied().unwrap_or_default() / 1000.0)
}
