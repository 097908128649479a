//! What runs beside the requests: delivery of mail, rotation of keys, removal of what has expired.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use gatepost_auth::{
    anonymous, api_key,
    app::App,
    device::store as devices,
    error::Error,
    keys,
    mail::{self, Wakes, deliver},
    session::store as sessions,
    users_sync, verification,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::config::Process;

/// How often keys are looked at: far less than the time between publishing one and signing with it.
const KEYS: Duration = Duration::from_secs(60);
/// How long expired rows stay, for whoever asks what became of them.
const KEPT: TimeDelta = TimeDelta::days(1);
/// API keys that ended stay in their owner's list for as long: a program that stopped working is looked for later.
const KEYS_KEPT: TimeDelta = TimeDelta::days(30);
/// How often expired rows are removed.
const PURGE: Duration = Duration::from_secs(10 * 60);

/// How often a full sync that is due is looked for.
const FULL_SYNC: Duration = Duration::from_secs(5 * 60);

/// The tasks, until they have ended.
pub(crate) struct Background {
    tasks: JoinSet<()>,
    /// Tells of new mail.
    pub(crate) wakes: Wakes,
}

impl Background {
    /// Waits until all tasks have seen the shutdown.
    pub(crate) async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts everything; it ends when `shutdown` turns true. `delivered` hears of every mail.
pub(crate) fn start(
    app: &App,
    process: &Process,
    shutdown: watch::Receiver<bool>,
    delivered: impl FnMut(&deliver::Report) + Send + 'static,
) -> Background {
    let wakes = mail::listen(process.database_url.reveal().to_owned(), ending(shutdown.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn(deliver::run(
        app.db.clone(),
        Arc::clone(&app.outbox),
        app.clock.clone(),
        wakes.clone(),
        ending(shutdown.clone()),
        delivered,
    ));
    tasks.spawn(every(KEYS, shutdown.clone(), app.clone(), refresh_keys));
    tasks.spawn(every(PURGE, shutdown.clone(), app.clone(), remove_expired));
    let syncs = app.config.users_sync.sources.values().any(|source| source.has_list());
    if syncs && app.config.users_sync.full_sync_hours > 0 {
        tasks.spawn(every(FULL_SYNC, shutdown, app.clone(), sync_users));
    }
    Background { tasks, wakes }
}

async fn ending(mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone is an end too.
    let _ = shutdown.wait_for(|ending| *ending).await;
}

async fn every<F: Future<Output = ()> + Send>(
    pause: Duration,
    shutdown: watch::Receiver<bool>,
    app: App,
    work: fn(App) -> F,
) {
    let mut end = std::pin::pin!(ending(shutdown));
    loop {
        tokio::select! {
            () = &mut end => return,
            () = sleep(pause) => work(app.clone()).await,
        }
    }
}

async fn refresh_keys(app: App) {
    if let Err(error) = keys::routes::ring(&app).await {
        tracing::warn!(?error, "the signing keys could not be read again");
    }
}

async fn sync_users(app: App) {
    let settings = &app.config.users_sync;
    let pause = TimeDelta::hours(i64::from(settings.full_sync_hours));
    for (source, _) in settings.sources.iter().filter(|(_, source)| source.has_list()) {
        match users_sync::sync(&app, source, pause).await {
            Ok(None) => {}
            Ok(Some(done)) => tracing::info!(
                source,
                listed = done.listed,
                written = done.written,
                deleted = done.deleted,
                "full sync of users"
            ),
            Err(error) => {
                tracing::warn!(source, cause = format!("{error:#}"), "the full sync failed");
            }
        }
    }
}

/// Guests who have not been here for as long as the configuration says.
async fn remove_guests(app: &App, conn: &deadpool_postgres::Client) -> Result<u64, Error> {
    let days = app.config.anonymous.remove_after_days;
    if days == 0 || !app.config.features.anonymous {
        return Ok(0);
    }
    anonymous::purge(conn, app.clock.now() - TimeDelta::days(days.into())).await
}

async fn remove_expired(app: App) {
    let now = app.clock.now();
    let removed = async {
        let conn = app.db.get().await?;
        let mut rows = 0;
        loop {
            let batch = sessions::purge(&conn, now - KEPT).await?
                + verification::purge(&conn, now - KEPT).await?
                + devices::purge(&conn, now - KEPT).await?
                + remove_guests(&app, &conn).await?
                + api_key::delete_expired(&conn, now - KEYS_KEPT).await?;
            rows += batch;
            if batch == 0 {
                return Ok::<u64, Error>(rows);
            }
        }
    };
    match removed.await {
        Ok(rows) => tracing::debug!(rows, "removed what has expired"),
        Err(error) => tracing::warn!(?error, "what has expired could not be removed"),
    }
}
