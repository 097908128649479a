//! PostgREST's configuration, read unchanged: file, `PGRST_*` variables, settings in the database.
//!
//! The environment is an argument: only the program reads it.

mod claim_path;
mod connection;
pub mod database;
mod door;
mod dump;
mod file;
mod parse;
mod password_file;
mod safety;
mod source;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use claim_path::ClaimPath;
pub(crate) use connection::for_writing;
pub use database::RoleSettings;
pub use door::DoorSettings;
pub use dump::{EXAMPLE, dump};
pub use safety::{RoleLimits, Safety};

use crate::ident::Name;
use crate::verify::Keys;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error in config: {0}")]
pub struct ConfigError(pub String);

/// `openapi-mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenApiMode {
    /// Show what the role may use.
    FollowPrivileges,
    /// Show everything exposed.
    IgnorePrivileges,
    /// Show nothing.
    Disabled,
}

/// `log-level`: which requests have a line in the log. Each level has what the one before has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// None.
    Crit,
    /// Status 500 and above.
    Error,
    /// Status 400 and above.
    Warn,
    /// All.
    Info,
    /// All, and what happens inside.
    Debug,
}

/// Configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `app.settings.*`
    pub app_settings: Vec<(String, String)>,
    /// `client-error-verbosity = minimal`
    pub minimal_errors: bool,
    /// `db-aggregates-enabled`
    pub db_aggregates_enabled: bool,
    /// `db-anon-role`
    pub db_anon_role: Option<String>,
    /// `db-channel`
    pub db_channel: String,
    /// `db-channel-enabled`
    pub db_channel_enabled: bool,
    /// `db-config`
    pub db_config: bool,
    /// `db-extra-search-path`
    pub db_extra_search_path: Vec<String>,
    /// `db-hoisted-tx-settings`
    pub db_hoisted_tx_settings: Vec<String>,
    /// `db-max-rows`
    pub db_max_rows: Option<i64>,
    /// `db-plan-enabled`
    pub db_plan_enabled: bool,
    /// `db-pool`
    pub db_pool: usize,
    /// `db-pool-acquisition-timeout`, seconds
    pub db_pool_acquisition_timeout: u64,
    /// `db-pool-automatic-recovery`
    pub db_pool_automatic_recovery: bool,
    /// `db-pool-max-idletime`, seconds
    pub db_pool_max_idletime: u64,
    /// `db-pool-max-lifetime`, seconds
    pub db_pool_max_lifetime: u64,
    /// `db-pre-config`
    pub db_pre_config: Option<Name>,
    /// `db-pre-request`
    pub db_pre_request: Option<Name>,
    /// `db-prepared-statements`
    pub db_prepared_statements: bool,
    /// `db-root-spec`
    pub db_root_spec: Option<Name>,
    /// `db-schemas`, at least one
    pub db_schemas: Vec<String>,
    /// `db-tx-end` allows `Prefer: tx=`
    pub db_tx_allow_override: bool,
    /// `db-tx-end = rollback…`
    pub db_tx_rollback: bool,
    /// `db-uri`, completed by libpq's variables and the password file: a URL
    pub db_uri: String,
    /// `db-uri` as it was given
    pub db_uri_text: String,
    /// Keys of `jwt-secret`
    pub jwt_keys: Option<Keys>,
    /// `jwt-secret` when it is the URL of a key set
    pub jwt_keys_url: Option<String>,
    /// `jwt-aud`
    pub jwt_aud: Option<String>,
    /// `jwt-role-claim-key`
    pub jwt_role_claim_key: ClaimPath,
    /// `jwt-cache-max-entries`
    pub jwt_cache_max_entries: usize,
    /// `log-level`
    pub log_level: LogLevel,
    /// `log-query`
    pub log_query: bool,
    /// `openapi-mode`
    pub openapi_mode: OpenApiMode,
    /// `openapi-security-active`
    pub openapi_security_active: bool,
    /// `openapi-server-proxy-uri`
    pub openapi_server_proxy_uri: Option<String>,
    /// `server-cors-allowed-origins`, empty for any
    pub server_cors_allowed_origins: Vec<String>,
    /// `server-host`
    pub server_host: String,
    /// `server-port`
    pub server_port: u16,
    /// `server-reuseport`
    pub server_reuseport: bool,
    /// `server-trace-header`
    pub server_trace_header: Option<String>,
    /// `server-timing-enabled`
    pub server_timing_enabled: bool,
    /// `server-unix-socket`
    pub server_unix_socket: Option<PathBuf>,
    /// `server-unix-socket-mode`, as in chmod
    pub server_unix_socket_mode: u32,
    /// `url-use-legacy-target-names`
    pub url_use_legacy_target_names: bool,
    /// `admin-server-host`
    pub admin_server_host: String,
    /// `admin-server-port`
    pub admin_server_port: Option<u16>,
    /// `admin-server-unix-socket`
    pub admin_server_unix_socket: Option<PathBuf>,
    /// `admin-server-unix-socket-mode`, as in chmod
    pub admin_server_unix_socket_mode: u32,
    /// Settings of impersonated roles, from the database.
    pub role_settings: RoleSettings,
    /// Refusals beyond PostgREST's.
    pub safety: Safety,
    /// Largest request body, bytes.
    pub max_body: usize,
}

impl Config {
    /// Rows in an answer to `role` at most.
    pub(crate) fn max_rows(&self, role: &str) -> Option<i64> {
        let own = self.safety.roles.get(role).and_then(|limits| limits.max_rows);
        own.map(i64::from).or(self.db_max_rows)
    }
}

/// Reads the configuration file at `path`, if any; `environment` and `database` settings win over it.
pub fn read(
    path: Option<&Path>,
    environment: &BTreeMap<String, String>,
    database: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    Config::parse(&text(path)?, environment, database)
}

fn text(path: Option<&Path>) -> Result<String, ConfigError> {
    match path {
        None => Ok(String::new()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display()))),
    }
}
