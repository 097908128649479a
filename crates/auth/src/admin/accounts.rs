//! What administrators do to an account, also from the command line: create, ban, let in again.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::{body::Timestamp, random};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    roles::keep_one_admin,
    store::{self, Patched},
};
use crate::{
    account::store as accounts,
    app::App,
    error::Result,
    session::store as sessions,
    user::{
        Email, User,
        store::{self as users, NewUser},
    },
};

/// A user that an administrator creates.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    /// Any text.
    pub name: &'a str,
    /// Folded.
    pub email: &'a Email,
    /// Of the password; a user without one signs in otherwise.
    pub hash: Option<&'a str>,
    /// Further columns by their names on the wire.
    pub set: &'a Map<String, Value>,
}

/// How the creation of a user ended.
#[derive(Clone, Debug)]
pub enum Created {
    /// Done.
    Done(Box<User>),
    /// Somebody has this address.
    EmailTaken,
    /// Somebody has this user name or telephone number.
    Taken,
}

/// Creates a user in the caller's transaction.
///
/// # Errors
/// Those of Postgres.
pub async fn create(
    app: &App,
    conn: &impl GenericClient,
    new: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> Result<Created> {
    let row = NewUser {
        id: random::uuid(),
        name: new.name,
        email: new.email,
        email_verified: false,
        image: None,
    };
    let Some(user) = users::create_user(conn, &row, &app.config.features, now).await? else {
        return Ok(Created::EmailTaken);
    };
    if let Some(hash) = new.hash {
        accounts::create_credential(conn, random::uuid(), user.id, hash, now).await?;
    }
    if new.set.is_empty() {
        return Ok(Created::Done(Box::new(user)));
    }
    Ok(match store::patch_user(conn, user.id, new.set, now).await? {
        Patched::Done(user) => Created::Done(user),
        Patched::Gone => Created::Done(Box::new(user)),
        Patched::Taken => Created::Taken,
    })
}

/// Changes a user's role in the caller's transaction. What an administrator who is none any more began as somebody else
/// ends with it.
///
/// # Errors
/// `LAST_ADMIN`; those of Postgres.
pub async fn set_role(
    app: &App,
    conn: &impl GenericClient,
    user: &User,
    role: &str,
    now: DateTime<Utc>,
) -> Result<Patched> {
    let after = User { role: Some(role.to_owned()), ..user.clone() };
    keep_one_admin(app, conn, user, Some(&after), now).await?;
    let patch = Map::from_iter([("role".to_owned(), json!(role))]);
    store::patch_user(conn, user.id, &patch, now).await
}

/// Shuts a user out in the caller's transaction: every session ends, none can begin.
///
/// # Errors
/// `LAST_ADMIN`; those of Postgres.
pub async fn ban(
    app: &App,
    conn: &impl GenericClient,
    user: &User,
    reason: &str,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Patched> {
    let after = User { banned: Some(true), ban_expires: until, ..user.clone() };
    keep_one_admin(app, conn, user, Some(&after), now).await?;
    let patch = Map::from_iter([
        ("banned".to_owned(), json!(true)),
        ("banReason".to_owned(), json!(reason)),
        ("banExpires".to_owned(), json!(until.map(Timestamp))),
    ]);
    let banned = store::patch_user(conn, user.id, &patch, now).await?;
    sessions::delete_sessions(conn, user.id).await?;
    Ok(banned)
}

/// Lets a user in again.
///
/// # Errors
/// Those of Postgres.
pub async fn unban(conn: &impl GenericClient, id: Uuid, now: DateTime<Utc>) -> Result<Patched> {
    let patch = Map::from_iter([
        ("banned".to_owned(), json!(false)),
        ("banReason".to_owned(), Value::Null),
        ("banExpires".to_owned(), Value::Null),
    ]);
    store::patch_user(conn, id, &patch, now).await
}
