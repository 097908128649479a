//! The unmodified npm clients of Neon Auth and Better Auth, current and older versions.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

use super::built::Built;
use super::profiles::{self, Place};
use super::sidecar::{self, Target};
use crate::command::{output, program, root, tests};
use crate::http::{Http, client, wait_for};
use crate::node;
use crate::postgres::{Postgres, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

pub(super) const FOLDER: &str = "conformance/neon-clients";
const VARIANTS: [&str; 3] = ["default", "verify", "nosignup"];

/// How to drive the npm clients.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Another harness: its run.mjs and flows, with the project's hooks.
    #[arg(long)]
    harness: Option<PathBuf>,
    /// Only flows whose name matches this expression.
    #[arg(long)]
    only: Option<String>,
    /// Only one generation of clients: `current` or `legacy`.
    #[arg(long)]
    clients: Option<String>,
    /// Session tokens hashed at rest, as is the default of the server; leaves out what reads tokens of other sessions.
    #[arg(long)]
    hashed: bool,
    /// More words for the harness, after `--`.
    #[arg(last = true)]
    harness_words: Vec<String>,
}

impl Options {
    /// The run with hashed tokens.
    pub(crate) fn hashed() -> Self {
        Self { hashed: true, clients: Some("current".to_owned()), ..Self::default() }
    }
}

/// Flows that expect tokens in the list of sessions, where a server with hashed tokens has handles.
const READ_TOKENS: &[&str] = &["neon.list-sessions", "admin.user-sessions"];

/// Starts the three servers, runs every flow that the server can, and counts.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    node::install(FOLDER).await?;
    node::install(&format!("{FOLDER}/legacy")).await?;
    let harness = harness(options.harness.as_deref())?;
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-neon-").tempdir()?;
    let http = client();
    let postgres = Postgres::start(&["fsync=off", "max_connections=300"]).await?;
    let (provider, _provider) = identity_provider(&http).await?;
    let mut servers = Vec::new();
    let mut targets = HashMap::new();
    for variant in VARIANTS {
        let database = format!("neon_{variant}");
        let database_url = postgres.create_database(&database).await?;
        let port = free_port()?;
        let place = Place {
            port,
            database_url: &database_url,
            hashed_tokens: options.hashed,
            provider: Some(&provider),
        };
        let config = profiles::neon(variant, &place);
        let server = Server::start(&binary, dir.path(), variant, &config, &http).await?;
        targets.insert(port.to_string(), Target { origin: server.origin.clone(), database_url });
        servers.push((variant, format!("{}/{database}/auth", server.origin), server));
    }
    let [(_, base, server), others @ ..] = &servers[..] else { anyhow::bail!("no server") };
    let built = Built::ask(&http, base).await?;
    let sidecar = sidecar::start(targets).await?;
    let mut counts = Counts::default();
    for clients in ["current", "legacy"] {
        if options.clients.as_deref().is_some_and(|only| only != clients) {
            continue;
        }
        println!("clients: {clients}");
        let mut run = node_in(&harness);
        run.args(["run.mjs", base, "--clients", clients, "--hooks"]);
        run.arg(root().join(FOLDER).join("hooks/gatepost.mjs"));
        run.env("HARNESS_SIDECAR", &sidecar).env("HARNESS_OAUTH", "1");
        for (variant, base, _) in others {
            run.arg("--variant").arg(format!("{variant}={base}"));
        }
        if let Some(only) = &options.only {
            run.args(["--only", only]);
        }
        if let Some(skip) = left_out(&harness, clients, &built, options.hashed).await? {
            run.args(["--skip", &skip]);
        }
        run.args(&options.harness_words);
        let outcome = tests(run).await?;
        ensure!(outcome.passed + outcome.failed > 0, "no flow ran\n{}", server.log_tail());
        counts += outcome;
    }
    Ok(counts)
}

/// The stand-in for Google and GitHub.
async fn identity_provider(http: &Http) -> Result<(String, Child)> {
    let port = free_port()?;
    let mut command = program("node", FOLDER);
    command.args(["lib/fake-oauth.mjs", "--port", &port.to_string()]);
    let child = command.stdout(Stdio::null()).spawn()?;
    let origin = format!("http://localhost:{port}");
    wait_for(http, &format!("{origin}/google/certs"), Duration::from_secs(20)).await?;
    Ok((origin, child))
}

pub(super) fn node_in(folder: &Path) -> Command {
    let mut command = program("node", FOLDER);
    command.current_dir(folder);
    command
}

/// Another harness brings its own packages, or borrows the project's by standing beside them.
fn harness(given: Option<&Path>) -> Result<PathBuf> {
    let own = root().join(FOLDER);
    let Some(given) = given else { return Ok(own) };
    if given.join("node_modules").is_dir() {
        return Ok(given.canonicalize()?);
    }
    let copy = own.join(".harness");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_folder(given, &copy).with_context(|| given.display().to_string())?;
    let legacy = copy.join("legacy");
    fs::create_dir_all(&legacy)?;
    std::os::unix::fs::symlink(own.join("legacy/node_modules"), legacy.join("node_modules"))?;
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Lists the flows that the server cannot run, and returns an expression of their names.
async fn left_out(
    harness: &Path,
    clients: &str,
    built: &Built,
    hashed: bool,
) -> Result<Option<String>> {
    let mut list = node_in(harness);
    list.args(["run.mjs", "--list", "--clients", clients]);
    let mut names = Vec::new();
    for line in output(list).await?.lines() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let needed = needs(name, line);
        if let Some((method, path)) =
            needed.into_iter().find(|(method, path)| !built.has(method, path))
        {
            println!("NOT BUILT {name}: {method} {path}");
            names.push(name.replace('.', "\\."));
        } else if hashed && READ_TOKENS.contains(&name) {
            println!("LEFT OUT {name}: hashed tokens are listed as handles");
            names.push(name.replace('.', "\\."));
        }
    }
    Ok((!names.is_empty()).then(|| format!("^({})$", names.join("|"))))
}

type Operation = (&'static str, &'static str);

const ORGANIZATION: Operation = ("POST", "/organization/create");
const ADMIN: Operation = ("GET", "/admin/list-users");
const EMAIL_OTP: Operation = ("POST", "/email-otp/send-verification-otp");
const MAGIC_LINK: Operation = ("POST", "/sign-in/magic-link");
const PHONE: Operation = ("POST", "/phone-number/send-otp");
const SOCIAL: Operation = ("POST", "/sign-in/social");
const ANONYMOUS: Operation = ("GET", "/token/anonymous");

/// The operations beyond the foundation that a flow calls, by its name and what the harness lists.
fn needs(name: &str, listed: &str) -> Vec<Operation> {
    let mut needed = Vec::new();
    let words =
        |words: &[&str]| words.iter().any(|word| name.split(['.', '-']).any(|part| part == *word));
    if words(&["org", "organization", "organizations", "invitation", "member", "team"])
        || name == "server.sdk-endpoint-aliases"
    {
        needed.push(ORGANIZATION);
    }
    // These ask every protected group for its 401.
    if name.starts_with("server.unauthorized") {
        needed.extend([ORGANIZATION, ADMIN]);
    }
    if words(&["admin"]) || listed.contains("admin,") || listed.ends_with("needs: admin") {
        needed.push(ADMIN);
    }
    if words(&["otp"]) || listed.contains("needs: otp") {
        needed.push(EMAIL_OTP);
    }
    // The return to another domain comes with social sign-in.
    if name == "magic.verifier-exchange" {
        needed.push(SOCIAL);
    }
    if words(&["magic"]) {
        needed.push(MAGIC_LINK);
    }
    if words(&["phone"]) || listed.contains("needs: phone") {
        needed.push(PHONE);
    }
    let social = ["oauth", "social", "popup", "identity", "github", "google"];
    if words(&social) || name.contains("id-token") || listed.contains("needs: oauth") {
        needed.push(SOCIAL);
    }
    if words(&["anonymous"]) && !name.starts_with("middleware.") {
        needed.push(ANONYMOUS);
    }
    needed
}

#[cfg(test)]
#[path = "neon_tests.rs"]
mod unit;
