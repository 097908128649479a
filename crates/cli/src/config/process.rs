//! Settings of the process around the auth server.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use url::Url;

use super::DataApi;

/// Settings of the process around the auth server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Process {
    /// Address and port of the API.
    pub(crate) listen: SocketAddr,
    /// Address and port of `/metrics`; unset: on `listen`, for callers on this machine alone.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Postgres, as the server uses it: a role without the right to change tables will do.
    pub(crate) database_url: DatabaseUrl,
    /// Postgres, as `gatepost migrate` uses it: the role that owns the tables; unset: `database_url`.
    pub(crate) migration_database_url: Option<DatabaseUrl>,
    /// Connections to Postgres at most.
    pub(crate) pool_size: usize,
    /// Connections from clients at most; more have to wait.
    pub(crate) max_connections: usize,
    /// Threads that answer requests; 0: as many as there are processors.
    pub(crate) workers: usize,
    /// Seconds that requests under way get to end after SIGTERM.
    pub(crate) shutdown_timeout: u64,
    /// Log lines.
    pub(crate) log: Log,
    /// Traces.
    pub(crate) telemetry: Telemetry,
    /// The Data API within the server.
    pub(crate) data_api: DataApi,
}

/// The keys of [`Process`]: all others are the auth server's.
pub(super) const KEYS: &[&str] = &[
    "listen",
    "metrics_listen",
    "database_url",
    "migration_database_url",
    "pool_size",
    "max_connections",
    "workers",
    "shutdown_timeout",
    "log",
    "telemetry",
    "data_api",
];

impl Default for Process {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            metrics_listen: None,
            database_url: DatabaseUrl::default(),
            migration_database_url: None,
            pool_size: 16,
            max_connections: 10_000,
            workers: 0,
            shutdown_timeout: 30,
            log: Log::default(),
            telemetry: Telemetry::default(),
            data_api: DataApi::default(),
        }
    }
}

/// Log lines.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// For people, or one JSON object per line.
    pub(crate) format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`; by module: `info,gatepost_auth=debug`.
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: "info".to_owned() }
    }
}

/// See [`Log`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// For machines.
    Json,
}

/// Traces.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// Where OpenTelemetry traces go by OTLP over http, such as `http://127.0.0.1:4318/v1/traces`; unset: nowhere.
    pub(crate) otlp_endpoint: Option<Url>,
}

/// The URL of a database. Never shows its password.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The database it names.
    pub(crate) fn database(&self) -> Option<String> {
        // `sslmode=verify-full` and its like are not known to the driver's parser.
        let plain = match self.0.split_once('?') {
            Some((base, _)) if self.0.contains("://") => base,
            _ => &self.0,
        };
        let config: tokio_postgres::Config = plain.parse().ok()?;
        config.get_dbname().or(config.get_user()).map(str::to_owned)
    }

    /// The URL without password and without parameters that could be one.
    pub(crate) fn redacted(&self) -> String {
        match Url::parse(&self.0) {
            Ok(mut url) if url.password().is_some() => {
                // Fails for URLs that cannot have a password only.
                let _ = url.set_password(Some("hidden"));
                redact_query(url)
            }
            Ok(url) => redact_query(url),
            Err(_) if self.0.is_empty() => String::new(),
            Err(_) => "(hidden)".to_owned(),
        }
    }
}

fn redact_query(mut url: Url) -> String {
    if url.query_pairs().any(|(key, _)| key.to_ascii_lowercase().contains("pass")) {
        url.set_query(None);
    }
    url.into()
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}
