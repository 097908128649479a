//! What types need of the catalogue and requests do not: what a type is made of, and what nobody may write.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::Client;

use crate::ident::Name;

/// What a type is, by its name as PostgreSQL prints it with its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An enum with its labels.
    Enum(Name, Vec<String>),
    /// A composite type with its fields and their types.
    Composite(Name, Vec<(String, String)>),
    /// A row of a table or view.
    Row(Name),
    /// A domain over another type.
    Domain(String),
}

/// Shapes of the types of a database.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    kinds: BTreeMap<String, Shape>,
    /// Identity and generated columns that PostgreSQL alone writes: table and column.
    always: HashSet<(Name, String)>,
    /// Columns that a function returns by name, by its OID.
    returned: HashMap<u32, Vec<(String, String)>>,
}

const TYPES: &str = "
    SELECT format_type(t.oid, NULL), n.nspname::text, t.typname::text, t.typtype::text,
      CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, NULL) END,
      CASE t.typtype
        WHEN 'e' THEN ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
        ELSE ARRAY(SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = t.typrelid AND c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
      END,
      ARRAY(SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = t.typrelid AND c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
      coalesce(c.relkind <> 'c', false)
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'c') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";

const ALWAYS: &str = "
    SELECT n.nspname::text, c.relname::text, a.attname::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (a.attidentity = 'a' OR a.attgenerated <> '') AND n.nspname = ANY($1)";

const RETURNED: &str = "
    SELECT p.oid, array_agg(coalesce(a.name, '') ORDER BY a.place), array_agg(format_type(a.type, NULL) ORDER BY a.place)
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN LATERAL unnest(p.proargnames, p.proallargtypes, p.proargmodes) WITH ORDINALITY a(name, type, mode, place)
    WHERE n.nspname = ANY($1) AND a.mode IN ('o', 'b', 't')
    GROUP BY p.oid";

/// Reads them, on a connection of its own.
///
/// # Errors
/// The database's.
pub async fn shapes(client: &Client, schemas: &[String]) -> Result<Shapes, tokio_postgres::Error> {
    client.batch_execute("SET search_path = ''").await?;
    let mut found = Shapes::default();
    for row in client.query(TYPES, &[]).await? {
        let name = Name::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?);
        let (names, kinds): (Vec<String>, Vec<String>) = (row.try_get(5)?, row.try_get(6)?);
        let shape = match (row.try_get::<_, String>(3)?.as_str(), row.try_get(7)?) {
            ("e", _) => Shape::Enum(name, names),
            ("c", true) => Shape::Row(name),
            ("c", false) => Shape::Composite(name, std::iter::zip(names, kinds).collect()),
            _ => Shape::Domain(row.try_get(4)?),
        };
        found.kinds.insert(row.try_get(0)?, shape);
    }
    for row in client.query(ALWAYS, &[&schemas]).await? {
        let table = Name::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        found.always.insert((table, row.try_get(2)?));
    }
    for row in client.query(RETURNED, &[&schemas]).await? {
        let (names, kinds): (Vec<String>, Vec<String>) = (row.try_get(1)?, row.try_get(2)?);
        found.returned.insert(row.try_get(0)?, std::iter::zip(names, kinds).collect());
    }
    Ok(found)
}

impl Shapes {
    pub(super) fn find(&self, kind: &str) -> Option<&Shape> {
        self.kinds.get(kind)
    }

    /// Every shape, in the order of their printed names.
    pub(super) fn all(&self) -> impl Iterator<Item = &Shape> {
        self.kinds.values()
    }

    /// Whether nobody but PostgreSQL writes the column.
    pub(super) fn is_always_generated(&self, table: &Name, column: &str) -> bool {
        self.always.contains(&(table.clone(), column.to_owned()))
    }

    /// Columns that a function returns by name.
    pub(super) fn returned(&self, oid: u32) -> Option<&[(String, String)]> {
        self.returned.get(&oid).map(Vec::as_slice)
    }
}
