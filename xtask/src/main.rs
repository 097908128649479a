//! What a developer of Gatepost runs: `cargo xtask check | test | conformance | bench | faults`.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

mod bench;
mod browser;
mod check;
mod command;
mod conformance;
mod examples;
mod faults;
mod fuzz;
mod guesses;
mod http;
mod node;
mod postgres;
mod report;
mod server;
mod shape;
mod test;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use report::Counts;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What a developer of Gatepost runs")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lints, documentation, rules of the tree, then every test.
    Check,
    /// Every test: crates, conformance suites, examples, browser.
    Test,
    /// A suite that drives the built binary from outside.
    #[command(subcommand)]
    Conformance(Suite),
    /// Rules of the tree: dependency direction, forbidden strings.
    Tree,
    /// Better Auth on Node beside Gatepost.
    Bench(bench::Options),
    /// Every parser of the Data API under libFuzzer.
    Fuzz(fuzz::Options),
    /// Generated SQL, given to PostgreSQL's own parser. Needs libclang.
    Shape,
    /// SIGKILL of the server and of Postgres during load.
    Faults(faults::Options),
    /// Fifty guesses of one code at once, over two server processes on one database.
    Guesses,
    /// The example applications, against the built binary.
    Examples,
    /// The stock clients in headless Chromium: sessions, mail, other providers; same origin and another site.
    Browser(browser::Options),
}

#[derive(Subcommand)]
enum Suite {
    /// Recorded scenarios of Better Auth.
    BetterAuth(conformance::better_auth::Options),
    /// The unmodified npm clients.
    Neon(conformance::neon::Options),
    /// The Data API of the server, by the npm clients of applications.
    DataApi(conformance::data_api::Options),
    /// Gatepost and Better Auth on Node over one database.
    Shared,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Dropping the work ends every server that it started.
    let outcome = tokio::select! {
        outcome = run(command) => outcome,
        signal = stopped() => signal.and_then(|signal| Err(anyhow!("stopped by {signal}"))),
    };
    match outcome {
        Ok(Counts { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn stopped() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

async fn run(command: Command) -> Result<Counts> {
    match command {
        Command::Check => check::run().await,
        Command::Test => test::run().await,
        Command::Conformance(Suite::BetterAuth(options)) => {
            closing(conformance::better_auth::run(&options).await)
        }
        Command::Conformance(Suite::Neon(options)) => {
            closing(conformance::neon::run(&options).await)
        }
        Command::Conformance(Suite::DataApi(options)) => {
            closing(conformance::data_api::run(&options).await)
        }
        Command::Tree => tree::run().await,
        Command::Bench(options) => bench::run(&options).await,
        Command::Conformance(Suite::Shared) => closing(conformance::shared::run().await),
        Command::Fuzz(options) => fuzz::run(&options).await,
        Command::Shape => closing(shape::run().await),
        Command::Faults(options) => closing(faults::run(&options).await),
        Command::Guesses => closing(guesses::run().await),
        Command::Examples => closing(examples::run().await),
        Command::Browser(options) => closing(browser::run(&options).await),
    }
}

/// Prints the line that closes a suite.
fn closing(counts: Result<Counts>) -> Result<Counts> {
    let counts = counts?;
    println!("\n{counts}");
    Ok(counts)
}
