//! `gatepost serve`: the server.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use axum::Router;
use gatepost_auth::{
    app::{App, Clock},
    database::excessive_powers,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    background, config,
    config::{Environment, Process, Settings},
    data_api::{self, door::Opened},
    database, health, log,
    server::{self, Limits},
};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Settings that must not run, a port that is taken, a database without this version's schema.
pub(crate) fn run(path: Option<&Path>, environment: &Environment) -> anyhow::Result<()> {
    let settings = config::load_for_production(path, environment)?;
    let runtime = runtime(settings.process.workers)?;
    let context = runtime.enter();
    let logging = log::start(&settings.process.log, &settings.process.telemetry)?;
    let served = runtime.block_on(serve(&settings));
    // The last traces need the runtime.
    drop(logging);
    drop(context);
    served
}

/// Threads for a server.
///
/// # Errors
/// When the system gives none.
pub(crate) fn runtime(workers: usize) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if workers > 0 {
        builder.worker_threads(workers);
    }
    Ok(builder.enable_all().build()?)
}

async fn serve(settings: &Settings) -> anyhow::Result<()> {
    let process = &settings.process;
    let shutdown = on_signal(Signals::OfService)?;
    let listener = listen(process.listen).await?;
    let metrics_listener = match process.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let pool = database::open(process)?;
    let app = App::new(database::with_project(settings), pool.clone(), Clock::System)?;
    database::check(&pool).await?;
    let data_api = data_api::door::open(&app, &process.data_api).await?;
    let background = background::start(&app, process, shutdown.clone(), |_| {});
    tokio::spawn(warn_of_powers(app.clone()));
    if app.config.mail.smtp.is_none() {
        tracing::warn!("no mail is sent: [mail.smtp] names no mail server");
    }
    tracing::info!(
        address = %listener.local_addr()?,
        public_url = app.config.public_url,
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    let metrics = metrics_listener.map(|listener| {
        let router = health::metrics_router(&app);
        tokio::spawn(server::serve(listener, router, limits(process), shutdown.clone()))
    });
    let router = router(&app, process, &background.wakes, data_api.as_ref());
    server::serve(listener, router, limits(process), shutdown).await;
    if let Some(data_api) = data_api {
        data_api.loading.abort();
    }
    if let Some(metrics) = metrics {
        metrics.await?;
    }
    background.ended().await;
    tracing::info!("ended");
    Ok(())
}

/// Everything that is served on the main address.
pub(crate) fn router(
    app: &App,
    process: &Process,
    wakes: &gatepost_auth::mail::Wakes,
    data_api: Option<&Opened>,
) -> Router {
    let mut router = gatepost_auth::router(app).merge(health::router(app));
    if process.metrics_listen.is_none() {
        router = router.merge(health::local_metrics_router(app));
    }
    if app.config.inbox.enabled {
        router = router.merge(health::inbox_router(app, wakes.clone()));
    }
    if let Some(data_api) = data_api {
        router = router.merge(data_api.router.clone());
    }
    router
}

pub(crate) fn limits(process: &Process) -> Limits {
    Limits {
        connections: process.max_connections,
        drain: Duration::from_secs(process.shutdown_timeout),
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Which signals end a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    /// SIGTERM and SIGINT.
    OfService,
    /// And SIGHUP: the terminal was closed. A service may have been told to outlive it (`nohup`).
    WithTerminal,
}

/// Turns true with the first signal; a second one ends the process at once.
///
/// # Errors
/// When the system does not let us listen for signals.
pub(crate) fn on_signal(signals: Signals) -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = match signals {
        Signals::OfService => None,
        Signals::WithTerminal => Some(signal(SignalKind::hangup())?),
    };
    tokio::spawn(async move {
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hung_up => {}
            }
            if sender.send_replace(true) {
                std::process::exit(130);
            }
        }
    });
    Ok(receiver)
}

/// The server needs no power over the schema; an attacker who takes it over should not get any.
async fn warn_of_powers(app: App) {
    let Ok(client) = app.db.get().await else { return };
    if let Ok(powers) = excessive_powers(&client).await
        && !powers.is_empty()
    {
        tracing::warn!(
            powers = powers.join(", "),
            "the database role may do more than a server needs; docs/database-roles.md says how to split it"
        );
    }
}
