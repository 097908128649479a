//! What an administrator should look at: tables, views, functions, policies and indexes, each with the SQL that mends it.

mod expression;
mod queries;

use serde::Serialize;
use tokio_postgres::{Client, Row};

use crate::ident::{Ident, Name};

/// Kinds of advice; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceKind {
    /// A relation of an exposed schema without Row Level Security.
    NoRowSecurity,
    /// A view that reads with its owner's rights, past the policies of its tables.
    ViewBypassesPolicies,
    /// A view over the schema of the auth server.
    ViewShowsAuth,
    /// A function that runs with its owner's rights and is open to everybody, or to the caller's search path.
    FunctionBypassesPolicies,
    /// A policy that trusts a claim the user can edit.
    UserEditableClaim,
    /// A policy that calls a function for every row.
    FunctionPerRow,
    /// A policy compares a column no index begins with.
    NoIndexUnderPolicy,
    /// A foreign key whose columns no index begins with.
    NoIndexUnderForeignKey,
}

impl AdviceKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::NoRowSecurity,
        Self::ViewBypassesPolicies,
        Self::ViewShowsAuth,
        Self::FunctionBypassesPolicies,
        Self::UserEditableClaim,
        Self::FunctionPerRow,
        Self::NoIndexUnderPolicy,
        Self::NoIndexUnderForeignKey,
    ];

    /// The stable name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRowSecurity => "no_row_security",
            Self::ViewBypassesPolicies => "view_bypasses_policies",
            Self::ViewShowsAuth => "view_shows_auth",
            Self::FunctionBypassesPolicies => "function_bypasses_policies",
            Self::UserEditableClaim => "user_editable_claim",
            Self::FunctionPerRow => "function_per_row",
            Self::NoIndexUnderPolicy => "no_index_under_policy",
            Self::NoIndexUnderForeignKey => "no_index_under_foreign_key",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Advice {
    /// What kind.
    pub kind: AdviceKind,
    /// The table, view, function or policy.
    pub object: String,
    /// What is wrong, in one sentence.
    pub problem: String,
    /// SQL that mends it.
    pub fix: String,
}

impl Advice {
    fn new(kind: AdviceKind, object: &impl ToString, problem: &str, fix: String) -> Self {
        Self { kind, object: object.to_string(), problem: problem.to_owned(), fix }
    }
}

/// Looks at everything in `schemas`, on a connection of its own. Needs no rights beyond reading the catalogue.
///
/// # Errors
/// The database's.
pub async fn advise(
    client: &Client,
    schemas: &[String],
) -> Result<Vec<Advice>, tokio_postgres::Error> {
    // Every name is printed with its schema.
    client.batch_execute("SET search_path = ''").await?;
    let mut all = Vec::new();
    for row in client.query(queries::TABLES, &[&schemas]).await? {
        all.push(table(&row)?);
    }
    for row in client.query(queries::VIEWS, &[&schemas]).await? {
        view(&row, &mut all)?;
    }
    for row in client.query(queries::FUNCTIONS, &[&schemas]).await? {
        all.push(function(&row)?);
    }
    for row in client.query(queries::POLICIES, &[&schemas]).await? {
        policy(&row, &mut all)?;
    }
    for row in client.query(queries::FOREIGN_KEYS, &[&schemas]).await? {
        all.push(foreign_key(&row)?);
    }
    Ok(all)
}

fn name(row: &Row) -> Result<Name, tokio_postgres::Error> {
    Ok(Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?))
}

fn revoke(relation: &Name, grantees: &[String]) -> String {
    format!("REVOKE ALL ON {relation} FROM {};", grantees.join(", "))
}

fn table(row: &Row) -> Result<Advice, tokio_postgres::Error> {
    let table = name(row)?;
    let (possible, grantees): (bool, Vec<String>) = (row.try_get(2)?, row.try_get(3)?);
    let (problem, fix) = if possible {
        (
            "Whoever has a grant on the table reaches every row.",
            format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"),
        )
    } else {
        (
            "No policy can guard a foreign table or a materialized view: whoever has a grant reaches every row.",
            revoke(&table, &grantees),
        )
    };
    Ok(Advice::new(AdviceKind::NoRowSecurity, &table, problem, fix))
}

fn view(row: &Row, all: &mut Vec<Advice>) -> Result<(), tokio_postgres::Error> {
    let view = name(row)?;
    let (shows_auth, bypasses): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
    let (grantees, can_invoke): (Vec<String>, bool) = (row.try_get(4)?, row.try_get(5)?);
    if shows_auth {
        all.push(Advice::new(
            AdviceKind::ViewShowsAuth,
            &view,
            "The view shows users, sessions or keys of schema neon_auth; the Data API refuses it, other programs do not.",
            revoke(&view, &grantees),
        ));
    }
    if bypasses {
        let fix = match (can_invoke, grantees.is_empty()) {
            (true, _) => format!("ALTER VIEW {view} SET (security_invoker = true);"),
            // Before PostgreSQL 15 every view reads so.
            (false, false) => revoke(&view, &grantees),
            (false, true) => return Ok(()),
        };
        all.push(Advice::new(
            AdviceKind::ViewBypassesPolicies,
            &view,
            "The view reads with its owner's rights, so the policies of its tables see the owner.",
            fix,
        ));
    }
    Ok(())
}

fn function(row: &Row) -> Result<Advice, tokio_postgres::Error> {
    let (function, schema): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (everybody, path_follows_caller): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
    let mut fixes = Vec::new();
    if everybody {
        fixes.push(format!("REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC;"));
    }
    if path_follows_caller {
        fixes.push(format!(
            "ALTER FUNCTION {function} SET search_path = pg_catalog, {schema}, pg_temp;"
        ));
    }
    let problem = if everybody {
        "The function runs with its owner's rights and is everybody's to call: grant it by name to whom it is for."
    } else {
        "The function runs with its owner's rights and finds names by the caller's search path."
    };
    Ok(Advice::new(AdviceKind::FunctionBypassesPolicies, &function, problem, fixes.join("\n")))
}

fn index(table: &Name, columns: &str, partitioned: bool) -> String {
    // PostgreSQL cannot make it concurrently for all partitions at once.
    let how = if partitioned { "" } else { " CONCURRENTLY" };
    format!("CREATE INDEX{how} ON {table} ({columns});")
}

fn foreign_key(row: &Row) -> Result<Advice, tokio_postgres::Error> {
    let table = name(row)?;
    let (constraint, columns): (String, Vec<String>) = (row.try_get(2)?, row.try_get(3)?);
    let columns: Vec<String> = columns.iter().map(|column| Ident(column).to_string()).collect();
    Ok(Advice::new(
        AdviceKind::NoIndexUnderForeignKey,
        &format!("{} on {table}", Ident(&constraint)),
        "Embedding along the key, and deleting the row it points to, reads the whole table.",
        index(&table, &columns.join(", "), row.try_get(4)?),
    ))
}

fn policy(row: &Row, all: &mut Vec<Advice>) -> Result<(), tokio_postgres::Error> {
    let table = name(row)?;
    let name: String = row.try_get(2)?;
    let object = format!("{} on {table}", Ident(&name));
    let alter = |clauses: Vec<String>| {
        format!("ALTER POLICY {} ON {table} {};", Ident(&name), clauses.join(" "))
    };
    let (using, check): (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
    let clauses: Vec<(&str, String)> = [("USING", using), ("WITH CHECK", check)]
        .into_iter()
        .filter_map(|(clause, text)| Some((clause, text?)))
        .collect();
    let unindexed: Vec<String> = row.try_get(5)?;
    let partitioned: bool = row.try_get(6)?;
    let owner: Option<String> = row.try_get(7)?;
    if clauses.iter().any(|(_, text)| expression::trusts_editable_claim(text)) {
        // Who is meant cannot be known: an owner's column if there is one, else nobody.
        let instead = owner.unwrap_or_else(|| "false".to_owned());
        all.push(Advice::new(
            AdviceKind::UserEditableClaim,
            &object,
            "The policy trusts a claim the user can change: whoever edits it passes.",
            alter(clauses.iter().map(|(clause, _)| format!("{clause} ({instead})")).collect()),
        ));
        // It has to be written anew: how often it asks comes after that.
        return Ok(());
    }
    let once: Vec<String> = clauses
        .iter()
        .filter_map(|(clause, text)| Some(format!("{clause} ({})", expression::call_once(text)?)))
        .collect();
    if !once.is_empty() {
        all.push(Advice::new(
            AdviceKind::FunctionPerRow,
            &object,
            "The policy asks who is calling once for every row; a sub-select asks once for all.",
            alter(once),
        ));
    }
    for column in unindexed {
        if clauses.iter().any(|(_, text)| expression::compares(text, &column)) {
            let advice = Advice::new(
                AdviceKind::NoIndexUnderPolicy,
                &table,
                &format!("A policy compares the column '{column}', which no index begins with."),
                index(&table, &Ident(&column).to_string(), partitioned),
            );
            if !all.contains(&advice) {
                all.push(advice);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
