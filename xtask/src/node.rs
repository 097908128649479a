//! The npm packages of the suites: installed from their lock files when they are not there.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::command::{exists, must, program, root};

/// Installs the packages of `folder` unless the lock file says that they are there.
pub(crate) async fn install(folder: &str) -> Result<()> {
    if !exists("node", "--version").await {
        bail!("{folder} needs Node.js 20 or newer");
    }
    let dir = root().join(folder);
    if installed(&dir) {
        return Ok(());
    }
    // Install scripts fetch binaries that nothing here uses.
    let mut command = program("npm", folder);
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    must(command).await?;
    fs::copy(dir.join("package-lock.json"), dir.join("node_modules/.installed"))?;
    Ok(())
}

fn installed(dir: &Path) -> bool {
    let wanted = fs::read(dir.join("package-lock.json")).ok();
    let there = fs::read(dir.join("node_modules/.installed")).ok();
    wanted.is_some() && wanted == there
}
