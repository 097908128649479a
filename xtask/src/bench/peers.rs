//! The two servers: their databases, their processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use toml::toml;

use super::{PASSWORD, SECRET};
use crate::command::{output, program, root};
use crate::conformance::profiles::{self, Place};
use crate::http::{client, post, send, wait_for};
use crate::node;
use crate::postgres::{Postgres, connect, free_port};
use crate::server::{Profile, build, migrate};

const NODE: &str = "bench/better-auth";

/// How a server is started.
enum Program {
    Node { database_url: String },
    Gatepost { binary: PathBuf, config: PathBuf },
}

/// A server under load.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: Program,
    port: u16,
    origin: String,
    log: PathBuf,
    child: Option<Child>,
}

/// Better Auth first, then Gatepost: seeded, not started.
pub(crate) async fn prepare(users: u32, postgres: &Postgres, dir: &TempDir) -> Result<Vec<Peer>> {
    node::install(NODE).await?;
    let binary = build(Profile::Release).await?;
    let better_auth = better_auth(users, postgres, dir.path()).await?;
    let gatepost = gatepost(users, postgres, dir.path(), binary).await?;
    Ok(vec![better_auth, gatepost])
}

async fn better_auth(users: u32, postgres: &Postgres, dir: &Path) -> Result<Peer> {
    let database_url = postgres.create_database("better_auth").await?;
    let program = Program::Node { database_url: database_url.clone() };
    let mut peer = Peer::new("Better Auth", program, dir)?;
    let mut migrate = peer.command("migrate.mjs")?;
    migrate.stdout(Stdio::piped()).stderr(Stdio::piped());
    output(migrate).await?;
    peer.restart().await?;
    seed(&peer, &database_url, "public", "t", users).await?;
    Ok(peer)
}

async fn gatepost(users: u32, postgres: &Postgres, dir: &Path, binary: PathBuf) -> Result<Peer> {
    let database_url = postgres.create_database("gatepost").await?;
    let config = dir.join("gatepost.toml");
    let program = Program::Gatepost { binary: binary.clone(), config: config.clone() };
    let mut peer = Peer::new("Gatepost", program, dir)?;
    let place =
        Place { port: peer.port, database_url: &database_url, hashed_tokens: true, provider: None };
    let mut table = profiles::neon("default", &place);
    profiles::merge(
        &mut table,
        toml! {
            production = true
            [email_verification]
            enabled = false
            send_on_sign_up = false
        },
    );
    table.insert("secret".to_owned(), SECRET.into());
    fs::write(&config, toml::to_string(&table)?)?;
    migrate(&binary, &config).await?;
    peer.restart().await?;
    // What the server stores: base64url(SHA-256(token)).
    let hashed = "translate(encode(sha256(t::bytea), 'base64'), '+/=', '-_')";
    seed(&peer, &database_url, "neon_auth", hashed, users).await?;
    Ok(peer)
}

/// Signs one user up for the stored form of the password, then inserts the others.
async fn seed(peer: &Peer, url: &str, schema: &str, token: &str, users: u32) -> Result<()> {
    let user = json!({ "email": "seed@bench.local", "password": PASSWORD, "name": "Seed" });
    let sign_up = format!("{}/api/auth/sign-up/email", peer.origin);
    let answer = post(&client(), &sign_up, &peer.origin, &user).await?;
    ensure!(answer.status() == 200, "{}: sign-up answers {}", peer.name, answer.status());
    let database = connect(url).await?;
    database.batch_execute(&format!("set search_path to {schema}, public")).await?;
    let stored = "select password from account where password is not null limit 1";
    let hash: String = database.query_one(stored, &[]).await?.get(0);
    let script = fs::read_to_string(root().join("bench/seed.sql"))?
        .replace("{hash}", &hash)
        .replace("{token}", token)
        .replace("{users}", &users.to_string());
    // `vacuum` cannot share a round trip with the transaction before it.
    for part in script.split_inclusive("commit;") {
        database.batch_execute(part).await.context(peer.name)?;
    }
    Ok(())
}

impl Peer {
    fn new(name: &'static str, program: Program, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let log = dir.join(format!("{}.log", name.replace(' ', "-")));
        Ok(Self {
            name,
            program,
            port,
            origin: format!("http://localhost:{port}"),
            log,
            child: None,
        })
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.as_ref().and_then(Child::id).with_context(|| format!("{} ended", self.name))
    }

    /// Ends it if it runs, starts it, and returns the time to the first answer.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        self.child = Some(self.command("server.mjs")?.spawn()?);
        let url = format!("http://127.0.0.1:{}/api/auth/ok", self.port);
        let took = wait_for(&client(), &url, Duration::from_secs(60)).await;
        took.with_context(|| crate::postgres::log_tail(&self.log))
    }

    fn command(&self, script: &str) -> Result<Command> {
        let mut command = match &self.program {
            Program::Node { database_url } => {
                let mut command = program("node", NODE);
                command
                    .arg(script)
                    .env("NODE_ENV", "production")
                    .env("DATABASE_URL", database_url)
                    .env("BETTER_AUTH_SECRET", SECRET)
                    .env("BASE_URL", &self.origin)
                    .env("PORT", self.port.to_string());
                command
            }
            Program::Gatepost { binary, config } => {
                let mut command = program(binary, ".");
                command.arg("serve").arg("--config").arg(config);
                command
            }
        };
        let log = fs::OpenOptions::new().append(true).create(true).open(&self.log)?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }
}

/// A fast wrong answer must not count: the first seeded user's session and token come from both.
pub(crate) async fn same_answers(peers: &[Peer], cookies: &Path) -> Result<()> {
    let cookies = fs::read_to_string(cookies)?;
    let cookie = cookies.lines().next().context("no cookie")?;
    for peer in peers {
        let session = ask(peer, "/get-session", cookie).await?;
        let email = session.pointer("/user/email").and_then(Value::as_str);
        ensure!(email == Some("user1@bench.local"), "{}: get-session answers {session}", peer.name);
        let token = ask(peer, "/token", cookie).await?;
        ensure!(token.get("token").is_some(), "{}: token answers {token}", peer.name);
        let keys = ask(peer, "/jwks", cookie).await?;
        ensure!(keys.pointer("/keys/0/kid").is_some(), "{}: jwks answers {keys}", peer.name);
    }
    Ok(())
}

async fn ask(peer: &Peer, path: &str, cookie: &str) -> Result<Value> {
    let url = format!("{}/api/auth{path}", peer.origin);
    let request = Request::get(url).header("cookie", cookie).body(Full::default())?;
    Ok(serde_json::from_slice(send(&client(), request).await?.body())?)
}
