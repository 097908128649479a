//! A program that uses the embedded cluster, started as a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use gatepost_postgres::connect;
use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::Pid,
};
use tokio_postgres::Client;

/// The example `embedded`, which cargo builds with the tests.
pub fn program() -> PathBuf {
    let target = std::env::current_exe().unwrap();
    let program = target.parent().unwrap().parent().unwrap().join("examples/embedded");
    assert!(program.exists(), "build the examples: {}", program.display());
    program
}

pub fn command(data: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg(data);
    command
}

pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub origin: String,
    pub url: String,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::spawn(command(data)).wait_until_ready()
    }

    /// Returns at once; `origin` and `url` are still empty.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        Self { child, stdin, origin: String::new(), url: String::new() }
    }

    pub fn wait_until_ready(mut self) -> Self {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut problem = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut problem).unwrap();
            panic!("it did not start: {problem}");
        }
        let mut words = line.split_whitespace().skip(1).map(str::to_owned);
        self.origin = words.next().unwrap();
        self.url = words.next().unwrap();
        self
    }

    /// A line for its standard input.
    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What it says when it cannot start.
    pub fn refusal(mut self) -> String {
        let mut problem = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut problem).unwrap();
        assert!(!self.child.wait().unwrap().success(), "it started");
        problem
    }

    /// Ends as after Ctrl-C: it leaves and waits.
    pub fn stop(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub async fn client(&self) -> Client {
        connect(&self.url).await.unwrap().0
    }

    /// Connects as soon as that works again.
    pub async fn client_when_back(&self) -> Client {
        let begun = Instant::now();
        loop {
            match connect(&self.url).await {
                Ok((client, _)) => return client,
                Err(error) => assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "it does not come back: {error}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data directory that every user can reach. It goes when Postgres has gone.
pub struct Directory(tempfile::TempDir);

impl Directory {
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            eventually("everything is gone", || processes_of(self.path()).is_empty());
        }
    }
}

pub fn directory() -> Directory {
    // Processes die here, not machines: memory does, and a busy disk makes initdb take ten times as long.
    let memory = Path::new("/dev/shm");
    let large = statvfs(memory).is_ok_and(|size| size.blocks() * size.fragment_size() >= 2 << 30);
    let directory = if large { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    Directory(directory)
}

pub fn postmaster(data: &Path) -> i32 {
    fs::read_to_string(data.join("pg/postmaster.pid"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

pub fn supervisor(data: &Path) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", postmaster(data))).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub fn kill_9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// Whether a process has ended; nobody may have asked yet how.
pub fn has_ended(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty())
}

/// Postgres and supervisors of this directory, dead ones aside.
pub fn processes_of(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let (process, name) = (entry.path(), entry.file_name());
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let hidden = line.contains(" __") && line.contains(data.to_str().unwrap());
        if hidden
            || fs::read_link(process.join("cwd")).is_ok_and(|directory| directory.starts_with(data))
        {
            found.push(format!("{} {line}", name.display()));
        }
    }
    found
}

pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not in 60 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
