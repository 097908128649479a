//! Who may do what: an owner for migrations, a server that cannot change the schema, and the two roles of the Data API.
//!
//! `docs/database-roles.md` says the same in SQL for people who set up roles themselves.

use tokio_postgres::{Client, GenericClient, error::SqlState, types::Type};

use super::{
    catalogue::Catalogue,
    drift::{Difference, Problem, Repair},
    repair::quoted,
    said,
};

/// The roles of an installation. `anonymous` and `authenticated` carry these names everywhere.
#[derive(Clone, Copy)]
pub struct Roles<'a> {
    /// Runs migrations and owns what they make.
    pub owner: &'a str,
    /// The server's login: reads and writes rows, nothing else.
    pub runtime: &'a str,
    /// The Data API's login: may become `anonymous` and `authenticated`, and has no right of its own.
    pub data_api: &'a str,
    /// Set if given. A role without one logs in only where the server's access rules ask for none.
    pub owner_password: Option<&'a str>,
    /// As above.
    pub runtime_password: Option<&'a str>,
}

impl Default for Roles<'_> {
    fn default() -> Self {
        Self {
            owner: "gatepost",
            runtime: "gatepost_server",
            data_api: "authenticator",
            owner_password: None,
            runtime_password: None,
        }
    }
}

/// Why roles were not set up.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    /// A role exists already and may do what it must not.
    #[error("role {role} must not have these powers: {}; take them away or choose another role", .powers.join(", "))]
    TooPowerful {
        /// Its name.
        role: String,
        /// In words.
        powers: Vec<String>,
    },
    /// The database refused.
    #[error("the roles were not set up: {}", said(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

const ALL_RIGHTS: &[&str] = &["select", "insert", "update", "delete"];

/// What the server may do with a table. It can neither forge the ledger nor rewrite the audit.
fn rights(table: &str) -> &'static [&'static str] {
    match table {
        "gatepost_migration" => &["select"],
        "gatepost_audit" => &["select", "insert"],
        _ => ALL_RIGHTS,
    }
}

/// Creates the roles and the schema and grants what is needed, also for tables of later migrations. Repeatable.
/// Call it before the first migration, as a superuser or a role that may create roles and schemas.
///
/// # Errors
/// [`RolesError::TooPowerful`] before anything is granted, or the database's refusal.
pub async fn create_roles(client: &mut Client, roles: &Roles<'_>) -> Result<(), RolesError> {
    create_role(client, roles.owner, "login", roles.owner_password).await?;
    create_role(client, roles.runtime, "login", roles.runtime_password).await?;
    for role in ["anonymous", "authenticated"] {
        create_role(client, role, "nologin", None).await?;
    }
    create_role(client, roles.data_api, "login noinherit", None).await?;
    for role in [roles.runtime, roles.data_api, "anonymous", "authenticated"] {
        let powers = powers(client, role, Some(roles.owner)).await?;
        if !powers.is_empty() {
            return Err(RolesError::TooPowerful { role: role.to_owned(), powers });
        }
    }
    for role in ["anonymous", "authenticated"] {
        grant_role(client, role, roles.data_api).await?;
    }
    let transaction = client.transaction().await?;
    super::migrate::lock(&transaction).await?;
    create_schema(&transaction, roles).await?;
    grant(&transaction, roles).await?;
    transaction.commit().await?;
    Ok(())
}

async fn create_role(
    client: &Client,
    role: &str,
    login: &str,
    password: Option<&str>,
) -> Result<(), tokio_postgres::Error> {
    let role = quoted(role);
    match client.batch_execute(&format!("create role {role} {login}")).await {
        // Roles belong to the whole cluster: another database's Gatepost may have made it, even in this moment.
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::DUPLICATE_OBJECT | &SqlState::UNIQUE_VIOLATION)
            ) => {}
        result => result?,
    }
    if let Some(password) = password {
        // Hashed here, so that the password cannot end up in the database's log.
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        client.batch_execute(&format!("alter role {role} password '{verifier}'")).await?;
    }
    Ok(())
}

async fn grant_role(client: &Client, role: &str, to: &str) -> Result<(), tokio_postgres::Error> {
    const QUERY: &str = "select pg_has_role($1::text::name, $2::text::name, 'member')";
    if client.query_one(QUERY, &[&to, &role]).await?.get(0) {
        return Ok(());
    }
    let sql = format!("grant {} to {}", quoted(role), quoted(to));
    match client.batch_execute(&sql).await {
        // As above: granted by another database's Gatepost in this moment.
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(()),
        result => result,
    }
}

async fn create_schema(
    client: &impl GenericClient,
    roles: &Roles<'_>,
) -> Result<(), tokio_postgres::Error> {
    let owner = quoted(roles.owner);
    let facts = client
        .query_one(
            "select r.rolsuper or r.rolname = $1, to_regnamespace('neon_auth') is not null
             from pg_catalog.pg_roles r where r.rolname = current_user",
            &[&roles.owner],
        )
        .await?;
    let (powerful, exists): (bool, bool) = (facts.get(0), facts.get(1));
    if !powerful {
        // Making things for another role takes membership in it.
        client.batch_execute(&format!("grant {owner} to current_user")).await?;
    }
    let sql = if exists {
        format!("grant usage, create on schema neon_auth to {owner}")
    } else {
        format!("create schema neon_auth authorization {owner}")
    };
    client.batch_execute(&sql).await?;
    // For the functions that policies use. Whoever has such a schema already keeps it.
    let auth = client.query_one("select to_regnamespace('auth') is not null", &[]).await?;
    if auth.get(0) {
        return Ok(());
    }
    let sql =
        format!("create schema auth authorization {owner}; grant usage on schema auth to public");
    client.batch_execute(&sql).await
}

async fn grant(
    client: &impl GenericClient,
    roles: &Roles<'_>,
) -> Result<(), tokio_postgres::Error> {
    let (owner, runtime) = (quoted(roles.owner), quoted(roles.runtime));
    let all = ALL_RIGHTS.join(", ");
    let mut sql = format!(
        "grant usage on schema neon_auth to {runtime};
         alter default privileges for role {owner} in schema neon_auth grant {all} on tables to {runtime};"
    );
    let found = Catalogue::read(client).await?;
    for table in Catalogue::expected().tables().filter(|table| found.0.contains_key(*table)) {
        let (name, rights) = (quoted(table), rights(table).join(", "));
        sql.push_str(&format!(
            "revoke all on neon_auth.{name} from {runtime}; grant {rights} on neon_auth.{name} to {runtime};"
        ));
    }
    client.batch_execute(&sql).await
}

/// Takes back what default privileges gave on tables that only the owner may rewrite. Run after each migration.
pub(super) const TIGHTEN: &str = "
do $$
declare entry record;
begin
    for entry in
        select distinct c.relname, r.rolname
        from pg_catalog.pg_class c
        cross join lateral pg_catalog.aclexplode(c.relacl) a
        join pg_catalog.pg_roles r on r.oid = a.grantee
        where c.oid in (to_regclass('neon_auth.gatepost_migration'), to_regclass('neon_auth.gatepost_audit'))
          and a.grantee <> c.relowner
          and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    loop
        execute format('revoke update, delete, truncate on neon_auth.%I from %I', entry.relname, entry.rolname);
        if entry.relname = 'gatepost_migration' then
            execute format('revoke insert on neon_auth.%I from %I', entry.relname, entry.rolname);
        end if;
    end loop;
end $$";

/// What the connected role may do beyond what a server needs, in words: empty for a role made by [`create_roles`].
///
/// # Errors
/// The database's error if it cannot be asked.
pub async fn excessive_powers(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    let role: String = client.query_one("select current_user::text", &[]).await?.get(0);
    powers(client, &role, None).await
}

async fn powers(
    client: &impl GenericClient,
    role: &str,
    owner: Option<&str>,
) -> Result<Vec<String>, tokio_postgres::Error> {
    const QUERY: &str = "
        select p.power from pg_catalog.pg_roles r
        cross join lateral (values
            ('superuser', r.rolsuper),
            ('create roles', r.rolcreaterole),
            ('create databases', r.rolcreatedb),
            ('bypass row level security', r.rolbypassrls),
            ('replication', r.rolreplication),
            ('act as the owner or a superuser', exists (
                select from pg_catalog.pg_roles o
                where (o.rolsuper or o.rolname = $2) and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member'))),
            ('change schema neon_auth', coalesce(has_schema_privilege(r.oid, to_regnamespace('neon_auth'), 'create'), false))
        ) p (power, held)
        where r.rolname = $1 and p.held";
    let rows = client.query_typed(QUERY, &[(&role, Type::TEXT), (&owner, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The rights on Gatepost's tables that the connected role lacks.
pub(super) async fn missing_rights(
    client: &impl GenericClient,
) -> Result<Vec<Difference>, tokio_postgres::Error> {
    const QUERY: &str = "
        select w.relation, w.needed, current_user::text
        from unnest($1, $2) w (relation, needed)
        join pg_catalog.pg_class c on c.relname = w.relation and c.relnamespace = to_regnamespace('neon_auth')
        where not has_table_privilege(c.oid, w.needed)
           or not has_schema_privilege(c.relnamespace, 'usage')";
    let expected = Catalogue::expected();
    let (tables, needed): (Vec<&str>, Vec<&str>) = expected
        .tables()
        .flat_map(|table| rights(table).iter().map(move |right| (table, *right)))
        .unzip();
    let rows = client
        .query_typed(QUERY, &[(&tables, Type::TEXT_ARRAY), (&needed, Type::TEXT_ARRAY)])
        .await?;
    let difference = |relation: String, right: String, role: String| Difference {
        repair: Repair::Safe(format!(
            "grant usage on schema neon_auth to {role}; grant {right} on neon_auth.{} to {role};",
            quoted(&relation),
            role = quoted(&role),
        )),
        expected: None,
        found: None,
        relation,
        problem: Problem::MissingRight(right),
    };
    Ok(rows.iter().map(|row| difference(row.get(0), row.get(1), row.get(2))).collect())
}

/// What the connected role lacks to run migrations, in words; empty if it lacks nothing.
pub(super) async fn obstacles(
    client: &impl GenericClient,
) -> Result<Vec<String>, tokio_postgres::Error> {
    const QUERY: &str = "
        with schema as (select to_regnamespace('neon_auth') as oid)
        select 'Postgres 14 or newer is needed, this is ' || current_setting('server_version')
        from schema where current_setting('server_version_num')::integer < 140000
        union all
        select format('role %I may not create a schema: grant create on database %I to %I;',
            current_user, current_database(), current_user)
        from schema where oid is null and not has_database_privilege(current_database(), 'create')
        union all
        select format('role %I may not create tables: grant usage, create on schema neon_auth to %I;',
            current_user, current_user)
        from schema
        where oid is not null and not (has_schema_privilege(oid, 'usage') and has_schema_privilege(oid, 'create'))
        union all
        select format('table neon_auth.%I belongs to %I: alter table neon_auth.%I owner to %I; (or: grant %I to %I;)',
            c.relname, r.rolname, c.relname, current_user, r.rolname, current_user)
        from schema
        join pg_catalog.pg_class c on c.relnamespace = schema.oid and c.relkind in ('r', 'p') and c.relname = any ($1)
        join pg_catalog.pg_roles r on r.oid = c.relowner
        where not pg_has_role(c.relowner, 'usage')";
    let expected = Catalogue::expected();
    let tables: Vec<&str> = expected.tables().collect();
    let rows = client.query_typed(QUERY, &[(&tables, Type::TEXT_ARRAY)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
