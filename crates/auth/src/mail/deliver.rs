//! The worker: takes due rows, hands them to the mail server, tries again later.
//!
//! Any number of processes may run it on one database. A row is delivered at least once, and twice only if a process dies between
//! the mail server's answer and the row's end: the `Message-ID` is the same then.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{Pool, PoolError};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::{
    app::Clock,
    phone_number::{Sending, TextCode},
};

use super::{
    Outbox,
    message::Message,
    recipient::Recipient,
    smtp::{Failure, Letter, Mailer, reason, send},
    store::{self, Claimed, End},
    wake::Wakes,
};

/// How long a claimed row is safe from other processes. More than an attempt may take, [`ATTEMPT`].
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// A longer attempt is a temporary failure. The transport's own limit covers connecting alone, and a server can fall silent later.
const ATTEMPT: Duration = Duration::from_secs(60);
/// With the pauses between them, a bit over an hour: what most mails hold is void by then.
const ATTEMPTS: i32 = 12;
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);
/// How long the worker sleeps at most, as notifications can be lost (a connection pooler, a broken connection).
const POLL: Duration = Duration::from_secs(10);
/// The pause after the database failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Finished rows are kept this long, to answer "was it sent?".
const KEPT: TimeDelta = TimeDelta::days(7);

/// What became of one attempt.
#[derive(Debug)]
pub struct Report {
    /// The message, or `None` when its payload could not be opened.
    pub message: Option<Message>,
    pub recipient: String,
    pub kind: String,
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// A temporary failure: there will be another attempt at `due_at`.
    Postponed {
        due_at: DateTime<Utc>,
        error: String,
    },
    /// Nothing more is tried: the server refused for good, or there were enough attempts.
    GaveUp {
        error: String,
    },
}

/// The database did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("no connection: {0}")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
}

/// Delivers whatever is due, up to as many mails as the mail server may get at once. An empty answer: nothing was due (decoys aside).
///
/// # Errors
/// When the database fails. Rows under way become due again when their lease ends.
pub async fn deliver_due(
    pool: &Pool,
    outbox: &Outbox,
    now: DateTime<Utc>,
) -> Result<Vec<Report>, DeliverError> {
    let claimed = store::claim_mails(&pool.get().await?, now, LEASE, outbox.batch).await?;
    join_all(claimed.into_iter().map(|mail| attempt(pool, outbox, mail, now)))
        .await
        .into_iter()
        .filter_map(Result::transpose)
        .collect()
}

/// Runs until `shutdown`, then ends after the attempts under way. `report` hears of every attempt: for the audit table, metrics, or
/// the lines of the development server.
pub async fn run(
    pool: Pool,
    outbox: Arc<Outbox>,
    clock: Clock,
    mut wakes: Wakes,
    shutdown: impl Future<Output = ()>,
    mut report: impl FnMut(&Report),
) {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut swept_at = DateTime::UNIX_EPOCH;
    loop {
        let pause = match round(&pool, &outbox, clock.now(), &mut swept_at, &mut report).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(error = reason(&error), "mail waits: the database failed");
                AFTER_ERROR
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = wakes.wait() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One round; tells how long to sleep at most.
pub(super) async fn round(
    pool: &Pool,
    outbox: &Outbox,
    now: DateTime<Utc>,
    swept_at: &mut DateTime<Utc>,
    report: &mut impl FnMut(&Report),
) -> Result<Duration, DeliverError> {
    let reports = deliver_due(pool, outbox, now).await?;
    for each in &reports {
        log(each);
        report(each);
    }
    if !reports.is_empty() {
        return Ok(Duration::ZERO);
    }
    let conn = pool.get().await?;
    if now - *swept_at > TimeDelta::hours(1) {
        store::delete_old_mails(&conn, now - KEPT).await?;
        *swept_at = now;
    }
    let due_in = store::find_next_due(&conn).await?.map(|due_at| due_at - now);
    Ok(due_in.map_or(POLL, |due_in| due_in.to_std().unwrap_or_default().min(POLL)))
}

/// No code, link or address in the log: the id finds the row.
fn log(report: &Report) {
    let kind = &report.kind;
    match &report.outcome {
        Outcome::Delivered => tracing::info!(kind, "mail delivered"),
        Outcome::Postponed { error, .. } => tracing::warn!(kind, error, "mail postponed"),
        Outcome::GaveUp { error } => tracing::error!(kind, error, "mail given up"),
    }
}

async fn attempt(
    pool: &Pool,
    outbox: &Outbox,
    mail: Claimed,
    now: DateTime<Utc>,
) -> Result<Option<Report>, DeliverError> {
    if mail.decoy {
        store::delete_decoy(&pool.get().await?, mail.id).await?;
        return Ok(None);
    }
    let opened = outbox.open(mail.message_id, &mail.payload);
    let sent = match &opened {
        Some(Message::PhoneOtp(code)) => text(pool, outbox, &mail, code, now).await,
        Some(message) => hand_over(outbox, &mail, message).await,
        None => Err(Failure::Permanent("sealed with another secret".to_owned())),
    };
    let outcome = match sent {
        Ok(()) => Outcome::Delivered,
        Err(Failure::Temporary(error)) if mail.attempts < ATTEMPTS => {
            Outcome::Postponed { due_at: now + pause(mail.attempts, mail.message_id), error }
        }
        Err(Failure::Temporary(error) | Failure::Permanent(error)) => Outcome::GaveUp { error },
    };
    let end = match &outcome {
        Outcome::Delivered => End::Delivered { keep_payload: outbox.keeps(opened.as_ref()) },
        Outcome::Postponed { due_at, error } => End::Postponed { due_at: *due_at, error },
        Outcome::GaveUp { error } => End::Failed { error },
    };
    store::end_attempt(&pool.get().await?, &mail, &end, now).await?;
    Ok(Some(Report { message: opened, recipient: mail.recipient, kind: mail.kind, outcome }))
}

async fn hand_over(outbox: &Outbox, mail: &Claimed, message: &Message) -> Result<(), Failure> {
    let Mailer::Smtp(transport) = &outbox.mailer else { return Ok(()) };
    let permanent = |error: &dyn std::error::Error| Failure::Permanent(reason(error));
    let letter = Letter {
        message_id: mail.message_id,
        created_at: mail.created_at,
        from: &outbox.sender,
        reply_to: outbox.reply_to.as_ref(),
        to: &Recipient::parse(&mail.recipient).map_err(|error| permanent(&error))?,
        rendered: outbox
            .render(message, mail.language.as_deref())
            .map_err(|error| permanent(&error))?,
    };
    match tokio::time::timeout(ATTEMPT, send(transport, letter)).await {
        Ok(sent) => sent,
        Err(_) => Err(Failure::Temporary(format!("no end after {} s", ATTEMPT.as_secs()))),
    }
}

async fn text(
    pool: &Pool,
    outbox: &Outbox,
    mail: &Claimed,
    code: &TextCode,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let sending = Sending {
        id: mail.message_id,
        created_at: mail.created_at,
        attempt: mail.attempts,
        to: &mail.recipient,
        message: code,
        now,
    };
    match tokio::time::timeout(ATTEMPT, outbox.texts.send(pool, sending)).await {
        Ok(sent) => sent,
        Err(_) => Err(Failure::Temporary(format!("no end after {} s", ATTEMPT.as_secs()))),
    }
}

/// Doubles with every attempt, up to a limit, and is spread by a fifth either way, so that an outage does not end in one burst.
/// What spreads it is the random row id: the same in every process and needing no dice.
fn pause(attempts: i32, message_id: Uuid) -> TimeDelta {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(16);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    let (high, low) = message_id.as_u64_pair();
    let share = (high ^ low).rotate_left(doublings) % 401;
    let thousandths = 800 + i32::try_from(share).unwrap_or_default();
    pause * thousandths / 1000
}
