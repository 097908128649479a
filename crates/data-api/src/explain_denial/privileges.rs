//! Privileges that a request needs and its role has not.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use crate::ident::Name;
use crate::plan::types::{Condition, CrudPlan, MutatePlan, ReadPlan, Work};
use crate::schema::{Cardinality, Catalog, Relationship, Routine, Table};

/// Columns by table and privilege; none: the table as a whole.
type Needs = BTreeMap<(Name, &'static str), BTreeSet<String>>;

/// Those that `role` has not, in words.
pub(super) async fn missing(
    above: &Client,
    catalog: &Catalog,
    crud: &CrudPlan,
    table: &Table,
    role: &str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let mut needs = Needs::new();
    let mut written: Vec<String> = Vec::new();
    match &crud.work {
        Work::Mutate { plan, .. } => written = of_write(&mut needs, table, plan),
        _ => own_columns(&mut needs, table, &crud.read),
    }
    for child in &crud.read.children {
        of_embed(&mut needs, catalog, Some(table), child);
    }
    let inserts = matches!(&crud.work, Work::Mutate { plan, .. } if matches!(**plan, MutatePlan::Insert { .. }));
    let mut all = lacking(above, &needs, role).await?;
    if inserts {
        all.extend(sequences(above, table, &written, role).await?);
    }
    Ok(all)
}

fn need(
    needs: &mut Needs,
    table: &Table,
    privilege: &'static str,
    columns: impl Iterator<Item = String>,
) {
    let known = columns.filter(|column| table.column(column).is_some());
    needs.entry((table.name.clone(), privilege)).or_default().extend(known);
}

fn of_write(needs: &mut Needs, table: &Table, plan: &MutatePlan) -> Vec<String> {
    let (MutatePlan::Insert { returning, conditions, .. }
    | MutatePlan::Update { returning, conditions, .. }
    | MutatePlan::Delete { returning, conditions, .. }) = plan;
    let mut read = BTreeSet::new();
    names(conditions, &mut read);
    read.extend(returning.iter().cloned());
    let mut written = Vec::new();
    match plan {
        MutatePlan::Delete { .. } => need(needs, table, "DELETE", std::iter::empty()),
        MutatePlan::Update { columns, .. } => {
            need(needs, table, "UPDATE", columns.iter().map(|column| column.name.clone()));
        }
        MutatePlan::Insert { columns, on_conflict, .. } => {
            written = columns.iter().map(|column| column.name.clone()).collect();
            need(needs, table, "INSERT", written.iter().cloned());
            if let Some((resolution, target)) = on_conflict {
                read.extend(target.iter().cloned());
                if *resolution == crate::request::prefer::Resolution::Merge {
                    read.extend(written.iter().cloned());
                    need(needs, table, "UPDATE", written.iter().cloned());
                }
            }
        }
    }
    if !read.is_empty() {
        need(needs, table, "SELECT", stars(table, read).into_iter());
    }
    written
}

/// `*` is every column.
fn stars(table: &Table, mut names: BTreeSet<String>) -> BTreeSet<String> {
    if names.remove("*") {
        names.extend(table.columns.iter().map(|column| column.name.clone()));
    }
    names
}

fn own_columns(needs: &mut Needs, table: &Table, plan: &ReadPlan) {
    let mut read: BTreeSet<String> =
        plan.select.iter().map(|item| item.column.name.clone()).collect();
    if plan.select.is_empty() && plan.children.is_empty() {
        read.insert("*".to_owned());
    }
    read.extend(
        plan.order
            .iter()
            .filter(|term| term.relation.is_none())
            .map(|term| term.column.name.clone()),
    );
    names(&plan.conditions, &mut read);
    need(needs, table, "SELECT", stars(table, read).into_iter());
}

fn of_embed(needs: &mut Needs, catalog: &Catalog, parent: Option<&Table>, plan: &ReadPlan) {
    let table = catalog.table(&plan.from);
    if let Some(table) = table {
        own_columns(needs, table, plan);
    }
    if let Some(Relationship::Key { cardinality, .. }) = &plan.relationship {
        let (own, other): (Vec<String>, Vec<String>) = match cardinality {
            Cardinality::ManyToMany(junction) => {
                if let Some(through) = catalog.table(&junction.table) {
                    let columns = junction.source.iter().chain(&junction.target);
                    need(needs, through, "SELECT", columns.map(|(_, column)| column.clone()));
                }
                let first = |(column, _): &(String, String)| column.clone();
                (
                    junction.source.iter().map(first).collect(),
                    junction.target.iter().map(first).collect(),
                )
            }
            direct => direct.columns().iter().cloned().unzip(),
        };
        for (table, columns) in [(parent, own), (table, other)] {
            if let Some(table) = table {
                need(needs, table, "SELECT", columns.into_iter());
            }
        }
    }
    for child in &plan.children {
        of_embed(needs, catalog, table, child);
    }
}

fn names(conditions: &[Condition], all: &mut BTreeSet<String>) {
    for condition in conditions {
        match condition {
            Condition::Node { children, .. } => names(children, all),
            Condition::Filter { column, .. } => drop(all.insert(column.name.clone())),
            Condition::EmbedIsNull { .. } => {}
        }
    }
}

async fn lacking(
    above: &Client,
    needs: &Needs,
    role: &str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    const SCHEMA: &str = "SELECT NOT has_schema_privilege($1::text::name, $2::text, 'USAGE')";
    // The columns that are not granted, or the table when it needs the privilege as a whole or has it for no column.
    const TABLE: &str = "
        SELECT ARRAY(SELECT u.name FROM pg_catalog.unnest($4::text[]) u(name)
            WHERE NOT has_column_privilege($1::text::name, c.oid, u.name, $5)),
          has_table_privilege($1::text::name, c.oid, $5)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relname = $3";
    let mut missing = Vec::new();
    let schemas: BTreeSet<&String> = needs.keys().map(|(table, _)| &table.schema).collect();
    for schema in schemas {
        if above.query_one(SCHEMA, &[&role, schema]).await?.try_get(0)? {
            missing.push(format!("USAGE on schema {schema}"));
        }
    }
    for ((table, privilege), columns) in needs {
        let asked: Vec<&str> = match *privilege {
            "DELETE" => Vec::new(),
            _ => columns.iter().map(String::as_str).collect(),
        };
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&role, &table.schema, &table.name, &asked, privilege];
        let Some(row) = above.query_opt(TABLE, &params).await? else { continue };
        let (lacking, whole): (Vec<String>, bool) = (row.try_get(0)?, row.try_get(1)?);
        if whole {
            continue;
        }
        if lacking.len() == asked.len() {
            missing.push(format!("{privilege} on {}.{}", table.schema, table.name));
        } else if !lacking.is_empty() {
            missing.push(format!(
                "{privilege} ({}) on {}.{}",
                lacking.join(", "),
                table.schema,
                table.name
            ));
        }
    }
    Ok(missing)
}

/// Sequences behind columns that an insert leaves to their default.
async fn sequences(
    above: &Client,
    table: &Table,
    written: &[String],
    role: &str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = above
        .query(
            "SELECT DISTINCT 'USAGE on sequence ' || s.oid::regclass::text
             FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname <> ALL ($3::text[])
             JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
               AND p.refclassid = 'pg_class'::regclass
             JOIN pg_class s ON s.oid = p.refobjid
             WHERE n.nspname = $1 AND c.relname = $2 AND a.attgenerated = ''
               AND CASE WHEN s.relkind = 'S'
                 THEN NOT has_sequence_privilege($4::text::name, s.oid, 'USAGE, UPDATE') END",
            &[&table.name.schema, &table.name.name, &written, &role],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Of a call.
pub(super) async fn of_function(
    above: &Client,
    routine: &Routine,
    role: &str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let row = above
        .query_one(
            "SELECT has_schema_privilege($1::text::name, $2::text, 'USAGE'),
               has_function_privilege($1::text::name, $3::oid, 'EXECUTE'), $3::oid::regprocedure::text",
            &[&role, &routine.name.schema, &routine.oid],
        )
        .await?;
    let mut missing = Vec::new();
    if !row.try_get::<_, bool>(0)? {
        missing.push(format!("USAGE on schema {}", routine.name.schema));
    }
    if !row.try_get::<_, bool>(1)? {
        missing.push(format!("EXECUTE on function {}", row.try_get::<_, String>(2)?));
    }
    Ok(missing)
}
