//! The functions for policies in schema `auth`: whether they are there, and whose they are.

use tokio_postgres::GenericClient;

use super::migrations::ALL;

/// What an operator should know of schema `auth`; `None`: every function is there and Gatepost's own.
///
/// # Errors
/// The database's error, if it cannot be asked.
pub async fn functions(
    client: &impl GenericClient,
) -> Result<Option<String>, tokio_postgres::Error> {
    const QUERY: &str = "
        select w.name, p.oid is not null, coalesce(obj_description(p.oid, 'pg_proc') like 'Gatepost: %', false)
        from unnest(array['jwt', 'org_id', 'org_role', 'session', 'uid', 'user_id']) w (name)
        left join pg_catalog.pg_proc p
          on p.pronamespace = to_regnamespace('auth') and p.proname = w.name and p.pronargs = 0
        order by 1";
    let (mut missing, mut foreign) = (Vec::new(), Vec::new());
    for row in client.query(QUERY, &[]).await? {
        let (name, exists, ours): (String, bool, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match (exists, ours) {
            (false, _) => missing.push(format!("auth.{name}()")),
            (true, false) => foreign.push(format!("auth.{name}()")),
            (true, true) => {}
        }
    }
    let mut text = String::new();
    if !foreign.is_empty() {
        text.push_str(&format!(
            "{} came from somebody else (pg_session_jwt, Supabase) and stay as they are.\n",
            foreign.join(", ")
        ));
    }
    if !missing.is_empty() {
        let sql = ALL.iter().find(|migration| migration.name == "row_level_security");
        text.push_str(&format!(
            "Functions for policies are missing: {}. As a role that may create them, run:\n{}",
            missing.join(", "),
            sql.map_or("", |migration| migration.sql),
        ));
    }
    Ok((!text.is_empty()).then_some(text))
}
