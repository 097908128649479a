//! Configuration kept in the database: `ALTER ROLE authenticator SET pgrst.…`, a pre-config function, role settings.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Config;

const NAMES: [&str; 25] = [
    "client_error_verbosity",
    "db_aggregates_enabled",
    "db_anon_role",
    "db_extra_search_path",
    "db_hoisted_tx_settings",
    "db_max_rows",
    "db_plan_enabled",
    "db_pre_config",
    "db_pre_request",
    "db_prepared_statements",
    "db_root_spec",
    "db_schemas",
    "db_tx_end",
    "jwt_aud",
    "jwt_cache_max_lifetime",
    "jwt_role_claim_key",
    "jwt_secret",
    "jwt_secret_is_base64",
    "openapi_mode",
    "openapi_security_active",
    "openapi_server_proxy_uri",
    "server_cors_allowed_origins",
    "server_timing_enabled",
    "server_trace_header",
    "url_use_legacy_target_names",
];

/// Settings per impersonated role, and its isolation level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSettings {
    /// Settings by role.
    pub settings: HashMap<String, Vec<(String, String)>>,
    /// `default_transaction_isolation` by role.
    pub isolation: HashMap<String, String>,
}

/// Settings of the login role, those for this database first, then what the pre-config function set.
pub async fn settings(
    client: &Client,
    config: &Config,
) -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
    let names: Vec<String> = NAMES.iter().map(|name| format!("pgrst.{name}")).collect();
    let mut found = BTreeMap::new();
    if let Some(function) = &config.db_pre_config {
        let query =
            format!("SELECT x, current_setting(x, true) FROM {function}() _, unnest($1::text[]) x");
        for row in client.query_typed(&query, &[(&names, Type::TEXT_ARRAY)]).await? {
            if let (Ok(name), Ok(Some(value))) =
                (row.try_get::<_, String>(0), row.try_get::<_, Option<String>>(1))
            {
                found.insert(name, value);
            }
        }
    }
    // Ascending by database, so that settings for this database win.
    let query = "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)
        FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) s
        WHERE r.setrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
          AND r.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
          AND split_part(s, '=', 1) = ANY($1)
        ORDER BY r.setdatabase";
    for row in client.query_typed(query, &[(&names, Type::TEXT_ARRAY)]).await? {
        found.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(found
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("pgrst.")?.replace('_', "-"), value)))
        .collect())
}

/// Settings of the roles the login role may become, as far as it may set them.
pub async fn role_settings(client: &Client) -> Result<RoleSettings, tokio_postgres::Error> {
    let version = client.query_typed("SELECT current_setting('server_version_num')", &[]).await?;
    let version: String =
        version.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    // GRANT SET ON PARAMETER exists since version 15.
    let granted = if version.parse::<u32>().is_ok_and(|version| version >= 150_000) {
        "OR has_parameter_privilege(current_user, p.name, 'set')"
    } else {
        ""
    };
    let query = format!(
        "SELECT r.rolname, split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)
         FROM pg_catalog.pg_auth_members m
         JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
         CROSS JOIN unnest(r.rolconfig) s
         JOIN pg_catalog.pg_settings p ON p.name = split_part(s, '=', 1) AND (p.context = 'user' {granted})
         WHERE m.member = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    );
    let mut found = RoleSettings::default();
    for row in client.query_typed(&query, &[]).await? {
        let (role, name, value): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if name == "default_transaction_isolation" {
            found.isolation.insert(role, value);
        } else {
            found.settings.entry(role).or_default().push((name, value));
        }
    }
    Ok(found)
}
