//! Pools and single connections.

use std::{future::poll_fn, path::PathBuf, time::Duration};

use deadpool::{Runtime, managed};
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use percent_encoding::percent_decode_str;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_postgres::{
    AsyncMessage, Client, Config, Notification,
    config::{Host, SslMode},
};

use crate::{
    Error,
    tls::{Tls, Trust},
};

/// A pool of connections to one database. `pool.get().await` gives one; dropping it gives it back.
pub type Pool = deadpool_postgres::Pool;

/// How a [`Pool`] behaves.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Connections at most.
    pub max_size: usize,
    /// What `pg_stat_activity` shows, where the URL gives no `application_name`.
    pub application_name: String,
    /// For opening one connection, TLS and sign-in included.
    pub connect_timeout: Duration,
    /// For waiting until a connection is free.
    pub wait_timeout: Duration,
    /// Ends any statement that takes longer, as the startup option `-c statement_timeout`. Connection poolers such as
    /// `PgBouncer` refuse startup options: `None` sends none.
    pub statement_timeout: Option<Duration>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_size: 16,
            application_name: "gatepost".to_owned(),
            connect_timeout: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(5),
            statement_timeout: None,
        }
    }
}

impl PoolOptions {
    /// Where the URL leads, with these options.
    pub(crate) fn target(&self, url: &str) -> Result<Target, Error> {
        let mut target = target(url, &self.application_name, self.connect_timeout)?;
        if let Some(timeout) = self.statement_timeout {
            let config = &mut target.config;
            let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
            config.options(format!("{given}-c statement_timeout={}", timeout.as_millis()));
        }
        Ok(target)
    }
}

/// Makes a pool; connects only when a connection is asked for.
///
/// The URL is libpq's, `host=/directory` and `postgres://user@%2Fdirectory/database` for Unix sockets included. About `sslmode`:
/// `prefer` (as libpq, the default) encrypts where the server can, without looking at its certificate; `require`, `verify-ca` and
/// `verify-full` all demand TLS with a certificate that the operating system trusts, for the right host name. `sslrootcert=FILE`
/// trusts the certificates of that PEM file instead.
///
/// # Errors
/// [`Error::Url`] for a URL that cannot be read.
pub fn pool(url: &str, options: &PoolOptions) -> Result<Pool, Error> {
    let Target { config, trust } = options.target(url)?;
    // Fast: a closed connection is noticed without a round trip, since the socket's end wakes its task.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    build(Manager::from_config(config, Tls::new(trust), recycling), options)
}

/// A pool of what the manager makes, with these options.
pub(crate) fn build<M: managed::Manager>(
    manager: M,
    options: &PoolOptions,
) -> Result<managed::Pool<M>, Error> {
    managed::Pool::builder(manager)
        .max_size(options.max_size.max(1))
        .runtime(Runtime::Tokio1)
        .create_timeout(Some(options.connect_timeout))
        .wait_timeout(Some(options.wait_timeout))
        .build()
        .map_err(|error| Error::Url(error.to_string()))
}

/// One connection of its own, for migrations and set-up. It ends when the client is dropped.
///
/// # Errors
/// [`Error::Url`]; [`Error::Postgres`] when the server refuses; [`Error::Timeout`] after 10 s.
pub async fn connect(url: &str) -> Result<(Client, JoinHandle<()>), Error> {
    let (client, mut connection) = open(url).await?;
    let task = tokio::spawn(async move {
        if let Err(error) =
            poll_fn(|context| std::pin::Pin::new(&mut connection).poll(context)).await
        {
            tracing::debug!(%error, "connection to Postgres ended");
        }
    });
    Ok((client, task))
}

/// A connection of its own that listens on channels. The receiver ends when the connection does: then connect again. The client
/// must be kept as long as notifications are wanted.
///
/// # Errors
/// As [`connect`].
pub async fn listen(
    url: &str,
    channels: &[&str],
) -> Result<(Client, mpsc::UnboundedReceiver<Notification>), Error> {
    let (client, mut connection) = open(url).await?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    if sender.send(notification).is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "listening connection to Postgres ended");
                    return;
                }
                None => return,
            }
        }
    });
    for channel in channels {
        client.batch_execute(&format!("LISTEN \"{}\"", channel.replace('"', "\"\""))).await?;
    }
    Ok((client, receiver))
}

type Connection = tokio_postgres::Connection<
    tokio_postgres::Socket,
    <Tls as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream,
>;

async fn open(url: &str) -> Result<(Client, Connection), Error> {
    let limit = Duration::from_secs(10);
    let Target { config, trust } = target(url, "gatepost", limit)?;
    match tokio::time::timeout(limit, config.connect(Tls::new(trust))).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(Error::Timeout(limit.as_secs())),
    }
}

#[cfg(test)]
mod tests;

/// A database and which certificates prove it.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
}

/// Reads a URL. `sslmode=verify-*` and `sslrootcert` are libpq's but unknown to the driver: they are taken out here.
fn target(url: &str, application_name: &str, connect_timeout: Duration) -> Result<Target, Error> {
    let mut root = None;
    let plain = match url.split_once('?') {
        Some((base, query))
            if url.starts_with("postgres://") || url.starts_with("postgresql://") =>
        {
            let mut kept = Vec::new();
            for pair in query.split('&') {
                match pair.split_once('=') {
                    Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
                    Some(("sslmode", "allow")) => kept.push("sslmode=prefer"),
                    Some(("sslrootcert", "system")) => {}
                    Some(("sslrootcert", path)) => {
                        root = Some(PathBuf::from(
                            percent_decode_str(path).decode_utf8_lossy().into_owned(),
                        ))
                    }
                    _ => kept.push(pair),
                }
            }
            format!("{base}?{}", kept.join("&"))
        }
        _ => url.to_owned(),
    };
    let mut config: Config =
        plain.trim_end_matches('?').parse().map_err(|error: tokio_postgres::Error| {
            Error::Url(
                std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string),
            )
        })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(Error::Url("it names no host".to_owned()));
    }
    if config.get_application_name().is_none() {
        config.application_name(application_name);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(connect_timeout);
    }
    // A server that vanished without a word (power, network) is given up after about 20 s, not after two hours.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(15));
    }
    config
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3);
    let trust = match (root, config.get_ssl_mode()) {
        (Some(path), _) => Trust::File(path),
        (None, SslMode::Require) => Trust::Platform,
        (None, _) => Trust::Anybody,
    };
    // Postgres has no TLS on Unix sockets: asking for it there would only fail.
    if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)))
        && config.get_hostaddrs().is_empty()
    {
        config.ssl_mode(SslMode::Disable);
    }
    Ok(Target { config, trust })
}
