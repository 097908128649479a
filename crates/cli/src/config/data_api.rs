//! Settings of the Data API within the server.

use std::collections::BTreeMap;

use gatepost_data_api::{DoorSettings, RoleLimits};
use serde::{Deserialize, Serialize};

use super::DatabaseUrl;

/// The Data API within the server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DataApi {
    /// Serve tables and functions at `/{project}/rest/v1`. `gatepost dev` does so unless this says false.
    pub(crate) enabled: bool,
    /// Postgres, as the Data API logs in: a role that may become `anonymous` and `authenticated` and has no right of its own.
    pub(crate) database_url: DatabaseUrl,
    /// Postgres, as `explain-denial` reads rows that callers do not see: a role above Row Level Security; unset: nothing is explained.
    pub(crate) explain_database_url: Option<DatabaseUrl>,
    /// Schemas whose tables and functions are served; the first is the default. `neon_auth` never is.
    pub(crate) schemas: Vec<String>,
    /// Schemas whose functions and types may be named without their schema.
    pub(crate) extra_search_path: Vec<String>,
    /// Look the session up at every request: signing out and a ban then end access at once, not when the token expires.
    pub(crate) live_sessions: bool,
    /// Roles that tables without Row Level Security are refused to.
    pub(crate) row_security_required_for: Vec<String>,
    /// Connections to Postgres at most.
    pub(crate) pool_size: usize,
    /// Prepare statements on connections; off behind a pooler that does not carry them over, such as PgBouncer before 1.21.
    pub(crate) prepared_statements: bool,
    /// Rows in an answer at most, unless a role has a limit of its own.
    pub(crate) max_rows: u32,
    /// Bytes of a request body at most; a role may have less.
    pub(crate) max_body: usize,
    /// Answer `select=amount.sum()` and its like.
    pub(crate) aggregates: bool,
    /// Origins of browsers that may read answers; empty: all, since no cookie is ever read.
    pub(crate) allowed_origins: Vec<String>,
    /// Callers with an anonymous token.
    pub(crate) anonymous: AnonymousLimits,
    /// Callers who are signed in.
    pub(crate) authenticated: AuthenticatedLimits,
    /// Further roles that tokens may name, where `[jwt] role = "user"` puts a user's own role into them: by the role's name, limits as those
    /// of `authenticated`. Grant each to the login.
    pub(crate) roles: BTreeMap<String, AuthenticatedLimits>,
}

impl Default for DataApi {
    fn default() -> Self {
        let defaults = DoorSettings::new("", &["public".to_owned()]);
        Self {
            enabled: false,
            database_url: DatabaseUrl::default(),
            explain_database_url: None,
            schemas: defaults.schemas,
            extra_search_path: defaults.extra_search_path,
            live_sessions: true,
            row_security_required_for: defaults.row_security_required_for,
            pool_size: defaults.pool_size,
            prepared_statements: defaults.prepared_statements,
            max_rows: defaults.max_rows,
            max_body: defaults.max_body,
            aggregates: defaults.aggregates,
            allowed_origins: defaults.allowed_origins,
            anonymous: AnonymousLimits::default(),
            authenticated: AuthenticatedLimits::default(),
            roles: BTreeMap::new(),
        }
    }
}

impl DataApi {
    /// Whether tokens have to name their session.
    pub(crate) fn looks_up_sessions(&self) -> bool {
        self.enabled && self.live_sessions
    }

    /// The same, as the crate takes it.
    pub(crate) fn door(&self) -> DoorSettings {
        DoorSettings {
            db_uri: self.database_url.reveal().to_owned(),
            schemas: self.schemas.clone(),
            extra_search_path: self.extra_search_path.clone(),
            pool_size: self.pool_size,
            prepared_statements: self.prepared_statements,
            max_rows: self.max_rows,
            max_body: self.max_body,
            aggregates: self.aggregates,
            allowed_origins: self.allowed_origins.clone(),
            row_security_required_for: self.row_security_required_for.clone(),
            anonymous: RoleLimits {
                statement_timeout: self.anonymous.statement_timeout,
                concurrent: self.anonymous.concurrent,
                concurrent_per_user: self.anonymous.concurrent,
                max_depth: self.anonymous.max_depth,
                max_rows: self.anonymous.max_rows,
                max_body: self.anonymous.max_body,
            },
            authenticated: self.authenticated.limits(),
            roles: self
                .roles
                .iter()
                .map(|(role, limits)| (role.clone(), limits.limits()))
                .collect(),
        }
    }
}

/// What callers with an anonymous token may use.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnonymousLimits {
    /// Milliseconds a statement may take, unless the role has a `statement_timeout` of its own.
    pub(crate) statement_timeout: u64,
    /// Requests in the database at a time; more wait.
    pub(crate) concurrent: usize,
    /// Embeds within each other.
    pub(crate) max_depth: usize,
    /// Rows in an answer at most; unset: `max_rows` above.
    pub(crate) max_rows: Option<u32>,
    /// Bytes of a request body at most; unset: `max_body` above.
    pub(crate) max_body: Option<usize>,
}

impl Default for AnonymousLimits {
    fn default() -> Self {
        let RoleLimits { statement_timeout, concurrent, max_depth, max_rows, max_body, .. } =
            RoleLimits::ANONYMOUS;
        Self { statement_timeout, concurrent, max_depth, max_rows, max_body }
    }
}

/// What callers who are signed in may use.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthenticatedLimits {
    /// Milliseconds a statement may take, unless the role has a `statement_timeout` of its own.
    pub(crate) statement_timeout: u64,
    /// Requests in the database at a time, of all users together; more wait.
    pub(crate) concurrent: usize,
    /// The same of one user.
    pub(crate) concurrent_per_user: usize,
    /// Embeds within each other.
    pub(crate) max_depth: usize,
    /// Rows in an answer at most; unset: `max_rows` above.
    pub(crate) max_rows: Option<u32>,
    /// Bytes of a request body at most; unset: `max_body` above.
    pub(crate) max_body: Option<usize>,
}

impl AuthenticatedLimits {
    fn limits(&self) -> RoleLimits {
        let &Self {
            statement_timeout,
            concurrent,
            concurrent_per_user,
            max_depth,
            max_rows,
            max_body,
        } = self;
        RoleLimits {
            statement_timeout,
            concurrent,
            concurrent_per_user,
            max_depth,
            max_rows,
            max_body,
        }
    }
}

impl Default for AuthenticatedLimits {
    fn default() -> Self {
        let RoleLimits {
            statement_timeout,
            concurrent,
            concurrent_per_user,
            max_depth,
            max_rows,
            max_body,
        } = RoleLimits::AUTHENTICATED;
        Self { statement_timeout, concurrent, concurrent_per_user, max_depth, max_rows, max_body }
    }
}
