//! Runs the embedded Postgres of a data directory until standard input ends: `embedded DIRECTORY [--downloaded | --packaged]`.
//!
//! It prints `ready`, how the cluster came to run, and the URL of its database `postgres`. With `--downloaded` and `--packaged`
//! it ignores installed versions; with the latter, root may install the system's package. The tests of the crate start it as their server.

use std::{
    ffi::OsString,
    io::{Read, Write, stdin, stdout},
    path::PathBuf,
    process::ExitCode,
};

use gatepost_postgres::embedded::{self, Machine, Options};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = embedded::run_hidden(&args) {
        return code;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[OsString]) -> Result<(), Box<dyn std::error::Error>> {
    let mut machine = Machine::of_process();
    let given = |option: &str| args.iter().any(|arg| arg == option);
    if given("--downloaded") || given("--packaged") {
        machine.installs.clear();
        machine.packages = given("--packaged");
    }
    let running = embedded::start(&Options {
        data_dir: PathBuf::from(args.get(1).ok_or("usage: embedded DIRECTORY")?),
        exe: std::env::current_exe()?,
        npm_registry: None,
        machine,
        notice: &|sentence| eprintln!("{sentence}"),
    })?;
    writeln!(stdout(), "ready {:?} {}", running.origin(), running.url("postgres"))?;
    stdin().read_to_end(&mut Vec::new())?;
    running.stop();
    Ok(())
}
