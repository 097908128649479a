//! From the text of a configuration file, variables and settings in the database to a [`Config`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::source::Source;
use super::values::{
    db_uri, hoisted, invalid, jwt_aud, log_level, minimal_errors, openapi_mode, proxy_uri, schemas,
    secret, socket_mode, tx_end,
};
use super::{ClaimPath, Config, ConfigError, RoleSettings, Safety, connection};
use crate::ident::Name;

impl Config {
    /// Parses the text of a configuration file. Files named by `@path` are read.
    pub fn parse(
        text: &str,
        environment: &BTreeMap<String, String>,
        database: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let source = Source::new(text, environment, database)?;
        let (db_tx_rollback, db_tx_allow_override) = tx_end(&source)?;
        let (jwt_keys, jwt_keys_url) = secret(&source)?;
        let uri = db_uri(&source)?;
        let server_port = source.number("server-port").unwrap_or(3000);
        let server_host = source.text("server-host").unwrap_or_else(|| "!4".to_owned());
        let admin_server_port = source.number("admin-server-port");
        if admin_server_port == Some(server_port) {
            return invalid("admin-server-port cannot be the same as server-port");
        }
        Ok(Self {
            app_settings: source.app_settings(),
            minimal_errors: minimal_errors(&source)?,
            db_aggregates_enabled: source.flag("db-aggregates-enabled", false),
            db_anon_role: source.text("db-anon-role"),
            db_channel: source.text("db-channel").unwrap_or_else(|| "pgrst".to_owned()),
            db_channel_enabled: source.flag("db-channel-enabled", true),
            db_config: source.flag("db-config", true),
            db_extra_search_path: source
                .list("db-extra-search-path")
                .unwrap_or_else(|| vec!["public".to_owned()]),
            db_hoisted_tx_settings: hoisted(&source),
            db_max_rows: source.number("db-max-rows").or_else(|| source.number("max-rows")),
            db_plan_enabled: source.flag("db-plan-enabled", false),
            db_pool: source.number("db-pool").unwrap_or(10),
            db_pool_acquisition_timeout: source.number("db-pool-acquisition-timeout").unwrap_or(10),
            db_pool_automatic_recovery: source.flag("db-pool-automatic-recovery", true),
            db_pool_max_idletime: source
                .number("db-pool-timeout")
                .or_else(|| source.number("db-pool-max-idletime"))
                .unwrap_or(30),
            db_pool_max_lifetime: source.number("db-pool-max-lifetime").unwrap_or(1800),
            db_pre_config: source.text("db-pre-config").map(|text| Name::from_setting(&text)),
            db_pre_request: source
                .text_or("db-pre-request", "pre-request")
                .map(|text| Name::from_setting(&text)),
            db_prepared_statements: source.flag("db-prepared-statements", true),
            db_root_spec: source
                .text_or("db-root-spec", "root-spec")
                .map(|text| Name::from_setting(&text)),
            db_schemas: schemas(&source)?,
            db_tx_allow_override,
            db_tx_rollback,
            db_uri: connection::complete(&uri, environment)?,
            db_uri_text: uri,
            jwt_keys,
            jwt_keys_url,
            jwt_aud: jwt_aud(&source)?,
            jwt_role_claim_key: match source.text_or("jwt-role-claim-key", "role-claim-key") {
                None => ClaimPath::default(),
                Some(text) => ClaimPath::parse(&text)?,
            },
            jwt_cache_max_entries: source.number("jwt-cache-max-entries").unwrap_or(1000),
            log_level: log_level(&source)?,
            log_query: source.flag("log-query", false),
            openapi_mode: openapi_mode(&source)?,
            openapi_security_active: source.flag("openapi-security-active", false),
            openapi_server_proxy_uri: proxy_uri(&source)?,
            server_cors_allowed_origins: source
                .list("server-cors-allowed-origins")
                .unwrap_or_default(),
            server_port,
            server_reuseport: source.flag("server-reuseport", false),
            server_trace_header: source.text("server-trace-header"),
            server_timing_enabled: source.flag("server-timing-enabled", false),
            server_unix_socket: source.text("server-unix-socket").map(PathBuf::from),
            server_unix_socket_mode: socket_mode(&source, "server-unix-socket-mode")?,
            url_use_legacy_target_names: source.flag("url-use-legacy-target-names", true),
            admin_server_host: source
                .text("admin-server-host")
                .unwrap_or_else(|| server_host.clone()),
            server_host,
            admin_server_port,
            admin_server_unix_socket: source.text("admin-server-unix-socket").map(PathBuf::from),
            admin_server_unix_socket_mode: socket_mode(&source, "admin-server-unix-socket-mode")?,
            role_settings: RoleSettings::default(),
            safety: Safety::default(),
            max_body: 50 * 1024 * 1024,
        })
    }
}
