//! Typed clients: the catalogue as TypeScript (for `postgrest-js` generics) or as Rust structs.

mod rust;
mod typescript;

pub use rust::rust;
pub use typescript::typescript;

use crate::schema::{Catalog, Table};

/// Tables of a schema by name.
fn tables<'a>(catalog: &'a Catalog, schema: &str) -> Vec<&'a Table> {
    let mut tables: Vec<&Table> =
        catalog.tables.values().filter(|table| table.name.schema == schema).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

#[cfg(test)]
mod tests;
