//! The shape of schema `neon_auth` as a value: read from a database, or from the checked-in snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
};

use tokio_postgres::GenericClient;

/// What the migrations produce. Generated; a test compares it with a freshly migrated database.
pub(super) const SNAPSHOT: &str = include_str!("../../migrations/snapshot.txt");

const QUERY: &str = include_str!("catalogue.sql");

/// One table or view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) view: bool,
    pub(super) columns: BTreeMap<String, Column>,
    pub(super) keys: BTreeSet<Key>,
}

/// A column as `pg_catalog` spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) kind: String,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
}

/// A constraint or index. Ordered so that what others need comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: KeyKind,
    /// What it covers, without its name: `("userId") references neon_auth."user" (id) on delete cascade`.
    pub(super) definition: String,
    pub(super) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Foreign,
    Index,
}

/// The shape of the whole schema, by table name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Catalogue(pub(super) BTreeMap<String, Relation>);

impl Catalogue {
    /// What the migrations produce.
    pub(super) fn expected() -> Self {
        let mut catalogue = Self::default();
        for line in SNAPSHOT.lines() {
            let mut parts = line.splitn(4, " | ");
            if let (Some(kind), Some(relation), Some(name), Some(definition)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            {
                catalogue.add(kind, relation, name, definition);
            }
        }
        catalogue
    }

    /// What the database has, in one round trip.
    pub(super) async fn read(client: &impl GenericClient) -> Result<Self, tokio_postgres::Error> {
        let mut catalogue = Self::default();
        for row in client.query_typed(QUERY, &[]).await? {
            catalogue.add(row.get(0), row.get(1), row.get(2), row.get(3));
        }
        Ok(catalogue)
    }

    /// The names of the tables, views left out.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, relation)| !relation.view).map(|(name, _)| name.as_str())
    }

    fn add(&mut self, kind: &str, relation: &str, name: &str, definition: &str) {
        let relation = self.0.entry(relation.to_owned()).or_default();
        let kind = match kind {
            "primary key" => KeyKind::Primary,
            "unique" => KeyKind::Unique,
            "foreign key" => KeyKind::Foreign,
            "index" => KeyKind::Index,
            column => {
                relation.view = column == "view";
                relation.columns.insert(name.to_owned(), Column::parse(definition));
                return;
            }
        };
        relation.keys.insert(Key {
            kind,
            definition: definition.to_owned(),
            name: name.to_owned(),
        });
    }
}

impl Column {
    fn parse(definition: &str) -> Self {
        let (rest, default) = match definition.split_once(" default ") {
            Some((rest, default)) => (rest, Some(default.to_owned())),
            None => (definition, None),
        };
        let (kind, not_null) = match rest.strip_suffix(" not null") {
            Some(kind) => (kind, true),
            None => (rest, false),
        };
        Self { kind: kind.to_owned(), not_null, default }
    }
}

/// As the snapshot spells it.
impl Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_null = if self.not_null { " not null" } else { "" };
        write!(f, "{}{not_null}", self.kind)?;
        match &self.default {
            Some(default) => write!(f, " default {default}"),
            None => Ok(()),
        }
    }
}

impl Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary key",
            Self::Unique => "unique",
            Self::Foreign => "foreign key",
            Self::Index => "index",
        })
    }
}

/// The text of `snapshot.txt`.
impl Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (relation, shape) in &self.0 {
            let kind = if shape.view { "view" } else { "column" };
            for (name, column) in &shape.columns {
                writeln!(f, "{kind} | {relation} | {name} | {column}")?;
            }
            for key in &shape.keys {
                writeln!(f, "{} | {relation} | {} | {}", key.kind, key.name, key.definition)?;
            }
        }
        Ok(())
    }
}
