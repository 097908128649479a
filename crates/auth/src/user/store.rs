//! The SQL of users.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Email, User, columns, from_row};
use crate::{
    config::Features,
    database::statements::Statement,
    error::{Error, Result},
};

const CREATE: Statement = Statement::new(
    "user.create",
    concat!(
        r#"insert into neon_auth."user" as u
  (id, name, email, "emailVerified", image, "createdAt", "updatedAt", role, banned, "isAnonymous", "twoFactorEnabled")
values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
on conflict (email) do nothing
returning "#,
        columns!()
    ),
);

const FIND: Statement = Statement::new(
    "user.find",
    concat!("select ", columns!(), r#" from neon_auth."user" u where u.id = $1"#),
);

const FIND_BY_EMAIL: Statement = Statement::new(
    "user.find_by_email",
    concat!("select ", columns!(), r#" from neon_auth."user" u where u.email = $1"#),
);

const LIST: Statement = Statement::new(
    "user.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."user" u order by u."createdAt", u.id limit $1 offset $2"#
    ),
);

const UPDATE: Statement = Statement::new(
    "user.update",
    concat!(
        r#"update neon_auth."user" as u
set name = coalesce($2, u.name), image = case when $3 then $4 else u.image end, "updatedAt" = $5
where u.id = $1
returning "#,
        columns!()
    ),
);

const UPDATE_EMAIL: Statement = Statement::new(
    "user.update_email",
    concat!(
        r#"update neon_auth."user" as u set email = $3, "emailVerified" = $4, "updatedAt" = $5
where u.id = $1 and u.email = $2
returning "#,
        columns!()
    ),
);

const VERIFY_EMAIL: Statement = Statement::new(
    "user.verify_email",
    concat!(
        r#"update neon_auth."user" as u set "emailVerified" = true, "updatedAt" = $3
where u.id = $1 and u.email = $2
returning "#,
        columns!()
    ),
);

const ADOPT: Statement = Statement::new(
    "user.adopt",
    concat!(
        r#"update neon_auth."user" as u set "emailVerified" = true, "updatedAt" = $3
where u.id = $1 and u.email = $2 and not u."emailVerified"
returning "#,
        columns!()
    ),
);

const SET_ROLE: Statement = Statement::new(
    "user.set_role",
    r#"update neon_auth."user" set role = $2, "updatedAt" = $3 where id = $1"#,
);

const LIFT_BAN: Statement = Statement::new(
    "user.lift_ban",
    r#"update neon_auth."user" set banned = false, "banReason" = null, "banExpires" = null, "updatedAt" = $2
where id = $1 and "banExpires" <= $2"#,
);

const SET_TWO_FACTOR: Statement = Statement::new(
    "user.set_two_factor",
    concat!(
        r#"update neon_auth."user" as u set "twoFactorEnabled" = $2, "updatedAt" = $3 where u.id = $1
returning "#,
        columns!()
    ),
);

const LOCK: Statement =
    Statement::new("user.lock", r#"select id from neon_auth."user" where id = $1 for update"#);

const DELETE: Statement =
    Statement::new("user.delete", r#"delete from neon_auth."user" where id = $1"#);

const SET_LANGUAGE: Statement = Statement::new(
    "user.set_language",
    r#"insert into neon_auth.gatepost_language ("userId", language) values ($1, $2)
on conflict ("userId") do update set language = excluded.language"#,
);

const UNSET_LANGUAGE: Statement = Statement::new(
    "user.unset_language",
    r#"delete from neon_auth.gatepost_language where "userId" = $1"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE,
    &FIND,
    &FIND_BY_EMAIL,
    &LIST,
    &UPDATE,
    &UPDATE_EMAIL,
    &VERIFY_EMAIL,
    &ADOPT,
    &SET_ROLE,
    &LIFT_BAN,
    &SET_TWO_FACTOR,
    &LOCK,
    &DELETE,
    &SET_LANGUAGE,
    &UNSET_LANGUAGE,
];

/// A user to be.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// Row id.
    pub id: Uuid,
    /// Any text.
    pub name: &'a str,
    /// Folded.
    pub email: &'a Email,
    /// Proven.
    pub email_verified: bool,
    /// URL of a picture.
    pub image: Option<&'a str>,
}

impl NewUser<'_> {
    /// The row as it would be written: the answer to a sign-up that must not tell whether the address was taken.
    #[must_use]
    pub fn preview(&self, features: &Features, now: DateTime<Utc>) -> User {
        User {
            id: self.id,
            name: self.name.to_owned(),
            email: self.email.as_str().to_owned(),
            email_verified: self.email_verified,
            image: self.image.map(str::to_owned),
            created_at: now,
            updated_at: now,
            role: features.admin.then(|| "user".to_owned()),
            banned: features.admin.then_some(false),
            ban_reason: None,
            ban_expires: None,
            phone_number: None,
            phone_number_verified: None,
            username: None,
            display_username: None,
            is_anonymous: features.anonymous.then_some(false),
            two_factor_enabled: features.two_factor.then_some(false),
            last_login_method: None,
        }
    }
}

/// Creates a user; `None`: the address is taken.
///
/// # Errors
/// Those of Postgres.
pub async fn create_user(
    conn: &impl GenericClient,
    new: &NewUser<'_>,
    features: &Features,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let row = new.preview(features, now);
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let created = conn
        .query_opt(
            &statement,
            &[
                &row.id,
                &row.name,
                &row.email,
                &row.email_verified,
                &row.image,
                &now,
                &row.role,
                &row.banned,
                &row.is_anonymous,
                &row.two_factor_enabled,
            ],
        )
        .await?;
    created.map(|row| from_row(&row, 0)).transpose()
}

/// The user of that id.
///
/// # Errors
/// Those of Postgres.
pub async fn find_user(conn: &impl GenericClient, id: Uuid) -> Result<Option<User>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.map(|row| from_row(&row, 0)).transpose()
}

/// The user of that address.
///
/// # Errors
/// Those of Postgres.
pub async fn find_user_by_email(conn: &impl GenericClient, email: &Email) -> Result<Option<User>> {
    let statement = conn.prepare_cached(FIND_BY_EMAIL.sql).await?;
    conn.query_opt(&statement, &[&email.as_str()]).await?.map(|row| from_row(&row, 0)).transpose()
}

/// Users by age.
///
/// # Errors
/// Those of Postgres.
pub async fn list_users(conn: &impl GenericClient, limit: i64, offset: i64) -> Result<Vec<User>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&limit, &offset]).await?.iter().map(|row| from_row(row, 0)).collect()
}

/// What a user may change of the own row; `image: Some(None)` removes the picture.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Any text.
    pub name: Option<String>,
    /// URL of a picture.
    pub image: Option<Option<String>>,
}

/// Changes a user; `None`: there is no such user any more.
///
/// # Errors
/// Those of Postgres.
pub async fn update_user(
    conn: &impl GenericClient,
    id: Uuid,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(UPDATE.sql).await?;
    let image = change.image.clone().flatten();
    conn.query_opt(&statement, &[&id, &change.name, &change.image.is_some(), &image, &now])
        .await?
        .map(|row| from_row(&row, 0))
        .transpose()
}

/// How a change of address ended.
#[derive(Clone, Debug)]
pub enum EmailChange {
    /// Done.
    Changed(Box<User>),
    /// Somebody else has the new address.
    Taken,
    /// The user is gone, or has another address by now.
    Outdated,
}

/// Moves a user from one address to another.
///
/// # Errors
/// Those of Postgres.
pub async fn update_email(
    conn: &impl GenericClient,
    id: Uuid,
    from: &str,
    to: &Email,
    verified: bool,
    now: DateTime<Utc>,
) -> Result<EmailChange> {
    let statement = conn.prepare_cached(UPDATE_EMAIL.sql).await?;
    match conn.query_opt(&statement, &[&id, &from, &to.as_str(), &verified, &now]).await {
        Ok(Some(row)) => Ok(EmailChange::Changed(Box::new(from_row(&row, 0)?))),
        Ok(None) => Ok(EmailChange::Outdated),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(EmailChange::Taken),
        Err(error) => Err(Error::from(error)),
    }
}

/// Marks an address as proven; `None`: the user is gone, or has another address by now.
///
/// # Errors
/// Those of Postgres.
pub async fn verify_email(
    conn: &impl GenericClient,
    id: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(VERIFY_EMAIL.sql).await?;
    conn.query_opt(&statement, &[&id, &email, &now]).await?.map(|row| from_row(&row, 0)).transpose()
}

/// The same for a user whose address was never proven; `None`: it is by now. Of several at once, one gets the user.
///
/// # Errors
/// Those of Postgres.
pub async fn verify_unproven(
    conn: &impl GenericClient,
    id: Uuid,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(ADOPT.sql).await?;
    conn.query_opt(&statement, &[&id, &email, &now]).await?.map(|row| from_row(&row, 0)).transpose()
}

/// Sets the role of the admin feature.
///
/// # Errors
/// Those of Postgres.
pub async fn set_role(
    conn: &impl GenericClient,
    id: Uuid,
    role: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(SET_ROLE.sql).await?;
    conn.execute(&statement, &[&id, &role, &now]).await?;
    Ok(())
}

/// Lifts a ban whose time is over.
///
/// # Errors
/// Those of Postgres.
pub async fn lift_ban(conn: &impl GenericClient, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let statement = conn.prepare_cached(LIFT_BAN.sql).await?;
    conn.execute(&statement, &[&id, &now]).await?;
    Ok(())
}

/// Asks a user for a second factor from now on, or no longer; `None`: the user is gone.
///
/// # Errors
/// Those of Postgres.
pub async fn set_two_factor(
    conn: &impl GenericClient,
    id: Uuid,
    enabled: bool,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(SET_TWO_FACTOR.sql).await?;
    conn.query_opt(&statement, &[&id, &enabled, &now])
        .await?
        .map(|row| from_row(&row, 0))
        .transpose()
}

/// Locks a user until the transaction ends: what is done to the same user at once waits.
///
/// # Errors
/// Those of Postgres.
pub async fn lock_user(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(LOCK.sql).await?;
    conn.query_opt(&statement, &[&id]).await?;
    Ok(())
}

/// Deletes a user and, through foreign keys, everything that is the user's alone.
///
/// # Errors
/// Those of Postgres.
pub async fn delete_user(conn: &impl GenericClient, id: Uuid) -> Result<bool> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    Ok(conn.execute(&statement, &[&id]).await? > 0)
}

/// Chooses the language of a user's mails, or leaves it to the browser.
///
/// # Errors
/// Those of Postgres.
pub async fn set_language(
    conn: &impl GenericClient,
    id: Uuid,
    language: Option<&str>,
) -> Result<()> {
    match language {
        Some(language) => {
            let statement = conn.prepare_cached(SET_LANGUAGE.sql).await?;
            conn.execute(&statement, &[&id, &language]).await?;
        }
        None => {
            let statement = conn.prepare_cached(UNSET_LANGUAGE.sql).await?;
            conn.execute(&statement, &[&id]).await?;
        }
    }
    Ok(())
}
