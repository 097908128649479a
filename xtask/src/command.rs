//! Running other programs, with what they print on the screen and in hand.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::report::{Counts, counts_in};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A program to be started in `folder` (relative to the root), ended when its handle is dropped.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>, folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root().join(folder)).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The cargo that runs this tool.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program("cargo", ".");
    command.args(arguments);
    command
}

/// Whether a program can be started at all.
pub(crate) async fn exists(name: &str, argument: &str) -> bool {
    let mut command = Command::new(name);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs a program to its end; what it prints appears as it comes and is returned.
pub(crate) async fn tee(mut command: Command) -> Result<(ExitStatus, String)> {
    println!("$ {}", shown(&command));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let (out, err) = tokio::try_join!(echo(stdout), echo(stderr))?;
    Ok((child.wait().await?, out + &err))
}

async fn echo(stream: impl AsyncRead + Unpin) -> Result<String> {
    let mut lines = BufReader::new(stream).split(b'\n');
    let mut all = String::new();
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        all.push_str(&line);
        all.push('\n');
    }
    Ok(all)
}

/// Runs a program that must succeed; counts nothing.
pub(crate) async fn must(command: Command) -> Result<Counts> {
    let line = shown(&command);
    let (status, _) = tee(command).await?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(Counts::default())
}

/// Runs a test runner and counts its tests. A runner that failed without a failed test, or that ran
/// none, is an error.
pub(crate) async fn tests(command: Command) -> Result<Counts> {
    let line = shown(&command);
    let (status, output) = tee(command).await?;
    let counts = counts_in(&output);
    if !status.success() && counts.failed == 0 {
        bail!("{line}: {status}");
    }
    Ok(counts)
}

/// Runs a program silently and returns its standard output.
pub(crate) async fn output(mut command: Command) -> Result<String> {
    let line = shown(&command);
    let output = command.output().await.with_context(|| format!("cannot start {line}"))?;
    if !output.status.success() {
        bail!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
