//! Environment variables: `DATABASE_URL` and `GATEPOST_…`.

use std::{collections::BTreeMap, fs};

use super::document::Document;

/// The variables that concern Gatepost, read once.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

const PREFIX: &str = "GATEPOST_";
/// Variables that are no settings of the server.
const OWN: [&str; 3] = ["GATEPOST_CONFIG", "GATEPOST_NPM_REGISTRY", "GATEPOST_VERSION"];
/// Secrets that may stand in a file, as container platforms hand them over: the variable with `_FILE` names the file.
const FROM_FILES: [&str; 8] = [
    "DATABASE_URL",
    "GATEPOST_DATABASE_URL",
    "GATEPOST_MIGRATION_DATABASE_URL",
    "GATEPOST_DATA_API__DATABASE_URL",
    "GATEPOST_DATA_API__EXPLAIN_DATABASE_URL",
    "GATEPOST_SECRET",
    "GATEPOST_MAIL__SMTP__PASSWORD",
    "GATEPOST_RATE_LIMIT__REDIS_URL",
];

impl Environment {
    /// The variables of this process.
    pub(crate) fn of_process() -> Self {
        let ours = |name: &str| name.starts_with("DATABASE_URL") || name.starts_with(PREFIX);
        Self(variables().filter(|(name, _)| ours(name)).collect())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    pub(super) fn config_path(&self) -> Option<&str> {
        self.get("GATEPOST_CONFIG")
    }

    pub(crate) fn npm_registry(&self) -> Option<&str> {
        self.get("GATEPOST_NPM_REGISTRY")
    }

    /// Whether the usual variable names a database.
    pub(crate) fn names_database(&self) -> bool {
        self.get("DATABASE_URL").is_some()
    }

    /// An empty variable counts as none: compose files cannot leave one out.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Lays the variables over the file.
    pub(super) fn apply<'a>(&'a self, document: &mut Document<'a>) {
        for (name, value) in &self.0 {
            if value.is_empty() || OWN.contains(&name.as_str()) {
                continue;
            }
            let target = name.strip_suffix("_FILE").filter(|target| FROM_FILES.contains(target));
            let Some(target) = target else {
                if let Some(path) = key_path(name) {
                    document.set(name, path, value);
                }
                continue;
            };
            if self.get(target).is_some() {
                document.find(format!("{name}: {target} is set too; remove one of them"));
                continue;
            }
            match (key_path(target), fs::read_to_string(value)) {
                (Some(path), Ok(text)) => {
                    document.set_text(name, path, text.trim_end_matches(['\r', '\n']).to_owned());
                }
                (_, Err(error)) => document.find(format!("{name}: {value}: {error}")),
                (None, _) => {}
            }
        }
    }
}

/// All variables, for the Data API alone: `$(NAME)` in PostgREST's configuration file may name any.
pub(crate) fn of_data_api() -> BTreeMap<String, String> {
    variables().collect()
}

fn variables() -> impl Iterator<Item = (String, String)> {
    #[expect(clippy::disallowed_methods, reason = "the environment is read here only")]
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// `GATEPOST_SESSION__EXPIRES_IN` is `session.expires_in`.
fn key_path(name: &str) -> Option<Vec<String>> {
    if name == "DATABASE_URL" {
        return Some(vec!["database_url".to_owned()]);
    }
    let path = name.strip_prefix(PREFIX)?;
    Some(path.split("__").map(str::to_ascii_lowercase).collect())
}
