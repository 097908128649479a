//! A schema of many tables is read again while requests are answered.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::Options;
use super::load;
use super::place::Place;
use crate::postgres::connect;

/// Reloads three times under load and prints the slowest request beside one without a reload.
pub(super) async fn run(place: &Place, options: &Options) -> Result<()> {
    let tables = options.tables;
    let url = place.postgres.create_database("many").await?;
    let admin = connect(&url).await?;
    let begun = Instant::now();
    let rows = std::fs::read_to_string(crate::command::root().join("bench/data-api.sql"))?;
    admin.batch_execute(&rows.replace(":owner", &format!("'{}'", super::place::OWNER))).await?;
    // In pieces: one transaction would run out of locks.
    for first in (0..tables).step_by(500) {
        let last = (first + 500).min(tables) - 1;
        admin
            .batch_execute(&format!(
                "do $$ begin for n in {first}..{last} loop
                   execute format('create table t%s (id int primary key, parent int references customers, name text, at timestamptz)', n);
                 end loop; end $$"
            ))
            .await?;
    }
    println!("{tables} tables made in {:.1} s", begun.elapsed().as_secs_f64());
    let peer = place.alone("many", "public").await?;
    let seconds = options.seconds.max(5);
    let quiet = load(&peer, "read", seconds).await?;
    let reloading = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(u64::from(seconds) * 200)).await;
            admin.batch_execute("notify pgrst, 'reload schema'").await?;
        }
        anyhow::Ok(())
    };
    let (busy, reloaded) = tokio::join!(load(&peer, "read", seconds), reloading);
    reloaded?;
    let busy = busy?;
    println!(
        "three reloads of {} tables under load: {} requests, {} failed, slowest {:.0} ms, p99 {:.1} ms; without: {} requests, slowest {:.0} ms, p99 {:.1} ms",
        tables + 3,
        busy.requests,
        busy.errors(),
        busy.max / 1000.0,
        busy.p99 / 1000.0,
        quiet.requests,
        quiet.max / 1000.0,
        quiet.p99 / 1000.0
    );
    ensure!(busy.errors() == 0, "requests failed during a reload\n{}", peer.log_tail());
    Ok(())
}
