//! The login of the Data API: what it may do by itself (DA-32).
//!
//! Every policy is worthless if a request ever runs as a login that is above it. The login therefore has no rights but
//! that of becoming the callers' roles.

use tokio_postgres::types::{ToSql, Type};

use crate::config::Config;

/// The connected login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// What it may do that it must not, in words.
    pub powers: Vec<String>,
    /// The same of callers' roles, with their names.
    pub callers: Vec<(String, Vec<String>)>,
    /// Callers' roles that it cannot become.
    pub missing: Vec<String>,
}

/// Why the login could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No connection.
    #[error("the database of the Data API cannot be reached: {0}")]
    Unreachable(String),
    /// The database refused.
    #[error("the login of the Data API could not be examined: {0}")]
    Postgres(#[from] tokio_postgres::Error),
}

/// Looks at the login of `config`.
///
/// # Errors
/// [`LoginError`].
pub async fn login(config: &Config) -> Result<Login, LoginError> {
    let (client, _connection) = gatepost_postgres::connect(&config.db_uri)
        .await
        .map_err(|error| LoginError::Unreachable(error.to_string()))?;
    examine(&client, config).await.map_err(LoginError::from)
}

/// See [`login`].
pub(crate) async fn examine(
    client: &tokio_postgres::Client,
    config: &Config,
) -> Result<Login, tokio_postgres::Error> {
    const POWERS: &str = "
        SELECT r.rolname::text, coalesce(array_agg(p.power) FILTER (WHERE p.held), '{}'),
          r.rolname = current_user
        FROM pg_catalog.pg_roles r
        CROSS JOIN LATERAL (VALUES
            ('is a superuser', r.rolsuper),
            ('bypasses row level security', r.rolbypassrls),
            ('creates roles', r.rolcreaterole),
            ('owns tables that it serves', EXISTS (
                SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v') AND pg_has_role(r.oid, c.relowner, 'usage'))),
            ('reads tables of schema neon_auth', EXISTS (
                SELECT FROM pg_catalog.pg_class c
                WHERE c.relnamespace = to_regnamespace('neon_auth') AND c.relkind IN ('r', 'p')
                  -- Policies may ask these as the caller.
                  AND (r.rolname = current_user OR c.relname NOT IN ('member', 'organization', 'users_sync'))
                  AND has_table_privilege(r.oid, c.oid, 'select, insert, update, delete')))
        ) p (power, held)
        WHERE r.rolname = current_user OR r.rolname = ANY ($2)
        GROUP BY r.oid, r.rolname ORDER BY r.rolname";
    const MISSING: &str = "
        SELECT coalesce(array_agg(w.role), '{}') FROM unnest($1::text[]) w (role)
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles r
            WHERE r.rolname = w.role AND pg_has_role(current_user, r.oid, 'member'))";
    let texts = |texts| (texts as &(dyn ToSql + Sync), Type::TEXT_ARRAY);
    let mut login = Login::default();
    let callers = &config.safety.allowed_roles;
    for row in client.query_typed(POWERS, &[texts(&config.db_schemas), texts(callers)]).await? {
        let (name, powers): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
        if row.try_get(2)? {
            (login.name, login.powers) = (name, powers);
        } else if !powers.is_empty() {
            login.callers.push((name, powers));
        }
    }
    for row in client.query_typed(MISSING, &[texts(&config.safety.allowed_roles)]).await? {
        login.missing = row.try_get(0)?;
    }
    Ok(login)
}
