//! `cargo xtask fuzz`: every parser under libFuzzer, with the stable compiler.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::{output, program, root, tee};
use crate::report::{Counts, Report};
use crate::shape::target_dir;

/// The targets of `fuzz/src/bin`.
const TARGETS: [&str; 7] = ["query", "select", "filters", "prefer", "range", "body", "jwt"];

/// How long, and what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this target.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// Seconds of every target.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

/// Counters at every edge and comparison: what libFuzzer learns from.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds and runs the targets one after the other. A finding stays in `fuzz/artifacts`.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    let host = output({
        let mut rustc = program("rustc", "fuzz");
        rustc.args(["--print", "host-tuple"]);
        rustc
    })
    .await?;
    let host = host.trim();
    let target_dir = target_dir();
    let mut build = program("cargo", "fuzz");
    // Named, so that build scripts and macros are compiled without counters.
    build.args(["build", "--release", "--bins", "--target", host]).env("RUSTFLAGS", COVERAGE);
    build.env("CARGO_TARGET_DIR", &target_dir);
    let (status, _) = tee(build).await?;
    ensure!(status.success(), "the targets do not build");
    std::fs::create_dir_all(root().join("fuzz/artifacts"))?;
    let mut report = Report::default();
    for target in TARGETS {
        if options.target.as_deref().is_none_or(|only| only == target) {
            let binary = target_dir.join(host).join("release").join(target);
            report.step(target, one(&binary, target, options.seconds)).await;
        }
    }
    report.print();
    Ok(report.counts())
}

async fn one(binary: &Path, target: &str, seconds: u32) -> Result<Counts> {
    // What is found anew is kept apart from the seeds, for this run alone.
    let found = tempfile::Builder::new().prefix("gatepost-fuzz-").tempdir()?;
    let mut command = program(binary, "fuzz");
    command
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=4096",
            "-print_final_stats=1",
            "-verbosity=0",
        ])
        .arg(format!("-artifact_prefix=artifacts/{target}-"))
        .arg(found.path())
        .arg(format!("corpus/{target}"));
    let (status, _) = tee(command).await?;
    ensure!(status.success(), "a finding: see fuzz/artifacts");
    Ok(Counts { passed: 1, ..Counts::default() })
}
