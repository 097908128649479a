//! The SQL of accounts at other providers. An identity is a provider and its subject: one identity, one user.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    database::statements::Statement,
    error::Result,
    user::{self, User},
};

// An adopted database may hold an identity twice, so there is no unique index to rely on.
const LOCK: Statement =
    Statement::new("identity.lock", "select pg_advisory_xact_lock(hashtextextended($1, 7361))");

const OWNERS: Statement = Statement::new(
    "identity.owners",
    concat!(
        "select ",
        user::columns!(),
        r#", a.id, a.scope from neon_auth.account a
join neon_auth."user" u on u.id = a."userId"
where a."providerId" = $1 and a."accountId" = $2 order by a."createdAt", a.id limit 2"#
    ),
);

const CREATE: Statement = Statement::new(
    "identity.create",
    r#"insert into neon_auth.account (id, "userId", "providerId", "accountId", "accessToken", "refreshToken", "idToken",
  "accessTokenExpiresAt", "refreshTokenExpiresAt", scope, "createdAt", "updatedAt")
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)"#,
);

const UPDATE: Statement = Statement::new(
    "identity.update",
    r#"update neon_auth.account set "accessToken" = coalesce($2, "accessToken"), "refreshToken" = coalesce($3, "refreshToken"),
  "idToken" = coalesce($4, "idToken"), "accessTokenExpiresAt" = coalesce($5, "accessTokenExpiresAt"),
  "refreshTokenExpiresAt" = coalesce($6, "refreshTokenExpiresAt"), scope = coalesce($7, scope), "updatedAt" = $8
where id = $1"#,
);

const OF_USER: Statement = Statement::new(
    "identity.of_user",
    r#"select id, "providerId", "accountId", "accessToken", "refreshToken", "idToken", "accessTokenExpiresAt",
  "refreshTokenExpiresAt", scope
from neon_auth.account where "userId" = $1 order by "createdAt", id"#,
);

const REFRESHED: Statement = Statement::new(
    "identity.refreshed",
    r#"update neon_auth.account set "accessToken" = $3, "refreshToken" = coalesce($4, "refreshToken"),
  "idToken" = coalesce($5, "idToken"), "accessTokenExpiresAt" = $6,
  "refreshTokenExpiresAt" = coalesce($7, "refreshTokenExpiresAt"), "updatedAt" = $8
where id = $1 and "refreshToken" = $2"#,
);

const DELETE_OTHERS: Statement = Statement::new(
    "identity.delete_others",
    r#"delete from neon_auth.account where "userId" = $1 and id <> $2"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] =
    &[&LOCK, &OWNERS, &CREATE, &UPDATE, &OF_USER, &REFRESHED, &DELETE_OTHERS];

/// What a provider handed out, as it is stored: sealed.
#[derive(Clone, Default)]
pub struct Sealed {
    /// For calls in the user's name.
    pub access: Option<String>,
    /// For new tokens.
    pub refresh: Option<String>,
    /// What the provider said of the user.
    pub id: Option<String>,
    /// End of the access token.
    pub access_expires_at: Option<DateTime<Utc>>,
    /// End of the refresh token.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// Granted scopes, with commas.
    pub scope: Option<String>,
}

/// An account with its sealed tokens.
#[derive(Clone)]
pub struct Linked {
    /// Row id.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// The provider.
    pub provider_id: String,
    /// The provider's id of the user.
    pub subject: String,
    /// What it handed out.
    pub tokens: Sealed,
}

/// Who holds an identity.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The user.
    pub user: User,
    /// The account's row id.
    pub account: Uuid,
    /// Granted scopes, with commas.
    pub scope: Option<String>,
}

/// Nobody else judges this identity until the transaction ends (OA-24).
///
/// # Errors
/// Those of Postgres.
pub async fn lock(conn: &impl GenericClient, provider: &str, subject: &str) -> Result<()> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query(&statement, &[&format!("{provider}\n{subject}")]).await?;
    Ok(())
}

/// Who holds an identity: nobody, one user, or several in an adopted database.
///
/// # Errors
/// Those of Postgres.
pub async fn owners(
    conn: &impl GenericClient,
    provider: &str,
    subject: &str,
) -> Result<Vec<Owner>> {
    let statement = conn.prepare_cached(OWNERS.sql).await?;
    let owner = |row: &Row| {
        Ok(Owner {
            user: user::from_row(row, 0)?,
            account: row.try_get(user::COLUMNS)?,
            scope: row.try_get(user::COLUMNS + 1)?,
        })
    };
    conn.query(&statement, &[&provider, &subject]).await?.iter().map(owner).collect()
}

/// Gives a user an identity.
///
/// # Errors
/// Those of Postgres.
pub async fn create(conn: &impl GenericClient, linked: &Linked, now: DateTime<Utc>) -> Result<()> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let tokens = &linked.tokens;
    conn.execute(
        &statement,
        &[
            &linked.id,
            &linked.user,
            &linked.provider_id,
            &linked.subject,
            &tokens.access,
            &tokens.refresh,
            &tokens.id,
            &tokens.access_expires_at,
            &tokens.refresh_expires_at,
            &tokens.scope,
            &now,
        ],
    )
    .await?;
    Ok(())
}

/// Keeps newer tokens; what is `None` stays.
///
/// # Errors
/// Those of Postgres.
pub async fn update(
    conn: &impl GenericClient,
    account: Uuid,
    tokens: &Sealed,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(UPDATE.sql).await?;
    conn.execute(
        &statement,
        &[
            &account,
            &tokens.access,
            &tokens.refresh,
            &tokens.id,
            &tokens.access_expires_at,
            &tokens.refresh_expires_at,
            &tokens.scope,
            &now,
        ],
    )
    .await?;
    Ok(())
}

/// The accounts of a user with their tokens, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn of_user(conn: &impl GenericClient, user: Uuid) -> Result<Vec<Linked>> {
    let statement = conn.prepare_cached(OF_USER.sql).await?;
    let linked = |row: &Row| {
        Ok(Linked {
            id: row.try_get(0)?,
            user,
            provider_id: row.try_get(1)?,
            subject: row.try_get(2)?,
            tokens: Sealed {
                access: row.try_get(3)?,
                refresh: row.try_get(4)?,
                id: row.try_get(5)?,
                access_expires_at: row.try_get(6)?,
                refresh_expires_at: row.try_get(7)?,
                scope: row.try_get(8)?,
            },
        })
    };
    conn.query(&statement, &[&user]).await?.iter().map(linked).collect()
}

/// Keeps refreshed tokens, unless somebody else refreshed meanwhile: `before` is the refresh token that was used.
///
/// # Errors
/// Those of Postgres.
pub async fn refreshed(
    conn: &impl GenericClient,
    account: Uuid,
    before: &str,
    tokens: &Sealed,
    now: DateTime<Utc>,
) -> Result<bool> {
    let statement = conn.prepare_cached(REFRESHED.sql).await?;
    let count = conn
        .execute(
            &statement,
            &[
                &account,
                &before,
                &tokens.access,
                &tokens.refresh,
                &tokens.id,
                &tokens.access_expires_at,
                &tokens.refresh_expires_at,
                &now,
            ],
        )
        .await?;
    Ok(count > 0)
}

/// Removes every account of a user but one.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_others(conn: &impl GenericClient, user: Uuid, keep: Uuid) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_OTHERS.sql).await?;
    Ok(conn.execute(&statement, &[&user, &keep]).await?)
}
