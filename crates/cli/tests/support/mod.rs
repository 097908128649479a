//! Running the real binary, and talking to it.
#![expect(dead_code, reason = "each test program uses a part of it")]

pub mod data_api;
pub mod data_door;

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
};

use gatepost_postgres::testing::{TestDatabase, database};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

/// A secret that `serve` takes.
pub const SECRET: &str = "k3NVq8Zt5rWm2Xc7Lp9Ds4Hf6Jg1Ya0BvTuQeRi";

/// A directory that the user under whom Postgres runs can enter too.
pub fn directory() -> TempDir {
    let dir = tempfile::Builder::new().prefix("gatepost-cli-").tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    dir
}

/// The program in a directory, without the settings of whoever runs the tests.
pub fn gatepost(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.current_dir(dir).stdin(Stdio::null());
    for variable in ["DATABASE_URL", "DATABASE_URL_FILE", "GATEPOST_CONFIG", "GATEPOST_SECRET"] {
        command.env_remove(variable);
    }
    command
}

/// What a run that ends printed.
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    ended(&command.output().unwrap())
}

/// Exit code, standard output, standard error.
pub fn ended(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A program that runs until it is told to end.
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    log: Option<BufReader<ChildStderr>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let log = child.stderr.take().map(BufReader::new);
        Self { child, lines, log }
    }

    /// Standard error, which must be piped, up to the line that holds a text.
    pub fn log_until(&mut self, end: &str) -> String {
        let log = self.log.as_mut().unwrap();
        let mut text = String::new();
        while !text.contains(end) {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "it ended: {text}");
        }
        text
    }

    /// The next line of standard output as JSON.
    pub fn event(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The next event of a name.
    pub fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let event = self.event();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Everything up to the line that holds a text.
    pub fn lines_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            assert_ne!(self.lines.read_line(&mut text).unwrap(), 0, "it ended: {text}");
        }
        text
    }

    /// Everything until it ends.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).unwrap();
        text
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ends it as a service manager does and returns its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.end(Signal::SIGTERM)
    }

    /// Sends a signal and returns its exit code.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// `gatepost dev --json` on a free port, up to its first line.
pub fn dev(dir: &Path, arguments: &[&str]) -> (Running, Value) {
    let mut running = Running::start(gatepost(dir).args(["dev", "--json"]).args(arguments));
    let ready = running.event();
    assert_eq!(ready["event"], "ready", "{ready}");
    (running, ready)
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The cookies that were set, as they are sent back.
    pub fn cookies(&self) -> String {
        let set = self.head.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("set-cookie").then(|| value.trim().split(';').next())?
        });
        set.collect::<Vec<_>>().join("; ")
    }
}

/// One request on a connection of its own.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut text = format!("{method} /{path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += &format!("host: {host}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    parse(&String::from_utf8(answer).unwrap())
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default().parse().unwrap();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let text = if chunked { join_chunks(body) } else { body.to_owned() };
    Answer { status, head: head.to_owned(), text }
}

fn join_chunks(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        text.push_str(&rest[..size]);
        if size == 0 {
            break;
        }
        body = &rest[size + 2..];
    }
    text
}

pub fn get(url: &str) -> Answer {
    request("GET", url, &[], None)
}

pub fn post(url: &str, body: &Value) -> Answer {
    let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    request("POST", url, &[("origin", &origin)], Some(body))
}

/// Processes whose command line or working directory names a directory.
pub fn processes_in(dir: &Path) -> Vec<String> {
    let dir = dir.canonicalize().unwrap();
    let found = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        entry.file_name().to_string_lossy().parse::<u32>().ok()?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let works_in: PathBuf = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let named = command.contains(&*dir.to_string_lossy()) || works_in.starts_with(&dir);
        named.then_some(command)
    });
    found.filter(|command| !command.is_empty()).collect()
}

/// An empty database.
pub fn empty() -> TestDatabase {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let nothing = |_| async { Ok::<(), gatepost_postgres::Error>(()) };
    runtime.block_on(database(None, "cli: empty", nothing)).unwrap()
}

/// A command with good settings for production.
pub fn configured(dir: &Path, database: &TestDatabase) -> Command {
    let mut command = gatepost(dir);
    command
        .env("GATEPOST_SECRET", SECRET)
        .env("GATEPOST_PUBLIC_URL", "https://auth.example.com")
        .env("DATABASE_URL", &database.url);
    command
}

pub fn migrated(dir: &Path) -> TestDatabase {
    let database = empty();
    let (code, out, err) = run(configured(dir, &database).arg("migrate"));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("applied "), "{out}");
    database
}

/// A server on a port that was free a moment ago.
pub fn serve(dir: &Path, database: &TestDatabase) -> (Running, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = configured(dir, database);
    command
        .arg("serve")
        .env("GATEPOST_LISTEN", free.to_string())
        .env("GATEPOST_LOG__FORMAT", "json");
    command.stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    running.log_until("listening");
    (running, format!("http://{free}"))
}

pub fn with_input(command: &mut Command, input: &str) -> (Option<i32>, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ended(&child.wait_with_output().unwrap())
}

/// One request as a server gets it, answered with an empty 200.
pub fn receive(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut received = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        received.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&received).into_owned();
        let length = text
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
        let head = received.windows(4).position(|four| four == b"\r\n\r\n");
        if let (Some(head), Some(length)) = (head, length)
            && received.len() >= head + 4 + length
        {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            return text;
        }
    }
}
