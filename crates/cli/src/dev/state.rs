//! What development keeps in its data directory, besides Postgres.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use gatepost_protocol::secret::Secret;

/// `serve` knows this beginning and refuses such a secret.
const PREFIX: &str = "gatepost-dev-";

/// Makes the directory, keeps it out of git, and returns the secret of this installation, the same each time.
///
/// # Errors
/// A directory that cannot be written to.
pub(super) fn prepare(dir: &Path) -> anyhow::Result<String> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let ignore = dir.join(".gitignore");
    create(&ignore, 0o644, "*\n").with_context(|| ignore.display().to_string())?;
    let path = dir.join("secret");
    let fresh = format!("{PREFIX}{}", Secret::generate().reveal());
    create(&path, 0o600, &fresh).with_context(|| path.display().to_string())?;
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Writes a file unless it is there. Complete or not at all: another process may start at the same moment.
fn create(path: &Path, mode: u32, text: &str) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension(format!("new.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
