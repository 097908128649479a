//! One setting from three places.

use std::collections::BTreeMap;

use super::{ConfigError, file};

/// One setting from three places: the database, the environment, the file.
pub(super) struct Source<'a> {
    database: &'a BTreeMap<String, String>,
    environment: &'a BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        text: &str,
        environment: &'a BTreeMap<String, String>,
        database: &'a BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { database, environment, file: file::parse(text, environment)? })
    }

    fn raw(&self, key: &str) -> Option<&str> {
        let variable = format!("PGRST_{}", key.to_uppercase().replace('-', "_"));
        self.database
            .get(key)
            .or_else(|| self.environment.get(&variable))
            .or_else(|| self.file.get(key))
            .map(String::as_str)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.raw(key).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(super) fn text_or(&self, key: &str, alias: &str) -> Option<String> {
        self.text(key).or_else(|| self.text(alias))
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        let Some(text) = self.raw(key) else { return default };
        let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
        match letters.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => text.trim().parse::<i64>().map_or(default, |number| number > 0),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.raw(key)?.trim().parse().ok()
    }

    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        self.raw(key).map(commas)
    }

    pub(super) fn app_settings(&self) -> Vec<(String, String)> {
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in self.file.iter().filter(|(key, _)| key.starts_with("app.settings.")) {
            settings.insert(key.clone(), value.clone());
        }
        for (key, value) in self.environment {
            if let Some(name) = key.strip_prefix("PGRST_APP_SETTINGS_") {
                settings.insert(format!("app.settings.{name}"), value.clone());
            }
        }
        settings.into_iter().collect()
    }
}

pub(super) fn commas(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}
