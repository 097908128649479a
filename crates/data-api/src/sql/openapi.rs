//! What a role may see, for the OpenAPI document.

use super::{Sql, Statement};

/// Queries of the OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenApiStatements {
    /// Names of the relations the role has any privilege on.
    pub tables: Statement,
    /// OIDs of the functions the role may execute.
    pub functions: Statement,
    /// Comment of the schema.
    pub description: Statement,
}

/// Queries for one schema.
pub fn openapi(schema: &str) -> OpenApiStatements {
    let tables = Sql::text(
        "SELECT c.relname::text FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('v', 'r', 'm', 'f', 'p') AND NOT c.relispartition
           AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
             OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
             OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
           AND n.nspname = ",
    )
    .value(schema);
    let functions = Sql::text(
        "SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE p.prokind = 'f' AND pg_catalog.has_function_privilege(p.oid, 'execute') AND n.nspname = ",
    )
    .value(schema);
    let description = Sql::text(
        "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = ",
    )
    .value(schema);
    OpenApiStatements {
        tables: tables.finish(),
        functions: functions.finish(),
        description: description.finish(),
    }
}
