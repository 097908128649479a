//! What is refused on top of PostgREST's rules.

use std::collections::BTreeMap;

/// What is refused on top of PostgREST's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    /// Roles for which tables without Row Level Security do not exist.
    pub row_security_required_for: Vec<String>,
    /// Roles a token may name; empty allows any the database grants.
    pub allowed_roles: Vec<String>,
    /// Schemas never exposed.
    pub hidden_schemas: Vec<String>,
    /// What the callers of a role may use.
    pub roles: BTreeMap<String, RoleLimits>,
    /// Most conditions and list values in a request.
    pub max_terms: Option<usize>,
    /// PATCH and DELETE without a filter are refused.
    pub filters_required: bool,
    /// Details and hints of database errors are left out, unless the application raised them.
    pub terse_errors: bool,
    /// Planned and estimated counts are counted exactly.
    pub exact_counts: bool,
    /// Only casts to plain types are allowed.
    pub plain_casts: bool,
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
    /// Embeds within each other.
    pub max_depth: usize,
    /// Rows in an answer; `None`: as many as the server allows.
    pub max_rows: Option<u32>,
    /// Bytes of a body; `None`: as many as the server allows, which is never exceeded.
    pub max_body: Option<usize>,
}

impl RoleLimits {
    /// For callers whom nobody knows.
    pub const ANONYMOUS: Self = Self {
        statement_timeout: 3000,
        concurrent: 5,
        concurrent_per_user: 5,
        max_depth: 8,
        max_rows: None,
        max_body: None,
    };
    /// For callers who are signed in.
    pub const AUTHENTICATED: Self =
        Self { statement_timeout: 8000, concurrent: 10, concurrent_per_user: 4, ..Self::ANONYMOUS };
}

impl Safety {
    /// What holds in the server unless changed: nothing that only PostgREST compatibility asks for.
    pub fn strict() -> Self {
        let roles = BTreeMap::from([
            ("anonymous".to_owned(), RoleLimits::ANONYMOUS),
            ("authenticated".to_owned(), RoleLimits::AUTHENTICATED),
        ]);
        Self {
            row_security_required_for: vec!["anonymous".to_owned()],
            allowed_roles: roles.keys().cloned().collect(),
            hidden_schemas: ["neon_auth", "pg_catalog", "information_schema"]
                .map(str::to_owned)
                .to_vec(),
            roles,
            max_terms: Some(1000),
            filters_required: true,
            terse_errors: true,
            exact_counts: true,
            plain_casts: true,
        }
    }
}
