//! What an administrator should look at: tables, views, policies and indexes, each with the SQL that mends it.

use serde::Serialize;
use tokio_postgres::{Client, Row};

use crate::ident::{Ident, Name};

/// Kinds of advice; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceKind {
    /// A table of an exposed schema without Row Level Security.
    NoRowSecurity,
    /// A view that reads with its owner's rights, past the policies of its tables.
    ViewBypassesPolicies,
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
    /// The stable name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRowSecurity => "no_row_security",
            Self::ViewBypassesPolicies => "view_bypasses_policies",
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
    /// The table, view or policy.
    pub object: String,
    /// What is wrong, in one sentence.
    pub problem: String,
    /// SQL that mends it.
    pub fix: String,
}

const TABLES: &str = "
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity ORDER BY 1, 2";

const VIEWS: &str = "
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND c.relkind = 'v'
      AND coalesce(array_to_string(c.reloptions, ','), '') !~ 'security_invoker=(true|on|1)' ORDER BY 1, 2";

const POLICIES: &str = "
    SELECT n.nspname::text, c.relname::text, p.polname::text,
      pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
      ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum))
    FROM pg_catalog.pg_policy p
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) ORDER BY 1, 2, 3";

const FOREIGN_KEYS: &str = "
    SELECT n.nspname::text, c.relname::text, k.conname::text,
      ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(col, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.col ORDER BY u.place)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = ANY($1)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indpred IS NULL
        AND (i.indkey::int2[])[0:array_length(k.conkey, 1) - 1] @> k.conkey)
    ORDER BY 1, 2, 3";

/// Claims a user can change, in the spellings policies use.
const EDITABLE: [&str; 5] =
    ["user_metadata", "raw_user_meta_data", "'name'", "'image'", "'picture'"];
/// Functions that answer the same for every row of a statement.
const STABLE_CALLS: [&str; 4] = ["auth.user_id()", "auth.uid()", "auth.jwt()", "current_setting("];

/// Looks at everything in `schemas`. Needs no rights beyond reading the catalogue.
pub async fn advise(
    client: &Client,
    schemas: &[String],
) -> Result<Vec<Advice>, tokio_postgres::Error> {
    let mut all = Vec::new();
    for row in client.query(TABLES, &[&schemas]).await? {
        let table = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        all.push(Advice {
            kind: AdviceKind::NoRowSecurity,
            object: table.to_string(),
            problem: "Whoever has a grant on the table reaches every row.".to_owned(),
            fix: format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"),
        });
    }
    for row in client.query(VIEWS, &[&schemas]).await? {
        let view = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        all.push(Advice {
            kind: AdviceKind::ViewBypassesPolicies,
            object: view.to_string(),
            problem: "The view reads with its owner's rights, so the policies of its tables see the owner.".to_owned(),
            fix: format!("ALTER VIEW {view} SET (security_invoker = true);"),
        });
    }
    for row in client.query(POLICIES, &[&schemas]).await? {
        policy(&row, &mut all)?;
    }
    for row in client.query(FOREIGN_KEYS, &[&schemas]).await? {
        let table = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        let (constraint, columns): (String, Vec<String>) = (row.try_get(2)?, row.try_get(3)?);
        let columns: Vec<String> = columns.iter().map(|column| Ident(column).to_string()).collect();
        all.push(Advice {
            kind: AdviceKind::NoIndexUnderForeignKey,
            object: format!("{} on {table}", Ident(&constraint)),
            problem:
                "Embedding along the key, and deleting the row it points to, reads the whole table."
                    .to_owned(),
            fix: format!("CREATE INDEX CONCURRENTLY ON {table} ({});", columns.join(", ")),
        });
    }
    Ok(all)
}

fn policy(row: &Row, all: &mut Vec<Advice>) -> Result<(), tokio_postgres::Error> {
    let table = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
    let name: String = row.try_get(2)?;
    let object = format!("{} on {table}", Ident(&name));
    let clauses: [(&str, Option<String>); 2] =
        [("USING", row.try_get(3)?), ("WITH CHECK", row.try_get(4)?)];
    let unindexed: Vec<String> = row.try_get(5)?;
    let text: String =
        clauses.iter().filter_map(|(_, text)| text.as_deref()).collect::<Vec<_>>().join(" ");
    if EDITABLE.iter().any(|claim| text.contains(claim)) {
        all.push(Advice {
            kind: AdviceKind::UserEditableClaim,
            object: object.clone(),
            problem: "The policy trusts a claim the user can change: whoever edits it passes."
                .to_owned(),
            fix: format!(
                "ALTER POLICY {} ON {table} USING (owner_id = (SELECT auth.user_id()));",
                Ident(&name)
            ),
        });
    }
    let once: Vec<(&str, String)> = clauses
        .iter()
        .filter_map(|(clause, text)| Some((*clause, call_once(text.as_deref()?)?)))
        .collect();
    if !once.is_empty() {
        let clauses: Vec<String> =
            once.iter().map(|(clause, text)| format!("{clause} ({text})")).collect();
        all.push(Advice {
            kind: AdviceKind::FunctionPerRow,
            object: object.clone(),
            problem:
                "The policy asks who is calling once for every row; a sub-select asks once for all."
                    .to_owned(),
            fix: format!("ALTER POLICY {} ON {table} {};", Ident(&name), clauses.join(" ")),
        });
    }
    for column in unindexed.iter().filter(|column| compares(&text, column)) {
        let advice = Advice {
            kind: AdviceKind::NoIndexUnderPolicy,
            object: table.to_string(),
            problem: format!(
                "A policy compares the column '{column}', which no index begins with."
            ),
            fix: format!("CREATE INDEX CONCURRENTLY ON {table} ({});", Ident(column)),
        };
        if !all.contains(&advice) {
            all.push(advice);
        }
    }
    Ok(())
}

/// The expression with its calls in sub-selects; `None` when they all are already.
fn call_once(text: &str) -> Option<String> {
    let mut changed = text.to_owned();
    for call in STABLE_CALLS {
        let mut from = 0;
        while let Some(found) =
            changed.get(from..).and_then(|rest| rest.find(call)).map(|at| from + at)
        {
            let before = changed.get(..found).unwrap_or_default();
            let end = end_of_call(&changed, found);
            if before.trim_end().ends_with("SELECT")
                || before.contains("SELECT ") && in_sub_select(before)
            {
                from = end;
                continue;
            }
            let wrapped = format!("(SELECT {})", changed.get(found..end).unwrap_or_default());
            changed.replace_range(found..end, &wrapped);
            from = found + wrapped.len();
        }
    }
    (changed != text).then_some(changed)
}

/// Whether the last opened parenthesis that is still open began a sub-select.
fn in_sub_select(before: &str) -> bool {
    let mut open = Vec::new();
    for (index, c) in before.char_indices() {
        match c {
            '(' => open.push(index),
            ')' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.iter()
        .any(|at| before.get(at + 1..).is_some_and(|rest| rest.trim_start().starts_with("SELECT")))
}

fn end_of_call(text: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, c) in text.get(start..).unwrap_or_default().char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return start + index + 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// Whether the column stands on one side of `=` or `IN`.
fn compares(text: &str, column: &str) -> bool {
    [format!("({column} = "), format!("({column} IN "), format!(" = {column})")]
        .iter()
        .any(|form| text.contains(form))
}

#[cfg(test)]
mod tests;
