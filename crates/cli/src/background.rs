//! What runs beside the requests: delivery of mail, rotation of keys, removal of what has expired.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use gatepost_auth::{
    anonymous,
    app::App,
    error::Error,
    keys,
    mail::{self, Wakes, deliver},
    session::store as sessions,
    verification,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::config::Process;

/// How often keys are looked at: far less than the time between publishing one and signing with it.
const KEYS: Duration = Duration::from_secs(60);
/// How long expired rows stay, for whoever asks what became of them.
const KEPT: TimeDelta = TimeDelta::days(1);
/// How often expired rows are removed.
const PURGE: Duration = Duration::from_secs(10 * 60);

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
    tasks.spawn(every(PURGE, shutdown, app.clone(), remove_expired));
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
                + remove_guests(&app, &conn).await?;
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
