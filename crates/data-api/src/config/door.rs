//! The configuration of the door within the server.

use std::collections::BTreeMap;

use super::values::invalid;
use super::{Config, ConfigError, RoleLimits, Safety};

/// What the door within the server is told; everything else is PostgREST's default.
#[derive(Clone, Debug)]
pub struct DoorSettings {
    /// Login of the Data API: may become the two roles, and has no right of its own.
    pub db_uri: String,
    /// Schemas whose tables and functions are served; the first is the default.
    pub schemas: Vec<String>,
    /// Schemas whose functions and types may be named without their schema.
    pub extra_search_path: Vec<String>,
    /// Connections at most.
    pub pool_size: usize,
    /// Whether statements are prepared on connections: off behind a pooler that does not carry them over.
    pub prepared_statements: bool,
    /// Rows in an answer at most, unless a role has a limit of its own.
    pub max_rows: u32,
    /// Bytes of a request body at most, of every role.
    pub max_body: usize,
    /// Whether `select=amount.sum()` and its like are answered.
    pub aggregates: bool,
    /// Origins of browsers that may read answers; empty: all. No cookie is ever read.
    pub allowed_origins: Vec<String>,
    /// Roles for which tables without Row Level Security do not exist.
    pub row_security_required_for: Vec<String>,
    /// Of callers with an anonymous token.
    pub anonymous: RoleLimits,
    /// Of callers who are signed in.
    pub authenticated: RoleLimits,
    /// Further roles that tokens may name.
    pub roles: BTreeMap<String, RoleLimits>,
}

impl DoorSettings {
    /// The defaults, over a database.
    #[must_use]
    pub fn new(db_uri: &str, schemas: &[String]) -> Self {
        Self {
            db_uri: db_uri.to_owned(),
            schemas: schemas.to_vec(),
            extra_search_path: vec!["public".to_owned()],
            pool_size: 10,
            prepared_statements: true,
            max_rows: 1000,
            max_body: 1024 * 1024,
            aggregates: false,
            allowed_origins: Vec::new(),
            row_security_required_for: vec!["anonymous".to_owned()],
            anonymous: RoleLimits::ANONYMOUS,
            authenticated: RoleLimits::AUTHENTICATED,
            roles: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Configuration of the door within the server: strict.
    ///
    /// # Errors
    /// A schema that is never exposed; a role that is said twice.
    pub fn door(settings: &DoorSettings) -> Result<Self, ConfigError> {
        let mut roles = settings.roles.clone();
        for (role, limits) in
            [("anonymous", settings.anonymous), ("authenticated", settings.authenticated)]
        {
            if roles.insert(role.to_owned(), limits).is_some() {
                return invalid(format!("the role '{role}' has a section of its own"));
            }
        }
        let safety = Safety {
            row_security_required_for: settings.row_security_required_for.clone(),
            allowed_roles: roles.keys().cloned().collect(),
            roles,
            ..Safety::strict()
        };
        let hidden = |schema: &&String| safety.hidden_schemas.contains(schema);
        let mut named = settings.schemas.iter().chain(&settings.extra_search_path);
        if let Some(hidden) = named.find(hidden) {
            return invalid(format!("the schema '{hidden}' is never exposed"));
        }
        let values = BTreeMap::from([
            ("db-uri".to_owned(), settings.db_uri.clone()),
            ("db-schemas".to_owned(), settings.schemas.join(",")),
            ("db-config".to_owned(), "false".to_owned()),
            ("db-anon-role".to_owned(), "anonymous".to_owned()),
        ]);
        let config = Self::parse("", &BTreeMap::new(), &values)?;
        Ok(Self {
            safety,
            db_schemas: settings.schemas.clone(),
            db_extra_search_path: settings.extra_search_path.clone(),
            db_pool: settings.pool_size,
            db_prepared_statements: settings.prepared_statements,
            db_max_rows: Some(i64::from(settings.max_rows)),
            db_aggregates_enabled: settings.aggregates,
            server_cors_allowed_origins: settings.allowed_origins.clone(),
            max_body: settings.max_body,
            ..config
        })
    }
}
