//! Reaching the database of the settings.

use std::time::{Duration, Instant};

use anyhow::Context;
use deadpool_postgres::PoolError;
use gatepost_auth::{
    app::{App, Clock},
    database,
};
use gatepost_postgres::{Pool, PoolOptions, pool};
use tokio::time::sleep;
use tokio_postgres::error::SqlState;

use crate::config::{Process, Refused, Settings};

/// How long a database may take to come up beside its server.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool that connects when it is first asked.
///
/// # Errors
/// A URL that cannot be read.
pub(crate) fn open(process: &Process) -> anyhow::Result<Pool> {
    if process.database_url.is_empty() {
        let how = "no database: set DATABASE_URL, or `database_url` in gatepost.toml";
        return Err(Refused(vec![how.to_owned()]).into());
    }
    let options = PoolOptions { max_size: process.pool_size, ..PoolOptions::default() };
    Ok(pool(process.database_url.reveal(), &options)?)
}

/// Makes sure that the database has the schema of this program. Waits for a database that is only just starting.
///
/// # Errors
/// What is wrong, and what to run.
pub(crate) async fn check(pool: &Pool) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let problem = match pool.get().await {
            Ok(client) => {
                database::check(&client).await?;
                return Ok(());
            }
            Err(problem) => problem,
        };
        let wait = may_come_up(&problem) && begun.elapsed() < PATIENCE;
        if !wait {
            return Err(problem).context("the database cannot be reached");
        }
        tracing::warn!(error = reason(&problem), "waiting for the database");
        sleep(Duration::from_millis(500)).await;
    }
}

/// Refused connections and servers that are starting; a wrong password stays wrong.
fn may_come_up(problem: &PoolError) -> bool {
    match problem {
        PoolError::Backend(error) => match error.code() {
            Some(code) => matches!(
                *code,
                SqlState::CANNOT_CONNECT_NOW
                    | SqlState::TOO_MANY_CONNECTIONS
                    | SqlState::ADMIN_SHUTDOWN
            ),
            None => true,
        },
        PoolError::Timeout(_) => true,
        _ => false,
    }
}

/// An error with everything below it.
pub(crate) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// The auth server over the database of the settings, its schema checked, for a command that ends.
///
/// # Errors
/// As [`open`] and [`check`].
pub(crate) async fn app(settings: &Settings) -> anyhow::Result<App> {
    let pool = open(&settings.process)?;
    check(&pool).await?;
    App::new(with_project(settings), pool, Clock::System)
}

/// The project is the database, unless it was given another name; tokens say what the Data API looks up.
pub(crate) fn with_project(settings: &Settings) -> gatepost_auth::config::Config {
    let mut config = settings.auth.clone();
    config.jwt.session_id |= settings.process.data_api.looks_up_sessions();
    if config.project.is_empty() {
        config.project = settings.process.database_url.database().unwrap_or_default();
    }
    config
}
