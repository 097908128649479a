//! The shared cluster. Test programs have no `main` of ours to run a supervisor in, so a line of shell with `flock(1)` is it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::unistd::{User, geteuid};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Error,
    embedded::{
        Install, Layout, Machine, for_tests, locale_arguments, lock, run_as::some_user, said,
    },
    error::at,
};

const SETTINGS: &str = "
# Gatepost's test cluster: fast, not durable
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 300
shared_buffers = 128MB
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
huge_pages = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
";

/// Waits until nobody has used the cluster for `$2` seconds, then stops it. Both locks end with this shell.
const WATCH: &str = r#"
exec 8<"$1/supervisor.lock" 9<"$1/users.lock"
flock -n 8 || exit 0
while :; do
  flock 9; flock -u 9
  read -r before <"$1/last"
  sleep "$2"
  read -r after <"$1/last"
  [ "$before" = "$after" ] && flock -n 9 && break
done
read -r postmaster <"$1/pg/postmaster.pid" && kill -INT "$postmaster"
tries=0
while [ -e "$1/pg/postmaster.pid" ] && [ "$tries" -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
"#;

const LINGER_SECONDS: &str = "5";

/// The URL of the cluster's database `postgres`, and the lock that keeps it running.
pub(super) fn attach() -> Result<(String, File), Error> {
    let layout = Layout::new(&directory()?)?;
    let users = lock::shared(&layout.users).map_err(at(&layout.users))?;
    note_use(&layout)?;
    if !(layout.ready() && watched(&layout)?) {
        let _one_at_a_time = lock::exclusive(&layout.start).map_err(at(&layout.start))?;
        if !layout.ready() {
            start(&layout)?;
        }
        if !watched(&layout)? {
            watch(&layout)?;
        }
    }
    let socket = layout.socket.to_string_lossy();
    Ok((
        format!(
            "postgres://postgres@{}:5432/postgres",
            utf8_percent_encode(&socket, NON_ALPHANUMERIC)
        ),
        users,
    ))
}

/// In memory where there is such a place. Nobody else may have put it there.
fn directory() -> Result<PathBuf, Error> {
    let memory = Path::new("/dev/shm");
    let parent = if cfg!(target_os = "linux") && memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let path = parent.join(format!("gatepost-test-{}", geteuid()));
    match fs::DirBuilder::new().mode(0o755).create(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(at(&path)(error)),
        _ => {}
    }
    let found = fs::symlink_metadata(&path).map_err(at(&path))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        Ok(path)
    } else {
        Err(Error::SocketDirectory(path))
    }
}

/// Every use changes the file, so the watcher sees that tests still come and go.
fn note_use(layout: &Layout) -> Result<(), Error> {
    let path = layout.data.join("last");
    let elapsed = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let line =
        format!("{} {:?} {}\n", std::process::id(), std::thread::current().id(), elapsed.trim());
    File::create(&path).and_then(|mut file| file.write_all(line.as_bytes())).map_err(at(&path))
}

fn watched(layout: &Layout) -> Result<bool, Error> {
    Ok(lock::try_exclusive(&layout.supervisor).map_err(at(&layout.supervisor))?.is_none())
}

/// Without `flock(1)` nobody watches: the cluster then runs until the machine stops.
fn watch(layout: &Layout) -> Result<(), Error> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", WATCH, "gatepost-test-postgres"])
        .arg(&layout.data)
        .arg(LINGER_SECONDS)
        .current_dir("/")
        .process_group(0);
    let mut shell = shell
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Run { program: "sh".to_owned(), source })?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2)
        && !watched(layout)?
        && matches!(shell.try_wait(), Ok(None))
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn start(layout: &Layout) -> Result<(), Error> {
    layout.clear();
    let install = for_tests(&Machine::of_process(), &|notice| eprintln!("{notice}"))?;
    let user = if geteuid().is_root() { Some(some_user().ok_or(Error::NoUser)?) } else { None };
    // After a crash of the machine a cluster without fsync may be anything.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot_file = layout.data.join("boot");
    if fs::read_to_string(&boot_file).ok().as_ref() != Some(&boot)
        || layout.major()? != Some(install.major)
    {
        initialize(layout, &install, user.as_ref())?;
        fs::write(&boot_file, &boot).map_err(at(&boot_file))?;
    }
    if let Err(error) = private_directory(&layout.socket, user.as_ref())
        && !layout.socket.is_dir()
    {
        return Err(error);
    }
    let log = File::create(&layout.log).map_err(at(&layout.log))?;
    let errors = log.try_clone().map_err(at(&layout.log))?;
    let program = install.bin.join("postgres");
    let mut postgres = command(&program, user.as_ref())
        .arg("-D")
        .arg(&layout.cluster)
        .arg("-k")
        .arg(&layout.socket)
        .args(["-p", "5432"])
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Run { program: program.display().to_string(), source })?;
    let begun = Instant::now();
    while !layout.ready() {
        let ended = matches!(postgres.try_wait(), Ok(Some(_)));
        if ended || begun.elapsed() > Duration::from_secs(60) {
            let reason = if ended { "it ended" } else { "it is not ready after 60 s" };
            return Err(Error::NotStarted {
                reason: reason.to_owned(),
                log: layout.log.clone(),
                tail: layout.log_tail(),
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn private_directory(path: &Path, user: Option<&User>) -> Result<(), Error> {
    fs::DirBuilder::new().mode(0o700).create(path).map_err(at(path))?;
    user.map_or(Ok(()), |user| {
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .map_err(at(path))
    })
}

fn initialize(layout: &Layout, install: &Install, user: Option<&User>) -> Result<(), Error> {
    let unfinished = layout.data.join("pg.init");
    let program = install.bin.join("initdb");
    let mut problem = String::new();
    for locale in locale_arguments(install.major) {
        let _ = fs::remove_dir_all(&unfinished);
        private_directory(&unfinished, user)?;
        let mut initdb = command(&program, user);
        initdb.arg("-D").arg(&unfinished).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-instructions",
            "--no-sync",
        ]);
        let output = initdb.args(*locale).output();
        let output = output
            .map_err(|source| Error::Run { program: program.display().to_string(), source })?;
        if output.status.success() {
            let path = unfinished.join("postgresql.conf");
            let file = fs::OpenOptions::new().append(true).open(&path);
            file.and_then(|mut file| file.write_all(SETTINGS.as_bytes())).map_err(at(&path))?;
            let _ = fs::remove_dir_all(&layout.cluster);
            return fs::rename(&unfinished, &layout.cluster).map_err(at(&layout.cluster));
        }
        problem = said(&output);
    }
    Err(Error::InitDb(problem))
}
