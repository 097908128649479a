//! The server's own Data API, by the npm clients of applications, signed in through the server.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};
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
    /// With PgBouncer in transaction mode between the Data API and Postgres (the program `pgbouncer`).
    #[arg(long)]
    pgbouncer: bool,
}

impl Options {
    /// The run through PgBouncer.
    pub(crate) fn pgbouncer() -> Self {
        Self { pgbouncer: true, ..Self::default() }
    }
}

/// Flows that wait for NOTIFY, which no transaction pooler passes on.
const NEEDS_NOTIFY: &str = "^data-api\\.schema-reload$";

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
    let mut login = database_url.replace("postgres://postgres@", "postgres://authenticator@");
    let _pooler = match options.pgbouncer {
        true => {
            let pooler = Pooler::start(&login, dir.path())?;
            login.clone_from(&pooler.url);
            Some(pooler)
        }
        false => None,
    };
    profiles::merge(&mut config, door(&login, options.pgbouncer));
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
    if options.pgbouncer {
        run.args(["--skip", NEEDS_NOTIFY]);
    }
    run.env("HARNESS_SIDECAR", &sidecar);
    let counts = tests(run).await?;
    ensure!(counts.passed + counts.failed > 0, "no flow ran\n{}", server.log_tail());
    Ok(counts)
}

fn door(login: &str, pooled: bool) -> toml::Table {
    let mut config = toml! {
        [data_api]
        enabled = true
    };
    if let Some(section) = config.get_mut("data_api").and_then(toml::Value::as_table_mut) {
        section.insert("database_url".to_owned(), login.into());
        section.insert("prepared_statements".to_owned(), (!pooled).into());
    }
    config
}

/// PgBouncer with fewer connections than the Data API has; ended when dropped.
struct Pooler {
    url: String,
    _child: Child,
}

impl Pooler {
    fn start(login: &str, dir: &Path) -> Result<Self> {
        let (_, place) = login.split_once('@').context("no host")?;
        let (host, database) = place.split_once('/').context("no database")?;
        let (host, to) = host.split_once(':').context("no port")?;
        let port = free_port()?;
        let users = dir.join("users.txt");
        fs::write(&users, "\"authenticator\" \"\"\n")?;
        let config = dir.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n{database} = host={host} port={to}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\n\
             ignore_startup_parameters = extra_float_digits\n",
            users.display()
        );
        fs::write(&config, text)?;
        // It does not run as root: the system's unprivileged user may read the files.
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        open(dir, 0o755)?;
        open(&config, 0o644)?;
        open(&users, 0o644)?;
        let mut command = Command::new("pgbouncer");
        command.arg("--quiet").args(["--user", "nobody"]).arg(&config);
        let child = command.kill_on_drop(true).spawn().context("pgbouncer")?;
        Ok(Self {
            url: format!("postgres://authenticator@127.0.0.1:{port}/{database}"),
            _child: child,
        })
    }
}
