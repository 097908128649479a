//! Connections in pipeline mode: any number of statements in one message, one answer, one network round trip.
//!
//! tokio-postgres ends every statement with a `Sync`, so that the server answers, and wakes its client, once for each of them.
//! Here a [`Batch`] ends with the only `Sync`: whatever stands in it is sent together and answered together, and after an error
//! the server skips the rest. "Pipelining" in the chapter on the frontend/backend protocol of PostgreSQL's documentation.

mod answer;
mod open;
mod pool;

use std::{collections::HashMap, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll};

use bytes::BytesMut;
use postgres_protocol::message::{backend::Message, frontend};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio_postgres::types::Oid;

use answer::Answers;
use open::Wire;

pub use answer::{Column, Error, Raw, Row, Rows, ServerError};
pub use pool::{Manager, Object, Pool, PoolError, Status, TimeoutType, pool};

/// Statements prepared on one connection at most; then it starts again.
const MOST_PREPARED: usize = 500;
/// A buffer that grew beyond this for one answer or one body is given back.
const LARGEST_KEPT: usize = 256 * 1024;
/// Room for an answer at first.
const ROOM: usize = 16 * 1024;
/// All parameters as text, all columns in binary.
const BINARY: [i16; 1] = [1];

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of any transaction.
    Idle,
    /// Within one, which may have failed.
    InTransaction,
    /// An answer is awaited, or the connection is gone.
    Unusable,
}

/// A parameter: its type, `0` where the server infers it, and its text; `None` is NULL.
pub type Parameter<'a> = (Oid, Option<&'a [u8]>);

/// A statement that the server keeps for this connection.
struct Prepared {
    name: Arc<str>,
    kinds: Vec<Oid>,
    /// Whether the server said that it has it.
    parsed: bool,
    /// Known once it was described.
    columns: Option<Arc<[Column]>>,
}

/// A connection to Postgres, used by one task at a time.
pub struct Connection {
    wire: Box<dyn Wire>,
    sending: BytesMut,
    received: BytesMut,
    prepared: HashMap<String, Prepared>,
    /// Names the server may forget.
    forgotten: Vec<Arc<str>>,
    named: u64,
    state: State,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Connection {
    fn new(wire: Box<dyn Wire>) -> Self {
        Self {
            wire,
            sending: BytesMut::new(),
            received: BytesMut::new(),
            prepared: HashMap::new(),
            forgotten: Vec::new(),
            named: 0,
            state: State::Idle,
        }
    }

    /// Statements to send together.
    pub fn batch(&mut self) -> Batch<'_> {
        if self.prepared.len() >= MOST_PREPARED {
            self.forget();
        }
        // Of a batch that was never sent.
        self.sending.clear();
        for name in &self.forgotten {
            // Only a NUL could be wrong with a name, and ours have none.
            let _ = frontend::close(b'S', name, &mut self.sending);
        }
        Batch { connection: self, steps: Vec::with_capacity(5), prepares: false, refused: None }
    }

    /// Lets the server forget what is prepared, with the next batch.
    pub fn forget(&mut self) {
        self.forgotten.extend(self.prepared.drain().map(|(_, prepared)| prepared.name));
    }

    /// Whether a transaction was begun and not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.state == State::InTransaction
    }

    /// Whether it can be given to somebody else: outside of any transaction, and the server did not hang up meanwhile.
    async fn is_free(&mut self) -> bool {
        self.state == State::Idle && poll_fn(|context| Poll::Ready(self.is_quiet(context))).await
    }

    /// Reads what the server said without being asked: notices, or that it ends.
    fn is_quiet(&mut self, context: &mut std::task::Context<'_>) -> bool {
        let mut bytes = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.wire).poll_read(context, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.received.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => return false,
            }
        }
        loop {
            match Message::parse(&mut self.received) {
                Ok(None) => return true,
                Ok(Some(Message::ErrorResponse(_))) | Err(_) => return false,
                Ok(Some(_)) => {}
            }
        }
    }

    /// Sends what was collected and reads until the server is ready for more.
    async fn exchange(&mut self, answers: &mut Answers) -> Result<(), Error> {
        self.state = State::Unusable;
        let Self { wire, sending, received, prepared, .. } = self;
        // Both ways at once: a server whose answer nobody reads stops reading too.
        let (mut from, mut to) = tokio::io::split(wire);
        let send = async {
            to.write_all_buf(sending).await?;
            to.flush().await.map_err(Error::from)
        };
        let receive = async {
            loop {
                while let Some(message) = Message::parse(received)? {
                    if let Some(status) = answers.take(message, prepared)? {
                        return Ok(status);
                    }
                }
                received.reserve(ROOM);
                match from.read_buf(received).await {
                    Ok(0) => return Err(answers.cut_off(&io::ErrorKind::UnexpectedEof.into())),
                    Ok(_) => {}
                    Err(error) => return Err(answers.cut_off(&error)),
                }
            }
        };
        let ((), status) = tokio::try_join!(send, receive)?;
        self.state = if status == b'I' { State::Idle } else { State::InTransaction };
        for buffer in [&mut self.sending, &mut self.received] {
            if buffer.is_empty() && buffer.capacity() > LARGEST_KEPT {
                *buffer = BytesMut::new();
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    /// Says goodbye where that is possible without waiting, so that the server does not have to find out.
    fn drop(&mut self) {
        if self.state == State::Unusable {
            return;
        }
        let mut goodbye = BytesMut::new();
        frontend::terminate(&mut goodbye);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if Pin::new(&mut self.wire).poll_write(&mut context, &goodbye).is_ready() {
            let _ = Pin::new(&mut self.wire).poll_flush(&mut context);
        }
    }
}

/// Statements that are sent together. Without `BEGIN` the server runs them as one transaction all the same, which ends with the batch.
pub struct Batch<'c> {
    connection: &'c mut Connection,
    steps: Vec<answer::Step>,
    /// Whether it has a statement to prepare.
    prepares: bool,
    refused: Option<io::Error>,
}

impl Batch<'_> {
    /// Adds a statement. With `keep` the server prepares it for this connection, or uses what it prepared before.
    pub fn push<'p>(
        &mut self,
        text: &str,
        parameters: impl ExactSizeIterator<Item = Parameter<'p>> + Clone,
        keep: bool,
    ) {
        if self.refused.is_none()
            && let Err(error) = self.encode(text, parameters, keep)
        {
            self.refused = Some(error);
        }
    }

    fn encode<'p>(
        &mut self,
        text: &str,
        parameters: impl ExactSizeIterator<Item = Parameter<'p>> + Clone,
        keep: bool,
    ) -> io::Result<()> {
        let Connection { sending, prepared, named, .. } = &mut *self.connection;
        let kinds = parameters.clone().map(|(kind, _)| kind);
        let known = prepared.get(text).filter(|it| kinds.clone().eq(it.kinds.iter().copied()));
        let (name, columns, describes) = match known {
            Some(known) => (
                Arc::clone(&known.name),
                known.columns.clone(),
                known.columns.is_none().then(|| text.to_owned()),
            ),
            None if keep && !prepared.contains_key(text) => {
                *named += 1;
                self.prepares = true;
                let name: Arc<str> = format!("s{named}").into();
                frontend::parse(&name, text, kinds.clone(), sending)?;
                let (kinds, parsed, columns) = (kinds.collect(), false, None);
                let entry = Prepared { name: Arc::clone(&name), kinds, parsed, columns };
                prepared.insert(text.to_owned(), entry);
                (name, None, Some(text.to_owned()))
            }
            None => {
                frontend::parse("", text, kinds, sending)?;
                (Arc::from(""), None, None)
            }
        };
        let values = parameters.map(|(_, value)| value);
        let bound = frontend::bind("", &name, [], values, bind_text, BINARY, sending);
        bound.map_err(|error| match error {
            frontend::BindError::Conversion(error) => io::Error::other(error),
            frontend::BindError::Serialization(error) => error,
        })?;
        if columns.is_none() {
            frontend::describe(b'P', "", sending)?;
        }
        frontend::execute("", 0, sending)?;
        self.steps.push(answer::Step { columns, describes });
        Ok(())
    }

    /// Sends the statements, once; the rows of each.
    ///
    /// # Errors
    /// [`Error::Server`]: the first statement that failed; those after it were skipped. A transaction begun before is open and failed.
    /// [`Error::Unsendable`]: nothing was sent. [`Error::Lost`]: what was sent may have been done.
    pub async fn send(mut self) -> Result<Vec<Rows>, Error> {
        if self.connection.state == State::Unusable {
            return Err(Error::Lost("the connection was given up".to_owned()));
        }
        let connection = &mut *self.connection;
        if let Some(error) = self.refused.take() {
            return Err(Error::Unsendable(error.to_string()));
        }
        frontend::sync(&mut connection.sending);
        let mut answers = Answers::new(std::mem::take(&mut self.steps));
        connection.exchange(&mut answers).await?;
        connection.forgotten.clear();
        answers.finish()
    }
}

impl Drop for Batch<'_> {
    /// The server skips what comes after an error, and hears nothing of a batch that is not sent: it does not know these.
    fn drop(&mut self) {
        if self.prepares {
            self.connection.prepared.retain(|_, prepared| prepared.parsed);
        }
    }
}

fn bind_text(
    value: Option<&[u8]>,
    out: &mut BytesMut,
) -> Result<postgres_protocol::IsNull, Box<dyn std::error::Error + Sync + Send>> {
    Ok(match value {
        None => postgres_protocol::IsNull::Yes,
        Some(value) => {
            out.extend_from_slice(value);
            postgres_protocol::IsNull::No
        }
    })
}
