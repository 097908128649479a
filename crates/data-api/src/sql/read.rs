//! Reading a tree: one sub-query per node, embeds joined laterally.

use bytes::Bytes;

use super::filter::{
    column_of, condition, conditions, embed_null, field, join_condition, order_by, row_name,
    select_column, spread_column,
};
use super::{Param, Sql};
use crate::ident::Name;
use crate::plan::types::{
    Column, EmbedSelect, OrderBy, ReadPlan, SelectColumn, Spread, SpreadColumn,
};
use crate::request::range::RowRange;
use crate::request::types::JoinType;
use crate::schema::{Cardinality, Relationship};

/// `SELECT` of a node and everything below it.
pub(super) fn query(plan: &ReadPlan) -> Sql {
    let table = row_name(plan);
    let sql = Sql::text("SELECT ")
        .joined(", ", select_list(plan, &table))
        .then(from(plan))
        .then(joins(plan));
    let filters = conditions(&table, &plan.conditions)
        .into_iter()
        .chain(plan.join_conditions.iter().map(join_condition));
    sql.then(where_all(filters.collect()))
        .then(group_by(plan, &table))
        .then(order_by(&table, &plan.order))
        .then(limit_offset(plan.range))
}

pub(super) fn where_all(filters: Vec<Sql>) -> Sql {
    if filters.is_empty() { Sql::new() } else { Sql::text(" WHERE ").joined(" AND ", filters) }
}

fn select_list(plan: &ReadPlan, table: &Name) -> Vec<Sql> {
    let mut list: Vec<Sql> = if plan.select.is_empty() && plan.children.is_empty() {
        vec![column_of(table, "*")]
    } else {
        plan.select.iter().map(|item| select_column(table, item)).collect()
    };
    if let Some(Spread::ToMany { extra, .. }) = &plan.spread {
        list.extend(
            extra.iter().map(|(relation, item)| extra_column(table, relation.as_deref(), item)),
        );
    }
    for embed in &plan.embeds {
        match embed {
            EmbedSelect::Json { empty: true, .. } => {}
            EmbedSelect::Json { name, alias, to_one: true, .. } => {
                list.push(
                    Sql::text("pg_catalog.row_to_json(")
                        .ident(alias)
                        .raw(".*)::jsonb AS ")
                        .ident(name),
                );
            }
            EmbedSelect::Json { name, alias, .. } => {
                list.push(
                    Sql::text("COALESCE(")
                        .ident(alias)
                        .raw(".")
                        .ident(alias)
                        .raw(", '[]') AS ")
                        .ident(name),
                );
            }
            EmbedSelect::Spread { columns, alias } => {
                list.extend(columns.iter().map(|column| spread_column(alias, column)));
            }
        }
    }
    list
}

fn extra_column(table: &Name, relation: Option<&str>, item: &SelectColumn) -> Sql {
    match relation {
        None => select_column(table, item),
        Some(alias) => {
            let column = Column { to_json: true, transform: None, ..item.column.clone() };
            select_column(&Name::alias(alias), &SelectColumn { column, ..item.clone() })
        }
    }
}

/// `FROM …`, with the junction of a many-to-many embed.
fn from(plan: &ReadPlan) -> Sql {
    let sql = Sql::text(" FROM ");
    let sql = match (&plan.relationship, &plan.parent_alias) {
        (Some(Relationship::Computed { function, table, .. }), Some(parent)) => {
            // The cast picks the right overload when the row comes from a CTE.
            sql.name(function).raw("(").ident(&parent.name).raw("::").name(table).raw(")")
        }
        _ => sql.name(&plan.from),
    };
    let sql = match &plan.from_alias {
        None => sql,
        Some(alias) => sql.raw(" AS ").ident(alias),
    };
    match &plan.relationship {
        Some(Relationship::Key { cardinality: Cardinality::ManyToMany(junction), .. }) => {
            sql.raw(", ").name(&junction.table)
        }
        _ => sql,
    }
}

fn joins(plan: &ReadPlan) -> Sql {
    let mut sql = Sql::new();
    for embed in &plan.embeds {
        if let Some(child) = plan.children.iter().find(|child| child.embed_alias == embed.alias()) {
            sql = sql.then(join(embed, child));
        }
    }
    sql
}

fn join(embed: &EmbedSelect, child: &ReadPlan) -> Sql {
    let alias = embed.alias();
    let inner = child.join == Some(JoinType::Inner);
    let to_many = match embed {
        EmbedSelect::Json { to_one, .. } => !to_one,
        EmbedSelect::Spread { .. } => matches!(child.spread, Some(Spread::ToMany { .. })),
    };
    let rows = query(child);
    let rows = if to_many {
        let select =
            Sql::text("SELECT pg_catalog.json_agg(").ident(alias).raw(")::jsonb AS ").ident(alias);
        spread_arrays(select, embed, child).raw(" FROM (").then(rows).raw(") AS ").ident(alias)
    } else {
        rows
    };
    let sql = Sql::text(if inner { " INNER JOIN LATERAL (" } else { " LEFT JOIN LATERAL (" })
        .then(rows)
        .raw(") AS ")
        .ident(alias)
        .raw(" ON ");
    // An aggregate always gives a row: no match is a NULL.
    if inner && to_many { sql.ident(alias).raw(" IS NOT NULL") } else { sql.raw("TRUE") }
}

fn spread_arrays(sql: Sql, embed: &EmbedSelect, child: &ReadPlan) -> Sql {
    let (EmbedSelect::Spread { columns, alias }, Some(Spread::ToMany { order, .. })) =
        (embed, &child.spread)
    else {
        return sql;
    };
    columns.iter().fold(sql, |sql, column| sql.raw(", ").then(spread_array(alias, column, order)))
}

fn spread_array(alias: &str, column: &SpreadColumn, order: &[OrderBy]) -> Sql {
    let table = Name::alias(alias);
    Sql::text("COALESCE(pg_catalog.json_agg(")
        .then(column_of(&table, &column.name))
        .then(order_by(&table, order))
        .raw("), '[]')::jsonb AS ")
        .ident(column.alias.as_deref().unwrap_or(&column.name))
}

/// Beside aggregates every other column groups.
fn group_by(plan: &ReadPlan, table: &Name) -> Sql {
    let own = plan.select.iter().any(|item| item.aggregate.is_some());
    let hoisted = plan.embeds.iter().any(|embed| {
        matches!(embed, EmbedSelect::Spread { columns, .. } if columns.iter().any(|column| column.aggregate.is_some()))
    });
    if !own && !hoisted {
        return Sql::new();
    }
    let mut terms: Vec<Sql> = plan
        .select
        .iter()
        .filter(|item| item.aggregate.is_none())
        .map(|item| match &item.alias {
            Some(alias) => Sql::new().ident(alias),
            None => field(table, &item.column),
        })
        .collect();
    for embed in &plan.embeds {
        match embed {
            EmbedSelect::Json { empty: true, .. } => {}
            EmbedSelect::Json { name, .. } => terms.push(Sql::new().ident(name)),
            EmbedSelect::Spread { columns, alias } => {
                terms.extend(columns.iter().filter(|column| column.aggregate.is_none()).map(
                    |column| {
                        let name = column.alias.as_deref().unwrap_or(&column.name);
                        Sql::new().ident(alias).raw(".").ident(name)
                    },
                ));
            }
        }
    }
    if terms.is_empty() { Sql::new() } else { Sql::text(" GROUP BY ").joined(", ", terms) }
}

/// The limit is part of the text: of a parameter PostgreSQL knows nothing when it plans, expects a tenth of all rows, and
/// so plans anew at every execution. There are few limits and many offsets.
fn limit_offset(range: RowRange) -> Sql {
    let param = |number: i128| Param::unknown(Bytes::from(number.to_string()));
    let limited = match range.limit() {
        None => Sql::new(),
        Some(limit) => match i64::try_from(limit) {
            Ok(limit) => Sql::text(" LIMIT ").number(limit),
            Err(_) => Sql::text(" LIMIT ").param(param(limit)),
        },
    };
    match range.lower {
        0 => limited,
        lower => limited.raw(" OFFSET ").param(param(lower)),
    }
}

/// One row per row of the root, without order, range and columns, for counting.
pub(super) fn count_query(plan: &ReadPlan) -> Sql {
    let table = row_name(plan);
    let exists = |child: &ReadPlan| Sql::text("EXISTS (").then(count_query(child)).raw(")");
    let embed = |alias: &str, negated: bool| match plan
        .children
        .iter()
        .find(|child| child.embed_alias == alias)
    {
        Some(child) if negated => exists(child),
        Some(child) => Sql::text("NOT ").then(exists(child)),
        None => embed_null(alias, negated),
    };
    let own = plan.conditions.iter().map(|one| condition(&table, one, &embed));
    let joined = plan.join_conditions.iter().map(join_condition);
    let inner =
        plan.children.iter().filter(|child| child.join == Some(JoinType::Inner)).map(exists);
    Sql::text("SELECT 1").then(from(plan)).then(where_all(own.chain(joined).chain(inner).collect()))
}
