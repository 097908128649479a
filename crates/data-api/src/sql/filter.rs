//! Conditions, columns and order as SQL.

use crate::ident::{CatalogSql, Name};
use crate::plan::types::{
    Column, Condition, JoinCondition, OrderBy, ReadPlan, SelectColumn, SpreadColumn,
};
use crate::request::types::{
    Aggregate, Direction, FullTextOperator, IsValue, JsonOperand, LogicOperator, Nulls, Operation,
    QuantOperator, Quantifier, SimpleOperator,
};

use super::Sql;

/// `table.column`, or `table.*`.
pub(super) fn column_of(table: &Name, column: &str) -> Sql {
    let sql = Sql::new().name(table);
    if column == "*" { sql.raw(".*") } else { sql.raw(".").ident(column) }
}

/// A column with its path, ready to be compared or ordered by.
pub(super) fn field(table: &Name, column: &Column) -> Sql {
    let plain = field_value(table, column);
    match &column.to_tsvector {
        None => plain,
        Some(language) => Sql::text("pg_catalog.to_tsvector(")
            .then(dictionary(language.as_deref()))
            .then(plain)
            .raw(")"),
    }
}

fn field_value(table: &Name, column: &Column) -> Sql {
    if column.full_row {
        return Sql::new().ident(&table.name);
    }
    let base = column_of(table, &column.name);
    if column.path.is_empty() {
        return base;
    }
    let mut sql =
        if column.to_json { Sql::text("pg_catalog.to_jsonb(").then(base).raw(")") } else { base };
    for step in &column.path {
        sql = sql.raw(if step.as_text { "->>" } else { "->" });
        sql = match &step.operand {
            JsonOperand::Key(key) => sql.value(key),
            JsonOperand::Index(index) => sql.value(index).raw("::int"),
        };
    }
    sql
}

fn call(function: &CatalogSql, argument: Sql) -> Sql {
    Sql::new().catalog(function).raw("(").then(argument).raw(")")
}

/// A column of the response, converted.
pub(super) fn select_column(table: &Name, item: &SelectColumn) -> Sql {
    let value = field(table, &item.column);
    let value = match &item.column.transform {
        None => value,
        Some(function) => call(function, value),
    };
    let value = match &item.cast {
        None => value,
        Some(cast) => Sql::text("CAST(").then(value).raw(" AS ").cast(cast).raw(")"),
    };
    let value = aggregated(item.aggregate, item.aggregate_cast.as_ref(), value);
    aliased(value, item.alias.as_deref())
}

/// A column hoisted from a spread.
pub(super) fn spread_column(alias: &str, column: &SpreadColumn) -> Sql {
    let value = column_of(&Name::alias(alias), &column.name);
    aliased(
        aggregated(column.aggregate, column.aggregate_cast.as_ref(), value),
        column.alias.as_deref(),
    )
}

fn aliased(value: Sql, alias: Option<&str>) -> Sql {
    match alias {
        None => value,
        Some(alias) => value.raw(" AS ").ident(alias),
    }
}

fn aggregated(
    aggregate: Option<Aggregate>,
    cast: Option<&crate::ident::CastType>,
    value: Sql,
) -> Sql {
    let function = match aggregate {
        None => return value,
        Some(Aggregate::Sum) => "sum(",
        Some(Aggregate::Avg) => "avg(",
        Some(Aggregate::Max) => "max(",
        Some(Aggregate::Min) => "min(",
        Some(Aggregate::Count) => "count(",
    };
    let value = Sql::text(function).then(value).raw(")");
    match cast {
        None => value,
        Some(cast) => Sql::text("CAST(").then(value).raw(" AS ").cast(cast).raw(")"),
    }
}

fn dictionary(language: Option<&str>) -> Sql {
    language.map_or_else(Sql::new, |language| Sql::new().value(language).raw(", "))
}

/// `ORDER BY …`, or nothing.
pub(super) fn order_by(table: &Name, terms: &[OrderBy]) -> Sql {
    if terms.is_empty() {
        return Sql::new();
    }
    Sql::text(" ORDER BY ").joined(", ", terms.iter().map(|term| order_term(table, term)))
}

fn order_term(table: &Name, term: &OrderBy) -> Sql {
    let sql = match &term.relation {
        None => field(table, &term.column),
        Some(alias) => {
            let column = Column { to_json: true, ..term.column.clone() };
            field(&Name::alias(alias), &column)
        }
    };
    let sql = match term.direction {
        None => sql,
        Some(Direction::Asc) => sql.raw(" ASC"),
        Some(Direction::Desc) => sql.raw(" DESC"),
    };
    match term.nulls {
        None => sql,
        Some(Nulls::First) => sql.raw(" NULLS FIRST"),
        Some(Nulls::Last) => sql.raw(" NULLS LAST"),
    }
}

/// `left = right`.
pub(super) fn join_condition(condition: &JoinCondition) -> Sql {
    let (left, left_column) = &condition.left;
    let (right, right_column) = &condition.right;
    column_of(left, left_column).raw(" = ").then(column_of(right, right_column))
}

/// A condition; `embed_null` renders tests of embeds, which differ between a query and its count.
pub(super) fn condition(
    table: &Name,
    condition_: &Condition,
    embed_null: &dyn Fn(&str, bool) -> Sql,
) -> Sql {
    match condition_ {
        Condition::Node { negated, operator, children } => {
            let separator = match operator {
                LogicOperator::And => " AND ",
                LogicOperator::Or => " OR ",
            };
            Sql::text(if *negated { "NOT (" } else { "(" })
                .joined(separator, children.iter().map(|child| condition(table, child, embed_null)))
                .raw(")")
        }
        Condition::Filter { column, negated, operation } => {
            filter(table, column, *negated, operation)
        }
        Condition::EmbedIsNull { negated, alias } => embed_null(alias, *negated),
    }
}

/// In the query itself the embed is a sub-query with an alias.
pub(super) fn embed_null(alias: &str, negated: bool) -> Sql {
    let sql = Sql::new().ident(alias);
    if negated { sql.raw(" IS DISTINCT FROM NULL") } else { sql.raw(" IS NOT DISTINCT FROM NULL") }
}

/// All conditions of a node joined by AND; no embeds.
pub(crate) fn conditions(table: &Name, all: &[Condition]) -> Vec<Sql> {
    all.iter().map(|one| condition(table, one, &embed_null)).collect()
}

fn filter(table: &Name, column: &Column, negated: bool, operation: &Operation) -> Sql {
    let sql = if negated { Sql::text("NOT ") } else { Sql::new() };
    let sql = sql.then(field(table, column));
    match operation {
        Operation::Simple(operator, value) => {
            sql.raw(" ").raw(simple(*operator)).raw(" ").then(literal(column, value))
        }
        Operation::Quantified(operator, quantifier, value) => {
            let value = match operator {
                QuantOperator::Like | QuantOperator::ILike => {
                    Sql::new().value(&value.replace('*', "%"))
                }
                _ => literal(column, value),
            };
            let value = match quantifier {
                None => value,
                Some(Quantifier::Any) => Sql::text("ANY(").then(value).raw(")"),
                Some(Quantifier::All) => Sql::text("ALL(").then(value).raw(")"),
            };
            sql.raw(" ").raw(quantifiable(*operator)).raw(" ").then(value)
        }
        Operation::In(values) => match values.as_slice() {
            [only] if only.is_empty() => sql.raw(" = ANY('{}')"),
            _ => sql.raw(" = ANY(").then(array(column, values)).raw(")"),
        },
        Operation::Is(value) => sql.raw(match value {
            IsValue::Null => " IS NULL",
            IsValue::NotNull => " IS NOT NULL",
            IsValue::True => " IS TRUE",
            IsValue::False => " IS FALSE",
            IsValue::Unknown => " IS UNKNOWN",
        }),
        Operation::IsDistinct(value) => sql.raw(" IS DISTINCT FROM ").value(value),
        Operation::FullText(operator, language, value) => sql
            .raw(full_text(*operator))
            .then(dictionary(language.as_deref()))
            .value(value)
            .raw(")"),
    }
}

fn literal(column: &Column, value: &str) -> Sql {
    let value = Sql::new().value(value);
    match &column.transform {
        None => value,
        Some(function) => call(function, value),
    }
}

fn array(column: &Column, values: &[String]) -> Sql {
    let literal = Sql::new().value(&array_literal(values));
    match &column.transform {
        None => literal,
        Some(function) => {
            let element = Sql::text("pg_catalog.unnest(").then(literal).raw("::text[])");
            Sql::text("(SELECT ").then(call(function, element)).raw(")")
        }
    }
}

/// `{"a","b"}`: one parameter, whatever the number of values.
pub(super) fn array_literal(values: &[String]) -> String {
    let elements: Vec<String> = values
        .iter()
        .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", elements.join(","))
}

fn simple(operator: SimpleOperator) -> &'static str {
    match operator {
        SimpleOperator::NotEqual => "<>",
        SimpleOperator::Contains => "@>",
        SimpleOperator::Contained => "<@",
        SimpleOperator::Overlap => "&&",
        SimpleOperator::StrictlyLeft => "<<",
        SimpleOperator::StrictlyRight => ">>",
        SimpleOperator::NotExtendsRight => "&<",
        SimpleOperator::NotExtendsLeft => "&>",
        SimpleOperator::Adjacent => "-|-",
    }
}

fn quantifiable(operator: QuantOperator) -> &'static str {
    match operator {
        QuantOperator::Equal => "=",
        QuantOperator::GreaterEqual => ">=",
        QuantOperator::Greater => ">",
        QuantOperator::LessEqual => "<=",
        QuantOperator::Less => "<",
        QuantOperator::Like => "LIKE",
        QuantOperator::ILike => "ILIKE",
        QuantOperator::Match => "~",
        QuantOperator::IMatch => "~*",
    }
}

fn full_text(operator: FullTextOperator) -> &'static str {
    match operator {
        FullTextOperator::Plain => " @@ to_tsquery(",
        FullTextOperator::PlainTo => " @@ plainto_tsquery(",
        FullTextOperator::Phrase => " @@ phraseto_tsquery(",
        FullTextOperator::WebSearch => " @@ websearch_to_tsquery(",
    }
}

/// Name under which a node's columns are referred to.
pub(super) fn row_name(plan: &ReadPlan) -> Name {
    match (&plan.from_alias, &plan.relationship) {
        (Some(alias), _) => Name::alias(alias),
        (None, Some(crate::schema::Relationship::Computed { function, .. })) => {
            Name::alias(&function.name)
        }
        (None, _) => plan.from.clone(),
    }
}
