//! A Postgres of the tool's own, from the system's binaries, gone when it is dropped.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::{Client, NoTls};

use crate::command::output;

/// A running server; dropping it ends the server and removes its files.
pub(crate) struct Postgres {
    child: Child,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    dir: TempDir,
    port: u16,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Postgres {
    /// Makes a new cluster and starts it. `settings` are `-c name=value` words.
    pub(crate) async fn start(settings: &[&str]) -> Result<Self> {
        let bin = binaries()?;
        let dir = tempfile::Builder::new().prefix("gatepost-pg-").tempdir()?;
        let user = unprivileged().await?;
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        let data = dir.path().join("data");
        let mut initdb = as_user(&bin.join("initdb"), user, dir.path());
        initdb.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        initdb.arg(&data);
        output(initdb).await?;
        let config: String = settings.iter().map(|line| format!("{line}\n")).collect();
        fs::write(data.join("postgresql.auto.conf"), config)?;
        let port = free_port()?;
        let child = spawn(&bin, user, dir.path(), port)?;
        let postgres = Self { child, bin, user, dir, port };
        postgres.ready().await?;
        Ok(postgres)
    }

    /// The connection string of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A program of the server's version.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("log"))?)
    }

    /// The process id of the postmaster.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) async fn create_database(&self, name: &str) -> Result<String> {
        let admin = connect(&self.url("postgres")).await?;
        admin.batch_execute(&format!("create database \"{name}\"")).await?;
        Ok(self.url(name))
    }

    /// Ends the postmaster as a crash would (SIGKILL); its children notice and follow.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot end Postgres")
    }

    /// Starts the same cluster on the same port again, and waits until it answers.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            self.child = spawn(&self.bin, self.user, self.dir.path(), self.port)?;
            if self.ready().await.is_ok() {
                return Ok(());
            }
            // The killed server's children still hold its shared memory for a moment.
            if Instant::now() > limit {
                bail!("Postgres does not start again:\n{}", log_tail(&self.dir.path().join("log")));
            }
        }
    }

    async fn ready(&self) -> Result<()> {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            match connect(&self.url("postgres")).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    let gone = self.child.id().is_none_or(|pid| !alive(pid));
                    if gone || Instant::now() > limit {
                        let log = log_tail(&self.dir.path().join("log"));
                        return Err(error.context(log));
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

impl Drop for Postgres {
    /// Immediate shutdown (SIGQUIT), which SIGKILL would not allow: it returns shared memory to the system.
    fn drop(&mut self) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid
            && kill_process(pid, Signal::QUIT).is_ok()
        {
            let limit = Instant::now() + Duration::from_secs(2);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Whether the process runs (a zombie does not).
fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn spawn(bin: &Path, user: Option<(u32, u32)>, dir: &Path, port: u16) -> Result<Child> {
    let log = fs::OpenOptions::new().append(true).create(true).open(dir.join("log"))?;
    let mut command = as_user(&bin.join("postgres"), user, dir);
    command
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", dir.display()))
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("cannot start Postgres")
}

fn as_user(program: &Path, user: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).current_dir(dir).kill_on_drop(true);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Postgres refuses to run as root: then it runs as the system's `postgres` user.
async fn unprivileged() -> Result<Option<(u32, u32)>> {
    if id(&["-u"]).await? != 0 {
        return Ok(None);
    }
    Ok(Some((id(&["-u", "postgres"]).await?, id(&["-g", "postgres"]).await?)))
}

async fn id(arguments: &[&str]) -> Result<u32> {
    let mut command = Command::new("id");
    command.args(arguments);
    Ok(output(command).await?.trim().parse()?)
}

/// The newest Debian layout, else what `pg_config` names.
fn binaries() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        let bin = entry.path().join("bin");
        if bin.join("initdb").exists() {
            found.push((version, bin));
        }
    }
    if let Some((_, bin)) = found.into_iter().max() {
        return Ok(bin);
    }
    let asked = std::process::Command::new("pg_config").arg("--bindir").output();
    if let Ok(answer) = asked {
        let bin = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
        if bin.join("initdb").exists() {
            return Ok(bin);
        }
    }
    bail!("no Postgres server binaries (initdb, postgres): install the package `postgresql`")
}

/// The last lines of a log file.
pub(crate) fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(20)).copied().collect::<Vec<_>>().join("\n")
}

/// A connection whose driver runs in the background.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests;
