//! Starting a cluster, and using it.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Layout, Machine, Options, SUPERVISE,
    binaries::{self, Wanted},
    cluster::initialize,
    lock,
    run_as::RunAs,
};
use crate::{Error, error::at};

/// How the cluster came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made just now.
    Created,
    /// It was there and stood still.
    Started,
    /// Another process had started it.
    Attached,
}

/// A cluster in use. It runs as long as any process holds one of these, and stops within moments after the last one is dropped or its
/// process dies.
#[derive(Debug)]
pub struct Running {
    /// The shared lock that keeps Postgres running.
    users: Option<File>,
    socket: PathBuf,
    supervisor: PathBuf,
    origin: Origin,
    leaving: Arc<AtomicBool>,
    restarts: Arc<AtomicU64>,
}

/// Starts the cluster of a data directory, or attaches to it where another process started it. Blocks: 0.1 s for a cluster that is
/// there, a few seconds for a new one, longer when PostgreSQL must be downloaded.
///
/// # Errors
/// Each says what to do; see [`Error`].
pub fn start(options: &Options<'_>) -> Result<Running, Error> {
    let layout = Layout::new(&options.data_dir)?;
    // Waits while a supervisor is just stopping Postgres.
    let users = lock::shared(&layout.users).map_err(at(&layout.users))?;
    let recipe = Recipe {
        layout,
        exe: options.exe.clone(),
        machine: options.machine.clone(),
        npm_registry: options.npm_registry.clone(),
    };
    let (origin, supervisor) = recipe.bring_up(options.notice)?;
    let running = Running {
        users: Some(users),
        socket: recipe.layout.socket.clone(),
        supervisor: recipe.layout.supervisor.clone(),
        origin,
        leaving: Arc::default(),
        restarts: Arc::default(),
    };
    let (leaving, restarts) = (Arc::clone(&running.leaving), Arc::clone(&running.restarts));
    std::thread::Builder::new()
        .name("postgres-guard".to_owned())
        .spawn(move || recipe.guard(supervisor, &leaving, &restarts))
        .map_err(|source| Error::Run { program: "a thread".to_owned(), source })?;
    Ok(running)
}

impl Running {
    /// The URL of a database of this cluster, as its superuser `postgres`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = self.socket.to_string_lossy();
        let (socket, database) = (
            utf8_percent_encode(&socket, NON_ALPHANUMERIC),
            utf8_percent_encode(database, NON_ALPHANUMERIC),
        );
        format!("postgres://postgres@{socket}:5432/{database}")
    }

    /// How the cluster came to run.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// How often this process had to bring the cluster back because its supervisor was killed.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Leaves, and waits until Postgres has stopped, unless another process uses it. Dropping does the same without waiting.
    pub fn stop(mut self) {
        self.leave();
        let begun = Instant::now();
        let users = self.supervisor.with_file_name("users.lock");
        while begun.elapsed() < Duration::from_secs(30)
            && matches!(lock::try_exclusive(&self.supervisor), Ok(None))
        {
            // The supervisor takes the lock on the users at once when nobody else has it.
            let others = begun.elapsed() > Duration::from_millis(500)
                && lock::open(&users).is_ok_and(|file| file.try_lock_shared().is_ok());
            if others {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn leave(&mut self) {
        self.leaving.store(true, Ordering::SeqCst);
        self.users = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Everything needed to bring the cluster up, now or again.
struct Recipe {
    layout: Layout,
    exe: PathBuf,
    machine: Machine,
    npm_registry: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Recipe {
    /// Returns when Postgres takes connections. One process at a time does this.
    fn bring_up(&self, notice: &dyn Fn(&str)) -> Result<(Origin, Option<Child>), Error> {
        let layout = &self.layout;
        let _one_at_a_time = lock::exclusive(&layout.start).map_err(at(&layout.start))?;
        let begun = Instant::now();
        while self.supervised()? {
            // It may still be starting, recovering, or stopping.
            if layout.ready() {
                return Ok((Origin::Attached, None));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.not_started("it is not ready after 60 s"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        layout.clear();
        let major = layout.major()?;
        let run_as = RunAs::choose(&layout.cluster, &self.exe)?;
        run_as.must_reach(&self.exe, &layout.data)?;
        let install = binaries::find(
            &self.machine,
            Wanted(major),
            self.npm_registry.as_deref(),
            run_as,
            &self.exe,
            notice,
        )?;
        notice(&format!("using PostgreSQL {} from {}", install.version, install.bin.display()));
        layout.make_socket_directory(run_as)?;
        let origin = if major.is_some() {
            Origin::Started
        } else {
            notice(&format!("creating a database cluster in {}", layout.cluster.display()));
            initialize(layout, &install, run_as, &self.exe)?;
            Origin::Created
        };
        let supervisor = self.spawn_supervisor(&install.bin, run_as)?;
        Ok((origin, Some(self.wait_until_ready(supervisor)?)))
    }

    fn supervised(&self) -> Result<bool, Error> {
        let path = &self.layout.supervisor;
        Ok(lock::try_exclusive(path).map_err(at(path))?.is_none())
    }

    fn spawn_supervisor(&self, bin: &std::path::Path, run_as: RunAs) -> Result<Child, Error> {
        let path = &self.layout.log;
        let long = fs::metadata(path).is_ok_and(|metadata| metadata.len() > 10_000_000);
        let log = File::options().create(true).append(true).open(path).map_err(at(path))?;
        if long {
            log.set_len(0).map_err(at(path))?;
        }
        let errors = log.try_clone().map_err(at(path))?;
        Command::new(&self.exe)
            .arg(SUPERVISE)
            .arg(&self.layout.data)
            .arg(bin)
            .arg(run_as.to_text())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C in the terminal must not reach Postgres before the server has drained.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Run { program: self.exe.display().to_string(), source })
    }

    fn wait_until_ready(&self, mut supervisor: Child) -> Result<Child, Error> {
        let begun = Instant::now();
        loop {
            if self.layout.ready() {
                return Ok(supervisor);
            }
            if let Ok(Some(status)) = supervisor.try_wait() {
                return Err(self.not_started(&format!("its supervisor ended ({status})")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.not_started("it is not ready after 60 s"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn not_started(&self, reason: &str) -> Error {
        Error::NotStarted {
            reason: reason.to_owned(),
            log: self.layout.log.clone(),
            tail: self.layout.log_tail(),
        }
    }

    /// Brings the cluster back whenever its supervisor is gone, until this process leaves.
    fn guard(&self, mut supervisor: Option<Child>, leaving: &AtomicBool, restarts: &AtomicU64) {
        loop {
            // Comes free when the supervisor dies.
            let freed = lock::shared(&self.layout.supervisor);
            drop(freed);
            if let Some(child) = &mut supervisor {
                let _ = child.wait();
            }
            if leaving.load(Ordering::SeqCst) {
                return;
            }
            match self.bring_up(&|_| {}) {
                Ok((origin, child)) => {
                    supervisor = child;
                    if origin != Origin::Attached {
                        restarts.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(
                            "the supervisor of the embedded Postgres was killed; both are back"
                        );
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the embedded Postgres is gone and cannot be brought back");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }
}
