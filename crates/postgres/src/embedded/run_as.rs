//! Whom Postgres runs as: it refuses root, and `initdb` wants a user with a name.

use std::{
    ffi::OsString,
    fs,
    io::Write,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::Signal,
    unistd::{Gid, Uid, User, getegid, geteuid, getppid, setgid, setuid},
};

use super::{CHILD, argument};
use crate::{Error, error::at};

/// The user of a Postgres process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// The one we are.
    Same,
    /// Under this name inside a user namespace; outside of it nothing changes, files stay ours.
    Namespace { uid: u32, gid: u32 },
    /// Another user, who must own the cluster.
    User { uid: u32, gid: u32 },
}

impl RunAs {
    /// Chooses for this data directory.
    pub(crate) fn choose(cluster: &Path, exe: &Path) -> Result<Self, Error> {
        let euid = geteuid();
        if !euid.is_root() {
            // `docker run --user 12345`: no name, so initdb would fail.
            if matches!(User::from_uid(euid), Ok(None))
                && let Some(user) = some_user()
            {
                let named = Self::Namespace { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
                if named.works(exe) {
                    return Ok(named);
                }
            }
            return Ok(Self::Same);
        }
        let owner = fs::metadata(cluster).ok().map(|metadata| (metadata.uid(), metadata.gid()));
        if let Some((uid @ 1.., gid)) = owner {
            return Ok(Self::User { uid, gid });
        }
        let user = some_user().ok_or(Error::NoUser)?;
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        let named = Self::Namespace { uid, gid };
        if named.works(exe) {
            return Ok(named);
        }
        if owner.is_some() {
            return Err(Error::NoUserNamespace { user: user.name, path: cluster.to_owned() });
        }
        Ok(Self::User { uid, gid })
    }

    fn works(self, exe: &Path) -> bool {
        let mut command = self.command(exe, Path::new("/bin/sh"), None);
        command.args(["-c", ":"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Refuses a directory that this user cannot enter.
    pub(crate) fn must_reach(self, exe: &Path, directory: &Path) -> Result<(), Error> {
        let Self::User { uid, .. } = self else { return Ok(()) };
        let mut command = self.command(exe, Path::new("/bin/sh"), None);
        command.args(["-c", "cd \"$0\""]).arg(directory).stdin(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let user = User::from_uid(Uid::from_raw(uid))
            .ok()
            .flatten()
            .map_or_else(|| uid.to_string(), |user| user.name);
        Err(Error::Unreachable { user, path: directory.to_owned() })
    }

    /// Gives a new file or directory to the user.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::User { uid, gid } => {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(at(path))
            }
            Self::Same | Self::Namespace { .. } => Ok(()),
        }
    }

    /// A command that runs `program` as this user, through our own hidden subcommand, and that gets `on_parent_death` when the thread
    /// that spawns it ends.
    pub(crate) fn command(
        self,
        exe: &Path,
        program: &Path,
        on_parent_death: Option<Signal>,
    ) -> Command {
        let mut command = Command::new(exe);
        command
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
            .current_dir("/")
            .args([
                CHILD,
                &self.to_text(),
                on_parent_death.map_or("-", Signal::as_str),
                &std::process::id().to_string(),
            ])
            .arg(program);
        command
    }

    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Same => "same".to_owned(),
            Self::Namespace { uid, gid } => format!("namespace:{uid}:{gid}"),
            Self::User { uid, gid } => format!("user:{uid}:{gid}"),
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let kind = parts.next()?;
        let mut number = || parts.next()?.parse().ok();
        match kind {
            "same" => Some(Self::Same),
            "namespace" => Some(Self::Namespace { uid: number()?, gid: number()? }),
            "user" => Some(Self::User { uid: number()?, gid: number()? }),
            _ => None,
        }
    }

    /// Turns this process into the user. It must have one thread.
    fn enter(self) -> Result<(), std::io::Error> {
        match self {
            Self::Same => Ok(()),
            Self::Namespace { uid, gid } => enter_namespace(uid, gid),
            Self::User { uid, gid } => {
                #[cfg(not(target_vendor = "apple"))]
                nix::unistd::setgroups(&[])?;
                setgid(Gid::from_raw(gid))?;
                setuid(Uid::from_raw(uid))?;
                Ok(())
            }
        }
    }
}

/// A user that has a name and is not root.
pub(crate) fn some_user() -> Option<User> {
    ["postgres", "daemon", "nobody"]
        .iter()
        .filter_map(|name| User::from_name(name).ok().flatten())
        .find(|user| !user.uid.is_root())
}

#[cfg(target_os = "linux")]
fn enter_namespace(uid: u32, gid: u32) -> Result<(), std::io::Error> {
    let (outer_uid, outer_gid) = (geteuid(), getegid());
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
    let write = |path: &str, text: String| {
        fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
    };
    // Without it an unprivileged process may not write its group map.
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{uid} {outer_uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {outer_gid} 1"))
}

#[cfg(not(target_os = "linux"))]
fn enter_namespace(_: u32, _: u32) -> Result<(), std::io::Error> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The hidden subcommand behind [`RunAs::command`]: becomes the user, then the program. Returns only when that failed.
pub(super) fn become_postgres(args: &[OsString]) -> Error {
    fn exec(args: &[OsString]) -> Result<std::convert::Infallible, Error> {
        let mut args = args.iter();
        let run_as =
            argument(&mut args)?.to_str().and_then(RunAs::from_text).ok_or(Error::Hidden)?;
        let on_parent_death =
            argument(&mut args)?.to_str().and_then(|name| name.parse::<Signal>().ok());
        let parent: u32 =
            argument(&mut args)?.to_str().and_then(|id| id.parse().ok()).ok_or(Error::Hidden)?;
        let program = argument(&mut args)?;
        let failed =
            |source| Error::Run { program: program.to_string_lossy().into_owned(), source };
        run_as.enter().map_err(failed)?;
        // After the change of user, which clears it.
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(on_parent_death).map_err(|error| failed(error.into()))?;
        if on_parent_death.is_some() && u32::try_from(getppid().as_raw()) != Ok(parent) {
            return Err(failed(std::io::Error::other("the process that wanted it is gone")));
        }
        Err(failed(Command::new(program).args(args).exec()))
    }
    match exec(args) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}
