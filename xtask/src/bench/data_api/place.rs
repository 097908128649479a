//! One database with its roles and rows, and the two servers over it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use toml::toml;

use crate::conformance::data_api::ROLES;
use crate::conformance::profiles::{self, Place as Ports};
use crate::http::{Http, client, post, send, wait_for};
use crate::postgres::{Postgres, connect, free_port, log_tail};
use crate::server::{Profile, build, migrate};

/// Connections of a server: two for every core. More wait for a core instead of for a connection, and not in turn.
pub(super) fn pool_size() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

/// Owner of all rows: the user whom the bench signs up.
pub(super) const OWNER: &str = "5f0c8e1d-2b7a-4936-8f0c-8e1d2b7a4936";
const SECRET: &str = "bench-secret-bench-secret-bench-secret-32";
/// HS256 under [`SECRET`], for ever: `{"sub": OWNER, "role": "authenticated"}`.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1ZjBjOGUxZC0yYjdhLTQ5MzYtOGYwYy04ZTFkMmI3YTQ5MzYiLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.PgQAOtOlGtXpyZ7vN-rh_uDQYQDk9b_Qw36TuOrnx4M";
const DATABASE: &str = "bench";

/// The database, and where everything lies.
pub(super) struct Place {
    pub(super) postgres: Postgres,
    pub(super) dir: TempDir,
    pub(super) binary: PathBuf,
    http: Http,
}

/// A server under load.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) origin: String,
    /// Path before the table.
    pub(super) base: String,
    child: Child,
    log: PathBuf,
    /// Where a fresh token is to be had, with which cookie; `None`: one token is good for ever.
    tokens: Option<(String, String)>,
    http: Http,
}

impl Place {
    /// Starts Postgres and fills the database.
    pub(super) async fn prepare(dev: bool) -> Result<Self> {
        let binary = build(if dev { Profile::Dev } else { Profile::Release }).await?;
        let settings = [
            "max_connections=200",
            "shared_buffers=512MB",
            "max_wal_size=4GB",
            "autovacuum=off",
            "log_line_prefix='~%p~'",
        ];
        let postgres = Postgres::start(&settings).await?;
        let url = postgres.create_database(DATABASE).await?;
        let admin = connect(&url).await?;
        admin.batch_execute(ROLES).await?;
        let rows = fs::read_to_string(crate::command::root().join("bench/data-api.sql"))?;
        admin.batch_execute(&rows.replace(":owner", &format!("'{OWNER}'"))).await?;
        let dir = tempfile::Builder::new().prefix("gatepost-bench-").tempdir()?;
        Ok(Self { postgres, dir, binary, http: client() })
    }

    pub(super) fn url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    /// As the login of the Data API.
    pub(super) fn login(&self, database: &str) -> String {
        self.postgres.url(database).replace("postgres://postgres@", "postgres://authenticator@")
    }

    /// `gatepost data-api`, then `gatepost serve` with its Data API.
    pub(super) async fn peers(&self) -> Result<Vec<Peer>> {
        Ok(vec![self.alone(DATABASE, "public").await?, self.inside().await?])
    }

    /// In place of PostgREST.
    pub(super) async fn alone(&self, database: &str, schema: &str) -> Result<Peer> {
        let port = free_port()?;
        let conf = self.dir.path().join(format!("{database}.conf"));
        let text = format!(
            "db-uri = \"{}\"\ndb-schemas = \"{schema}\"\ndb-anon-role = \"anonymous\"\ndb-pool = {}\njwt-secret = \"{SECRET}\"\n\
             server-host = \"127.0.0.1\"\nserver-port = {port}\n",
            self.login(database),
            pool_size()
        );
        fs::write(&conf, text)?;
        let log = self.dir.path().join(format!("alone-{database}.log"));
        let mut command = Command::new(&self.binary);
        command.arg("data-api").arg(&conf);
        let peer = Peer {
            name: "gatepost data-api",
            origin: format!("http://127.0.0.1:{port}"),
            base: String::new(),
            child: spawn(&mut command, &log)?,
            log,
            tokens: None,
            http: self.http.clone(),
        };
        // It listens once the schema is loaded.
        wait_for(&self.http, &peer.origin, Duration::from_secs(120))
            .await
            .with_context(|| peer.log_tail())?;
        Ok(peer)
    }

    /// Within the server, a live session looked up at every request.
    async fn inside(&self) -> Result<Peer> {
        let port = free_port()?;
        let url = self.url();
        let ports = Ports { port, database_url: &url, hashed_tokens: true, provider: None };
        let mut config = profiles::neon("default", &ports);
        profiles::merge(
            &mut config,
            toml! {
                production = true
                [email_verification]
                enabled = false
                send_on_sign_up = false
                [jwt]
                expires_in = 43200
                [data_api]
                enabled = true
                [data_api.authenticated]
                concurrent = 16
                concurrent_per_user = 16
            },
        );
        if let Some(section) = config.get_mut("data_api").and_then(toml::Value::as_table_mut) {
            section.insert("database_url".to_owned(), self.login(DATABASE).into());
            section.insert("pool_size".to_owned(), i64::try_from(pool_size())?.into());
        }
        let path = self.dir.path().join("serve.toml");
        fs::write(&path, toml::to_string(&config)?)?;
        migrate(&self.binary, &path).await?;
        let log = self.dir.path().join("serve.log");
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(&path);
        let origin = format!("http://localhost:{port}");
        let child = spawn(&mut command, &log)?;
        wait_for(&self.http, &format!("{origin}/health/live"), Duration::from_secs(60))
            .await
            .with_context(|| log_tail(&log))?;
        let cookie = self.sign_up(&origin).await?;
        Ok(Peer {
            name: "the server",
            base: format!("/{DATABASE}/rest/v1"),
            tokens: Some((format!("{origin}/api/auth/token"), cookie)),
            origin,
            child,
            log,
            http: self.http.clone(),
        })
    }

    /// Signs up, and makes the rows the new user's: by name, since ids are the server's to choose.
    async fn sign_up(&self, origin: &str) -> Result<String> {
        let body =
            json!({ "name": "Bench", "email": "bench@example.com", "password": "correct horse 7" });
        let url = format!("{origin}/api/auth/sign-up/email");
        let answer = post(&self.http, &url, origin, &body).await?;
        ensure!(answer.status() == 200, "sign-up: {}", String::from_utf8_lossy(answer.body()));
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies: Vec<&str> =
            cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next()).collect();
        let cookie = cookies.join("; ");
        let admin = connect(&self.url()).await?;
        // The rows' owner takes the place of the id that was chosen.
        admin
            .batch_execute(&format!(
                "begin; set local session_replication_role = replica;
                 update neon_auth.session set \"userId\" = '{OWNER}';
                 update neon_auth.account set \"userId\" = '{OWNER}';
                 update neon_auth.\"user\" set id = '{OWNER}'; commit"
            ))
            .await?;
        Ok(cookie)
    }
}

impl Peer {
    /// A token that is good for the next measurement.
    pub(super) async fn token(&self) -> Result<String> {
        let Some((url, cookie)) = &self.tokens else { return Ok(TOKEN.to_owned()) };
        let request = Request::get(url).header("cookie", cookie).body(Full::default())?;
        let answer = send(&self.http, request).await?;
        let body: Value = serde_json::from_slice(answer.body())?;
        let token = body.get("token").and_then(Value::as_str);
        Ok(token.with_context(|| format!("no token: {body}"))?.to_owned())
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn log_tail(&self) -> String {
        log_tail(&self.log)
    }
}

fn spawn(command: &mut Command, log: &std::path::Path) -> Result<Child> {
    let file = fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .env("GATEPOST_LOG__LEVEL", "warn")
        .kill_on_drop(true);
    Ok(command.spawn()?)
}
