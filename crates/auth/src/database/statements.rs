//! Every SQL statement of the server has a name and is prepared against the migrated schema by a test.

use deadpool_postgres::GenericClient;

/// A statement of a `store.rs`: declared as a `const`, listed in that file's `STATEMENTS`.
#[derive(Debug)]
pub struct Statement {
    /// What it does, unique: `find_user_by_email`.
    pub name: &'static str,
    /// With `$1`-style parameters only, never assembled at run time.
    pub sql: &'static str,
}

impl Statement {
    /// For `const` declarations.
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }
}

/// The `STATEMENTS` of every store, so that the test can prepare them as the server's role.
#[cfg_attr(not(test), expect(dead_code, reason = "only the test reads the list"))]
pub(crate) const ALL: &[&[&Statement]] = &[
    crate::account::identities::STATEMENTS,
    crate::account::store::STATEMENTS,
    crate::admin::store::STATEMENTS,
    crate::anonymous::store::STATEMENTS,
    crate::api_key::store::STATEMENTS,
    crate::device::store::STATEMENTS,
    crate::events::STATEMENTS,
    crate::keys::store::STATEMENTS,
    crate::last_login_method::STATEMENTS,
    crate::mail::store::STATEMENTS,
    crate::next_step::STATEMENTS,
    crate::organization::store::invitations::STATEMENTS,
    crate::organization::store::members::STATEMENTS,
    crate::organization::store::organizations::STATEMENTS,
    crate::organization::store::roles::STATEMENTS,
    crate::organization::store::teams::STATEMENTS,
    crate::passkey::store::STATEMENTS,
    crate::phone_number::store::STATEMENTS,
    crate::session::store::STATEMENTS,
    crate::two_factor::store::STATEMENTS,
    crate::user::store::STATEMENTS,
    crate::username::store::STATEMENTS,
    crate::users_sync::STATEMENTS,
    crate::verification::STATEMENTS,
];

/// The prepared form of a statement, from the connection's cache after its first use.
///
/// # Errors
/// What Postgres says, if it refuses the statement.
pub async fn prepare(
    client: &impl GenericClient,
    statement: &Statement,
) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
    client.prepare_cached(statement.sql).await
}
