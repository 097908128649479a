//! The SQL of telephone numbers.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::PhoneNumber;
use crate::{
    database::statements::Statement,
    error::Result,
    user::{self, User},
};

const FIND: Statement = Statement::new(
    "phone_number.find_user",
    concat!("select ", user::columns!(), r#" from neon_auth."user" u where u."phoneNumber" = $1"#),
);

const GIVE: Statement = Statement::new(
    "phone_number.give",
    concat!(
        r#"update neon_auth."user" as u set "phoneNumber" = $2, "phoneNumberVerified" = true, "updatedAt" = $3
where u.id = $1 and not exists (select from neon_auth."user" other where other."phoneNumber" = $2)
returning "#,
        user::columns!()
    ),
);

const VERIFY: Statement = Statement::new(
    "phone_number.verify",
    concat!(
        r#"update neon_auth."user" as u set "phoneNumberVerified" = true, "updatedAt" = $3
where u.id = $1 and u."phoneNumber" = $2
returning "#,
        user::columns!()
    ),
);

const TAKE_AWAY: Statement = Statement::new(
    "phone_number.take_away",
    concat!(
        r#"update neon_auth."user" as u set "phoneNumber" = null, "phoneNumberVerified" = false, "updatedAt" = $2
where u.id = $1
returning "#,
        user::columns!()
    ),
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&FIND, &GIVE, &VERIFY, &TAKE_AWAY];

/// The user who has a number, proven or not.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find_user(
    conn: &impl GenericClient,
    number: &PhoneNumber,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    let row = conn.query_opt(&statement, &[&number.as_str()]).await?;
    row.map(|row| user::from_row(&row, 0)).transpose()
}

/// How giving a user a number ended.
pub(super) enum Given {
    /// The user has it.
    Done(Box<User>),
    /// Somebody has it already, or the user is gone.
    Taken,
    /// Somebody was faster; the transaction is over.
    Lost,
}

/// Gives a user a proven number in the place of any other.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn give(
    conn: &impl GenericClient,
    id: Uuid,
    number: &PhoneNumber,
    now: DateTime<Utc>,
) -> Result<Given> {
    let statement = conn.prepare_cached(GIVE.sql).await?;
    match conn.query_opt(&statement, &[&id, &number.as_str(), &now]).await {
        Ok(Some(row)) => Ok(Given::Done(Box::new(user::from_row(&row, 0)?))),
        Ok(None) => Ok(Given::Taken),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Given::Lost),
        Err(error) => Err(error.into()),
    }
}

/// Marks a number as proven; `None`: the user is gone, or has another number by now.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn verify(
    conn: &impl GenericClient,
    id: Uuid,
    number: &PhoneNumber,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(VERIFY.sql).await?;
    let row = conn.query_opt(&statement, &[&id, &number.as_str(), &now]).await?;
    row.map(|row| user::from_row(&row, 0)).transpose()
}

/// Takes a user's number away.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn take_away(
    conn: &impl GenericClient,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let statement = conn.prepare_cached(TAKE_AWAY.sql).await?;
    let row = conn.query_opt(&statement, &[&id, &now]).await?;
    row.map(|row| user::from_row(&row, 0)).transpose()
}
