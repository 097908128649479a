//! The SQL of `neon_auth.gatepost_mail`.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::database::statements::{Statement, prepare};

/// A row to be.
pub(super) struct New<'a> {
    pub message_id: Uuid,
    pub recipient: &'a str,
    pub kind: &'a str,
    pub payload: &'a str,
    pub decoy: bool,
    /// Of the request.
    pub language: Option<&'a str>,
    pub now: DateTime<Utc>,
}

/// A row whose lease this process holds.
pub(super) struct Claimed {
    pub id: i64,
    pub message_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub recipient: String,
    pub kind: String,
    pub payload: String,
    pub decoy: bool,
    pub language: Option<String>,
    /// How many attempts there were, this one included.
    pub attempts: i32,
}

/// A row with its payload, for the inbox.
pub(super) struct Kept {
    pub id: i64,
    pub message_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub recipient: String,
    pub payload: String,
    pub language: Option<String>,
}

/// Which rows the inbox asks for.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub recipient: Option<&'a str>,
    pub kind: Option<&'a str>,
    /// Only rows later than this id.
    pub after: i64,
}

/// How an attempt ended.
pub(super) enum End<'a> {
    Delivered { keep_payload: bool },
    Postponed { due_at: DateTime<Utc>, error: &'a str },
    Failed { error: &'a str },
}

/// Every statement, so that a test can prepare each against the migrated schema.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &CREATE,
    &CLAIM,
    &NEXT_DUE,
    &DELIVERED,
    &POSTPONED,
    &FAILED,
    &DELETE_DECOY,
    &SWEEP,
    &LIST,
    &FIND,
    &CLEAR,
];

const CREATE: Statement = Statement::new(
    "create_mail",
    r#"with chosen as (
  select l.language from neon_auth.gatepost_language l join neon_auth."user" u on u.id = l."userId" where u.email = $2
), created as (
  insert into neon_auth.gatepost_mail (message_id, recipient, kind, payload, decoy, created_at, due_at, language)
  values ($1, $2, $3, $4, $5, $6, $6, coalesce((select language from chosen), $7))
  returning id
)
select pg_notify('gatepost_mail', '') from created"#,
);

/// A claim moves `due_at` to the end of the lease: should this process die, another one finds the row due again.
const CLAIM: Statement = Statement::new(
    "claim_mails",
    "\
update neon_auth.gatepost_mail
set attempts = attempts + 1, due_at = $2
where id in (
  select id from neon_auth.gatepost_mail
  where finished_at is null and due_at <= $1
  order by due_at
  limit $3
  for update skip locked
)
returning id, message_id, created_at, recipient, kind, payload, decoy, language, attempts",
);

const NEXT_DUE: Statement = Statement::new(
    "find_next_due_mail",
    "select min(due_at) from neon_auth.gatepost_mail where finished_at is null",
);

// The number of attempts names the lease: one that ran out and was taken over cannot write its end any more.
const DELIVERED: Statement = Statement::new(
    "end_mail_delivered",
    "\
update neon_auth.gatepost_mail
set finished_at = $3, delivered = true, last_error = null, payload = case when $4 then payload end
where id = $1 and attempts = $2 and finished_at is null",
);

const POSTPONED: Statement = Statement::new(
    "postpone_mail",
    "\
update neon_auth.gatepost_mail set due_at = $3, last_error = $4
where id = $1 and attempts = $2 and finished_at is null",
);

const FAILED: Statement = Statement::new(
    "end_mail_failed",
    "\
update neon_auth.gatepost_mail set finished_at = $3, last_error = $4, payload = null
where id = $1 and attempts = $2 and finished_at is null",
);

const DELETE_DECOY: Statement = Statement::new(
    "delete_mail_decoy",
    "delete from neon_auth.gatepost_mail where id = $1 and decoy",
);

const SWEEP: Statement = Statement::new(
    "delete_old_mails",
    "delete from neon_auth.gatepost_mail where finished_at < $1",
);

const LIST: Statement = Statement::new("list_kept_mails", "\
select id, message_id, created_at, recipient, payload, language from (
  select id, message_id, created_at, recipient, payload, language from neon_auth.gatepost_mail
  where not decoy and payload is not null
    and ($1::text is null or lower(recipient) = lower($1)) and ($2::text is null or kind = $2) and id > $3
  order by id desc
  limit $4
) latest
order by id");

const FIND: Statement = Statement::new(
    "find_kept_mail",
    "\
select id, message_id, created_at, recipient, payload, language from neon_auth.gatepost_mail
where id = $1 and not decoy and payload is not null",
);

/// Rows still to be delivered stay, unless nothing is delivered at all.
const CLEAR: Statement = Statement::new(
    "delete_kept_mails",
    "\
delete from neon_auth.gatepost_mail
where ($1::text is null or lower(recipient) = lower($1)) and (finished_at is not null or $2)",
);

pub(super) async fn create_mail(conn: &impl GenericClient, new: &New<'_>) -> Result<(), Error> {
    let statement = prepare(conn, &CREATE).await?;
    conn.execute(
        &statement,
        &[
            &new.message_id,
            &new.recipient,
            &new.kind,
            &new.payload,
            &new.decoy,
            &new.now,
            &new.language,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn claim_mails(
    conn: &impl GenericClient,
    now: DateTime<Utc>,
    lease: TimeDelta,
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    let statement = prepare(conn, &CLAIM).await?;
    let rows = conn.query(&statement, &[&now, &(now + lease), &limit]).await?;
    rows.iter().map(claimed).collect()
}

fn claimed(row: &Row) -> Result<Claimed, Error> {
    Ok(Claimed {
        id: row.try_get("id")?,
        message_id: row.try_get("message_id")?,
        created_at: row.try_get("created_at")?,
        recipient: row.try_get("recipient")?,
        kind: row.try_get("kind")?,
        payload: row.try_get::<_, Option<_>>("payload")?.unwrap_or_default(),
        decoy: row.try_get("decoy")?,
        language: row.try_get("language")?,
        attempts: row.try_get("attempts")?,
    })
}

/// When the next row is due or its lease ends; `None` when nothing waits.
pub(super) async fn find_next_due(
    conn: &impl GenericClient,
) -> Result<Option<DateTime<Utc>>, Error> {
    let statement = prepare(conn, &NEXT_DUE).await?;
    conn.query_one(&statement, &[]).await?.try_get(0)
}

pub(super) async fn end_attempt(
    conn: &impl GenericClient,
    mail: &Claimed,
    end: &End<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (id, attempts) = (&mail.id, &mail.attempts);
    match end {
        End::Delivered { keep_payload } => {
            let statement = prepare(conn, &DELIVERED).await?;
            conn.execute(&statement, &[id, attempts, &now, keep_payload]).await?;
        }
        End::Postponed { due_at, error } => {
            let statement = prepare(conn, &POSTPONED).await?;
            conn.execute(&statement, &[id, attempts, due_at, error]).await?;
        }
        End::Failed { error } => {
            let statement = prepare(conn, &FAILED).await?;
            conn.execute(&statement, &[id, attempts, &now, error]).await?;
        }
    }
    Ok(())
}

pub(super) async fn delete_decoy(conn: &impl GenericClient, id: i64) -> Result<(), Error> {
    let statement = prepare(conn, &DELETE_DECOY).await?;
    conn.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Deletes what was finished before `limit`.
pub(super) async fn delete_old_mails(
    conn: &impl GenericClient,
    limit: DateTime<Utc>,
) -> Result<u64, Error> {
    let statement = prepare(conn, &SWEEP).await?;
    conn.execute(&statement, &[&limit]).await
}

/// The latest rows, oldest first.
pub(super) async fn list_kept(
    conn: &impl GenericClient,
    wanted: &Wanted<'_>,
    limit: i64,
) -> Result<Vec<Kept>, Error> {
    let statement = prepare(conn, &LIST).await?;
    let rows =
        conn.query(&statement, &[&wanted.recipient, &wanted.kind, &wanted.after, &limit]).await?;
    rows.iter().map(kept).collect()
}

pub(super) async fn find_kept(conn: &impl GenericClient, id: i64) -> Result<Option<Kept>, Error> {
    let statement = prepare(conn, &FIND).await?;
    conn.query_opt(&statement, &[&id]).await?.as_ref().map(kept).transpose()
}

fn kept(row: &Row) -> Result<Kept, Error> {
    Ok(Kept {
        id: row.try_get("id")?,
        message_id: row.try_get("message_id")?,
        created_at: row.try_get("created_at")?,
        recipient: row.try_get("recipient")?,
        payload: row.try_get("payload")?,
        language: row.try_get("language")?,
    })
}

pub(super) async fn delete_kept(
    conn: &impl GenericClient,
    recipient: Option<&str>,
    waiting_too: bool,
) -> Result<u64, Error> {
    let statement = prepare(conn, &CLEAR).await?;
    conn.execute(&statement, &[&recipient, &waiting_too]).await
}
