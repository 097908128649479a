//! Headless Chromium: the stock clients on pages of the server's own origin and of another site.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::command::{program, tests};
use crate::conformance::profiles::{self, Place};
use crate::http::client;
use crate::node;
use crate::postgres::{Postgres, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

const FOLDER: &str = "conformance/browser";
const CHROMIUM: &str = "/usr/bin/chromium";

/// What to run.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only flows whose name matches this expression.
    #[arg(long)]
    only: Option<String>,
}

/// Sessions against `gatepost serve`; mail and other providers against `gatepost dev`.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    ensure!(Path::new(CHROMIUM).exists(), "no {CHROMIUM}: install the package `chromium`");
    node::install(FOLDER).await?;
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-browser-").tempdir()?;
    let postgres = Postgres::start(&["fsync=off"]).await?;
    let database_url = postgres.create_database("browser").await?;
    let place = Place {
        port: free_port()?,
        database_url: &database_url,
        hashed_tokens: true,
        provider: None,
    };
    let config = profiles::neon("default", &place);
    let server = Server::start(&binary, dir.path(), "browser", &config, &client()).await?;
    // Where the application will be: the servers have to trust it before it is there.
    let port = free_port()?;
    let (dev, _process) = develop(&binary, &dir, &postgres, port).await?;
    let mut flows = program("node", FOLDER);
    flows.args(["run.mjs", "--server", &server.origin, "--database", "browser"]);
    flows.args(["--dev", &dev, "--dev-database", "dev", "--port", &port.to_string()]);
    flows.args(["--chromium", CHROMIUM]);
    if let Some(only) = &options.only {
        flows.args(["--only", only]);
    }
    tests(flows).await
}

/// `gatepost dev`; its origin, and the process, which ends with its handle.
async fn develop(
    binary: &Path,
    dir: &TempDir,
    postgres: &Postgres,
    application: u16,
) -> Result<(String, Child)> {
    let database_url = postgres.create_database("dev").await?;
    let config = dir.path().join("dev.toml");
    let trusted = format!("trusted_origins = [\"http://app.localhost:{application}\"]\n");
    fs::write(&config, trusted)?;
    let mut command = program(binary, ".");
    command
        .args(["dev", "--json", "--port", "0", "--database-url", &database_url])
        .arg("--config")
        .arg(&config)
        .arg("--data-dir")
        .arg(dir.path().join("dev"))
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let first = lines.next_line().await?.context("`gatepost dev` ended")?;
    let ready: Value = serde_json::from_str(&first).with_context(|| first.clone())?;
    let inbox = ready.get("inbox_url").and_then(Value::as_str).context("no inbox_url")?;
    let origin = inbox.strip_suffix("/inbox").context("inbox_url")?.to_owned();
    // A full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((origin, child))
}
