//! The process between the servers and Postgres.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{Layout, argument, lock, process, run_as::RunAs};
use crate::{Error, error::at};

/// Runs Postgres until the last user has left. Returns the exit code of the process.
pub(super) fn supervise(args: &[OsString]) -> Result<ExitCode, Error> {
    let mut args = args.iter();
    let layout = Layout::new(Path::new(argument(&mut args)?))?;
    let bin = PathBuf::from(argument(&mut args)?);
    let run_as = argument(&mut args)?.to_str().and_then(RunAs::from_text).ok_or(Error::Hidden)?;
    let failed = |source| Error::Run { program: "the supervisor".to_owned(), source };
    // Works even after a newer build has replaced the file.
    let exe = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().map_err(failed)?
    };
    let Some(_alone) = become_the_supervisor(&layout)? else { return Ok(ExitCode::SUCCESS) };
    // One thread spawns Postgres and lives as long as this process: the parent death signal follows the thread.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(Supervisor { layout, bin, run_as, exe }.run())
}

/// The lock that says that a supervisor lives. Others only touch it in passing, so a short wait tells the two apart.
fn become_the_supervisor(layout: &Layout) -> Result<Option<File>, Error> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        if let Some(file) =
            lock::try_exclusive(&layout.supervisor).map_err(at(&layout.supervisor))?
        {
            return Ok(Some(file));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(None)
}

struct Supervisor {
    layout: Layout,
    bin: PathBuf,
    run_as: RunAs,
    exe: PathBuf,
}

enum Next {
    /// Postgres ended by itself.
    Ended(std::io::Result<ExitStatus>),
    /// The last user has left. Holding their lock makes newcomers wait until Postgres has stopped.
    Left(Result<std::io::Result<File>, oneshot::error::RecvError>),
    /// A signal asked for the end.
    Told,
}

impl Supervisor {
    async fn run(&self) -> Result<ExitCode, Error> {
        let failed = |source| Error::Run { program: "the supervisor".to_owned(), source };
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
        let (sender, mut left) = oneshot::channel();
        let users = self.layout.users.clone();
        std::thread::spawn(move || sender.send(lock::exclusive(&users)));
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let mut postgres = self.spawn()?;
            let next = tokio::select! {
                ended = postgres.wait() => Next::Ended(ended),
                users = &mut left => Next::Left(users),
                _ = terminate.recv() => Next::Told,
                _ = interrupt.recv() => Next::Told,
                _ = hang_up.recv() => Next::Told,
            };
            match next {
                Next::Told => {
                    // The machine goes down: the servers may still drain.
                    let _users = timeout(Duration::from_secs(10), &mut left).await;
                    stop(&mut postgres).await;
                    return Ok(ExitCode::SUCCESS);
                }
                Next::Left(_users) => {
                    stop(&mut postgres).await;
                    return Ok(ExitCode::SUCCESS);
                }
                Next::Ended(status) => {
                    let status = status.map_err(failed)?;
                    eprintln!("Postgres ended ({status}); starting it again");
                    // An exit with a code soon after the start is a refusal: repeating it for ever would not help.
                    let refused = status.code().is_some_and(|code| code != 0)
                        && begun.elapsed() < Duration::from_secs(10);
                    failures = if refused { failures + 1 } else { 0 };
                    if failures == 3 {
                        return Ok(ExitCode::FAILURE);
                    }
                    sleep(Duration::from_millis(20)).await;
                    self.layout.clear();
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, Error> {
        let program = self.bin.join("postgres");
        let mut command = self.run_as.command(&self.exe, &program, Some(Signal::SIGINT));
        command
            .arg("-D")
            .arg(&self.layout.cluster)
            .arg("-k")
            .arg(&self.layout.socket)
            .args(["-p", "5432"])
            .stdin(Stdio::null());
        tokio::process::Command::from(command)
            .spawn()
            .map_err(|source| Error::Run { program: program.display().to_string(), source })
    }
}

/// Clients are cut off, everything is written, the process ends; if it does not, harder.
async fn stop(postgres: &mut Child) {
    for (how, patience) in [(Signal::SIGINT, 20), (Signal::SIGQUIT, 5), (Signal::SIGKILL, 5)] {
        process::signal(postgres.id().and_then(|id| id.try_into().ok()).unwrap_or_default(), how);
        if timeout(Duration::from_secs(patience), postgres.wait()).await.is_ok() {
            return;
        }
    }
}
