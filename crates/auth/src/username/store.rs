//! The SQL of user names.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::Chosen;
use crate::{
    database::statements::Statement,
    error::Result,
    user::{self, User},
};

const FIND_OWNER: Statement =
    Statement::new("username.find_owner", r#"select id from neon_auth."user" where username = $1"#);

const SET_NAMES: Statement = Statement::new(
    "username.set_names",
    concat!(
        r#"update neon_auth."user" as u set username = case when $2 then $3 else u.username end,
  "displayUsername" = case when $4 then $5 else u."displayUsername" end, "updatedAt" = $6
where u.id = $1
returning "#,
        user::columns!()
    ),
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&FIND_OWNER, &SET_NAMES];

/// Who has a name.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find_owner(conn: &impl GenericClient, name: &str) -> Result<Option<Uuid>> {
    let statement = conn.prepare_cached(FIND_OWNER.sql).await?;
    let row = conn.query_opt(&statement, &[&name]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// How giving a user names ended.
pub(super) enum Names {
    /// The user has them; `None`: the user is gone.
    Set(Option<Box<User>>),
    /// Somebody was faster; the transaction is over.
    Taken,
}

/// Gives a user the chosen names.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn set_names(
    conn: &impl GenericClient,
    id: Uuid,
    chosen: &Chosen,
    now: DateTime<Utc>,
) -> Result<Names> {
    let statement = conn.prepare_cached(SET_NAMES.sql).await?;
    let (username, display) = (chosen.username.as_ref(), chosen.display.as_ref());
    let row = conn
        .query_opt(
            &statement,
            &[
                &id,
                &username.is_some(),
                &username.and_then(Option::as_ref),
                &display.is_some(),
                &display.and_then(Option::as_ref),
                &now,
            ],
        )
        .await;
    match row {
        Ok(row) => {
            Ok(Names::Set(row.map(|row| user::from_row(&row, 0)).transpose()?.map(Box::new)))
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Names::Taken),
        Err(error) => Err(error.into()),
    }
}
