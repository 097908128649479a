//! The SQL of accounts.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    database::statements::Statement,
    error::Result,
    user::{self, Email, User},
};

const CREATE_CREDENTIAL: Statement = Statement::new(
    "account.create_credential",
    r#"insert into neon_auth.account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
values ($1, $2::uuid::text, 'credential', $2, $3, $4, $4)"#,
);

const FIND_CREDENTIAL: Statement = Statement::new(
    "account.find_credential",
    r#"select id, password from neon_auth.account
where "userId" = $1 and "providerId" = 'credential' order by "createdAt" limit 1"#,
);

macro_rules! find_with_credential {
    ($by:literal) => {
        concat!(
            "select ",
            user::columns!(),
            r#", a.id, a.password from neon_auth."user" u
left join lateral (
  select id, password from neon_auth.account
  where "userId" = u.id and "providerId" = 'credential' order by "createdAt" limit 1
) a on true
where "#,
            $by,
            " = $1"
        )
    };
}

const FIND_BY_EMAIL: Statement =
    Statement::new("account.find_with_credential", find_with_credential!("u.email"));

const FIND_BY_USERNAME: Statement =
    Statement::new("account.find_by_username", find_with_credential!("u.username"));

const FIND_BY_PHONE_NUMBER: Statement =
    Statement::new("account.find_by_phone_number", find_with_credential!(r#"u."phoneNumber""#));

const SET_PASSWORD: Statement = Statement::new(
    "account.set_password",
    r#"update neon_auth.account set password = $2, "updatedAt" = $3 where "userId" = $1 and "providerId" = 'credential'"#,
);

const REHASH: Statement = Statement::new(
    "account.rehash",
    "update neon_auth.account set password = $3 where id = $1 and password = $2",
);

const LIST: Statement = Statement::new(
    "account.list",
    r#"select id, "accountId", "providerId", "userId", "createdAt", "updatedAt", scope
from neon_auth.account where "userId" = $1 order by "createdAt", id"#,
);

const LOCK: Statement = Statement::new(
    "account.lock",
    r#"select id from neon_auth.account where "userId" = $1 order by id for update"#,
);

const DELETE: Statement = Statement::new(
    "account.delete",
    r#"delete from neon_auth.account where id = $1 and "userId" = $2"#,
);

const DELETE_ALL: Statement =
    Statement::new("account.delete_all", r#"delete from neon_auth.account where "userId" = $1"#);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE_CREDENTIAL,
    &FIND_CREDENTIAL,
    &FIND_BY_EMAIL,
    &FIND_BY_USERNAME,
    &FIND_BY_PHONE_NUMBER,
    &SET_PASSWORD,
    &REHASH,
    &LIST,
    &LOCK,
    &DELETE,
    &DELETE_ALL,
];

/// A password account.
#[derive(Clone)]
pub struct Credential {
    /// Row id.
    pub id: Uuid,
    /// As stored; a row without one cannot sign in.
    pub hash: Option<String>,
}

/// An account without its secrets.
#[derive(Clone, Debug)]
pub struct Account {
    /// Row id.
    pub id: Uuid,
    /// The provider's id of the user.
    pub account_id: String,
    /// The provider.
    pub provider_id: String,
    /// Whose.
    pub user_id: Uuid,
    /// Linked.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
    /// Granted scopes, with commas.
    pub scope: Option<String>,
}

/// Gives a user a password.
///
/// # Errors
/// Those of Postgres.
pub async fn create_credential(
    conn: &impl GenericClient,
    id: Uuid,
    user_id: Uuid,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(CREATE_CREDENTIAL.sql).await?;
    conn.execute(&statement, &[&id, &user_id, &hash, &now]).await?;
    Ok(())
}

/// The user's password account.
///
/// # Errors
/// Those of Postgres.
pub async fn find_credential(
    conn: &impl GenericClient,
    user_id: Uuid,
) -> Result<Option<Credential>> {
    let statement = conn.prepare_cached(FIND_CREDENTIAL.sql).await?;
    let row = conn.query_opt(&statement, &[&user_id]).await?;
    row.map(|row| Ok(Credential { id: row.try_get(0)?, hash: row.try_get(1)? })).transpose()
}

/// What somebody who presents a password goes by.
#[derive(Clone, Copy, Debug)]
pub enum Handle<'a> {
    /// An address.
    Email(&'a Email),
    /// A user name, normalised.
    Username(&'a str),
    /// A telephone number in international form.
    PhoneNumber(&'a str),
}

impl<'a> Handle<'a> {
    /// The text, as it was presented.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Username(text) | Self::PhoneNumber(text) => text,
        }
    }

    const fn statement(self) -> &'static Statement {
        match self {
            Self::Email(_) => &FIND_BY_EMAIL,
            Self::Username(_) => &FIND_BY_USERNAME,
            Self::PhoneNumber(_) => &FIND_BY_PHONE_NUMBER,
        }
    }
}

/// The user who goes by a handle, and the password account, in one round trip.
///
/// # Errors
/// Those of Postgres.
pub async fn find_user_with_credential(
    conn: &impl GenericClient,
    handle: Handle<'_>,
) -> Result<Option<(User, Option<Credential>)>> {
    let statement = conn.prepare_cached(handle.statement().sql).await?;
    let Some(row) = conn.query_opt(&statement, &[&handle.as_str()]).await? else { return Ok(None) };
    let id: Option<Uuid> = row.try_get(user::COLUMNS)?;
    let hash: Option<String> = row.try_get(user::COLUMNS + 1)?;
    Ok(Some((user::from_row(&row, 0)?, id.map(|id| Credential { id, hash }))))
}

/// Sets the password of a user; makes the account if there is none.
///
/// # Errors
/// Those of Postgres.
pub async fn set_password(
    conn: &impl GenericClient,
    user_id: Uuid,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(SET_PASSWORD.sql).await?;
    if conn.execute(&statement, &[&user_id, &hash, &now]).await? == 0 {
        create_credential(conn, gatepost_protocol::random::uuid(), user_id, hash, now).await?;
    }
    Ok(())
}

/// Replaces a hash by a better one of the same password, unless the password was changed meanwhile.
///
/// # Errors
/// Those of Postgres.
pub async fn rehash(conn: &impl GenericClient, id: Uuid, old: &str, new: &str) -> Result<()> {
    let statement = conn.prepare_cached(REHASH.sql).await?;
    conn.execute(&statement, &[&id, &old, &new]).await?;
    Ok(())
}

/// The user's accounts, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn list_accounts(conn: &impl GenericClient, user_id: Uuid) -> Result<Vec<Account>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&user_id])
        .await?
        .iter()
        .map(|row| {
            Ok(Account {
                id: row.try_get(0)?,
                account_id: row.try_get(1)?,
                provider_id: row.try_get(2)?,
                user_id: row.try_get(3)?,
                created_at: row.try_get(4)?,
                updated_at: row.try_get(5)?,
                scope: row.try_get(6)?,
            })
        })
        .collect()
}

/// The ids of the user's accounts, locked until the transaction ends: two removals at once cannot both be the one before the last.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_accounts(conn: &impl GenericClient, user_id: Uuid) -> Result<Vec<Uuid>> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query(&statement, &[&user_id]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Removes one of the user's accounts.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_account(conn: &impl GenericClient, user_id: Uuid, id: Uuid) -> Result<bool> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    Ok(conn.execute(&statement, &[&id, &user_id]).await? > 0)
}

/// Removes every account of a user.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_accounts(conn: &impl GenericClient, user_id: Uuid) -> Result<u64> {
    let statement = conn.prepare_cached(DELETE_ALL.sql).await?;
    Ok(conn.execute(&statement, &[&user_id]).await?)
}
