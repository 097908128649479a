//! Bringing a database to the newest schema.

use tokio_postgres::{Client, GenericClient, Transaction, error::SqlState};

use super::{
    catalogue::Catalogue,
    check::{Applied, Refusal, pending},
    drift::{Difference, drift, unadoptable},
    migrations::{ALL, LEDGER, Migration},
    repair::quoted,
    roles, row_level, said,
};

/// Held for the length of each migration's transaction, so it also works behind a transaction pooler.
const ADVISORY_LOCK: i64 = 0x6761_7465_706f_7374;

/// What a run would do.
#[derive(Debug)]
pub struct Plan {
    /// Migrations that would run, in order. Empty if the database is up to date.
    pub pending: Vec<&'static Migration>,
    /// Something the operator should know before going on.
    pub notice: Option<String>,
}

impl Plan {
    /// The SQL that would run, one transaction per migration.
    #[must_use]
    pub fn sql(&self) -> String {
        let first = "create schema if not exists neon_auth;\n";
        let mut sql = String::new();
        for (position, migration) in self.pending.iter().enumerate() {
            let ledger = if position == 0 { format!("{first}{LEDGER}\n") } else { String::new() };
            sql.push_str(&format!(
                "-- {}\nbegin;\n{ledger}{}commit;\n\n",
                migration.title(),
                migration.sql
            ));
        }
        sql
    }
}

/// What a run did.
#[derive(Debug)]
pub struct Report {
    /// Titles of the migrations that ran, in order. Empty if the database was up to date.
    pub applied: Vec<String>,
    /// What the schema lacks even so.
    pub differences: Vec<Difference>,
    /// Something the operator should know.
    pub notice: Option<String>,
}

/// Why a run stopped. Migrations before the failing one stay applied; the failing one left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database is not one this binary may change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connected role or the server cannot do it.
    #[error("nothing was changed: {}", .0.join("; "))]
    Lacking(Vec<String>),
    /// Tables that were here before Gatepost are not what they would have to be.
    #[error("nothing was changed: schema neon_auth holds tables that Gatepost cannot take over as they are\n{}", lines(.0))]
    Unadoptable(Vec<Difference>),
    /// Another session held a lock for longer than a migration waits.
    #[error(
        "{0} could not lock a table that another session uses, and gave up before blocking others; \
         nothing of it was applied, run `gatepost migrate` again when the table is less busy"
    )]
    Busy(String),
    /// A migration's SQL failed.
    #[error("{migration} failed and was rolled back: {}", said(cause))]
    Failed {
        /// Its title.
        migration: String,
        /// What Postgres said.
        cause: tokio_postgres::Error,
    },
    /// The connection failed outside a migration.
    #[error("the database refused: {}", said(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

/// Says what [`migrate`] would do, without writing.
///
/// # Errors
/// As [`migrate`], for what can be told without running the SQL.
pub async fn plan(client: &Client) -> Result<Plan, MigrateError> {
    let pending = prepare(client, ALL).await?;
    let notice = if pending.is_empty() { None } else { notice(client).await? };
    Ok(Plan { pending, notice })
}

/// Runs every migration that has not run, each in its own transaction, one migrator at a time.
///
/// # Errors
/// [`MigrateError`]; calling again continues where it stopped.
pub async fn migrate(client: &mut Client) -> Result<Report, MigrateError> {
    run(client, ALL).await
}

pub(super) async fn run(client: &mut Client, all: &[Migration]) -> Result<Report, MigrateError> {
    let notice = notice(client).await?;
    let mut applied = Vec::new();
    while let Some(title) = next(client, all).await? {
        applied.push(title);
    }
    let differences = drift(client).await?;
    let mut notices: Vec<String> = notice.into_iter().collect();
    if !applied.is_empty() {
        notices.extend(row_level::functions(client).await?);
    }
    let notice = (!applied.is_empty() && !notices.is_empty()).then(|| notices.join("\n"));
    Ok(Report { notice, applied, differences })
}

/// What has to run, after everything was looked at that can be looked at without writing.
async fn prepare<'a>(
    client: &impl GenericClient,
    all: &'a [Migration],
) -> Result<Vec<&'a Migration>, MigrateError> {
    let ledger = ledger(client).await?;
    let pending = pending(all, &ledger)?;
    if !pending.is_empty() {
        let lacking = roles::obstacles(client).await?;
        if !lacking.is_empty() {
            return Err(MigrateError::Lacking(lacking));
        }
    }
    if ledger.is_empty() {
        let differences = unadoptable(&Catalogue::read(client).await?);
        if !differences.is_empty() {
            return Err(MigrateError::Unadoptable(differences));
        }
    }
    Ok(pending)
}

/// Runs the first migration that has not run and returns its title.
async fn next(client: &mut Client, all: &[Migration]) -> Result<Option<String>, MigrateError> {
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    let pending = prepare(&transaction, all).await?;
    let Some(migration) = pending.first() else { return Ok(None) };
    apply(&transaction, migration).await.map_err(|source| match source.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => MigrateError::Busy(migration.title()),
        _ => MigrateError::Failed { migration: migration.title(), cause: source },
    })?;
    transaction.commit().await?;
    Ok(Some(migration.title()))
}

/// Waits for whoever else is changing the schema, and keeps others waiting until the transaction ends.
pub(super) async fn lock(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    // Another migrator may take a while, and a role's own limits are not meant for migrations.
    transaction
        .batch_execute("set local lock_timeout = '60s'; set local statement_timeout = 0")
        .await?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await?;
    Ok(())
}

async fn apply(
    transaction: &Transaction<'_>,
    migration: &Migration,
) -> Result<(), tokio_postgres::Error> {
    // Waiting for a busy table makes everybody else wait behind us, so not for long. An empty search
    // path: a function that somebody put into `public` must not run with the owner's rights.
    transaction
        .batch_execute("set local lock_timeout = '3s'; set local search_path = pg_catalog, pg_temp")
        .await?;
    let schema =
        transaction.query_one("select to_regnamespace('neon_auth') is not null", &[]).await?;
    // `if not exists` demands the right to create schemas even when there is nothing to create.
    if !schema.get::<_, bool>(0) {
        transaction.batch_execute("create schema neon_auth").await?;
    }
    transaction.batch_execute(LEDGER).await?;
    transaction.batch_execute(migration.sql).await?;
    transaction.batch_execute(roles::TIGHTEN).await?;
    let row =
        "insert into neon_auth.gatepost_migration (number, name, checksum) values ($1, $2, $3)";
    transaction.execute(row, &[&migration.number, &migration.name, &migration.checksum()]).await?;
    Ok(())
}

/// What ran here, nothing if the ledger does not exist.
async fn ledger(client: &impl GenericClient) -> Result<Vec<Applied>, tokio_postgres::Error> {
    // Not to_regclass, which fails for a role that may not look into the schema, before anything clear can be said.
    const EXISTS: &str = "select exists (select from pg_catalog.pg_class
        where relname = 'gatepost_migration' and relnamespace = to_regnamespace('neon_auth'))";
    let exists = client.query_one(EXISTS, &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let rows = client
        .query("select number, name, checksum from neon_auth.gatepost_migration", &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| Applied { number: row.get(0), name: row.get(1), checksum: row.get(2) })
        .collect())
}

/// Better Auth's own default is schema `public`: those tables stay where they are, and the operator hears of it.
async fn notice(client: &impl GenericClient) -> Result<Option<String>, tokio_postgres::Error> {
    const QUERY: &str = "
        with taken as (
            select c.oid, c.relname::text, n.nspname from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('public', 'neon_auth') and c.relkind in ('r', 'p') and c.relname = any ($1)
        )
        select relname from taken
        where nspname = 'public'
          and not exists (select from taken where nspname = 'neon_auth' and relname = 'user')
          and exists (
            select from taken t join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = 'emailVerified'
            where t.nspname = 'public' and t.relname = 'user')
        order by 1";
    let expected = Catalogue::expected();
    let tables: Vec<&str> = expected.tables().collect();
    let rows = client.query(QUERY, &[&tables]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut text = "Better Auth's tables are in schema public. Gatepost works in schema neon_auth and leaves them alone. \
                    To take them over, run this before `gatepost migrate`:\n  create schema neon_auth;\n"
        .to_owned();
    for row in &rows {
        text.push_str(&format!(
            "  alter table public.{} set schema neon_auth;\n",
            quoted(row.get(0))
        ));
    }
    Ok(Some(text))
}

fn lines(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect()
}
