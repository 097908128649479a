//! Test users and their organization.

use gatepost_auth::{app::App, user::Email};
use tokio_postgres::GenericClient;

use crate::user::{self, New};

/// The password of every test user.
pub(super) const PASSWORD: &str = "password";

/// Name, address, role `admin`.
pub(super) const USERS: [(&str, &str, bool); 3] = [
    ("Ada Lovelace", "ada@example.com", true),
    ("Grace Hopper", "grace@example.com", false),
    ("Alan Turing", "alan@example.com", false),
];

const FIND: &str = r#"select email from neon_auth."user" where email = any($1)"#;

/// Adds whatever of the test data is missing; tells whether it is there.
///
/// # Errors
/// Those of the database.
pub(super) async fn seed(app: &App, own: bool) -> anyhow::Result<bool> {
    if !own {
        return Ok(false);
    }
    let conn = app.db.get().await?;
    let emails: Vec<&str> = USERS.iter().map(|(_, email, _)| *email).collect();
    let rows = conn.query(FIND, &[&emails]).await?;
    let found: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if found.len() == USERS.len() {
        return Ok(true);
    }
    for (name, address, admin) in USERS.iter().filter(|(_, email, _)| !found.contains(email)) {
        let Some(email) = Email::parse(address) else { continue };
        let new =
            New { name, email: &email, password: Some(PASSWORD), verified: true, admin: *admin };
        user::create(app, &new).await?;
    }
    if app.config.features.organization {
        create_organization(&**conn).await?;
    }
    Ok(true)
}

/// One statement: all of it or nothing. It moves to the organization feature when that is built.
async fn create_organization(conn: &impl GenericClient) -> anyhow::Result<()> {
    const SQL: &str = r#"
with made as (
  insert into neon_auth.organization (name, slug, "createdAt") values ('Acme', 'acme', now())
  on conflict (slug) do nothing
  returning id
)
insert into neon_auth.member ("organizationId", "userId", role, "createdAt")
select made.id, u.id, case u.email when 'ada@example.com' then 'owner' else 'member' end, now()
from made, neon_auth."user" u
where u.email in ('ada@example.com', 'grace@example.com')"#;
    conn.execute(SQL, &[]).await?;
    Ok(())
}
