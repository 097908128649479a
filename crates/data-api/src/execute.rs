//! Execute: the only module that talks to the database on behalf of a request.
//!
//! BEGIN, the settings, the pre-request function, the statement and COMMIT are separate messages of the extended
//! protocol, because values must be parameters and a simple query cannot carry any. They are sent without waiting
//! for each other's answers, so that a request costs one round trip: each future sends its message when first
//! polled, and `join_all` polls in order. If one fails the server skips the rest and COMMIT rolls back.
//!
//! Only a write that may have to be undone because of its row count waits for the count before it ends, and a statement
//! that is prepared on a connection for the first time waits for that: it must happen within the transaction, as the
//! role, because looking up names needs rights on their schema.

mod outcome;

use std::pin::Pin;
use std::task::Poll;

use deadpool_postgres::Object;
use futures_util::future::{BoxFuture, JoinAll, MaybeDone, join, join_all, maybe_done};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

pub use outcome::{Outcome, ResultRow};

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
    Database(Box<tokio_postgres::error::DbError>),
    /// The connection broke.
    Connection(String),
    /// A row count undid it.
    Refused(ApiError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(database) => Self::Database(Box::new(database.clone())),
            None => Self::Connection(error.to_string()),
        }
    }
}

type Reply = Result<Vec<Row>, tokio_postgres::Error>;

async fn simple(client: &Client, text: String) -> Reply {
    client.batch_execute(&text).await.map(|()| Vec::new())
}

/// One statement without preparing it.
pub(crate) async fn query(client: &Client, statement: &Statement) -> Reply {
    let params: Vec<(&(dyn ToSql + Sync), Type)> = statement
        .params
        .iter()
        .map(|param| (param as &(dyn ToSql + Sync), param.kind.clone()))
        .collect();
    client.query_typed(&statement.text, &params).await
}

fn begin(transaction: &Transaction) -> String {
    let level = match transaction.isolation.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("serializable") => "SERIALIZABLE",
        Some("repeatable read") => "REPEATABLE READ",
        _ => "READ COMMITTED",
    };
    if transaction.read_only {
        return format!("BEGIN ISOLATION LEVEL {level} READ ONLY");
    }
    // BEGIN alone cannot fail. With READ WRITE it can, on a standby, and what follows would run outside of any
    // transaction, as the login role.
    format!("BEGIN; SET TRANSACTION ISOLATION LEVEL {level} READ WRITE")
}

fn endings(end: End) -> Vec<String> {
    match end {
        End::Commit => vec!["COMMIT".to_owned()],
        End::Rollback => vec!["SET CONSTRAINTS ALL IMMEDIATE".to_owned(), "ROLLBACK".to_owned()],
    }
}

/// The error that caused the others: after it every statement fails with 25P02.
fn first_error(replies: Vec<Reply>) -> Result<Vec<Vec<Row>>, Failure> {
    replies.into_iter().collect::<Result<Vec<_>, _>>().map_err(Failure::from)
}

/// Polls a future once, whatever comes of it.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

/// A statement on its way: with its text, or prepared on this connection.
async fn send(
    client: &Client,
    statement: &Statement,
    prepared: Option<&tokio_postgres::Statement>,
) -> Reply {
    let Some(prepared) = prepared else { return query(client, statement).await };
    let params: Vec<&(dyn ToSql + Sync)> =
        statement.params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
    client.query(prepared, &params).await
}

/// SQLSTATEs of a prepared statement that no longer fits: the result type changed, or it is gone.
const STALE: [&str; 2] = ["0A000", "26000"];
/// Statements prepared on one connection at most.
const MOST_PREPARED: usize = 500;

/// Runs a transaction. On return the connection is outside of any transaction, or broken.
///
/// With `prepare` the main statement is prepared on the connection, or used as prepared before.
pub async fn run(
    connection: &Object,
    transaction: &Transaction,
    prepare: bool,
) -> Result<Outcome, Failure> {
    let result = attempt(connection, transaction, prepare).await;
    match &result {
        Err(Failure::Database(error)) if prepare && STALE.contains(&error.code().code()) => {
            connection.statement_cache.clear();
            attempt(connection, transaction, false).await
        }
        _ => result,
    }
}

async fn attempt(
    connection: &Object,
    transaction: &Transaction,
    prepare: bool,
) -> Result<Outcome, Failure> {
    let client: &Client = connection;
    // Names of the system alone: it needs no right, and so no transaction. Once per connection and number of settings.
    let settings = match prepare {
        true => Some(prepared(connection, &transaction.settings).await?),
        false => None,
    };
    let mut head: Vec<BoxFuture<'_, Reply>> = vec![Box::pin(simple(client, begin(transaction)))];
    head.push(Box::pin(send(client, &transaction.settings, settings.as_ref())));
    if let Some(statement) = &transaction.pre_request {
        head.push(Box::pin(query(client, statement)));
    }
    let mut head = Box::pin(maybe_done(join_all(head)));
    // The first poll sends.
    let _ = poll_once(&mut head).await;
    let main = match (&transaction.work, prepare) {
        (Work::Rows { main, .. }, true) => prepared_within(connection, main, &mut head).await,
        _ => Ok(None),
    };
    let main = match main {
        Ok(main) => main,
        Err(error) => {
            head.as_mut().await;
            client.batch_execute("ROLLBACK").await?;
            first_error(head.as_mut().take_output().unwrap_or_default())?;
            return Err(error.into());
        }
    };
    let statements = transaction.work.statements();
    let count = statements.len();
    let conditions = transaction.work.conditions();
    let waits = !conditions.is_empty();
    let mut tail: Vec<BoxFuture<'_, Reply>> = Vec::new();
    for (index, statement) in statements.into_iter().enumerate() {
        let prepared = main.as_ref().filter(|_| index == 0);
        tail.push(Box::pin(send(client, statement, prepared)));
    }
    if !waits {
        for text in endings(transaction.end) {
            tail.push(Box::pin(simple(client, text)));
        }
    }
    let (_, tail) = join(&mut head, join_all(tail)).await;
    let head = first_error(head.as_mut().take_output().unwrap_or_default());
    let results = match head.and_then(|_| first_error(tail)) {
        Ok(replies) => replies.into_iter().take(count).collect::<Vec<_>>(),
        Err(failure) => {
            if waits {
                client.batch_execute("ROLLBACK").await?;
            }
            return Err(failure);
        }
    };
    let outcome = outcome::outcome(&transaction.work, &results)?;
    if waits {
        judge(client, transaction.end, conditions, &outcome).await?;
    }
    Ok(outcome)
}

/// Ends a transaction whose end depends on a row count.
async fn judge(
    client: &Client,
    end: End,
    conditions: &[Condition],
    outcome: &Outcome,
) -> Result<(), Failure> {
    let refused = match outcome {
        Outcome::Rows(row) => {
            conditions.iter().find_map(|condition| violated(*condition, row.page_total))
        }
        _ => None,
    };
    if let Some(refused) = refused {
        client.batch_execute("ROLLBACK").await?;
        return Err(Failure::Refused(refused));
    }
    let endings = endings(end).into_iter().map(|text| Box::pin(simple(client, text)));
    first_error(join_all(endings).await).map(drop)
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

/// The statement as prepared on this connection.
async fn prepared(
    connection: &Object,
    statement: &Statement,
) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
    let types: Vec<Type> = statement.params.iter().map(|param| param.kind.clone()).collect();
    connection.prepare_typed_cached(&statement.text, &types).await
}

/// The same; preparing it waits for `head`, which opens the transaction.
async fn prepared_within(
    connection: &Object,
    statement: &Statement,
    head: &mut Pin<Box<MaybeDone<JoinAll<BoxFuture<'_, Reply>>>>>,
) -> Result<Option<tokio_postgres::Statement>, tokio_postgres::Error> {
    if connection.statement_cache.size() > MOST_PREPARED {
        connection.statement_cache.clear();
    }
    let mut preparing = Box::pin(prepared(connection, statement));
    match poll_once(&mut preparing).await {
        Poll::Ready(result) => result.map(Some),
        Poll::Pending => join(head, preparing).await.1.map(Some),
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
