//! The example applications, each with its own tests, against the built binary.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use toml::toml;

use crate::command::{must, output, program, root, tee};
use crate::conformance::profiles::{self, Place};
use crate::http::client;
use crate::node;
use crate::postgres::{Postgres, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

/// Runs every example's tests.
pub(crate) async fn run() -> Result<Counts> {
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-examples-").tempdir()?;
    let postgres = Postgres::start(&["fsync=off"]).await?;
    let server = start(&binary, dir.path(), "usual", &postgres).await?;
    let short = start(&binary, dir.path(), "short-tokens", &postgres).await?;
    let mut counts = flask(&server, &short).await?;
    counts += node_by_discovery(&server).await?;
    Ok(counts)
}

/// PyJWT and `PyJWKClient`.
async fn flask(server: &Server, short: &Server) -> Result<Counts> {
    let python = environment("examples/flask").await?;
    let mut tests = Command::new(python);
    tests
        .args(["-m", "unittest", "-v", "test_app"])
        .current_dir(root().join("examples/flask"))
        .env("GATEPOST_ORIGIN", &server.origin)
        .env("GATEPOST_SHORT_ORIGIN", &short.origin)
        .kill_on_drop(true);
    let (status, text) = tee(tests).await?;
    let counts = unittest_counts(&text).context("unittest prints no summary")?;
    if counts.passed + counts.failed == 0 || (!status.success() && counts.failed == 0) {
        bail!("unittest: {status}");
    }
    Ok(counts)
}

/// `jose`, from the issuer alone.
async fn node_by_discovery(server: &Server) -> Result<Counts> {
    node::install("examples/node").await?;
    let mut test = program("node", "examples/node");
    test.args(["--test", "--test-reporter", "tap"]).env("GATEPOST_ORIGIN", &server.origin);
    let (status, text) = tee(test).await?;
    let number = |what: &str| {
        let line = text.lines().rev().find_map(|line| line.strip_prefix(what));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    let counts = Counts { passed: number("# pass "), failed: number("# fail ") };
    if counts.passed + counts.failed == 0 || (!status.success() && counts.failed == 0) {
        bail!("node --test: {status}");
    }
    Ok(counts)
}

async fn start(binary: &Path, dir: &Path, name: &str, postgres: &Postgres) -> Result<Server> {
    let database_url = postgres.create_database(name).await?;
    let place = Place {
        port: free_port()?,
        database_url: &database_url,
        hashed_tokens: true,
        provider: None,
    };
    let mut config = profiles::neon("default", &place);
    if name == "short-tokens" {
        profiles::merge(&mut config, toml! { jwt = { expires_in = 1 } });
    }
    Server::start(binary, dir, name, &config, &client()).await
}

/// A virtual environment with the pinned packages; returns its Python.
async fn environment(folder: &str) -> Result<std::path::PathBuf> {
    let venv = root().join(folder).join(".venv");
    let python = venv.join("bin/python");
    let pinned = fs::read(root().join(folder).join("requirements.txt"))?;
    let mark = venv.join("installed.txt");
    if fs::read(&mark).is_ok_and(|installed| installed == pinned) {
        return Ok(python);
    }
    let mut create = program("python3", folder);
    create.args(["-m", "venv", "--clear", ".venv"]);
    output(create).await.context("this example needs Python 3 with venv")?;
    let mut install = program(&python, folder);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    install.arg("requirements.txt");
    must(install).await?;
    fs::write(mark, pinned)?;
    Ok(python)
}

/// Reads `Ran N tests` and `FAILED (failures=1, errors=2)`.
fn unittest_counts(text: &str) -> Option<Counts> {
    let ran = text.lines().rev().find_map(|line| line.strip_prefix("Ran "))?;
    let ran: u64 = ran.split(' ').next()?.parse().ok()?;
    let verdict =
        text.lines().rev().find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
    let failed = verdict
        .split(['(', ')', ','])
        .filter_map(|part| part.trim().split_once('='))
        .filter(|(what, _)| matches!(*what, "failures" | "errors"))
        .filter_map(|(_, number)| number.parse::<u64>().ok())
        .sum::<u64>();
    Some(Counts { passed: ran.saturating_sub(failed), failed })
}
