//! One-time secrets: mailed, kept as a hash, consumed by one statement.
//!
//! Identifiers and values are Better Auth's, so that a shared database works; only the secret inside the identifier is
//! hashed, unless `[session] token_storage` is `plain`.

pub mod code;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::digest;

use crate::{database::statements::Statement, error::Result, session::TokenStorage};

const CREATE: Statement = Statement::new(
    "verification.create",
    r#"insert into neon_auth.verification (identifier, value, "expiresAt", "createdAt", "updatedAt")
values ($1, $2, $3, $4, $4)"#,
);

const FIND: Statement = Statement::new(
    "verification.find",
    r#"select value from neon_auth.verification where identifier = $1 and "expiresAt" > $2"#,
);

const CONSUME: Statement = Statement::new(
    "verification.consume",
    r#"delete from neon_auth.verification where identifier = $1 returning value, "expiresAt" > $2"#,
);

const COUNT: Statement = Statement::new(
    "verification.count",
    r#"update neon_auth.verification
set value = (case when value ~ '^[0-9]{1,6}$' then value::int else 999999 end + 1)::text, "updatedAt" = $2
where identifier = $1 and "expiresAt" > $2 returning value::int"#,
);

const DELETE_ALL: Statement = Statement::new(
    "verification.delete_all",
    "delete from neon_auth.verification where starts_with(identifier, $1) and value = $2",
);

const PURGE: Statement = Statement::new(
    "verification.purge",
    r#"delete from neon_auth.verification where id in (
  select id from neon_auth.verification where "expiresAt" < $1 limit 1000
)"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE,
    &FIND,
    &CONSUME,
    &COUNT,
    &DELETE_ALL,
    &PURGE,
    &code::REPLACE,
    &code::COUNT,
    &code::UNCOUNT,
    &code::DELETE,
];

/// What a secret is good for; it is good for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password. The value is the user's id.
    ResetPassword,
    /// Deleting the account. The value is the user's id.
    DeleteAccount,
    /// Signing in. The value is JSON: the address, and the name of a user to be.
    MagicLink,
    /// Taking a session over into another partition of the browser. The value is [`crate::session::verifier`]'s.
    SessionVerifier,
    /// A change of address, beside the signed link that says which: so that the link can be revoked. The value is the user's id.
    ChangeEmail,
    /// Taking a session over to another place. The value is the session's token, sealed where tokens are hashed.
    OneTimeToken,
    /// Finishing a sign-in by a second factor. The value is the user's id.
    TwoFactor,
    /// Tries at such a sign-in, by the same secret. The value is their number.
    TwoFactorAttempts,
    /// The guest who becomes the user of such a sign-in, by the same secret. The value is the guest's id.
    TwoFactorGuest,
    /// The page on another site that gets such a sign-in's session, by the same secret. The value is JSON.
    TwoFactorReturn,
    /// Skipping the second factor in one browser. The value is the user's id.
    TrustDevice,
    /// Answering a WebAuthn challenge. The value is JSON.
    Passkey,
    /// Coming back from another provider. The value is JSON: where the browser goes then, and what proves the way.
    OauthState,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password:",
            Self::DeleteAccount => "delete-account-",
            Self::MagicLink => "magic-link:",
            Self::SessionVerifier => "session-verifier:",
            Self::ChangeEmail => "change-email-link:",
            Self::OneTimeToken => "one-time-token:",
            Self::TwoFactor => "2fa-",
            Self::TwoFactorAttempts => "2fa-attempts-2fa-",
            Self::TwoFactorGuest => "2fa-guest-",
            Self::TwoFactorReturn => "2fa-return-",
            Self::TrustDevice => "trust-device-",
            Self::Passkey => "passkey:",
            Self::OauthState => "auth-state:",
        }
    }

    fn identifier(self, secret: &str, storage: TokenStorage) -> String {
        let prefix = self.prefix();
        match storage {
            TokenStorage::Plain => format!("{prefix}{secret}"),
            TokenStorage::Hashed => {
                format!("{prefix}{}", digest::sha256_base64url(secret))
            }
        }
    }
}

/// A one-time secret and how it stands in the database.
#[derive(Clone, Copy)]
pub struct OneTime<'a> {
    /// What it is good for.
    pub purpose: Purpose,
    /// The secret as its holder presents it.
    pub secret: &'a str,
    /// Hashed or plain.
    pub storage: TokenStorage,
}

impl OneTime<'_> {
    /// As it stands in the table.
    pub(crate) fn identifier(&self) -> String {
        self.purpose.identifier(self.secret, self.storage)
    }
}

/// Writes a secret down.
///
/// # Errors
/// Those of Postgres.
pub async fn create(
    conn: &impl GenericClient,
    secret: OneTime<'_>,
    value: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    conn.execute(&statement, &[&secret.identifier(), &value, &expires_at, &now]).await?;
    Ok(())
}

/// What a live secret stands for; it stays good.
///
/// # Errors
/// Those of Postgres.
pub async fn find(
    conn: &impl GenericClient,
    secret: OneTime<'_>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    let row = conn.query_opt(&statement, &[&secret.identifier(), &now]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// What a live secret stands for; of any number of callers at once, one gets it.
///
/// # Errors
/// Those of Postgres.
pub async fn consume(
    conn: &impl GenericClient,
    secret: OneTime<'_>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let statement = conn.prepare_cached(CONSUME.sql).await?;
    let Some(row) = conn.query_opt(&statement, &[&secret.identifier(), &now]).await? else {
        return Ok(None);
    };
    let live: bool = row.try_get(1)?;
    Ok(live.then(|| row.try_get(0)).transpose()?)
}

/// Adds one to the number that a live secret stands for: the new number. Whoever counts at the same time waits.
///
/// # Errors
/// Those of Postgres.
pub async fn count(
    conn: &impl GenericClient,
    secret: OneTime<'_>,
    now: DateTime<Utc>,
) -> Result<Option<i32>> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    let row = conn.query_opt(&statement, &[&secret.identifier(), &now]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Makes all secrets of a purpose that stand for `value` worthless.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_all(conn: &impl GenericClient, purpose: Purpose, value: &str) -> Result<()> {
    let statement = conn.prepare_cached(DELETE_ALL.sql).await?;
    conn.execute(&statement, &[&purpose.prefix(), &value]).await?;
    Ok(())
}

/// Removes secrets that died long ago, a thousand at a time. Returns how many.
///
/// # Errors
/// Those of Postgres.
pub async fn purge(conn: &impl GenericClient, before: DateTime<Utc>) -> Result<u64> {
    let statement = conn.prepare_cached(PURGE.sql).await?;
    Ok(conn.execute(&statement, &[&before]).await?)
}
