//! Building and running the binary under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::command::{cargo, output, program};
use crate::http::{Http, wait_for};
use crate::postgres::log_tail;

/// The optimisation the binary is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Builds `gatepost` and returns where it is.
pub(crate) async fn build(profile: Profile) -> Result<PathBuf> {
    let mut arguments = vec!["build", "--quiet", "--bin", "gatepost", "--message-format=json"];
    match profile {
        Profile::Dev => arguments.extend(["--profile", "dev"]),
        Profile::Release => arguments.push("--release"),
    }
    let messages = output(cargo(&arguments)).await?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .context("cargo names no executable for `gatepost`")
}

/// `gatepost serve` with a configuration file; ended when dropped.
pub(crate) struct Server {
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// Scheme, host and port.
    pub(crate) origin: String,
    child: Child,
}

/// Applies the migrations of a configuration file.
pub(crate) async fn migrate(binary: &Path, config: &Path) -> Result<()> {
    let mut command = program(binary, ".");
    command.arg("migrate").arg("--config").arg(config);
    output(command).await.map(|_| ())
}

impl Server {
    /// Writes the configuration, migrates, starts, and waits for the first answer.
    pub(crate) async fn start(
        binary: &Path,
        dir: &Path,
        name: &str,
        config: &toml::Table,
        http: &Http,
    ) -> Result<Self> {
        let path = dir.join(format!("{name}.toml"));
        fs::write(&path, toml::to_string(config)?)?;
        let listen = config.get("listen").and_then(toml::Value::as_str).context("no `listen`")?;
        let port = listen.rsplit(':').next().context("no port in `listen`")?;
        migrate(binary, &path).await.with_context(|| format!("profile {name}"))?;
        let log = dir.join(format!("{name}.log"));
        let mut server = Self {
            binary: binary.to_path_buf(),
            config: path.clone(),
            origin: format!("http://localhost:{port}"),
            child: spawn(binary, &path, &log)?,
            log,
        };
        server.wait(http).await.with_context(|| format!("profile {name}"))?;
        Ok(server)
    }

    /// Whether the process still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    /// Waits for the first answer of a started server.
    async fn wait(&mut self, http: &Http) -> Result<Duration> {
        let url = format!("{}/health/live", self.origin.replace("localhost", "127.0.0.1"));
        tokio::select! {
            status = self.child.wait() => bail!("server ended ({}):\n{}", status?, log_tail(&self.log)),
            answer = wait_for(http, &url, Duration::from_secs(60)) => {
                answer.with_context(|| log_tail(&self.log))
            }
        }
    }

    /// Ends it as a crash would (SIGKILL).
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot end the server")
    }

    /// Starts it again on the same port; returns the time to the first answer.
    pub(crate) async fn start_again(&mut self, http: &Http) -> Result<Duration> {
        self.child = spawn(&self.binary, &self.config, &self.log)?;
        self.wait(http).await
    }
}

fn spawn(binary: &Path, config: &Path, log: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new().append(true).create(true).open(log)?;
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot start {}", binary.display()))
}
