//! Running alone: start, serve, stop.

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::access_log;
use crate::admin::admin_router;
use crate::config::{Config, ConfigError};
use crate::notices;
use crate::reload::{self, ConfigSource, Reload};
use crate::sockets::{self, Address, AsTyped, Listener, Peer};
use crate::state::State;

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address is taken or a socket cannot be made.
    #[error("cannot listen: {0}")]
    Io(#[from] std::io::Error),
    /// The database cannot be used, and waiting would not help or is not wanted.
    #[error("{0}")]
    Database(String),
}

/// How often unused connections are looked at.
const TRIM: Duration = Duration::from_secs(1);

/// Loads the catalogue until it is there, and again whenever the database says `NOTIFY pgrst`; ends when dropped.
pub async fn keep_loaded(state: State) {
    let (sender, wishes) = mpsc::channel(64);
    let listening = notices::listen(state.clone(), sender, true, None);
    let loading = async {
        // The server goes on without a Data API: a wrong password may be put right.
        while state.catalog().is_none() && reload::refresh_until_done(&state, None).await.is_err() {
            tokio::time::sleep(Duration::from_secs(32)).await;
        }
        reload::carry_out(&state, None, wishes).await
    };
    let _ = tokio::join!(listening, loading);
}

/// Serves until `shutdown` turns true, then until the requests under way are answered. Reloads on SIGUSR1 and SIGUSR2.
///
/// # Errors
/// A configuration that cannot be used, an address that is taken; a database that cannot be used, where waiting would not help.
pub async fn run(
    source: ConfigSource,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let (given_up, mut reasons) = mpsc::channel(4);
    let ready = tokio::select! {
        ready = ready(source, given_up) => ready?,
        // A database that does not answer is waited for, but not after the end was asked for.
        () = stopped(&mut shutdown) => return Ok(()),
    };
    let stop = async move { stopped(&mut shutdown).await };
    let (listener, app) = ready;
    tokio::select! {
        served = serve(listener, app, stop) => Ok(served?),
        Some(reason) = reasons.recv() => Err(RunError::Database(reason)),
    }
}

async fn serve(
    listener: Listener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), std::io::Error> {
    match listener {
        Listener::Unix(listener) => {
            axum::serve(AsTyped(listener), app).with_graceful_shutdown(stop).await
        }
        Listener::Tcp(listener) => {
            // An answer must not wait for the acknowledgement of the one before.
            let listener = AsTyped(listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            }));
            let app = app.into_make_service_with_connect_info::<Peer>();
            axum::serve(listener, app).with_graceful_shutdown(stop).await
        }
    }
}

/// Everything up to the first request: configuration, schema cache, reloading, the address.
async fn ready(
    source: ConfigSource,
    given_up: mpsc::Sender<String>,
) -> Result<(Listener, Router), RunError> {
    let state = State::new(source.base()?)?;
    let config = state.config();
    operate(&state, &config).await?;
    let (sender, wishes) = mpsc::channel(64);
    let (first, heard) = oneshot::channel();
    let listening = notices::listen(state.clone(), sender.clone(), false, Some(first));
    watch_over(listening, given_up.clone());
    // What changes from now on is heard of, so the catalogue is read once.
    let _ = heard.await;
    if config.db_config {
        state.set_config(source.full(&config).await?);
    }
    crate::jwks::refresh(&state).await;
    tokio::spawn(crate::jwks::keep_fresh(state.clone()));
    tokio::spawn(notices::signals(sender));
    let retry = match reload::load(&state).await {
        Ok(()) => None,
        Err(error) => Some(reload::pause(&state, error, 1).map_err(RunError::Database)?),
    };
    let (done, loaded) = oneshot::channel();
    watch_over(keep_refreshed(state.clone(), source, retry, done, wishes), given_up);
    // Another process may serve at the same address: requests are not taken from it before they can be answered.
    if config.server_reuseport {
        let _ = loaded.await;
    }
    tokio::spawn(trim(state.clone()));
    let address = sockets::of_requests(&config);
    let listener = sockets::listen(&address).await?;
    state.set_listening(match &address {
        Address::Unix { path, .. } => Some(path.clone()),
        Address::Tcp { .. } => None,
    });
    log_address(&listener, &address)?;
    Ok((listener, access_log::router(state)))
}

/// The admin server.
async fn operate(state: &State, config: &Config) -> Result<(), RunError> {
    let Some(address) = sockets::of_operators(config) else { return Ok(()) };
    let listener = sockets::listen(&address).await?;
    tokio::spawn(serve(listener, admin_router(state.clone()), std::future::pending()));
    Ok(())
}

/// Tries again after `retry` where the first attempt failed, says when there is a catalogue, and carries out wishes.
async fn keep_refreshed(
    state: State,
    source: ConfigSource,
    retry: Option<Duration>,
    done: oneshot::Sender<()>,
    wishes: mpsc::Receiver<Reload>,
) -> Result<(), String> {
    if let Some(retry) = retry {
        tokio::time::sleep(retry).await;
        reload::refresh_until_done(&state, Some(&source)).await?;
    }
    let _ = done.send(());
    reload::carry_out(&state, Some(&source), wishes).await
}

/// Runs a task whose failure ends the server.
fn watch_over(
    task: impl Future<Output = Result<(), String>> + Send + 'static,
    given_up: mpsc::Sender<String>,
) {
    tokio::spawn(async move {
        if let Err(reason) = task.await {
            let _ = given_up.send(reason).await;
        }
    });
}

async fn trim(state: State) {
    loop {
        tokio::time::sleep(TRIM).await;
        state.trim();
    }
}

fn log_address(listener: &Listener, address: &Address) -> Result<(), std::io::Error> {
    match (listener, address) {
        (Listener::Tcp(listener), _) => {
            tracing::info!(address = %listener.local_addr()?, "listening");
        }
        (Listener::Unix(_), Address::Unix { path, .. }) => {
            tracing::info!(address = %path.display(), "listening");
        }
        _ => {}
    }
    Ok(())
}

/// Whoever could ask for the end having gone counts as asking.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
