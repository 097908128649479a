//! Settings: one file, then the environment on top of it. Nothing else in the program reads the environment.

mod data_api;
mod document;
mod environment;
mod problems;
mod process;
mod reference;
mod shape;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use gatepost_auth::config::Config as Auth;

use crate::output;

use self::document::Document;
pub(crate) use self::{
    data_api::DataApi,
    environment::{Environment, of_data_api},
    process::{DatabaseUrl, Log, LogFormat, Process, Telemetry},
};

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The process: where it listens, its database, its log.
    pub(crate) process: Process,
    /// The auth server.
    pub(crate) auth: Auth,
}

/// Settings as they were found.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// Dotted paths of the keys that somebody set.
    pub(crate) given: Vec<String>,
}

/// Something the user has to change first; every line says what and how.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Vec<String>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Refused {}

/// Reads file and environment.
///
/// # Errors
/// [`Refused`] with everything that cannot be read.
pub(crate) fn load(path: Option<&Path>, environment: &Environment) -> anyhow::Result<Loaded> {
    let (loaded, findings) = read(path, environment)?;
    if findings.is_empty() { Ok(loaded) } else { Err(Refused(findings).into()) }
}

/// As [`load`], and refuses what must not run in production.
///
/// # Errors
/// [`Refused`] with everything that is wrong.
pub(crate) fn load_for_production(
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<Settings> {
    let (loaded, mut findings) = read(path, environment)?;
    findings.extend(problems::of_production(&loaded.settings));
    if findings.is_empty() {
        return Ok(loaded.settings);
    }
    let mut lines = vec!["gatepost does not start with these settings:".to_owned()];
    lines.extend(findings.into_iter().map(|finding| format!("- {finding}")));
    Err(Refused(lines).into())
}

fn read(path: Option<&Path>, environment: &Environment) -> anyhow::Result<(Loaded, Vec<String>)> {
    let (name, text) = match chosen(path, environment) {
        Some((path, must_exist)) => match fs::read_to_string(&path) {
            Ok(text) => (path.display().to_string(), text),
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => Default::default(),
            Err(error) => {
                return Err(Refused(vec![format!("{}: {error}", path.display())]).into());
            }
        },
        None => Default::default(),
    };
    let mut document = Document::parse(&name, &text);
    environment.apply(&mut document);
    let given = document.given();
    let process: Process = document.take(process::KEYS);
    let auth: Auth = document.take_rest(process::KEYS);
    Ok((Loaded { settings: Settings { process, auth }, given }, document.findings()))
}

/// The file, and whether it has to be there.
fn chosen(path: Option<&Path>, environment: &Environment) -> Option<(PathBuf, bool)> {
    path.map(Path::to_owned)
        .or_else(|| environment.config_path().map(PathBuf::from))
        .map(|path| (path, true))
        .or_else(|| Some((PathBuf::from("gatepost.toml"), false)))
}

/// `gatepost config check`.
pub(crate) fn check(path: Option<&Path>, environment: &Environment) -> anyhow::Result<()> {
    load_for_production(path, environment)?;
    output::print("The settings are good.\n")
}

/// `gatepost config dump`.
pub(crate) fn dump(path: Option<&Path>, environment: &Environment) -> anyhow::Result<()> {
    let Loaded { settings, .. } = load(path, environment)?;
    output::print(&reference::dump(&settings)?)
}

/// `gatepost config schema`.
pub(crate) fn schema() -> anyhow::Result<()> {
    output::print(&(serde_json::to_string_pretty(&reference::schema())? + "\n"))
}

/// `gatepost config example`.
pub(crate) fn example() -> anyhow::Result<()> {
    output::print(reference::EXAMPLE)
}
