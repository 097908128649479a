//! The only way to make SQL here: fixed text, identifiers, catalogue text and parameters.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use crate::ident::{CastType, CatalogSql, Ident, Name};

/// A value on its way to the server, always in text format so that the column's own input function parses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Param {
    /// Bytes as the type's input function reads them; `None` is NULL.
    pub value: Option<Bytes>,
    /// `UNKNOWN` lets the server infer the type from the place the parameter stands in.
    pub kind: Type,
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values are the client's data: never in a log.
        write!(f, "Param({})", self.kind)
    }
}

impl Param {
    /// A value whose type the server infers.
    pub fn unknown(value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), kind: Type::UNKNOWN }
    }

    /// A value of a given type, or NULL.
    pub fn typed(value: Option<Bytes>, kind: Type) -> Self {
        Self { value, kind }
    }
}

impl ToSql for Param {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.value {
            None => Ok(IsNull::Yes),
            Some(value) => {
                out.put_slice(value);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

/// SQL under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sql {
    text: String,
    /// Parameters, and where in the text they stand.
    params: Vec<(usize, Param)>,
}

/// Finished SQL: text with `$n`, and the parameters in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Query text.
    pub text: String,
    /// Parameters `$1…`.
    pub params: Vec<Param>,
}

impl Sql {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts with fixed text.
    pub fn text(text: &'static str) -> Self {
        Self::new().raw(text)
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.params.is_empty()
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Fixed text. `&'static` keeps request data out.
    #[must_use]
    pub fn raw(mut self, text: &'static str) -> Self {
        self.push(text);
        self
    }

    /// A quoted identifier.
    #[must_use]
    pub fn ident(mut self, name: &str) -> Self {
        self.push(&Ident(name).to_string());
        self
    }

    /// A quoted, qualified name.
    #[must_use]
    pub fn name(mut self, name: &Name) -> Self {
        self.push(&name.to_string());
        self
    }

    /// Text printed by PostgreSQL's catalogue.
    #[must_use]
    pub fn catalog(mut self, text: &CatalogSql) -> Self {
        self.push(text.as_str());
        self
    }

    /// A client's type name, checked when parsed.
    #[must_use]
    pub fn cast(mut self, cast: &CastType) -> Self {
        self.push(cast.as_str());
        self
    }

    /// A name of the catalogue as a string literal, for where PostgreSQL wants a constant.
    #[must_use]
    pub fn catalog_literal(mut self, name: &str) -> Self {
        let name = name.split('\0').next().unwrap_or_default();
        let escape = if name.contains('\\') { "E" } else { "" };
        self.push(&format!("{escape}'{}'", name.replace('\\', "\\\\").replace('\'', "''")));
        self
    }

    /// A number made by this server.
    #[must_use]
    pub fn number(mut self, number: i64) -> Self {
        self.push(&number.to_string());
        self
    }

    /// A parameter.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.params.push((self.text.len(), param));
        self
    }

    /// A parameter whose type the server infers.
    #[must_use]
    pub fn value(self, value: &str) -> Self {
        // A NUL cannot be sent: PostgreSQL's text has none.
        let value = value.split('\0').next().unwrap_or_default();
        self.param(Param::unknown(Bytes::copy_from_slice(value.as_bytes())))
    }

    /// Another piece.
    #[must_use]
    pub fn then(mut self, other: Sql) -> Self {
        let before = self.text.len();
        self.text.push_str(&other.text);
        self.params.extend(other.params.into_iter().map(|(at, param)| (before + at, param)));
        self
    }

    /// Pieces joined by fixed text.
    #[must_use]
    pub fn joined(mut self, separator: &'static str, parts: impl IntoIterator<Item = Sql>) -> Self {
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            self = self.then(part);
        }
        self
    }

    /// Numbers the parameters.
    pub fn finish(self) -> Statement {
        let mut text = String::with_capacity(self.text.len() + 4 * self.params.len());
        let mut params = Vec::with_capacity(self.params.len());
        let mut rest = self.text.as_str();
        let mut done = 0;
        for (at, param) in self.params {
            let (before, after) = rest.split_at(at - done);
            text.push_str(before);
            params.push(param);
            text.push('$');
            text.push_str(&params.len().to_string());
            (rest, done) = (after, at);
        }
        text.push_str(rest);
        Statement { text, params }
    }
}
