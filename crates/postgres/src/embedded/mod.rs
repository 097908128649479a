//! A private Postgres cluster for development: found or fetched, started on demand, gone with the last process that uses it.
//!
//! ```text
//! server --(shared lock on users.lock)--> supervisor (own process group) --> postgres
//! ```
//! The supervisor waits for the exclusive lock on `users.lock`. The kernel drops a server's shared lock however it dies, so the last
//! one that leaves, even by SIGKILL, makes the supervisor stop Postgres. A supervisor that dies takes Postgres with it (Linux: parent
//! death signal), and a server that still runs starts a new one. A Postgres that dies is started again by its supervisor.

mod binaries;
mod cluster;
mod download;
pub(crate) mod lock;
mod process;
pub(crate) mod run_as;
mod running;
mod supervisor;

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::ExitCode,
};

pub use binaries::Machine;
#[cfg(feature = "testing")]
pub(crate) use binaries::{Install, for_tests};
pub(crate) use cluster::Layout;
#[cfg(feature = "testing")]
pub(crate) use cluster::{locale_arguments, said};
pub use running::{Origin, Running, start};

/// What [`start`] needs to know.
pub struct Options<'a> {
    /// Where the cluster lives: `pg/`, `run/` (socket), `postgres.log` and lock files. Made when absent.
    pub data_dir: PathBuf,
    /// This very program, whose `main` calls [`run_hidden`] first.
    pub exe: PathBuf,
    /// The registry that npm shall ask instead of the one of its configuration.
    pub npm_registry: Option<String>,
    /// Where to look for PostgreSQL; [`Machine::of_process`] for the usual places.
    pub machine: Machine,
    /// Receives one sentence for everything that takes time or that the user may want to know.
    pub notice: &'a dyn Fn(&str),
}

const SUPERVISE: &str = "__supervise";
const CHILD: &str = "__postgres_child";

/// Runs the hidden subcommands with which [`start`] calls its own program. `main` must call this before it starts any thread, with all
/// arguments (the program's name first): `None` means that this is an ordinary call.
#[must_use]
pub fn run_hidden(args: &[OsString]) -> Option<ExitCode> {
    let (subcommand, rest) = args.get(1..)?.split_first()?;
    let outcome = match subcommand.to_str()? {
        SUPERVISE => supervisor::supervise(rest),
        CHILD => Err(run_as::become_postgres(rest)),
        _ => return None,
    };
    Some(outcome.unwrap_or_else(|error| {
        // The log file of the cluster, or the message that the caller shows.
        eprintln!("{error}");
        ExitCode::FAILURE
    }))
}

fn argument<'a>(args: &mut impl Iterator<Item = &'a OsString>) -> Result<&'a OsStr, crate::Error> {
    args.next().map(OsString::as_os_str).ok_or(crate::Error::Hidden)
}
