//! What is refused on top of PostgREST's rules.

/// What is refused on top of PostgREST's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    /// Roles for which tables without Row Level Security do not exist.
    pub row_security_required_for: Vec<String>,
    /// Roles a token may name; empty allows any the database grants.
    pub allowed_roles: Vec<String>,
    /// Schemas never exposed.
    pub hidden_schemas: Vec<String>,
    /// Deepest embed.
    pub max_depth: Option<usize>,
    /// Most conditions and list values in a request.
    pub max_terms: Option<usize>,
    /// `statement_timeout` in milliseconds by role, unless the role has its own.
    pub statement_timeout: Vec<(String, u64)>,
    /// Requests in the database at a time.
    pub concurrency: Vec<Concurrency>,
    /// PATCH and DELETE without a filter are refused.
    pub filters_required: bool,
    /// Details and hints of database errors are left out, unless the application raised them.
    pub terse_errors: bool,
    /// Planned and estimated counts are counted exactly.
    pub exact_counts: bool,
    /// Only casts to plain types are allowed.
    pub plain_casts: bool,
}

/// How many requests of a role may be in the database at a time; more wait as if for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// The role.
    pub role: String,
    /// Of all its callers.
    pub most: usize,
    /// Of one user.
    pub most_per_user: usize,
}

impl Safety {
    /// What holds in the server unless changed: nothing that only PostgREST compatibility asks for.
    pub fn strict() -> Self {
        let roles = ["anonymous", "authenticated"].map(str::to_owned);
        Self {
            row_security_required_for: vec!["anonymous".to_owned()],
            allowed_roles: roles.to_vec(),
            hidden_schemas: ["neon_auth", "pg_catalog", "information_schema"]
                .map(str::to_owned)
                .to_vec(),
            max_depth: Some(8),
            max_terms: Some(1000),
            statement_timeout: vec![
                ("anonymous".to_owned(), 3000),
                ("authenticated".to_owned(), 8000),
            ],
            concurrency: Vec::new(),
            filters_required: true,
            terse_errors: true,
            exact_counts: true,
            plain_casts: true,
        }
    }
}
