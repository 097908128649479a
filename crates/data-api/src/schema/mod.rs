//! The catalogue: what the database exposes. Loaded in the background, an input to planning.

mod dump;
mod handlers;
mod load;
mod nodes;
pub(crate) mod queries;
mod relationships;
mod routines;
mod tables;
mod views;

use std::collections::HashMap;

#[cfg(test)]
pub(crate) use handlers::built_in;
pub use handlers::{Handler, HandlerTarget, Handlers};
pub use load::load;
pub use relationships::{Cardinality, Junction, Relationship};
pub use routines::{OpenDefiner, Parameter, Returns, Routine, Volatility};
pub use tables::{Column, Table};

use tokio_postgres::types::Type;

use crate::ident::{CatalogSql, Name};

/// Relationships by origin and schema of the target.
pub type Relationships = HashMap<(Name, String), Vec<Relationship>>;

/// Everything planning needs to know of the database.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Tables and views of the exposed schemas.
    pub tables: HashMap<Name, Table>,
    /// Relationships between them.
    pub relationships: Relationships,
    /// Functions of the exposed schemas, overloads ordered by number of parameters.
    pub routines: HashMap<Name, Vec<Routine>>,
    /// Functions with their owner's rights that everybody may call.
    pub open_definers: Vec<OpenDefiner>,
    /// Functions that turn a domain into JSON or text and back, by source and target type.
    pub representations: HashMap<(String, String), CatalogSql>,
    /// Functions and aggregates that produce media types.
    pub handlers: Handlers,
}

/// Those of `schemas` that the database does not have.
///
/// # Errors
/// The database's.
pub async fn missing(
    client: &tokio_postgres::Client,
    schemas: &[String],
) -> Result<Vec<String>, tokio_postgres::Error> {
    let query = "SELECT name FROM unnest($1::text[]) name
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = name)";
    client
        .query_typed(query, &[(&schemas, Type::TEXT_ARRAY)])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect()
}

impl Catalog {
    /// A table or view by name.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(name)
    }

    /// One line for the log.
    pub fn summary(&self) -> String {
        format!(
            "{} relations, {} relationships, {} functions, {} representations, {} media type handlers",
            self.tables.len(),
            self.relationships.values().map(Vec::len).sum::<usize>(),
            self.routines.values().map(Vec::len).sum::<usize>(),
            self.representations.len(),
            self.handlers.len(),
        )
    }
}
