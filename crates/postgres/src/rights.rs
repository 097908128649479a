//! What a role lacks to set Gatepost up. Only reads.

use tokio_postgres::Client;

use crate::Error;

/// One missing right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRight {
    /// A short name: `server_version`, `create_schema`, `create_roles`, `schema_owner`, `read_only`.
    pub code: &'static str,
    /// One sentence that says what is missing and which statement grants it.
    pub sentence: String,
}

/// The oldest supported major version.
const OLDEST: i32 = 14;

/// Lists what the connected role lacks to create schema `neon_auth` and the roles `anonymous` and `authenticated`. Empty means that
/// set-up can begin.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn missing_rights(client: &Client) -> Result<Vec<MissingRight>, Error> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int AS version,
                    current_setting('server_version') AS version_text,
                    quote_ident(current_user) AS role,
                    quote_ident(current_database()) AS database,
                    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only,
                    has_database_privilege(current_database(), 'CREATE') AS may_create,
                    r.rolsuper AS superuser,
                    r.rolsuper OR r.rolcreaterole AS may_create_roles,
                    (SELECT quote_ident(o.rolname) FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
                      WHERE n.nspname = 'neon_auth' AND NOT pg_has_role(n.nspowner, 'USAGE')) AS foreign_owner,
                    EXISTS (SELECT FROM pg_namespace WHERE nspname = 'neon_auth') AS has_schema,
                    (SELECT string_agg(w.name, ' and ' ORDER BY w.name) FROM (VALUES ('anonymous'), ('authenticated')) AS w (name)
                      WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = w.name)) AS absent_roles
               FROM pg_roles r WHERE r.rolname = current_user",
            &[],
        )
        .await?;
    let (role, database): (String, String) = (row.get("role"), row.get("database"));
    let mut missing = Vec::new();
    let mut lacks = |code, sentence| missing.push(MissingRight { code, sentence });
    if row.get::<_, i32>("version") / 10_000 < OLDEST {
        let version: String = row.get("version_text");
        lacks(
            "server_version",
            format!(
                "This is PostgreSQL {version}; Gatepost needs {OLDEST} or newer: upgrade the server."
            ),
        );
    }
    if row.get("read_only") {
        lacks(
            "read_only",
            "This server only allows reading: give the URL of the primary.".to_owned(),
        );
    }
    if !row.get::<_, bool>("has_schema") && !row.get::<_, bool>("may_create") {
        let sentence = format!(
            "Role {role} may not create schema neon_auth in database {database}; as its owner run: GRANT CREATE ON DATABASE {database} TO {role};"
        );
        lacks("create_schema", sentence);
    }
    if let Some(owner) =
        row.get::<_, Option<String>>("foreign_owner").filter(|_| !row.get::<_, bool>("superuser"))
    {
        let sentence = format!(
            "Schema neon_auth belongs to role {owner}, and role {role} is no member of it; run: GRANT {owner} TO {role}; or ALTER SCHEMA \
             neon_auth OWNER TO {role};"
        );
        lacks("schema_owner", sentence);
    }
    if let Some(absent) = row
        .get::<_, Option<String>>("absent_roles")
        .filter(|_| !row.get::<_, bool>("may_create_roles"))
    {
        let statements = absent
            .split(" and ")
            .map(|name| format!("CREATE ROLE {name} NOLOGIN;"))
            .collect::<Vec<_>>()
            .join(" ");
        let sentence = format!(
            "Role {role} may not create roles, and {absent} do not exist; run: ALTER ROLE {role} CREATEROLE; or as a superuser: {statements}"
        );
        lacks("create_roles", sentence);
    }
    Ok(missing)
}
