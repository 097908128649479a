//! The SQL of `neon_auth."organizationRole"`.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::rows::OwnRole;
use crate::{
    database::statements::Statement,
    error::{Error, Result},
    permissions::{Roles, Statements},
};

macro_rules! columns {
    () => {
        r#"r.id, r."organizationId", r.role, r.permission, r."createdAt", r."updatedAt""#
    };
}

const CREATE: Statement = Statement::new(
    "organization_role.create",
    concat!(
        r#"insert into neon_auth."organizationRole" as r (id, "organizationId", role, permission, "createdAt")
values ($1, $2, $3, $4, $5)
returning "#,
        columns!()
    ),
);

const LIST: Statement = Statement::new(
    "organization_role.list",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."organizationRole" r where r."organizationId" = $1 order by r."createdAt", r.id"#
    ),
);

const LIST_NAMED: Statement = Statement::new(
    "organization_role.list_named",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."organizationRole" r where r."organizationId" = $1 and r.role = any($2)"#
    ),
);

const FIND: Statement = Statement::new(
    "organization_role.find",
    concat!(
        "select ",
        columns!(),
        r#" from neon_auth."organizationRole" r
where r."organizationId" = $1 and (r.role = $2 or r.id = $3)
limit 1"#
    ),
);

const UPDATE: Statement = Statement::new(
    "organization_role.update",
    r#"update neon_auth."organizationRole"
set role = coalesce($2, role), permission = coalesce($3, permission), "updatedAt" = $4
where id = $1"#,
);

const DELETE: Statement = Statement::new(
    "organization_role.delete",
    r#"delete from neon_auth."organizationRole" where id = $1"#,
);

const COUNT: Statement = Statement::new(
    "organization_role.count",
    r#"select count(*) from neon_auth."organizationRole" where "organizationId" = $1"#,
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] =
    &[&CREATE, &LIST, &LIST_NAMED, &FIND, &UPDATE, &DELETE, &COUNT];

fn own_role(row: &Row) -> Result<OwnRole> {
    let role: String = row.try_get(2)?;
    let permission: String = row.try_get(3)?;
    Ok(OwnRole {
        id: row.try_get(0)?,
        organization_id: row.try_get(1)?,
        permission: statements(&role, &permission),
        role,
        created_at: row.try_get(4)?,
        updated_at: row.try_get(5)?,
    })
}

/// What cannot be read grants nothing.
fn statements(role: &str, permission: &str) -> Statements {
    serde_json::from_str(permission).unwrap_or_else(|error| {
        tracing::error!(role, cause = %error, "the permissions of a role cannot be read");
        Statements::new()
    })
}

/// The roles in two columns of equal length.
pub(super) fn granted(names: Vec<String>, permissions: &[String]) -> Roles {
    let mut roles = Roles::default();
    for (role, permission) in names.into_iter().zip(permissions) {
        roles.define(&role, statements(&role, permission));
    }
    roles
}

fn text(permission: &Statements) -> Result<String> {
    serde_json::to_string(permission).map_err(|error| Error::Internal(error.into()))
}

/// A role by name or by row id.
#[derive(Clone, Debug)]
pub enum Which {
    /// Its name.
    Name(String),
    /// Its row id.
    Id(Uuid),
}

/// Creates a role.
///
/// # Errors
/// Those of Postgres.
pub async fn create(conn: &impl GenericClient, new: &OwnRole) -> Result<OwnRole> {
    let statement = conn.prepare_cached(CREATE.sql).await?;
    let permission = text(&new.permission)?;
    let row = conn
        .query_one(
            &statement,
            &[&new.id, &new.organization_id, &new.role, &permission, &new.created_at],
        )
        .await?;
    own_role(&row)
}

/// The roles of an organization, oldest first.
///
/// # Errors
/// Those of Postgres.
pub async fn list(conn: &impl GenericClient, organization: Uuid) -> Result<Vec<OwnRole>> {
    let statement = conn.prepare_cached(LIST.sql).await?;
    conn.query(&statement, &[&organization]).await?.iter().map(own_role).collect()
}

/// Those of these names.
///
/// # Errors
/// Those of Postgres.
pub async fn named(conn: &impl GenericClient, organization: Uuid, names: &[&str]) -> Result<Roles> {
    let statement = conn.prepare_cached(LIST_NAMED.sql).await?;
    let mut roles = Roles::default();
    for row in conn.query(&statement, &[&organization, &names]).await? {
        let OwnRole { role, permission, .. } = own_role(&row)?;
        roles.define(&role, permission);
    }
    Ok(roles)
}

/// One role of an organization.
///
/// # Errors
/// Those of Postgres.
pub async fn find(
    conn: &impl GenericClient,
    organization: Uuid,
    which: &Which,
) -> Result<Option<OwnRole>> {
    let statement = conn.prepare_cached(FIND.sql).await?;
    let (name, id) = match which {
        Which::Name(name) => (Some(name.as_str()), None),
        Which::Id(id) => (None, Some(*id)),
    };
    conn.query_opt(&statement, &[&organization, &name, &id])
        .await?
        .as_ref()
        .map(own_role)
        .transpose()
}

/// Changes name or permissions of a role.
///
/// # Errors
/// Those of Postgres.
pub async fn update(
    conn: &impl GenericClient,
    id: Uuid,
    name: Option<&str>,
    permission: Option<&Statements>,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = conn.prepare_cached(UPDATE.sql).await?;
    let permission = permission.map(text).transpose()?;
    conn.execute(&statement, &[&id, &name, &permission, &now]).await?;
    Ok(())
}

/// Deletes a role.
///
/// # Errors
/// Those of Postgres.
pub async fn delete(conn: &impl GenericClient, id: Uuid) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// How many roles an organization has.
///
/// # Errors
/// Those of Postgres.
pub async fn count(conn: &impl GenericClient, organization: Uuid) -> Result<i64> {
    let statement = conn.prepare_cached(COUNT.sql).await?;
    Ok(conn.query_one(&statement, &[&organization]).await?.try_get(0)?)
}
