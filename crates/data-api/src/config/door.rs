//! The configuration of the door within the server.

use std::collections::BTreeMap;

use super::values::invalid;
use super::{Concurrency, Config, ConfigError, Safety};

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
    /// Rows in an answer at most.
    pub max_rows: u32,
    /// Bytes of a request body at most.
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
}

/// What the callers of one role may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleLimits {
    /// Milliseconds a statement may take, unless `ALTER ROLE … SET statement_timeout` says otherwise.
    pub statement_timeout: u64,
    /// Requests in the database at a time, of all callers of the role together; more wait.
    pub concurrent: usize,
    /// The same of one user.
    pub concurrent_per_user: usize,
}

impl RoleLimits {
    /// For callers whom nobody knows.
    pub const ANONYMOUS: Self =
        Self { statement_timeout: 3000, concurrent: 5, concurrent_per_user: 5 };
    /// For callers who are signed in.
    pub const AUTHENTICATED: Self =
        Self { statement_timeout: 8000, concurrent: 10, concurrent_per_user: 4 };
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
        }
    }
}

impl Config {
    /// Configuration of the door within the server: strict.
    ///
    /// # Errors
    /// A schema that is never exposed.
    pub fn door(settings: &DoorSettings) -> Result<Self, ConfigError> {
        let roles = [("anonymous", settings.anonymous), ("authenticated", settings.authenticated)];
        let safety = Safety {
            row_security_required_for: settings.row_security_required_for.clone(),
            statement_timeout: roles
                .map(|(role, limits)| (role.to_owned(), limits.statement_timeout))
                .to_vec(),
            concurrency: roles
                .map(|(role, limits)| Concurrency {
                    role: role.to_owned(),
                    most: limits.concurrent,
                    most_per_user: limits.concurrent_per_user,
                })
                .to_vec(),
            ..Safety::strict()
        };
        let hidden = |schema: &&String| safety.hidden_schemas.contains(schema);
        if let Some(hidden) = settings.schemas.iter().find(hidden) {
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
