//! Names of database objects. The only types through which an identifier reaches SQL.

use std::fmt;

use serde::Serialize;

/// A schema-qualified name. An empty schema means an unqualified name: an alias or a CTE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Name {
    /// Schema, empty when the name stands alone.
    pub schema: String,
    /// Name of the table, view, function or type.
    pub name: String,
}

impl Name {
    /// `schema.name`.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// A name without a schema.
    pub fn alias(name: impl Into<String>) -> Self {
        Self::new("", name)
    }

    /// Reads `schema.name` or `name` as PostgREST's configuration writes it: split at the first dot.
    pub fn from_setting(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self::new(schema, name),
            None => Self::alias(text),
        }
    }
}

/// An identifier, quoted when shown. NUL ends it: PostgreSQL cannot carry one in a query.
#[derive(Clone, Copy, Debug)]
pub struct Ident<'a>(pub &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.split('\0').next().unwrap_or_default();
        f.write_str("\"")?;
        for (index, part) in name.split('"').enumerate() {
            if index > 0 {
                f.write_str("\"\"")?;
            }
            f.write_str(part)?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() {
            write!(f, "{}", Ident(&self.name))
        } else {
            write!(f, "{}.{}", Ident(&self.schema), Ident(&self.name))
        }
    }
}

/// A piece of SQL that PostgreSQL itself printed: `format_type`, `regproc`, `pg_get_expr`.
///
/// Built by `schema` from catalogue columns only, never from a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CatalogSql(String);

impl CatalogSql {
    pub(crate) fn from_catalog(text: String) -> Self {
        Self(text)
    }

    /// The text as PostgreSQL printed it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A type name given by a client after `::`: words of letters, digits, `_` and `$`, so it cannot leave its place. A word begins
/// with a letter or `_`, because `$` would begin a parameter or a quoted text.
///
/// It stays unquoted because quoting would hide the SQL spellings (`int`, `double precision`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastType(String);

impl CastType {
    /// `None` when a character does not belong to a type name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let begins = |word: &str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let fits = text.chars().all(is_type_char)
            && text.split(' ').filter(|word| !word.is_empty()).all(begins);
        (fits && !text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The type name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `c` may stand in a type name given by a client.
pub fn is_type_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ' ' | '$')
}
