//! The server's own Data API, by the npm clients of applications, signed in through the server.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use toml::toml;

use super::neon::{FOLDER, node_in};
use super::profiles::{self, Place};
use super::sidecar::{self, Target};
use crate::command::{root, tests};
use crate::http::client;
use crate::node;
use crate::postgres::{Postgres, connect, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build, migrate};

/// The database, and so the project.
const PROJECT: &str = "app";

/// The roles of `docs/database-roles.md`.
pub(crate) const ROLES: &str = "
create role anonymous nologin;
create role authenticated nologin;
create role authenticator login noinherit;
grant anonymous, authenticated to authenticator;";

/// How to drive the clients.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only flows whose name matches this expression.
    #[arg(long)]
    only: Option<String>,
}

/// Starts a server whose Data API is open, runs the flows, and counts.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    node::install(FOLDER).await?;
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-data-api-").tempdir()?;
    let http = client();
    let postgres = Postgres::start(&["fsync=off", "max_connections=300"]).await?;
    let database_url = postgres.create_database(PROJECT).await?;
    let admin = connect(&database_url).await?;
    admin.batch_execute(ROLES).await?;
    let port = free_port()?;
    let place = Place { port, database_url: &database_url, hashed_tokens: true, provider: None };
    let mut config = profiles::neon("default", &place);
    profiles::merge(&mut config, door(&database_url));
    // The tables may need what the migrations make, and the server reads the schema when it starts.
    let path = dir.path().join("migrate.toml");
    fs::write(&path, toml::to_string(&config)?)?;
    migrate(&binary, &path).await?;
    let tables = fs::read_to_string(root().join(FOLDER).join("data-api.sql"))?;
    admin.batch_execute(&tables).await.context("data-api.sql")?;
    let server = Server::start(&binary, dir.path(), "data-api", &config, &http).await?;
    let target = Target { origin: server.origin.clone(), database_url };
    let sidecar = sidecar::start(HashMap::from([(port.to_string(), target)])).await?;
    let mut run = node_in(&root().join(FOLDER));
    run.arg("run.mjs").arg(format!("{}/{PROJECT}/auth", server.origin));
    run.arg("--data-api").arg(format!("{}/{PROJECT}/rest/v1", server.origin));
    run.arg("--hooks").arg(root().join(FOLDER).join("hooks/gatepost.mjs"));
    run.args(["--only", options.only.as_deref().unwrap_or("^(data-api|neon-js)\\.")]);
    run.env("HARNESS_SIDECAR", &sidecar);
    let counts = tests(run).await?;
    ensure!(counts.passed + counts.failed > 0, "no flow ran\n{}", server.log_tail());
    Ok(counts)
}

fn door(database_url: &str) -> toml::Table {
    let mut config = toml! {
        [data_api]
        enabled = true
    };
    let login = database_url.replace("postgres://postgres@", "postgres://authenticator@");
    if let Some(section) = config.get_mut("data_api").and_then(toml::Value::as_table_mut) {
        section.insert("database_url".to_owned(), login.into());
    }
    config
}
