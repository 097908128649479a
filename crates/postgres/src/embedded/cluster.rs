//! One data directory: its files, its state, its making.

use std::{
    fs,
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use nix::{sys::signal::Signal, unistd::geteuid};

use super::{binaries::Install, process, run_as::RunAs};
use crate::{Error, error::at};

/// Where everything of one data directory is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) data: PathBuf,
    pub(crate) cluster: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) log: PathBuf,
    /// Held shared by every process that uses the cluster.
    pub(crate) users: PathBuf,
    /// Held by the one that starts it.
    pub(crate) start: PathBuf,
    /// Held by the supervisor as long as it lives.
    pub(crate) supervisor: PathBuf,
}

/// `sun_path` holds 104 bytes on macOS, 108 on Linux; the socket's own name takes 18 of them.
const LONGEST_SOCKET_DIRECTORY: usize = 85;

impl Layout {
    /// Makes the directory if needed.
    pub(crate) fn new(data: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data).map_err(at(data))?;
        let data = fs::canonicalize(data).map_err(at(data))?;
        let mut socket = data.join("run");
        if socket.as_os_str().len() > LONGEST_SOCKET_DIRECTORY {
            let hash = digest(&SHA256, data.as_os_str().as_encoded_bytes());
            let short: String =
                hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            socket = PathBuf::from(format!("/tmp/.gatepost-{}-{short}", geteuid()));
        }
        Ok(Self {
            cluster: data.join("pg"),
            socket,
            log: data.join("postgres.log"),
            users: data.join("users.lock"),
            start: data.join("start.lock"),
            supervisor: data.join("supervisor.lock"),
            data,
        })
    }

    /// The major version of the cluster; `None` when there is none yet.
    pub(crate) fn major(&self) -> Result<Option<u32>, Error> {
        let path = self.cluster.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// The process id and the state that Postgres wrote: `starting`, `ready`, `stopping` and so on.
    pub(crate) fn postmaster(&self) -> Option<(i32, String)> {
        let text = fs::read_to_string(self.cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        Some((pid, lines.nth(6).unwrap_or_default().trim().to_owned()))
    }

    /// Whether Postgres takes connections. Never asked by connecting: during recovery that fills the listen backlog, and then every
    /// client gets EAGAIN.
    pub(crate) fn ready(&self) -> bool {
        self.postmaster().is_some_and(|(pid, state)| {
            state == "ready" && process::alive(pid) && process::works_in(pid, &self.cluster)
        })
    }

    /// Makes sure that nothing of an earlier Postgres is left: waits for processes that still work here, then removes files that name
    /// a process that is none of them (a zombie, another program with the same number).
    pub(crate) fn clear(&self) {
        let begun = Instant::now();
        let mut told = None;
        loop {
            let mut left = process::all_in(&self.cluster);
            let postmaster =
                self.postmaster().map(|(pid, _)| pid).filter(|pid| process::alive(*pid));
            if let Some(pid) = postmaster.filter(|pid| process::works_in(*pid, &self.cluster)) {
                if !left.contains(&pid) {
                    left.push(pid);
                }
                // Its supervisor is gone; on Linux the same signal came from the kernel.
                if told != Some(pid) {
                    process::signal(pid, Signal::SIGINT);
                    told = Some(pid);
                }
            }
            if left.is_empty() {
                break;
            }
            let harder = match begun.elapsed().as_secs() {
                0..10 => None,
                10..20 => Some(Signal::SIGQUIT),
                _ => Some(Signal::SIGKILL),
            };
            if let Some(signal) = harder {
                left.iter().for_each(|pid| process::signal(*pid, signal));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Elsewhere than on Linux orphaned backends cannot be seen; Postgres itself finds them by its own file.
        let misleading = cfg!(target_os = "linux")
            || self.postmaster().is_some_and(|(pid, _)| process::alive(pid));
        if misleading {
            let _ = fs::remove_file(self.cluster.join("postmaster.pid"));
        }
        let _ = fs::remove_file(self.socket.join(".s.PGSQL.5432.lock"));
    }

    /// The directory of the socket, private to the one that Postgres runs as.
    pub(crate) fn make_socket_directory(&self, run_as: RunAs) -> Result<(), Error> {
        match fs::symlink_metadata(&self.socket) {
            Ok(found) => {
                let ours = geteuid().as_raw();
                let theirs = if let RunAs::User { uid, .. } = run_as { uid } else { ours };
                // In /tmp anybody may have made it first.
                let good = found.is_dir()
                    && (found.uid() == ours || found.uid() == theirs)
                    && found.mode().trailing_zeros() >= 6;
                if !good {
                    return Err(Error::SocketDirectory(self.socket.clone()));
                }
            }
            Err(_) => private_directory(&self.socket)?,
        }
        run_as.own(&self.socket)
    }

    /// The end of the log, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        let Ok(mut file) = fs::File::open(&self.log) else { return String::new() };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let mut tail = Vec::new();
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(1500)));
        let _ = file.read_to_end(&mut tail);
        let text = String::from_utf8_lossy(&tail);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(5);
        lines.iter().skip(last).map(|line| format!("\n  {line}")).collect()
    }
}

fn private_directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(at(path))
}

/// Real durability, one user, a small machine.
const SETTINGS: &str = "
# Gatepost's development cluster
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 64MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
huge_pages = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
";

/// Makes a new cluster. It appears under its name only when it is whole.
pub(crate) fn initialize(
    layout: &Layout,
    install: &Install,
    run_as: RunAs,
    exe: &Path,
) -> Result<(), Error> {
    // What an initialisation left that was killed.
    for entry in fs::read_dir(&layout.data).map_err(at(&layout.data))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("pg.init") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    // A name of its own: an orphaned initdb may still write into the former one.
    let unfinished = layout.data.join(format!("pg.init.{}", std::process::id()));
    let mut problem = String::new();
    for locale in locale_arguments(install.major) {
        let _ = fs::remove_dir_all(&unfinished);
        private_directory(&unfinished)?;
        run_as.own(&unfinished)?;
        let program = install.bin.join("initdb");
        let mut command = run_as.command(exe, &program, Some(Signal::SIGKILL));
        command.arg("-D").arg(&unfinished).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-instructions",
        ]);
        if cfg!(target_os = "linux") && install.major >= 17 {
            command.arg("--sync-method=syncfs");
        }
        let output = command.args(*locale).stdin(Stdio::null()).output();
        let output = output
            .map_err(|source| Error::Run { program: program.display().to_string(), source })?;
        if output.status.success() {
            let path = unfinished.join("postgresql.conf");
            let mut file = fs::OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
            file.write_all(SETTINGS.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(at(&path))?;
            let _ = fs::remove_dir_all(&layout.cluster);
            return fs::rename(&unfinished, &layout.cluster).map_err(at(&layout.cluster));
        }
        problem = said(&output);
    }
    let _ = fs::remove_dir_all(&unfinished);
    Err(Error::InitDb(problem))
}

/// Locales to try, best first. From 17 on Postgres brings its own, the same everywhere. Before, the system's: with plain `C`,
/// `lower('ÄÖÅ')` changes nothing.
pub(crate) fn locale_arguments(major: u32) -> &'static [&'static [&'static str]] {
    if major >= 17 {
        &[&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
    } else {
        &[&["--locale=C.UTF-8"], &["--locale=C"]]
    }
}

/// The last line that a program printed.
pub(crate) fn said(output: &Output) -> String {
    let text = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(3);
    let shown = lines.get(last..).unwrap_or_default().join("; ");
    if shown.is_empty() { output.status.to_string() } else { shown }
}
