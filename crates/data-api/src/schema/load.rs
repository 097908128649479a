//! Loads the catalogue in one read-only transaction.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::relationships::{self, Relationship};
use super::routines::{OpenDefiner, OpenDefinerRow, RoutineRow};
use super::tables::TableRow;
use super::views::{KeyRow, ViewRow, view_keys};
use super::{Catalog, Routine, Table, handlers, queries};
use crate::config::Config;
use crate::ident::{CatalogSql, Name};

/// Why the catalogue could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database refused or went away.
    #[error("the catalogue query failed: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A row was not what the query promises.
    #[error("the catalogue query returned something unexpected: {0}")]
    Decode(#[from] serde_json::Error),
    /// An exposed schema is not there, or not yet.
    #[error("there is no schema {0}")]
    Missing(String),
    /// The server is stopping.
    #[error("interrupted")]
    Interrupted,
}

#[derive(Deserialize)]
struct ComputedRow {
    schema: String,
    name: String,
    table_schema: String,
    table_name: String,
    foreign_schema: String,
    foreign_name: String,
    to_one: bool,
}

impl From<ComputedRow> for Relationship {
    fn from(row: ComputedRow) -> Self {
        let table = Name::new(row.table_schema, row.table_name);
        let foreign = Name::new(row.foreign_schema, row.foreign_name);
        let is_self = table == foreign;
        Self::Computed {
            function: Name::new(row.schema, row.name),
            table,
            foreign,
            to_one: row.to_one,
            is_self,
        }
    }
}

/// Rows as they came, one JSON document each.
struct Rows {
    tables: Vec<String>,
    keys: Vec<String>,
    views: Vec<String>,
    routines: Vec<String>,
    computed: Vec<String>,
    open_definers: Vec<String>,
    casts: Vec<String>,
    media: Vec<String>,
}

async fn rows(
    transaction: &Transaction<'_>,
    query: &str,
    params: &[&Vec<String>],
) -> Result<Vec<String>, LoadError> {
    // Unnamed: a pooler may give the next transaction another connection, where no name of ours is known.
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        params.iter().map(|param| (*param as &(dyn ToSql + Sync), Type::TEXT_ARRAY)).collect();
    let rows = transaction.query_typed(query, &params).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn decode<T: DeserializeOwned>(rows: &[String]) -> Result<Vec<T>, LoadError> {
    rows.iter().map(|text| Ok(serde_json::from_str(text)?)).collect()
}

/// Reads everything planning needs. The work of putting it together is done off the threads that serve requests.
pub async fn load(client: &mut Client, config: &Config) -> Result<Catalog, LoadError> {
    let missing = super::missing(client, &config.db_schemas).await?;
    if !missing.is_empty() {
        return Err(LoadError::Missing(missing.join(", ")));
    }
    let transaction = client
        .build_transaction()
        .read_only(true)
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await?;
    // An empty path makes the catalogue print every name with its schema.
    transaction.batch_execute("SET LOCAL search_path TO ''").await?;
    let schemas = &config.db_schemas;
    let (extra, hoisted) = (&config.db_extra_search_path, &config.db_hoisted_tx_settings);
    let found = Rows {
        tables: rows(&transaction, queries::TABLES, &[schemas]).await?,
        keys: rows(&transaction, queries::KEYS, &[]).await?,
        views: rows(&transaction, queries::VIEWS, &[schemas, extra]).await?,
        routines: rows(&transaction, queries::ROUTINES, &[schemas, hoisted]).await?,
        computed: rows(&transaction, queries::COMPUTED, &[]).await?,
        open_definers: rows(&transaction, queries::OPEN_DEFINERS, &[]).await?,
        casts: rows(&transaction, queries::REPRESENTATIONS, &[]).await?,
        media: rows(&transaction, queries::HANDLERS, &[schemas]).await?,
    };
    transaction.commit().await?;
    let schemas = schemas.clone();
    tokio::task::spawn_blocking(move || assemble(&found, &schemas))
        .await
        .map_err(|_| LoadError::Interrupted)?
}

fn assemble(found: &Rows, schemas: &[String]) -> Result<Catalog, LoadError> {
    let keys: Vec<KeyRow> = decode(&found.keys)?;
    let view_keys = view_keys(&decode::<ViewRow>(&found.views)?, &keys);
    let mut tables: HashMap<Name, Table> = decode::<TableRow>(&found.tables)?
        .into_iter()
        .map(Table::from)
        .map(|table| (table.name.clone(), table))
        .collect();
    for table in tables.values_mut().filter(|table| table.is_view) {
        let keys = view_keys.primary.get(&table.name).map(Vec::as_slice).unwrap_or_default();
        table.primary_key = keys
            .iter()
            .flat_map(|key| &key.columns)
            .filter_map(|shown| shown.first().cloned())
            .collect();
    }
    let computed =
        decode::<ComputedRow>(&found.computed)?.into_iter().map(Relationship::from).collect();
    let relationships = relationships::build(&keys, &view_keys, computed, &tables, schemas);
    let mut handlers = handlers::built_in();
    handlers.extend(decode::<[String; 6]>(&found.media)?.into_iter().map(
        |[schema, name, target_schema, target, media, answered]| {
            handlers::custom(
                Name::new(schema, name),
                Name::new(target_schema, target),
                &media,
                &answered,
            )
        },
    ));
    let representations = decode::<(String, String, String)>(&found.casts)?
        .into_iter()
        .map(|(source, target, function)| ((source, target), CatalogSql::from_catalog(function)))
        .collect();
    Ok(Catalog {
        tables,
        relationships,
        routines: routines(&found.routines)?,
        open_definers: decode::<OpenDefinerRow>(&found.open_definers)?
            .into_iter()
            .map(OpenDefiner::from)
            .collect(),
        representations,
        handlers,
    })
}

/// Functions by name, overloads ordered by number of parameters.
fn routines(rows: &[String]) -> Result<HashMap<Name, Vec<Routine>>, LoadError> {
    let mut by_name: HashMap<Name, Vec<Routine>> = HashMap::new();
    for routine in decode::<RoutineRow>(rows)?.into_iter().map(Routine::from) {
        by_name.entry(routine.name.clone()).or_default().push(routine);
    }
    let kinds = |routine: &Routine| -> Vec<(String, String)> {
        routine.parameters.iter().map(|p| (p.name.clone(), p.kind.clone())).collect()
    };
    for overloads in by_name.values_mut() {
        overloads.sort_by(|a, b| {
            a.parameters.len().cmp(&b.parameters.len()).then_with(|| kinds(a).cmp(&kinds(b)))
        });
    }
    Ok(by_name)
}
