//! Generated SQL, given to PostgreSQL's own parser: the package `fuzz/shape`.

use anyhow::{Result, bail, ensure};

use crate::command::{program, root, tee};
use crate::report::{Counts, counts_in};

/// Where all of the workspace `fuzz` is compiled.
pub(crate) fn target_dir() -> std::path::PathBuf {
    root().join("target/fuzz")
}

/// Builds the parser and runs the properties.
pub(crate) async fn run() -> Result<Counts> {
    let mut command = program("cargo", "fuzz");
    command.args(["test", "--package", "gatepost-shape", "--locked"]);
    command.env("CARGO_TARGET_DIR", target_dir());
    let (status, printed) = tee(command).await?;
    // What `bindgen` says.
    ensure!(
        !printed.contains("Unable to find libclang"),
        "libclang is missing, which the bindings of PostgreSQL's parser are made with: Debian's package libclang-dev"
    );
    let counts = counts_in(&printed);
    if !status.success() && counts.failed == 0 {
        bail!("the test of the SQL's shape: {status}");
    }
    Ok(counts)
}
