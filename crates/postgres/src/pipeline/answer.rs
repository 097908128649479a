//! What the server answers to a batch.

use std::{collections::HashMap, io, sync::Arc};

use bytes::Bytes;
use postgres_protocol::message::backend::{
    DataRowBody, ErrorResponseBody, Message, RowDescriptionBody,
};
use tokio_postgres::fallible_iterator::FallibleIterator as _;
use tokio_postgres::types::{FromSql, Type, WrongType};

use super::Prepared;

/// Why a batch brought no rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused a statement, or to commit.
    #[error("{}", .0.message)]
    Server(Box<ServerError>),
    /// The statement cannot be put into the protocol's form.
    #[error("the statement cannot be sent: {0}")]
    Unsendable(String),
    /// The connection broke, or its other end does not speak the protocol.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// A column is missing, or is not of the expected type.
    #[error("the answer is not as expected: {0}")]
    Unexpected(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// `ErrorResponse`: "Error and Notice Message Fields" of PostgreSQL's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE.
    pub code: String,
    /// What went wrong, one line.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl ServerError {
    fn read(body: &ErrorResponseBody) -> io::Result<Self> {
        let mut error = Self::default();
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.code = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                _ => {}
            }
        }
        Ok(error)
    }
}

/// A column of an answer.
#[derive(Debug)]
pub struct Column {
    name: String,
    kind: Type,
}

/// The rows of one statement.
#[derive(Debug)]
pub struct Rows {
    columns: Arc<[Column]>,
    rows: Vec<DataRowBody>,
}

impl Rows {
    /// Each row.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|body| Row { columns: &self.columns, body })
    }

    /// The first row, if there is one.
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }
}

/// A row; its values are in binary form.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [Column],
    body: &'a DataRowBody,
}

impl<'a> Row<'a> {
    /// Whether there is a column of this name.
    pub fn has(self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// The value of a column; `Option` where it may be NULL.
    ///
    /// # Errors
    /// [`Error::Unexpected`].
    pub fn get<T: FromSql<'a>>(self, name: &str) -> Result<T, Error> {
        let at = self.columns.iter().position(|column| column.name == name);
        self.at(at.ok_or_else(|| Error::Unexpected(format!("there is no column {name}")))?)
    }

    /// The value of the column at a position, from 0.
    ///
    /// # Errors
    /// [`Error::Unexpected`].
    pub fn at<T: FromSql<'a>>(self, at: usize) -> Result<T, Error> {
        let none = || Error::Unexpected(format!("there is no column {at}"));
        let Column { name, kind } = self.columns.get(at).ok_or_else(none)?;
        let wrong = |error: &dyn std::fmt::Display| Error::Unexpected(format!("{name}: {error}"));
        if !T::accepts(kind) {
            return Err(wrong(&WrongType::new::<T>(kind.clone())));
        }
        let range = self.body.ranges().nth(at).map_err(|error| wrong(&error))?.ok_or_else(none)?;
        let value = range.and_then(|range| self.body.buffer().get(range));
        T::from_sql_nullable(kind, value).map_err(|error| wrong(&error))
    }
}

/// Bytes of a value, whatever its type; the version byte of `jsonb` is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let raw = if *kind == Type::JSONB { raw.strip_prefix(&[1]).unwrap_or(raw) } else { raw };
        Ok(Self(Bytes::copy_from_slice(raw)))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A statement whose answer is awaited.
pub(super) struct Step {
    /// What is known of its columns beforehand.
    pub(super) columns: Option<Arc<[Column]>>,
    /// Text of the prepared statement that is described on the way.
    pub(super) describes: Option<String>,
}

/// What came back so far.
pub(super) struct Answers {
    steps: std::vec::IntoIter<Step>,
    current: Option<Step>,
    rows: Vec<DataRowBody>,
    finished: Vec<Rows>,
    error: Option<ServerError>,
}

impl Answers {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        let finished = Vec::with_capacity(steps.len());
        let mut steps = steps.into_iter();
        let current = steps.next();
        Self { steps, current, rows: Vec::new(), finished, error: None }
    }

    /// Takes a message; the state of the transaction once the server is ready.
    pub(super) fn take(
        &mut self,
        message: Message,
        prepared: &mut HashMap<String, Prepared>,
    ) -> io::Result<Option<u8>> {
        match message {
            Message::ReadyForQuery(body) => return Ok(Some(body.status())),
            Message::ParseComplete => {
                if let Some(entry) = self.described(prepared) {
                    entry.parsed = true;
                }
            }
            Message::RowDescription(body) => self.describe(columns(&body)?, prepared),
            Message::NoData => self.describe(Arc::new([]), prepared),
            Message::DataRow(body) => self.rows.push(body),
            Message::CommandComplete(_) | Message::EmptyQueryResponse => {
                let step = self.current.take();
                let columns = step.and_then(|step| step.columns).unwrap_or_else(|| Arc::new([]));
                self.finished.push(Rows { columns, rows: std::mem::take(&mut self.rows) });
                self.current = self.steps.next();
            }
            // The first one is the cause. A second can only be the end of the connection.
            Message::ErrorResponse(body) if self.error.is_none() => {
                self.error = Some(ServerError::read(&body)?);
            }
            Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                return Err(io::Error::other("COPY cannot stand in a pipeline"));
            }
            // BindComplete, CloseComplete; notices and changed parameters, which nobody asked for.
            _ => {}
        }
        Ok(None)
    }

    fn described<'p>(
        &self,
        prepared: &'p mut HashMap<String, Prepared>,
    ) -> Option<&'p mut Prepared> {
        prepared.get_mut(self.current.as_ref()?.describes.as_ref()?)
    }

    fn describe(&mut self, columns: Arc<[Column]>, prepared: &mut HashMap<String, Prepared>) {
        if let Some(entry) = self.described(prepared) {
            entry.columns = Some(Arc::clone(&columns));
        }
        if let Some(step) = &mut self.current {
            step.columns = Some(columns);
        }
    }

    /// The server hung up: perhaps it said why.
    pub(super) fn cut_off(&mut self, error: &io::Error) -> Error {
        match self.error.take() {
            Some(error) => Error::Server(Box::new(error)),
            None => Error::Lost(error.to_string()),
        }
    }

    pub(super) fn finish(self) -> Result<Vec<Rows>, Error> {
        match self.error {
            Some(error) => Err(Error::Server(Box::new(error))),
            None => Ok(self.finished),
        }
    }
}

fn columns(body: &RowDescriptionBody) -> io::Result<Arc<[Column]>> {
    let columns = body.fields().map(|field| {
        // Types of users have no place in the list of the driver; their bytes are enough here.
        let kind = Type::from_oid(field.type_oid()).unwrap_or(Type::UNKNOWN);
        Ok(Column { name: field.name().to_owned(), kind })
    });
    columns.collect::<Vec<_>>().map(Into::into)
}
