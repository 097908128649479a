//! Running alone: start, listen for NOTIFY, reload, stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};

use crate::config::{self, Config, ConfigError, database};
use crate::door::Door;
use crate::login;
use crate::schema;
use crate::server::{admin_router, router};
use crate::state::State;

/// Where the configuration comes from, to be read again on reload.
#[derive(Clone, Default)]
pub struct ConfigSource {
    /// PostgREST's configuration file.
    pub path: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address is taken or a socket cannot be made.
    #[error("cannot listen: {0}")]
    Io(#[from] std::io::Error),
}

/// What NOTIFY or a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reload {
    Schema,
    Config,
}

const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(32);

/// Reads the configuration, with what the database adds to it.
async fn full_config(source: &ConfigSource) -> Result<Config, ConfigError> {
    let base = config::read(source.path.as_deref(), &source.environment, &BTreeMap::new())?;
    if !base.db_config {
        return Ok(base);
    }
    let client = match gatepost_postgres::connect(&base.db_uri).await {
        Ok((client, _)) => client,
        Err(error) => {
            tracing::warn!(%error, "cannot read the configuration in the database");
            return Ok(base);
        }
    };
    let settings = database::settings(&client, &base).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read the configuration in the database");
        BTreeMap::new()
    });
    let mut full = config::read(source.path.as_deref(), &source.environment, &settings)?;
    full.role_settings = database::role_settings(&client).await.unwrap_or_default();
    Ok(full)
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

/// Loads the catalogue and, on success, puts it in force. The old one serves until then.
pub async fn reload(state: &State) -> bool {
    if !state.begin_loading() {
        return false;
    }
    let started = Instant::now();
    let config = state.config();
    let loaded = match gatepost_postgres::connect(&config.db_uri).await {
        Err(error) => Err(error.to_string()),
        Ok((mut client, _)) => {
            warn_of_powerful_role(&client, &config).await;
            read_role_settings(state, &client).await;
            schema::load(&mut client, &config).await.map_err(|error| error.to_string())
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
            true
        }
        Err(error) => {
            tracing::error!(error, "cannot load the schema cache");
            counters.load_failures.fetch_add(1, Ordering::Relaxed);
            false
        }
    };
    state.end_loading();
    done
}

/// Reloads until it works, waiting longer each time.
async fn reload_until_done(state: &State) {
    let mut wait = RETRY;
    while !reload(state).await {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

/// Listens for NOTIFY; a broken connection is replaced, and the catalogue reloaded for what was missed.
async fn listen(state: State, wishes: mpsc::Sender<Reload>) {
    let mut wait = RETRY;
    loop {
        let config = state.config();
        let connected = gatepost_postgres::listen(&config.db_uri, &[&config.db_channel]).await;
        if let Ok((_client, mut notices)) = connected {
            wait = RETRY;
            // What changed before anybody listened.
            if wishes.send(Reload::Schema).await.is_err() {
                return;
            }
            while let Some(notice) = notices.recv().await {
                let wish = match notice.payload() {
                    "" | "reload schema" => Reload::Schema,
                    "reload config" => Reload::Config,
                    _ => continue,
                };
                if wishes.send(wish).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

async fn signals(wishes: mpsc::Sender<Reload>) -> Result<(), std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut schema = signal(SignalKind::user_defined1())?;
    let mut config = signal(SignalKind::user_defined2())?;
    loop {
        let wish = tokio::select! {
            _ = schema.recv() => Reload::Schema,
            _ = config.recv() => Reload::Config,
        };
        if wishes.send(wish).await.is_err() {
            return Ok(());
        }
    }
}

/// Loads the catalogue until it is there, and again whenever the database says `NOTIFY pgrst`; ends when dropped.
pub async fn keep_loaded(state: State) {
    if state.catalog().is_none() {
        reload_until_done(&state).await;
    }
    let (sender, mut wishes) = mpsc::channel(64);
    let listening = listen(state.clone(), sender);
    let loading = async {
        while wishes.recv().await.is_some() {
            while wishes.try_recv().is_ok() {}
            reload_until_done(&state).await;
        }
    };
    tokio::join!(listening, loading);
}

/// Carries out wishes one after the other; wishes that pile up meanwhile are carried out once.
async fn reloads(state: State, source: ConfigSource, mut wishes: mpsc::Receiver<Reload>) {
    while let Some(first) = wishes.recv().await {
        let mut all = vec![first];
        while let Ok(more) = wishes.try_recv() {
            all.push(more);
        }
        if all.contains(&Reload::Config) {
            match full_config(&source).await {
                Ok(config) => state.set_config(config),
                Err(error) => tracing::error!(%error, "the new configuration is not used"),
            }
        }
        if all.contains(&Reload::Schema) {
            reload_until_done(&state).await;
        }
    }
}

fn host(name: &str) -> &str {
    match name {
        "*" | "*4" | "!4" => "0.0.0.0",
        "*6" | "!6" => "::",
        host => host,
    }
}

/// Serves until `shutdown` turns true, then until the requests under way are answered. Reloads on SIGUSR1 and SIGUSR2.
///
/// # Errors
/// A configuration that cannot be used, an address that is taken.
pub async fn run(
    source: ConfigSource,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let ready = tokio::select! {
        ready = ready(source) => ready?,
        // A database that does not answer is waited for, but not after the end was asked for.
        () = stopped(&mut shutdown) => return Ok(()),
    };
    let stop = async move { stopped(&mut shutdown).await };
    match ready {
        (Socket::Unix(listener), app) => {
            axum::serve(listener, app).with_graceful_shutdown(stop).await?;
        }
        (Socket::Tcp(listener), app) => {
            // An answer must not wait for the acknowledgement of the one before.
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, app).with_graceful_shutdown(stop).await?;
        }
    }
    Ok(())
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Everything up to the first request: configuration, schema cache, reloading, the address.
async fn ready(source: ConfigSource) -> Result<(Socket, axum::Router), RunError> {
    let config = full_config(&source).await?;
    let state = State::new(config)?;
    let config = state.config();
    if config.jwt_keys_url.is_some() {
        crate::jwks::refresh(&state).await;
        tokio::spawn(crate::jwks::keep_fresh(state.clone()));
    }
    if let Some(port) = config.admin_server_port {
        let listener = TcpListener::bind((host(&config.admin_server_host), port)).await?;
        let admin = admin_router(state.clone());
        tokio::spawn(async move { axum::serve(listener, admin).await });
    }
    reload_until_done(&state).await;
    let (sender, receiver) = mpsc::channel(64);
    if config.db_channel_enabled {
        tokio::spawn(listen(state.clone(), sender.clone()));
    }
    tokio::spawn(signals(sender));
    tokio::spawn(reloads(state.clone(), source, receiver));
    let socket = listen_on(&config).await?;
    Ok((socket, router(state)))
}

async fn listen_on(config: &Config) -> Result<Socket, std::io::Error> {
    let Some(path) = &config.server_unix_socket else {
        let listener = TcpListener::bind((host(&config.server_host), config.server_port)).await?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        return Ok(Socket::Tcp(listener));
    };
    // A socket left behind by an earlier run.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(config.server_unix_socket_mode);
    std::fs::set_permissions(path, mode)?;
    tracing::info!(address = %path.display(), "listening");
    Ok(Socket::Unix(listener))
}

/// Whoever could ask for the end having gone counts as asking.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
