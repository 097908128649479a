//! Configuration and catalogue, read again: on NOTIFY, on signals, after the database was away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::config::{self, Config, ConfigError, database};
use crate::door::Door;
use crate::login;
use crate::schema::{self, Catalog};
use crate::state::State;

/// Where the configuration comes from, to be read again on reload.
#[derive(Clone, Default)]
pub struct ConfigSource {
    /// PostgREST's configuration file.
    pub path: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// What NOTIFY or a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    Schema,
    Config,
}

/// Why the catalogue was not loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// Trying again may help.
    Passing,
    /// It will not: the password is wrong.
    Lasting(String),
}

const RETRY: u64 = 1;
const RETRY_MOST: u64 = 32;

/// Seconds to wait before each further attempt.
pub(crate) fn delays() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(RETRY), |wait| Some((wait * 2).min(RETRY_MOST)))
}

impl ConfigSource {
    /// File and environment alone.
    ///
    /// # Errors
    /// As [`config::read`].
    pub fn base(&self) -> Result<Config, ConfigError> {
        config::read(self.path.as_deref(), &self.environment, &BTreeMap::new())
    }

    /// With what the database adds, and the settings in it of the roles of callers. The database is the one of `base`: where to
    /// connect does not change while the server runs.
    ///
    /// # Errors
    /// As [`config::read`]. A database that cannot be asked adds nothing.
    pub async fn full(&self, base: &Config) -> Result<Config, ConfigError> {
        let (mut settings, role_settings) = match base.db_config {
            true => in_database(base).await,
            false => Default::default(),
        };
        settings.insert("db-uri".to_owned(), base.db_uri_text.clone());
        let full = config::read(self.path.as_deref(), &self.environment, &settings)?;
        if full.jwt_role_claim_key.is_older() {
            tracing::warn!(
                path = full.jwt_role_claim_key.as_str(),
                "jwt-role-claim-key is written in the older notation: write it as RFC 9535 does, beginning with $"
            );
        }
        Ok(Config { role_settings, ..full })
    }

    /// The settings in force, as `--dump-config` prints them.
    ///
    /// # Errors
    /// As [`config::read`].
    pub async fn dump(&self) -> Result<String, ConfigError> {
        let base = self.base()?;
        let (mut settings, _) = match base.db_config {
            true => in_database(&base).await,
            false => Default::default(),
        };
        settings.insert("db-uri".to_owned(), base.db_uri_text);
        config::dump(self.path.as_deref(), &self.environment, &settings)
    }

    /// The catalogue, as `--dump-schema` prints it.
    ///
    /// # Errors
    /// A configuration that cannot be used, a database that cannot be read.
    pub async fn catalog(&self) -> Result<Catalog, ConfigError> {
        let config = self.full(&self.base()?).await?;
        let unread = |error: &dyn std::fmt::Display| ConfigError(error.to_string());
        let (mut client, _) =
            gatepost_postgres::connect(&config.db_uri).await.map_err(|error| unread(&error))?;
        schema::load(&mut client, &config).await.map_err(|error| unread(&error))
    }
}

async fn in_database(base: &Config) -> (BTreeMap<String, String>, config::RoleSettings) {
    let read = async {
        let (client, _) =
            gatepost_postgres::connect(&base.db_uri).await.map_err(|error| error.to_string())?;
        let settings = database::settings(&client, base).await.unwrap_or_else(|error| {
            tracing::error!(
                error = reason(&error),
                "cannot read the configuration in the database"
            );
            BTreeMap::new()
        });
        let roles = database::role_settings(&client).await.unwrap_or_else(|error| {
            tracing::error!(error = reason(&error), "cannot read the settings of roles");
            config::RoleSettings::default()
        });
        Ok::<_, String>((settings, roles))
    };
    read.await.unwrap_or_else(|error| {
        tracing::warn!(error, "cannot read the configuration in the database");
        Default::default()
    })
}

/// What the database said, where it did.
fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// DA-32: a login role above Row Level Security makes every policy worthless once a role switch is missed.
async fn warn_of_powerful_role(client: &tokio_postgres::Client, config: &Config) {
    if let Ok(login) = login::examine(client, config).await
        && !login.powers.is_empty()
    {
        tracing::warn!(
            login = login.name,
            powers = login.powers.join(", "),
            "the login role may do more than become the roles of callers: use one made for it"
        );
    }
}

/// `ALTER ROLE … SET` counts within the server too, which reads no other configuration from the database.
async fn read_role_settings(state: &State, client: &tokio_postgres::Client) {
    if !matches!(state.door(), Door::Neon(_)) {
        return;
    }
    match database::role_settings(client).await {
        Ok(role_settings) => {
            state.set_config(Config { role_settings, ..(*state.config()).clone() })
        }
        Err(error) => tracing::warn!(%error, "cannot read the settings of roles"),
    }
}

/// Whether a failed connection means that none will work: a wrong password, or none where one is needed.
fn is_lasting(error: &gatepost_postgres::Error) -> bool {
    let gatepost_postgres::Error::Postgres(error) = error else { return false };
    match error.code() {
        Some(code) => *code == tokio_postgres::error::SqlState::INVALID_PASSWORD,
        None => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            cause.is_some_and(|cause| cause.contains("password missing"))
        }
    }
}

/// Loads the catalogue and, on success, puts it in force. The old one serves until then.
pub async fn reload(state: &State) -> bool {
    load(state).await.is_ok()
}

pub(crate) async fn load(state: &State) -> Result<(), LoadError> {
    if !state.begin_loading() {
        return Err(LoadError::Passing);
    }
    let started = Instant::now();
    let config = state.config();
    let loaded = match gatepost_postgres::connect(&config.db_uri).await {
        Err(error) if is_lasting(&error) => Err(LoadError::Lasting(error.to_string())),
        Err(error) => {
            tracing::error!(%error, "cannot load the schema cache");
            Err(LoadError::Passing)
        }
        Ok((mut client, _)) => {
            warn_of_powerful_role(&client, &config).await;
            read_role_settings(state, &client).await;
            schema::load(&mut client, &config).await.map_err(|error| {
                let schemas = config.db_schemas.join(",");
                let path = config.db_extra_search_path.join(",");
                tracing::error!(%error, schemas, path, "cannot load the schema cache");
                LoadError::Passing
            })
        }
    };
    let counters = state.counters();
    let took = started.elapsed();
    counters
        .load_micros
        .store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    let done = match loaded {
        Ok(catalog) => {
            tracing::info!(summary = catalog.summary(), ?took, "schema cache loaded");
            counters.loads.fetch_add(1, Ordering::Relaxed);
            state.set_catalog(catalog);
            Ok(())
        }
        Err(error) => {
            counters.load_failures.fetch_add(1, Ordering::Relaxed);
            Err(error)
        }
    };
    state.end_loading(done.is_ok());
    done
}

/// Configuration, where the database has some, and catalogue.
pub(crate) async fn refresh(state: &State, source: Option<&ConfigSource>) -> Result<(), LoadError> {
    if let Some(source) = source
        && state.config().db_config
    {
        reconfigure(state, source).await;
    }
    load(state).await
}

/// Puts the configuration of now in force; one that cannot be used changes nothing.
async fn reconfigure(state: &State, source: &ConfigSource) {
    match source.full(&state.config()).await {
        Ok(config) => {
            state.set_config(config);
            tracing::info!("configuration loaded");
        }
        Err(error) => tracing::error!(%error, "the new configuration is not used"),
    }
}

/// Refreshes until it works, waiting longer each time.
///
/// # Errors
/// A reason for which it never will; the first failure where `db-pool-automatic-recovery` is off.
pub(crate) async fn refresh_until_done(
    state: &State,
    source: Option<&ConfigSource>,
) -> Result<(), String> {
    for wait in delays() {
        match refresh(state, source).await {
            Ok(()) => return Ok(()),
            Err(error) => tokio::time::sleep(pause(state, error, wait)?).await,
        }
    }
    Ok(())
}

/// How long to wait before the next attempt; what callers are told meanwhile.
///
/// # Errors
/// A reason not to try again.
pub(crate) fn pause(state: &State, error: LoadError, wait: u64) -> Result<Duration, String> {
    match error {
        LoadError::Lasting(reason) => Err(reason),
        LoadError::Passing if !state.config().db_pool_automatic_recovery => {
            Err("the database cannot be used, and db-pool-automatic-recovery is off".to_owned())
        }
        LoadError::Passing => {
            state.set_retry_after(wait);
            Ok(Duration::from_secs(wait))
        }
    }
}

/// Carries out wishes one after the other; wishes that pile up meanwhile are carried out once.
///
/// # Errors
/// As [`refresh_until_done`]; it never ends otherwise while somebody may wish.
pub(crate) async fn carry_out(
    state: &State,
    source: Option<&ConfigSource>,
    mut wishes: mpsc::Receiver<Reload>,
) -> Result<(), String> {
    while let Some(first) = wishes.recv().await {
        let mut all = vec![first];
        while let Ok(more) = wishes.try_recv() {
            all.push(more);
        }
        let schema = all.contains(&Reload::Schema);
        let config = all.contains(&Reload::Config);
        if let Some(source) = source
            && config
            && !(schema && state.config().db_config)
        {
            reconfigure(state, source).await;
        }
        if schema {
            refresh_until_done(state, source).await?;
        }
    }
    Ok(())
}
