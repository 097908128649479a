//! From the text of a configuration file, variables and settings in the database to a [`Config`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ClaimPath, Config, ConfigError, OpenApiMode, RoleSettings, Safety, file};
use crate::ident::Name;
use crate::verify::Keys;

/// One setting from three places: the database, the environment, the file.
struct Source<'a> {
    database: &'a BTreeMap<String, String>,
    environment: &'a BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl Source<'_> {
    fn raw(&self, key: &str) -> Option<&str> {
        let variable = format!("PGRST_{}", key.to_uppercase().replace('-', "_"));
        self.database
            .get(key)
            .or_else(|| self.environment.get(&variable))
            .or_else(|| self.file.get(key))
            .map(String::as_str)
    }

    fn text(&self, key: &str) -> Option<String> {
        self.raw(key).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn text_or(&self, key: &str, alias: &str) -> Option<String> {
        self.text(key).or_else(|| self.text(alias))
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        let Some(text) = self.raw(key) else { return default };
        let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
        match letters.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => text.trim().parse::<i64>().map_or(default, |number| number > 0),
        }
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.raw(key)?.trim().parse().ok()
    }

    fn list(&self, key: &str) -> Option<Vec<String>> {
        self.raw(key).map(commas)
    }

    fn app_settings(&self) -> Vec<(String, String)> {
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in self.file.iter().filter(|(key, _)| key.starts_with("app.settings.")) {
            settings.insert(key.clone(), value.clone());
        }
        for (key, value) in self.environment {
            if let Some(name) = key.strip_prefix("PGRST_APP_SETTINGS_") {
                settings.insert(format!("app.settings.{name}"), value.clone());
            }
        }
        settings.into_iter().collect()
    }
}

fn commas(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(message.into()))
}

impl Config {
    /// Parses the text of a configuration file. Files named by `@path` are read.
    pub fn parse(
        text: &str,
        environment: &BTreeMap<String, String>,
        database: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let source = Source { database, environment, file: file::parse(text, environment)? };
        let (db_tx_rollback, db_tx_allow_override) = tx_end(&source)?;
        let (jwt_keys, jwt_keys_url) = secret(&source)?;
        let server_port = source.number("server-port").unwrap_or(3000);
        let server_host = source.text("server-host").unwrap_or_else(|| "!4".to_owned());
        let admin_server_port = source.number("admin-server-port");
        if admin_server_port == Some(server_port) {
            return invalid("admin-server-port cannot be the same as server-port");
        }
        Ok(Self {
            app_settings: source.app_settings(),
            minimal_errors: match source.text("client-error-verbosity").as_deref() {
                None | Some("verbose") => false,
                Some("minimal") => true,
                Some(_) => {
                    return invalid("Invalid client-error-verbosity. Check your configuration.");
                }
            },
            db_aggregates_enabled: source.flag("db-aggregates-enabled", false),
            db_anon_role: source.text("db-anon-role"),
            db_channel: source.text("db-channel").unwrap_or_else(|| "pgrst".to_owned()),
            db_channel_enabled: source.flag("db-channel-enabled", true),
            db_config: source.flag("db-config", true),
            db_extra_search_path: source
                .list("db-extra-search-path")
                .unwrap_or_else(|| vec!["public".to_owned()]),
            db_hoisted_tx_settings: source.text("db-hoisted-tx-settings").map_or_else(
                || {
                    [
                        "statement_timeout",
                        "plan_filter.statement_cost_limit",
                        "default_transaction_isolation",
                    ]
                    .map(str::to_owned)
                    .to_vec()
                },
                |text| commas(&text),
            ),
            db_max_rows: source.number("db-max-rows").or_else(|| source.number("max-rows")),
            db_plan_enabled: source.flag("db-plan-enabled", false),
            db_pool: source.number("db-pool").unwrap_or(10),
            db_pool_acquisition_timeout: source.number("db-pool-acquisition-timeout").unwrap_or(10),
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
            db_uri: db_uri(&source)?,
            jwt_keys,
            jwt_keys_url,
            jwt_aud: jwt_aud(&source)?,
            jwt_role_claim_key: match source.text_or("jwt-role-claim-key", "role-claim-key") {
                None => ClaimPath::default(),
                Some(text) => ClaimPath::parse(&text)?,
            },
            jwt_cache_max_entries: source.number("jwt-cache-max-entries").unwrap_or(1000),
            log_level: log_level(&source)?,
            openapi_mode: match source.text("openapi-mode").as_deref() {
                None | Some("follow-privileges") => OpenApiMode::FollowPrivileges,
                Some("ignore-privileges") => OpenApiMode::IgnorePrivileges,
                Some("disabled") => OpenApiMode::Disabled,
                Some(_) => return invalid("Invalid openapi-mode. Check your configuration."),
            },
            openapi_security_active: source.flag("openapi-security-active", false),
            openapi_server_proxy_uri: proxy_uri(&source)?,
            server_cors_allowed_origins: source
                .list("server-cors-allowed-origins")
                .unwrap_or_default(),
            server_port,
            server_trace_header: source.text("server-trace-header"),
            server_timing_enabled: source.flag("server-timing-enabled", false),
            server_unix_socket: source.text("server-unix-socket").map(PathBuf::from),
            server_unix_socket_mode: socket_mode(&source)?,
            url_use_legacy_target_names: source.flag("url-use-legacy-target-names", true),
            admin_server_host: source
                .text("admin-server-host")
                .unwrap_or_else(|| server_host.clone()),
            server_host,
            admin_server_port,
            role_settings: RoleSettings::default(),
            safety: Safety::default(),
            max_body: 50 * 1024 * 1024,
        })
    }
}

fn schemas(source: &Source<'_>) -> Result<Vec<String>, ConfigError> {
    let schemas = match source.text_or("db-schemas", "db-schema") {
        None => vec!["public".to_owned()],
        Some(text) => commas(&text),
    };
    for hidden in ["pg_catalog", "information_schema", "neon_auth"] {
        if schemas.iter().any(|schema| schema == hidden) {
            return invalid(format!("db-schemas does not allow schema: '{hidden}'"));
        }
    }
    if schemas.is_empty() { invalid("db-schemas is empty") } else { Ok(schemas) }
}

fn tx_end(source: &Source<'_>) -> Result<(bool, bool), ConfigError> {
    match source.text("db-tx-end").as_deref() {
        None | Some("commit") => Ok((false, false)),
        Some("commit-allow-override") => Ok((false, true)),
        Some("rollback") => Ok((true, false)),
        Some("rollback-allow-override") => Ok((true, true)),
        Some(_) => invalid("Invalid transaction termination. Check your configuration."),
    }
}

fn read_file(path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError(format!("{path}: {error}")))
}

fn db_uri(source: &Source<'_>) -> Result<String, ConfigError> {
    let uri = source.text("db-uri").unwrap_or_else(|| "postgresql://".to_owned());
    match uri.strip_prefix('@') {
        None => Ok(uri),
        Some(path) => Ok(read_file(path)?.trim().to_owned()),
    }
}

fn secret(source: &Source<'_>) -> Result<(Option<Keys>, Option<String>), ConfigError> {
    let Some(mut text) = source.text("jwt-secret") else { return Ok((None, None)) };
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok((None, Some(text)));
    }
    if let Some(path) = text.strip_prefix('@') {
        let content = read_file(path)?;
        text = content.strip_suffix('\n').unwrap_or(&content).to_owned();
    }
    let base64 =
        source.flag("jwt-secret-is-base64", false) || source.flag("secret-is-base64", false);
    Keys::from_secret(&text, base64).map(|keys| (Some(keys), None)).map_err(ConfigError)
}

fn jwt_aud(source: &Source<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = source.text("jwt-aud") else { return Ok(None) };
    // RFC 7519 section 2: a StringOrURI with a colon must be a URI.
    if let Some((scheme, rest)) = text.split_once(':') {
        let scheme_fits = scheme.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !scheme_fits || rest.chars().any(|c| c.is_whitespace() || "<>\"{}|\\^`".contains(c)) {
            return invalid("jwt-aud should be a string or a valid URI");
        }
    }
    Ok(Some(text))
}

fn log_level(source: &Source<'_>) -> Result<String, ConfigError> {
    let level = source.text("log-level").unwrap_or_else(|| "error".to_owned());
    if ["crit", "error", "warn", "info", "debug"].contains(&level.as_str()) {
        Ok(level)
    } else {
        invalid("Invalid logging level. Check your configuration.")
    }
}

fn proxy_uri(source: &Source<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = source.text("openapi-server-proxy-uri") else { return Ok(None) };
    let fits = text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    if fits {
        Ok(Some(text))
    } else {
        invalid("Malformed proxy uri, a correct example: https://example.com:8443/basePath")
    }
}

fn socket_mode(source: &Source<'_>) -> Result<u32, ConfigError> {
    let Some(text) = source.text("server-unix-socket-mode") else { return Ok(0o660) };
    match u32::from_str_radix(&text, 8) {
        Err(_) => invalid("Invalid server-unix-socket-mode: not an octal"),
        Ok(mode) if (0o600..=0o777).contains(&mode) => Ok(mode),
        Ok(_) => invalid("Invalid server-unix-socket-mode: needs to be between 600 and 777"),
    }
}
