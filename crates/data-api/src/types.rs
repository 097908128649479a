//! Typed clients: the catalogue as TypeScript (for `postgrest-js` generics) or as Rust structs.

mod rust;
mod shapes;
mod typescript;

pub use rust::rust;
pub use shapes::{Shapes, shapes};
pub use typescript::typescript;

use crate::schema::{Catalog, Table};

/// Schemas in the order they were named, each once.
fn named(schemas: &[String]) -> Vec<&str> {
    let mut once: Vec<&str> = Vec::new();
    for schema in schemas {
        if !once.contains(&schema.as_str()) {
            once.push(schema);
        }
    }
    once
}

/// Tables of a schema by name.
fn tables<'a>(catalog: &'a Catalog, schema: &str) -> Vec<&'a Table> {
    let mut tables: Vec<&Table> =
        catalog.tables.values().filter(|table| table.name.schema == schema).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

#[cfg(test)]
mod tests;
