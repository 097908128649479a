//! The SQL of signing keys.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{database::statements::Statement, error::Result};

const LIST: Statement = Statement::new(
    "keys.list",
    r#"select id, alg, "publicKey", "privateKey", "createdAt", "expiresAt" from neon_auth.jwks order by "createdAt", id"#,
);

const CREATE: Statement = Statement::new(
    "keys.create",
    r#"insert into neon_auth.jwks (id, alg, crv, "publicKey", "privateKey", "createdAt") values ($1, $2, $3, $4, $5, $6)"#,
);

const RETIRE: Statement = Statement::new(
    "keys.retire",
    r#"update neon_auth.jwks set "expiresAt" = $2 where id <> $1 and "expiresAt" is null"#,
);

const LOCK: Statement = Statement::new(
    "keys.lock",
    "select pg_advisory_xact_lock(hashtextextended('gatepost.keys', 0))",
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&LIST, &CREATE, &RETIRE, &LOCK];

/// A row of `neon_auth.jwks`; the id is the `kid`.
#[derive(Clone)]
pub struct KeyRow {
    /// The `kid`.
    pub id: Uuid,
    /// Algorithm; rows of older versions lack it.
    pub algorithm: Option<String>,
    /// Public JWK as text.
    pub public: String,
    /// Sealed private JWK as text.
    pub private: String,
    /// Made.
    pub created_at: DateTime<Utc>,
    /// No longer published from here on.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key to be written down.
pub struct NewKey<'a> {
    /// The `kid`.
    pub id: Uuid,
    /// Algorithm.
    pub algorithm: &'a str,
    /// Curve, for those that have one.
    pub curve: Option<&'a str>,
    /// Public JWK as text.
    pub public: &'a str,
    /// Sealed private JWK as text.
    pub private: &'a str,
}

/// All keys, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn list_keys(conn: &impl GenericClient) -> Result<Vec<KeyRow>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(KeyRow {
                id: row.try_get(0)?,
                algorithm: row.try_get(1)?,
                public: row.try_get(2)?,
                private: row.try_get(3)?,
                created_at: row.try_get(4)?,
                expires_at: row.try_get(5)?,
            })
        })
        .collect()
}

/// Lets one transaction at a time decide about keys.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_keys(conn: &impl GenericClient) -> Result<()> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query_one(&statement, &[]).await?;
    Ok(())
}

/// Writes a key down.
///
/// # Errors
/// Those of Postgres.
pub async fn create_key(
    conn: &impl GenericClient,
    key: &NewKey<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    conn.execute(
        &statement,
        &[&key.id, &key.algorithm, &key.curve, &key.public, &key.private, &now],
    )
    .await?;
    Ok(())
}

/// Sets the end of all other keys that have none.
///
/// # Errors
/// Those of Postgres.
pub async fn retire_others(
    conn: &impl GenericClient,
    keep: Uuid,
    end: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(RETIRE.sql).await?;
    conn.execute(&statement, &[&keep, &end]).await?;
    Ok(())
}
