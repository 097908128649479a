//! The SQL of passkeys.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{database::statements::Statement, error::Result, wire};

macro_rules! columns {
    () => {
        r#"p.id, p.name, p."publicKey", p."userId", p."credentialID", p.counter, p."deviceType", p."backedUp", p.transports, p."createdAt", p.aaguid"#
    };
}

const LIST: Statement = Statement::new(
    "passkey.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.passkey p where p."userId" = $1 order by p."createdAt", p.id"#
    ),
);

const COUNT: Statement = Statement::new(
    "passkey.count",
    r#"select count(*) from neon_auth.passkey where "userId" = $1"#,
);

const FIND: Statement = Statement::new(
    "passkey.find",
    concat!("select ", columns!(), " from neon_auth.passkey p where p.id = $1"),
);

const FIND_CREDENTIAL: Statement = Statement::new(
    "passkey.find_credential",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth.passkey p where p."credentialID" = $1 order by p."createdAt" limit 1"#
    ),
);

const CREATE: Statement = Statement::new(
    "passkey.create",
    concat!(
        r#"insert into neon_auth.passkey as p
  (name, "publicKey", "userId", "credentialID", counter, "deviceType", "backedUp", transports, "createdAt", aaguid)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
where not exists (select from neon_auth.passkey o where o."credentialID" = $4)
returning "#,
        columns!()
    ),
);

const USE: Statement = Statement::new(
    "passkey.use",
    r#"update neon_auth.passkey set counter = $2, "deviceType" = $3, "backedUp" = $4
where id = $1 and (counter < $2 or counter = 0 and $2 = 0) returning id"#,
);

const RENAME: Statement = Statement::new(
    "passkey.rename",
    concat!("update neon_auth.passkey as p set name = $2 where p.id = $1 returning ", columns!()),
);

const DELETE: Statement =
    Statement::new("passkey.delete", "delete from neon_auth.passkey where id = $1");

const DELETE_ALL: Statement =
    Statement::new("passkey.delete_all", r#"delete from neon_auth.passkey where "userId" = $1"#);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] =
    &[&LIST, &COUNT, &FIND, &FIND_CREDENTIAL, &CREATE, &USE, &RENAME, &DELETE, &DELETE_ALL];

/// A row of `neon_auth.passkey`, as the wire shows it too: nothing in it is secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Passkey {
    pub(super) id: Uuid,
    pub(super) name: Option<String>,
    /// COSE key, base 64.
    pub(super) public_key: String,
    pub(super) user_id: Uuid,
    #[serde(rename = "credentialID")]
    pub(super) credential_id: String,
    pub(super) counter: i32,
    pub(super) device_type: String,
    pub(super) backed_up: bool,
    pub(super) transports: Option<String>,
    #[serde(serialize_with = "maybe_time")]
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) aaguid: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn maybe_time<S: serde::Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match time {
        Some(time) => wire::time(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// How the wire and the row call a key that can be copied, and one that cannot.
pub(super) const fn device_type(backup_eligible: bool) -> &'static str {
    if backup_eligible { "multiDevice" } else { "singleDevice" }
}

fn passkey(row: &Row) -> Result<Passkey> {
    Ok(Passkey {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        public_key: row.try_get(2)?,
        user_id: row.try_get(3)?,
        credential_id: row.try_get(4)?,
        counter: row.try_get(5)?,
        device_type: row.try_get(6)?,
        backed_up: row.try_get(7)?,
        transports: row.try_get(8)?,
        created_at: row.try_get(9)?,
        aaguid: row.try_get(10)?,
    })
}

/// The passkeys of a user, oldest first.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn list(conn: &impl GenericClient, user: Uuid) -> Result<Vec<Passkey>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&user]).await?.iter().map(passkey).collect()
}

/// How many passkeys a user has.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn count(conn: &impl GenericClient, user: Uuid) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    Ok(conn.query_one(&statement, &[&user]).await?.try_get(0)?)
}

/// A passkey by its row.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find(conn: &impl GenericClient, id: Uuid) -> Result<Option<Passkey>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(passkey).transpose()
}

/// A passkey by the name that its device gave it.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn find_credential(
    conn: &impl GenericClient,
    credential: &str,
) -> Result<Option<Passkey>> {
    let statement = conn.prepare_cached(FIND_CREDENTIAL.sql).await?;
    conn.query_opt(&statement, &[&credential]).await?.as_ref().map(passkey).transpose()
}

/// Writes a passkey down; the id is the row's. `None`: there is one of that credential.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn create(conn: &impl GenericClient, new: &Passkey) -> Result<Option<Passkey>> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let row = conn
        .query_opt(
            &statement,
            &[
                &new.name,
                &new.public_key,
                &new.user_id,
                &new.credential_id,
                &new.counter,
                &new.device_type,
                &new.backed_up,
                &new.transports,
                &new.created_at,
                &new.aaguid,
            ],
        )
        .await?;
    row.as_ref().map(passkey).transpose()
}

/// Notes a use; `false`: the counter stands there already, so that somebody else used the key, or a copy of it.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn note_use(
    conn: &impl GenericClient,
    id: Uuid,
    counter: i32,
    device_type: &str,
    backed_up: bool,
) -> Result<bool> {
    let statement = conn.prepare_cached(USE.sql).await?;
    let row = conn.query_opt(&statement, &[&id, &counter, &device_type, &backed_up]).await?;
    Ok(row.is_some())
}

/// Names a passkey; `None`: it is gone.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn rename(
    conn: &impl GenericClient,
    id: Uuid,
    name: &str,
) -> Result<Option<Passkey>> {
    let statement = conn.prepare_cached(RENAME.sql).await?;
    conn.query_opt(&statement, &[&id, &name]).await?.as_ref().map(passkey).transpose()
}

/// Removes every passkey of a user.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn delete_all(conn: &impl GenericClient, user: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE_ALL.sql).await?;
    conn.execute(&statement, &[&user]).await?;
    Ok(())
}

/// Removes a passkey.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn delete(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}
