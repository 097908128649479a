//! What `--dump-config` and `--example` print.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::Source;
use super::values::secret_text;
use super::{Config, ConfigError, LogLevel, OpenApiMode, text};
use crate::ident::Name;

/// A file that names every setting, with its default.
pub const EXAMPLE: &str = include_str!("example.conf");

enum Shown {
    Text(String),
    Plain(String),
}

impl Shown {
    fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    fn maybe(value: Option<&str>) -> Self {
        Self::text(value.unwrap_or_default())
    }

    fn name(value: Option<&Name>) -> Self {
        Self::text(value.map_or_else(String::new, |name| match name.schema.as_str() {
            "" => name.name.clone(),
            schema => format!("{schema}.{}", name.name),
        }))
    }

    fn number<T: ToString>(value: Option<T>) -> Self {
        value.map_or_else(|| Self::text(""), |number| Self::Plain(number.to_string()))
    }

    fn plain<T: ToString + Copy>(value: T) -> Self {
        Self::Plain(value.to_string())
    }

    fn written(&self) -> String {
        match self {
            Self::Plain(value) => value.clone(),
            // A dollar would begin the name of a variable.
            Self::Text(value) => {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
                format!("\"{escaped}\"")
            }
        }
    }
}

/// The settings in force as a configuration file, in alphabetical order; `jwt-secret` and passwords included.
///
/// # Errors
/// As [`super::read`].
pub fn dump(
    path: Option<&Path>,
    environment: &BTreeMap<String, String>,
    database: &BTreeMap<String, String>,
) -> Result<String, ConfigError> {
    let text = text(path)?;
    let config = Config::parse(&text, environment, database)?;
    let (secret, base64) = secret_text(&Source::new(&text, environment, database)?)?;
    let secret = secret.map(|secret| String::from_utf8_lossy(&secret).into_owned());
    let mut all = settings(&config);
    all.extend(server_settings(&config));
    all.push(("jwt-secret", Shown::maybe(secret.as_deref())));
    all.push(("jwt-secret-is-base64", Shown::plain(base64)));
    let mut lines: Vec<String> =
        all.into_iter().map(|(key, value)| format!("{key} = {}\n", value.written())).collect();
    lines.extend(
        config
            .app_settings
            .iter()
            .map(|(key, value)| format!("{key} = {}\n", Shown::text(value.as_str()).written())),
    );
    lines.sort();
    Ok(lines.concat())
}

fn settings(config: &Config) -> Vec<(&'static str, Shown)> {
    let tx_end = match (config.db_tx_rollback, config.db_tx_allow_override) {
        (false, false) => "commit",
        (false, true) => "commit-allow-override",
        (true, false) => "rollback",
        (true, true) => "rollback-allow-override",
    };
    let openapi_mode = match config.openapi_mode {
        OpenApiMode::FollowPrivileges => "follow-privileges",
        OpenApiMode::IgnorePrivileges => "ignore-privileges",
        OpenApiMode::Disabled => "disabled",
    };
    vec![
        ("db-aggregates-enabled", Shown::plain(config.db_aggregates_enabled)),
        ("db-anon-role", Shown::maybe(config.db_anon_role.as_deref())),
        ("db-channel", Shown::text(config.db_channel.as_str())),
        ("db-channel-enabled", Shown::plain(config.db_channel_enabled)),
        ("db-config", Shown::plain(config.db_config)),
        ("db-extra-search-path", Shown::text(config.db_extra_search_path.join(","))),
        ("db-hoisted-tx-settings", Shown::text(config.db_hoisted_tx_settings.join(","))),
        ("db-max-rows", Shown::number(config.db_max_rows)),
        ("db-plan-enabled", Shown::plain(config.db_plan_enabled)),
        ("db-pool", Shown::plain(config.db_pool)),
        ("db-pool-acquisition-timeout", Shown::plain(config.db_pool_acquisition_timeout)),
        ("db-pool-automatic-recovery", Shown::plain(config.db_pool_automatic_recovery)),
        ("db-pool-max-idletime", Shown::plain(config.db_pool_max_idletime)),
        ("db-pool-max-lifetime", Shown::plain(config.db_pool_max_lifetime)),
        ("db-pre-config", Shown::name(config.db_pre_config.as_ref())),
        ("db-pre-request", Shown::name(config.db_pre_request.as_ref())),
        ("db-prepared-statements", Shown::plain(config.db_prepared_statements)),
        ("db-root-spec", Shown::name(config.db_root_spec.as_ref())),
        ("db-schemas", Shown::text(config.db_schemas.join(","))),
        ("db-tx-end", Shown::text(tx_end)),
        ("db-uri", Shown::text(config.db_uri_text.as_str())),
        ("jwt-aud", Shown::maybe(config.jwt_aud.as_deref())),
        ("jwt-cache-max-entries", Shown::plain(config.jwt_cache_max_entries)),
        ("jwt-role-claim-key", Shown::text(config.jwt_role_claim_key.as_str())),
        ("openapi-mode", Shown::text(openapi_mode)),
        ("openapi-security-active", Shown::plain(config.openapi_security_active)),
        ("openapi-server-proxy-uri", Shown::maybe(config.openapi_server_proxy_uri.as_deref())),
    ]
}

fn server_settings(config: &Config) -> Vec<(&'static str, Shown)> {
    let verbosity = if config.minimal_errors { "minimal" } else { "verbose" };
    let log_level = match config.log_level {
        LogLevel::Crit => "crit",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    let socket = |path: Option<&Path>| {
        Shown::text(path.map(|path| path.display().to_string()).unwrap_or_default())
    };
    let mode = |mode: u32| Shown::text(format!("{mode:o}"));
    vec![
        ("admin-server-host", Shown::text(config.admin_server_host.as_str())),
        ("admin-server-port", Shown::number(config.admin_server_port)),
        ("admin-server-unix-socket", socket(config.admin_server_unix_socket.as_deref())),
        ("admin-server-unix-socket-mode", mode(config.admin_server_unix_socket_mode)),
        ("client-error-verbosity", Shown::text(verbosity)),
        ("log-level", Shown::text(log_level)),
        ("log-query", Shown::plain(config.log_query)),
        ("server-cors-allowed-origins", Shown::text(config.server_cors_allowed_origins.join(","))),
        ("server-host", Shown::text(config.server_host.as_str())),
        ("server-port", Shown::plain(config.server_port)),
        ("server-reuseport", Shown::plain(config.server_reuseport)),
        ("server-timing-enabled", Shown::plain(config.server_timing_enabled)),
        ("server-trace-header", Shown::maybe(config.server_trace_header.as_deref())),
        ("server-unix-socket", socket(config.server_unix_socket.as_deref())),
        ("server-unix-socket-mode", mode(config.server_unix_socket_mode)),
        ("url-use-legacy-target-names", Shown::plain(config.url_use_legacy_target_names)),
    ]
}
