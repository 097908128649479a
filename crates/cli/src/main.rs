//! `gatepost`: the one binary.

mod api_key;
mod args;
mod background;
mod completions;
mod config;
mod data_api;
mod database;
mod dev;
mod health;
mod keys;
mod log;
mod mail;
mod migrate;
mod output;
mod serve;
mod server;
mod user;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use gatepost_postgres::embedded;

use crate::{
    args::{Args, Command, ConfigCommand},
    config::{Environment, Refused},
};

/// Requests are many small pieces that one thread makes and another frees, which the C library's allocator does slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the user asked for cannot be done as it stands: wrong settings, wrong arguments. Clap uses the same.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = embedded::run_hidden(&args) {
        return code;
    }
    match run(Args::parse_from(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            if error.is::<Refused>() { ExitCode::from(REFUSED) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let config = args.config.as_deref();
    match args.command {
        Command::Completions { shell } => completions::print(shell),
        Command::Config(command) => match command {
            ConfigCommand::Check => config::check(config, &environment),
            ConfigCommand::Dump => config::dump(config, &environment),
            ConfigCommand::Schema => config::schema(),
            ConfigCommand::Example => config::example(),
        },
        Command::Dev(options) => dev::run(&options, config, &environment),
        Command::DataApi(options) => data_api::run(options, config, &environment),
        Command::Serve => serve::run(config, &environment),
        Command::Migrate { dry_run } => migrate::run(dry_run, config, &environment),
        Command::User(command) => user::run(command, config, &environment),
        Command::Mail(command) => mail::run(&command, config, &environment),
        Command::ApiKey(command) => api_key::run(command, config, &environment),
        Command::Keys(command) => keys::run(command, config, &environment),
    }
}
