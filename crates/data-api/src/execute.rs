//! Execute: the only module that talks to the database on behalf of a request.
//!
//! BEGIN, the settings, the pre-request function, the statement and COMMIT are one batch of the extended protocol, because
//! values must be parameters and a simple query cannot carry any. If one fails the server skips the rest, COMMIT too, and the
//! transaction is undone afterwards.
//!
//! Only a write that may have to be undone because of its row count waits for the count before it ends.

mod outcome;
mod to_the_end;

use gatepost_postgres::pipeline::{self, Batch, Connection, ServerError};

pub use outcome::{Outcome, ResultRow};
pub use to_the_end::ToTheEnd;

use crate::error::{ApiError, ErrorKind};
use crate::sql::{OpenApiStatements, Statement};

/// How a transaction ends if all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Keep the changes.
    Commit,
    /// Check deferred constraints, then undo.
    Rollback,
}

/// A row count that undoes the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Exactly one row, because one object was asked for.
    Single,
    /// Exactly one row, because a PUT is about one.
    Put,
    /// At most so many rows.
    AtMost(i64),
}

/// What the transaction does between its settings and its end.
#[derive(Clone, Debug)]
pub enum Work {
    /// A statement that returns the response row, and the planner's guess of its count.
    Rows { main: Statement, explain: Option<Statement>, conditions: Vec<Condition> },
    /// A statement that returns a query plan as lines.
    Explain(Statement),
    /// What a role may see.
    OpenApi(OpenApiStatements),
}

/// A transaction, ready to be sent.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Isolation level, `read committed` if `None`.
    pub isolation: Option<String>,
    /// Whether it may write.
    pub read_only: bool,
    /// Role, claims and settings.
    pub settings: Statement,
    /// Function to call first.
    pub pre_request: Option<Statement>,
    /// What to do.
    pub work: Work,
    /// How to end.
    pub end: End,
}

/// Why a transaction failed.
#[derive(Debug)]
pub enum Failure {
    /// The database said so.
    Database(Box<ServerError>),
    /// The connection broke.
    Connection(String),
    /// A row count undid it.
    Refused(ApiError),
}

impl From<pipeline::Error> for Failure {
    fn from(error: pipeline::Error) -> Self {
        match error {
            pipeline::Error::Server(error) => Self::Database(error),
            other => Self::Connection(other.to_string()),
        }
    }
}

/// What the server prepares for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepare {
    /// Nothing: a pooler stands in between.
    Nothing,
    /// What all requests have in common.
    Frame,
    /// The main statement too.
    Everything,
}

fn begin(transaction: &Transaction) -> &'static str {
    let level = transaction.isolation.as_deref().map(str::to_ascii_lowercase);
    match (level.as_deref(), transaction.read_only) {
        (Some("serializable"), true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        (Some("serializable"), false) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        (Some("repeatable read"), true) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Some("repeatable read"), false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        (_, true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (_, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    }
}

fn endings(end: End) -> &'static [&'static str] {
    match end {
        End::Commit => &["COMMIT"],
        End::Rollback => &["SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK"],
    }
}

fn push(batch: &mut Batch<'_>, statement: &Statement, keep: bool) {
    let parameters = statement.params.iter();
    batch.push(
        &statement.text,
        parameters.map(|param| (param.kind.oid(), param.value.as_deref())),
        keep,
    );
}

fn push_text(batch: &mut Batch<'_>, text: &str, keep: bool) {
    batch.push(text, [].into_iter(), keep);
}

/// SQLSTATEs of a prepared statement that no longer fits: the result type changed, or it is gone.
const STALE: [&str; 2] = ["0A000", "26000"];

/// Runs a transaction. On return the connection is outside of any transaction, or of no use.
pub async fn run(
    connection: &mut Connection,
    transaction: &Transaction,
    prepare: Prepare,
) -> Result<Outcome, Failure> {
    let result = attempt(connection, transaction, prepare).await;
    match &result {
        Err(Failure::Database(error))
            if prepare != Prepare::Nothing && STALE.contains(&error.code.as_str()) =>
        {
            connection.forget();
            attempt(connection, transaction, Prepare::Nothing).await
        }
        _ => result,
    }
}

async fn attempt(
    connection: &mut Connection,
    transaction: &Transaction,
    prepare: Prepare,
) -> Result<Outcome, Failure> {
    let (keep, keep_main) = (prepare != Prepare::Nothing, prepare == Prepare::Everything);
    let conditions = transaction.work.conditions();
    let mut batch = connection.batch();
    push_text(&mut batch, begin(transaction), keep);
    push(&mut batch, &transaction.settings, keep);
    if let Some(statement) = &transaction.pre_request {
        push(&mut batch, statement, keep);
    }
    let before = if transaction.pre_request.is_some() { 3 } else { 2 };
    for (index, statement) in transaction.work.statements().into_iter().enumerate() {
        push(&mut batch, statement, keep_main && index == 0);
    }
    if conditions.is_empty() {
        endings(transaction.end).iter().for_each(|text| push_text(&mut batch, text, keep));
    }
    let answer = batch.send().await.map_err(Failure::from);
    let mut result = answer.and_then(|rows| {
        outcome::outcome(&transaction.work, rows.get(before..).unwrap_or_default())
    });
    if let Ok(outcome) = &result
        && !conditions.is_empty()
        && let Err(failure) = judge(connection, transaction.end, conditions, outcome, keep).await
    {
        result = Err(failure);
    }
    if connection.is_in_transaction() {
        let mut batch = connection.batch();
        push_text(&mut batch, "ROLLBACK", keep);
        // If that fails too, the connection is of no use, and nobody will use it.
        let _ = batch.send().await;
    }
    result
}

/// Ends a transaction whose end depends on a row count, unless the count forbids it.
async fn judge(
    connection: &mut Connection,
    end: End,
    conditions: &[Condition],
    outcome: &Outcome,
    keep: bool,
) -> Result<(), Failure> {
    if let Outcome::Rows(row) = outcome
        && let Some(refused) =
            conditions.iter().find_map(|condition| violated(*condition, row.page_total))
    {
        return Err(Failure::Refused(refused));
    }
    let mut batch = connection.batch();
    endings(end).iter().for_each(|text| push_text(&mut batch, text, keep));
    batch.send().await?;
    Ok(())
}

impl Transaction {
    /// The statements between BEGIN and COMMIT.
    pub(crate) fn texts(&self) -> Vec<String> {
        let all = [&self.settings].into_iter().chain(&self.pre_request);
        all.chain(self.work.statements()).map(|statement| statement.text.clone()).collect()
    }

    /// Parameters of the statement that has most.
    pub fn most_parameters(&self) -> usize {
        let all = self.work.statements().into_iter().chain([&self.settings]);
        all.map(|statement| statement.params.len()).max().unwrap_or_default()
    }
}

impl Work {
    fn statements(&self) -> Vec<&Statement> {
        match self {
            Self::Rows { main, explain, .. } => [main].into_iter().chain(explain).collect(),
            Self::Explain(statement) => vec![statement],
            Self::OpenApi(all) => vec![&all.tables, &all.functions, &all.description],
        }
    }

    fn conditions(&self) -> &[Condition] {
        match self {
            Self::Rows { conditions, .. } => conditions,
            _ => &[],
        }
    }
}

/// The refusal a row count deserves.
pub fn violated(condition: Condition, rows: i64) -> Option<ApiError> {
    match condition {
        Condition::Single if rows != 1 => Some(
            ApiError::new(
                ErrorKind::Singularity,
                "Cannot coerce the result to a single JSON object",
            )
            .with_details(format!("The result contains {rows} rows")),
        ),
        Condition::Put if rows != 1 => Some(ApiError::new(
            ErrorKind::PutMismatch,
            "Payload values do not match URL in primary key column(s)",
        )),
        Condition::AtMost(most) if rows > most => Some(
            ApiError::new(
                ErrorKind::MaxAffected,
                "Query result exceeds max-affected preference constraint",
            )
            .with_details(format!("The query affects {rows} rows")),
        ),
        _ => None,
    }
}
