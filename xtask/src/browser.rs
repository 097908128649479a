//! Headless Chromium, from a page on another origin than the server.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::{program, tests};
use crate::conformance::profiles::{self, Place};
use crate::http::client;
use crate::node;
use crate::postgres::{Postgres, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

const FOLDER: &str = "conformance/browser";
const CHROMIUM: &str = "/usr/bin/chromium";

/// Sign-up, session, token, revocation, second factors, passkeys, sign-out.
pub(crate) async fn run() -> Result<Counts> {
    ensure!(Path::new(CHROMIUM).exists(), "no {CHROMIUM}: install the package `chromium`");
    node::install(FOLDER).await?;
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-browser-").tempdir()?;
    let postgres = Postgres::start(&["fsync=off"]).await?;
    let database_url = postgres.create_database("browser").await?;
    let place = Place { port: free_port()?, database_url: &database_url, hashed_tokens: true };
    let mut config = profiles::neon("default", &place);
    // Both pages and server stand on this host.
    profiles::merge(&mut config, toml::toml! { passkey = { enabled = true, rp_id = "localhost" } });
    let server = Server::start(&binary, dir.path(), "browser", &config, &client()).await?;
    let mut flows = program("node", FOLDER);
    flows.args(["run.mjs", "--server", &server.origin, "--database", "browser"]);
    flows.args(["--chromium", CHROMIUM]);
    tests(flows).await
}
