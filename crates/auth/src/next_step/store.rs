//! The SQL of the next step.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    database::statements::{Statement, prepare},
    error::Result,
};

/// A user of more organizations chooses by searching, not from a list.
const SITUATION: Statement = Statement::new(
    "next_step.situation",
    r#"select o.id, o.name, o.slug, o.logo, m.role, d.organization_id is not null, (
  select count(*) from neon_auth.invitation i
  where i.email = u.email and i.status = 'pending' and i."expiresAt" > $2
)
from neon_auth."user" u
left join neon_auth.member m on m."userId" = u.id
left join neon_auth.organization o on o.id = m."organizationId"
left join neon_auth.gatepost_default_organization d on d.user_id = u.id and d.organization_id = o.id
where u.id = $1
order by o.name, o.id
limit 1000"#,
);

/// Only an organization that the user is in.
const SET_DEFAULT: Statement = Statement::new(
    "next_step.set_default",
    r#"insert into neon_auth.gatepost_default_organization (user_id, organization_id)
select m."userId", m."organizationId" from neon_auth.member m
where m."userId" = $1 and m."organizationId" = $2
on conflict (user_id) do update set organization_id = excluded.organization_id"#,
);

const CLEAR_DEFAULT: Statement = Statement::new(
    "next_step.clear_default",
    "delete from neon_auth.gatepost_default_organization where user_id = $1",
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&SITUATION, &SET_DEFAULT, &CLEAR_DEFAULT];

/// An organization of the user.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Choice {
    pub(super) id: Uuid,
    name: String,
    pub(super) slug: String,
    logo: Option<String>,
    role: String,
    pub(super) is_default: bool,
}

/// Where a user stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Situation {
    pub(super) choices: Vec<Choice>,
    /// Invitations that wait for an answer.
    pub(super) invitations: i64,
}

/// Memberships and open invitations, in one round trip.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn situation(
    conn: &impl GenericClient,
    user: Uuid,
    now: DateTime<Utc>,
) -> Result<Situation> {
    let statement = prepare(conn, &SITUATION).await?;
    let mut situation = Situation::default();
    for row in conn.query(&statement, &[&user, &now]).await? {
        situation.invitations = row.try_get(6)?;
        let Some(id) = row.try_get::<_, Option<Uuid>>(0)? else { continue };
        situation.choices.push(Choice {
            id,
            name: row.try_get(1)?,
            slug: row.try_get(2)?,
            logo: row.try_get(3)?,
            role: row.try_get(4)?,
            is_default: row.try_get(5)?,
        });
    }
    Ok(situation)
}

/// Remembers the user's default; `false`: the user is not in that organization.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn set_default(
    conn: &impl GenericClient,
    user: Uuid,
    organization: Uuid,
) -> Result<bool> {
    let statement = prepare(conn, &SET_DEFAULT).await?;
    Ok(conn.execute(&statement, &[&user, &organization]).await? == 1)
}

/// Forgets the user's default.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn clear_default(conn: &impl GenericClient, user: Uuid) -> Result<()> {
    let statement = prepare(conn, &CLEAR_DEFAULT).await?;
    conn.execute(&statement, &[&user]).await?;
    Ok(())
}
