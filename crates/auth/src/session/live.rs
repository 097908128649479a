//! Whether what a token says still holds: for verifiers that must not believe it until it expires.
//!
//! Questions that wait share one statement, as in [`super::Reader`]; nothing is cached, so a revoked session and a ban
//! count at once.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use gatepost_postgres::Pool;
use gatepost_protocol::jwt::Claims;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::store;
use crate::error::{Error, Result};

/// Questions that may wait; more than that is a server that cannot keep up.
const WAITING: usize = 16 * 1024;
/// Look-ups per statement.
const BATCH: usize = 256;
/// Statements under way at a time.
const CONNECTIONS: usize = 2;
/// A look-up that takes longer than this is a database that hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// `sub`.
    pub user: Uuid,
    /// `sid`; without one, any live session of the user will do.
    pub session: Option<Uuid>,
}

impl Named {
    /// Whom verified claims name; `None`: nobody of this server.
    #[must_use]
    pub fn of(claims: &Claims) -> Option<Self> {
        let user = claims.subject().parse().ok()?;
        let session = match claims.get("sid") {
            None => None,
            Some(sid) => Some(sid.as_str()?.parse().ok()?),
        };
        Some(Self { user, session })
    }
}

/// What the database says of somebody who is neither signed out nor shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user's role of the admin feature, possibly several separated by commas.
    pub role: Option<String>,
}

impl Standing {
    /// Whether the user is an administrator.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.role.iter().flat_map(|roles| roles.split(',')).any(|role| role.trim() == "admin")
    }
}

/// Asks about sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live(mpsc::Sender<Question>);

#[derive(Debug)]
struct Question {
    named: Named,
    now: DateTime<Utc>,
    answer: oneshot::Sender<Result<Option<Standing>>>,
}

impl Live {
    /// Starts the tasks that ask the database; they end with the last `Live`.
    #[must_use]
    pub fn start(pool: &Pool) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..CONNECTIONS {
            tokio::spawn(answer(pool.clone(), Arc::clone(&receiver)));
        }
        Self(sender)
    }

    /// The standing of whom a token names; `None`: the session is over, or its user is shut out or gone.
    ///
    /// # Errors
    /// Unavailable, when the database cannot be reached; Busy, when too many questions wait.
    pub async fn find(&self, named: Named, now: DateTime<Utc>) -> Result<Option<Standing>> {
        let (answer, waiting) = oneshot::channel();
        let question = Question { named, now, answer };
        self.0.try_send(question).map_err(|_| Error::Busy(1))?;
        waiting.await.map_err(|_| Error::Unavailable(anyhow!("the session reader stopped")))?
    }
}

async fn answer(pool: Pool, receiver: Arc<Mutex<mpsc::Receiver<Question>>>) {
    let mut questions = Vec::with_capacity(BATCH);
    while receiver.lock().await.recv_many(&mut questions, BATCH).await > 0 {
        let named: Vec<Named> = questions.iter().map(|question| question.named).collect();
        let now = questions.iter().map(|question| question.now).max().unwrap_or_default();
        let found = tokio::time::timeout(PATIENCE, find_all(&pool, &named, now)).await;
        let mut found = found.unwrap_or_else(|_| {
            Err(Error::Unavailable(anyhow!("a session look-up took longer than {PATIENCE:?}")))
        });
        for (place, question) in questions.drain(..).enumerate() {
            let answer = match &mut found {
                Ok(found) => Ok(found.get_mut(place).and_then(Option::take)),
                Err(error) => Err(Error::Unavailable(anyhow!("{error:?}"))),
            };
            // The asker may have hung up.
            let _ = question.answer.send(answer);
        }
    }
}

async fn find_all(
    pool: &Pool,
    named: &[Named],
    now: DateTime<Utc>,
) -> Result<Vec<Option<Standing>>> {
    let conn = pool.get().await?;
    store::standings(&conn, named, now).await
}
