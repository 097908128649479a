//! Tables, views and their columns.

use serde::{Deserialize, Serialize};

use crate::ident::{CatalogSql, Name};

/// A table, view, materialised view, foreign or partitioned table.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Its name.
    pub name: Name,
    /// Comment.
    pub description: Option<String>,
    /// View or materialised view.
    pub is_view: bool,
    /// Whether Row Level Security is enabled. Views: whether they, and all that they read through, run with the
    /// caller's rights, over tables that have it enabled.
    pub row_security: bool,
    /// A view over schema `neon_auth`, itself or through other views.
    pub shows_auth: bool,
    /// INSERT is possible, privileges aside.
    pub insertable: bool,
    /// UPDATE is possible, privileges aside.
    pub updatable: bool,
    /// DELETE is possible, privileges aside.
    pub deletable: bool,
    /// Primary key columns by name; for a view those of its origin.
    pub primary_key: Vec<String>,
    /// Columns in their order.
    pub columns: Vec<Column>,
}

impl Table {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A column.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Comment.
    pub description: Option<String>,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Type, domains resolved when their base is built in.
    pub base_type: String,
    /// Type as declared.
    pub declared_type: CatalogSql,
    /// Longest text allowed.
    pub max_length: Option<i32>,
    /// Default expression.
    pub default: Option<CatalogSql>,
    /// Labels of an enum.
    pub labels: Vec<String>,
}

/// A row of the tables query.
#[derive(Deserialize)]
pub(super) struct TableRow {
    schema: String,
    name: String,
    description: Option<String>,
    is_view: bool,
    row_security: bool,
    shows_auth: bool,
    insertable: bool,
    updatable: bool,
    deletable: bool,
    primary_key: Option<Vec<String>>,
    columns: Option<Vec<ColumnRow>>,
}

#[derive(Deserialize)]
struct ColumnRow {
    name: String,
    description: Option<String>,
    nullable: bool,
    base_type: String,
    declared_type: String,
    max_length: Option<i32>,
    default: Option<String>,
    labels: Option<Vec<String>>,
}

impl From<TableRow> for Table {
    fn from(row: TableRow) -> Self {
        Self {
            name: Name::new(row.schema, row.name),
            description: row.description,
            is_view: row.is_view,
            row_security: row.row_security,
            shows_auth: row.shows_auth,
            insertable: row.insertable,
            updatable: row.updatable,
            deletable: row.deletable,
            primary_key: row.primary_key.unwrap_or_default(),
            columns: row.columns.unwrap_or_default().into_iter().map(Column::from).collect(),
        }
    }
}

impl From<ColumnRow> for Column {
    fn from(row: ColumnRow) -> Self {
        Self {
            name: row.name,
            description: row.description,
            nullable: row.nullable,
            base_type: row.base_type,
            declared_type: CatalogSql::from_catalog(row.declared_type),
            max_length: row.max_length,
            default: row.default.map(CatalogSql::from_catalog),
            labels: row.labels.unwrap_or_default(),
        }
    }
}
