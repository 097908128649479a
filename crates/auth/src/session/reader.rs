//! Looking sessions up: concurrent look-ups share one statement.
//!
//! Every answer is read from the database after the question was asked; nothing is cached, so a revoked session is dead
//! at once. Measured: one prepared `= any($1)` for all waiting requests costs a third of one statement each.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::anyhow;
use gatepost_postgres::Pool;
use tokio::sync::{mpsc, oneshot};

use super::{SignedIn, StoredToken, rows::signed_in, store::FIND};
use crate::error::{Error, Result};

/// Asks for sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader(mpsc::Sender<Question>);

#[derive(Debug)]
struct Question {
    token: StoredToken,
    answer: oneshot::Sender<Result<Option<Arc<SignedIn>>>>,
}

/// Questions that may wait; more than that is a server that cannot keep up.
const WAITING: usize = 16 * 1024;
/// Look-ups per statement.
const BATCH: usize = 256;
/// Statements under way at a time.
const CONNECTIONS: usize = 2;

impl Reader {
    /// Starts the tasks that ask the database; they end with the last `Reader`.
    #[must_use]
    pub fn start(pool: &Pool) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        for _ in 0..CONNECTIONS {
            tokio::spawn(answer(pool.clone(), Arc::clone(&receiver)));
        }
        Self(sender)
    }

    /// The session behind a token, its user and active organization.
    ///
    /// # Errors
    /// Unavailable, when the database cannot be reached; Busy, when too many questions wait.
    pub async fn find(&self, token: StoredToken) -> Result<Option<Arc<SignedIn>>> {
        let (answer, waiting) = oneshot::channel();
        self.0.try_send(Question { token, answer }).map_err(|_| Error::Busy(1))?;
        waiting.await.map_err(|_| Error::Unavailable(anyhow!("the session reader stopped")))?
    }
}

async fn answer(pool: Pool, receiver: Arc<tokio::sync::Mutex<mpsc::Receiver<Question>>>) {
    let mut questions = Vec::with_capacity(BATCH);
    loop {
        let received = receiver.lock().await.recv_many(&mut questions, BATCH).await;
        if received == 0 {
            return;
        }
        match find_all(&pool, &questions).await {
            Ok(found) => reply(&mut questions, &found),
            // One bad row fails its whole statement: ask again singly, so that only its owner notices.
            Err(Error::Internal(_)) if questions.len() > 1 => {
                for question in questions.drain(..) {
                    let found = find_all(&pool, std::slice::from_ref(&question)).await;
                    let found = found.map(|found| found.into_values().next());
                    let _ = question.answer.send(found);
                }
            }
            Err(error) => {
                let why = format!("{error:?}");
                let gone = matches!(error, Error::Unavailable(_));
                for question in questions.drain(..) {
                    let error = anyhow!(why.clone());
                    let error =
                        if gone { Error::Unavailable(error) } else { Error::Internal(error) };
                    let _ = question.answer.send(Err(error));
                }
            }
        }
    }
}

fn reply(questions: &mut Vec<Question>, found: &HashMap<StoredToken, Arc<SignedIn>>) {
    for question in questions.drain(..) {
        let answer = found.get(&question.token).cloned();
        // The asker may have hung up.
        let _ = question.answer.send(Ok(answer));
    }
}

/// A look-up that takes longer than this is a database that hangs; the asker is told to try again.
const PATIENCE: Duration = Duration::from_secs(5);

async fn find_all(
    pool: &Pool,
    questions: &[Question],
) -> Result<HashMap<StoredToken, Arc<SignedIn>>> {
    tokio::time::timeout(PATIENCE, async {
        let conn = pool.get().await?;
        let statement = conn.prepare_cached(FIND.sql).await?;
        let tokens: Vec<&str> =
            questions.iter().map(|question| question.token.0.as_str()).collect();
        let rows = conn.query(&statement, &[&tokens]).await?;
        rows.iter()
            .map(|row| {
                let found = signed_in(row)?;
                Ok((found.session.token.clone(), Arc::new(found)))
            })
            .collect()
    })
    .await
    .unwrap_or_else(|_| {
        Err(Error::Unavailable(anyhow!("a session look-up took longer than {PATIENCE:?}")))
    })
}
