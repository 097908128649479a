//! Recorded scenarios of Better Auth, replayed against a server per profile.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use super::built::Built;
use super::profiles::{self, Place};
use super::sidecar::{self, Target};
use crate::command::{program, root, tests};
use crate::http::{Http, client, wait_for};
use crate::node;
use crate::postgres::{Postgres, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

const FOLDER: &str = "conformance/better-auth";

/// How to run the recorded scenarios.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Folder of case files, instead of those of the project.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Only scenarios whose name matches this expression.
    #[arg(long)]
    grep: Option<String>,
    /// Session tokens hashed at rest; leaves out what looks at stored tokens.
    #[arg(long)]
    hashed: bool,
    /// Against the recorded server itself, to check the runner.
    #[arg(long)]
    recorded: bool,
    /// Keep configuration and logs of the servers, and say where.
    #[arg(long)]
    keep: bool,
    /// More words for the replayer, after `--`.
    #[arg(last = true)]
    replayer: Vec<String>,
}

impl Options {
    /// The run with hashed tokens.
    pub(crate) fn hashed() -> Self {
        Self { hashed: true, ..Self::default() }
    }
}

/// One file of recorded scenarios.
struct Cases {
    name: String,
    document: Value,
}

/// Starts everything the cases need, replays them, and counts.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    node::install(FOLDER).await?;
    let files = read_cases(&case_folder(options.cases.as_deref()))?;
    let dir = tempfile::Builder::new().prefix("gatepost-conformance-").tempdir()?;
    let http = client();
    let postgres = Postgres::start(&["fsync=off", "max_connections=300"]).await?;
    let (idp, _idp) = identity_provider(&http).await?;
    let counts = if options.recorded {
        recorded(options, &files, &postgres, &idp, &dir, &http).await
    } else {
        gatepost(options, &files, &postgres, &idp, &dir, &http).await
    };
    if options.keep {
        println!("kept: {}", dir.keep().display());
    }
    counts
}

async fn gatepost(
    options: &Options,
    files: &[Cases],
    postgres: &Postgres,
    idp: &str,
    dir: &TempDir,
    http: &Http,
) -> Result<Counts> {
    let binary = build(Profile::Dev).await?;
    let mut servers = HashMap::new();
    let mut targets = HashMap::new();
    for name in profile_names(files) {
        let database_url =
            postgres.create_database(&format!("ba_{}", name.replace('-', "_"))).await?;
        let place = Place {
            port: free_port()?,
            database_url: &database_url,
            hashed_tokens: options.hashed,
            provider: Some(idp),
        };
        let Some(config) = profiles::better_auth(&name, &place) else {
            println!("NOT BUILT profile {name}");
            continue;
        };
        let server = Server::start(&binary, dir.path(), &name, &config, http).await?;
        targets.insert(name.clone(), Target { origin: server.origin.clone(), database_url });
        servers.insert(name, server);
    }
    let main = servers.get("main").context("no profile `main`")?;
    let built = Built::ask(http, &format!("{}/api/auth", main.origin)).await?;
    let kept = write_built(files, options, &built, dir.path())?;
    let sidecar = sidecar::start(targets).await?;
    let mut replay = replay(options, &kept, idp);
    replay.args(["--sidecar", &sidecar]);
    for (name, server) in &servers {
        replay.arg("--profile").arg(format!("{name}={}/api/auth", server.origin));
    }
    if options.hashed {
        replay.arg("--loose-ids");
    }
    let counts = tests(replay).await?;
    for (name, server) in &mut servers {
        if !server.runs() {
            bail!("the server of profile {name} ended:\n{}", server.log_tail());
        }
    }
    Ok(counts)
}

/// Replays against the recorded server, which brings its own outbox and fixture.
async fn recorded(
    options: &Options,
    files: &[Cases],
    postgres: &Postgres,
    idp: &str,
    dir: &TempDir,
    http: &Http,
) -> Result<Counts> {
    let folder = format!("{FOLDER}/server");
    node::install(&folder).await?;
    let first = 20_000 + u32::from(free_port()? % 20_000);
    let database = postgres.url("");
    let mut server = program("node", &folder);
    server
        .args(["server.mjs", "--no-oidc"])
        .env("PGURL", database.trim_end_matches('/'))
        .env("OIDC_ISSUER", idp)
        .env("BA_PORT_SHIFT", (first - 4100).to_string())
        .stdout(fs::File::create(dir.path().join("recorded.log"))?);
    let _server = server.spawn()?;
    let last = format!("http://localhost:{}/api/auth/ok", first + 10);
    wait_for(http, &last, Duration::from_secs(120)).await?;
    let paths: Vec<PathBuf> =
        files.iter().map(|file| write(file, dir.path())).collect::<Result<_>>()?;
    let mut replay = replay(options, &paths, idp);
    replay.args(["--ports", &first.to_string()]);
    tests(replay).await
}

fn replay(options: &Options, files: &[PathBuf], idp: &str) -> tokio::process::Command {
    let mut command = program("node", FOLDER);
    command.args(["replay.mjs", "--idp", idp]);
    for file in files {
        command.arg("--cases").arg(file);
    }
    if let Some(grep) = &options.grep {
        command.args(["--grep", grep]);
    }
    command.args(&options.replayer);
    command
}

/// The fake OpenID provider that the social scenarios talk to.
async fn identity_provider(http: &Http) -> Result<(String, Child)> {
    let port = free_port()?;
    let mut command = program("node", FOLDER);
    command.arg("server/oidc.mjs").env("OIDC_PORT", port.to_string());
    let child = command.stdout(std::process::Stdio::null()).spawn()?;
    let origin = format!("http://localhost:{port}");
    wait_for(http, &format!("{origin}/__health"), Duration::from_secs(20)).await?;
    Ok((origin, child))
}

fn case_folder(given: Option<&Path>) -> PathBuf {
    let folder = given.map_or_else(|| root().join(FOLDER).join("cases"), Path::to_path_buf);
    let inner = folder.join("cases");
    if inner.is_dir() { inner } else { folder }
}

fn read_cases(folder: &Path) -> Result<Vec<Cases>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let document = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(Cases { name, document });
    }
    ensure!(!files.is_empty(), "no case files in {}", folder.display());
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn scenarios(document: &Value) -> impl Iterator<Item = &Value> {
    document.get("scenarios").and_then(Value::as_array).into_iter().flatten()
}

/// The profiles that the cases name; `main` always.
fn profile_names(files: &[Cases]) -> BTreeSet<String> {
    let named = files.iter().flat_map(|file| scenarios(&file.document));
    let named = named.filter_map(|scenario| scenario.get("profile")?.as_str());
    named.chain(["main"]).map(str::to_owned).collect()
}

/// Writes the scenarios that the server can run, and lists the others.
fn write_built(
    files: &[Cases],
    options: &Options,
    built: &Built,
    dir: &Path,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for file in files {
        let mut kept = Vec::new();
        for scenario in scenarios(&file.document) {
            if options.hashed && looks_at_tokens(scenario) {
                continue;
            }
            match built.lacks(scenario) {
                None => kept.push(scenario.clone()),
                Some(operation) => {
                    let name = scenario.get("name").and_then(Value::as_str).unwrap_or("?");
                    println!("NOT BUILT {name}: {operation}");
                }
            }
        }
        let mut document = file.document.clone();
        if let Some(list) = document.get_mut("scenarios") {
            *list = json!(kept);
        }
        paths.push(write(&Cases { name: file.name.clone(), document }, dir)?);
    }
    Ok(paths)
}

/// Whether a fixture step reads or names a stored token, of a session or of a mail.
fn looks_at_tokens(scenario: &Value) -> bool {
    let steps = scenario.get("steps").and_then(Value::as_array).into_iter().flatten();
    let mut statements = steps.filter_map(|step| step.pointer("/fixture/sql")?.as_str());
    statements.any(|sql| sql.contains("token") || sql.contains("from \"verification\""))
}

fn write(file: &Cases, dir: &Path) -> Result<PathBuf> {
    let path = dir.join(format!("cases-{}", file.name));
    fs::write(&path, serde_json::to_vec(&file.document)?)?;
    Ok(path)
}
