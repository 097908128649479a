//! Is this database the one this binary was built for?

use tokio_postgres::{Client, SimpleQueryMessage, error::SqlState};

use super::migrations::{ALL, Migration, title};
use super::said;

/// A database that is exactly as new as this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Number of the newest migration.
    pub number: i32,
}

/// Why the server does not work with a database.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No migration ever ran here.
    #[error("the schema neon_auth is not installed in this database; run `gatepost migrate`")]
    NotInstalled,
    /// Migrations of this binary have not run.
    #[error("the database is behind this Gatepost; run `gatepost migrate` (missing: {})", .0.join(", "))]
    Behind(Vec<String>),
    /// A migration ran that this binary does not know.
    #[error(
        "the database was migrated by a newer Gatepost ({0} is unknown here); use that version or newer"
    )]
    Ahead(String),
    /// A migration ran with other text than this binary has.
    #[error(
        "migration {0} is not the one that ran in this database; landed migrations are never edited"
    )]
    Edited(String),
    /// The role may not read the ledger.
    #[error(
        "the database role may not read neon_auth.gatepost_migration; give it its rights again (docs/database-roles.md)"
    )]
    Forbidden,
    /// The question could not be asked.
    #[error("the database did not answer: {}", said(.0))]
    Unreachable(tokio_postgres::Error),
}

/// A row of the ledger.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) number: i32,
    pub(super) name: String,
    pub(super) checksum: String,
}

/// Compares the ledger with this binary's migrations in one round trip, as a server does when it starts.
///
/// # Errors
/// [`Refusal`], each telling what to do about it.
pub async fn check(client: &Client) -> Result<Version, Refusal> {
    // One simple query: a prepared one costs a second round trip, and a missing ledger is then an error, not a branch.
    let answer = client
        .simple_query("select number, name, checksum from neon_auth.gatepost_migration")
        .await;
    let rows = answer.map_err(|error| match error.code() {
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME) => Refusal::NotInstalled,
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Refusal::Forbidden,
        _ => Refusal::Unreachable(error),
    })?;
    let applied: Vec<Applied> = rows.iter().filter_map(applied).collect();
    if applied.is_empty() {
        return Err(Refusal::NotInstalled);
    }
    let pending = pending(ALL, &applied)?;
    if pending.is_empty() {
        Ok(Version { number: ALL.last().map_or(0, |last| last.number) })
    } else {
        Err(Refusal::Behind(pending.iter().map(|migration| migration.title()).collect()))
    }
}

fn applied(message: &SimpleQueryMessage) -> Option<Applied> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    Some(Applied {
        number: row.get(0)?.parse().ok()?,
        name: row.get(1)?.to_owned(),
        checksum: row.get(2)?.to_owned(),
    })
}

/// The migrations of `all` that have not run.
///
/// # Errors
/// [`Refusal::Ahead`] or [`Refusal::Edited`] if what ran is not what `all` has.
pub(super) fn pending<'a>(
    all: &'a [Migration],
    applied: &[Applied],
) -> Result<Vec<&'a Migration>, Refusal> {
    for row in applied {
        let Some(known) = all.iter().find(|migration| migration.number == row.number) else {
            return Err(Refusal::Ahead(title(row.number, &row.name)));
        };
        if known.checksum() != row.checksum {
            return Err(Refusal::Edited(known.title()));
        }
    }
    Ok(all
        .iter()
        .filter(|migration| applied.iter().all(|row| row.number != migration.number))
        .collect())
}
