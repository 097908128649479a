//! Function calls.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio_postgres::types::Type;

use super::filter::{array_literal, column_of};
use super::write::{BodyUse, body_rows};
use super::{Param, Sql};
use crate::ident::{CatalogSql, Name};
use crate::plan::types::{ArgumentValue, Arguments, CallPlan, Column};
use crate::schema::Parameter;

/// `SELECT … FROM function(…)`.
pub(super) fn query(plan: &CallPlan) -> Sql {
    let scalar = plan.routine.returns_scalar() || plan.routine.returns_set_of_scalar();
    let sql = Sql::text("SELECT ");
    let sql = if scalar { sql.raw("pgrst_call.pgrst_scalar") } else { sql.then(columns(plan)) };
    sql.raw(" ").then(match &plan.arguments {
        Arguments::Whole { parameter, body } => {
            Sql::text("FROM ").then(invoke(plan, scalar, whole(parameter, body.as_ref())))
        }
        Arguments::Direct(values) => {
            let arguments = values.iter().map(|(parameter, value)| {
                named(parameter).then(argument(value)).raw("::").catalog(&parameter.parse_type)
            });
            Sql::text("FROM ").then(invoke(plan, scalar, Sql::new().joined(", ", arguments)))
        }
        Arguments::Json { parameters, .. } if parameters.is_empty() => {
            Sql::text("FROM ").then(invoke(plan, scalar, Sql::new()))
        }
        Arguments::Json { parameters, body } => {
            let fields: Vec<Column> = parameters
                .iter()
                .map(|parameter| Column {
                    name: parameter.name.clone(),
                    kind: parameter.parse_type.clone(),
                    ..Column::default()
                })
                .collect();
            let arguments = parameters
                .iter()
                .map(|parameter| named(parameter).raw("pgrst_body.").ident(&parameter.name));
            body_rows(body.as_ref(), &fields, BodyUse { one_row: true, defaults: false })
                .raw(", LATERAL ")
                .then(invoke(plan, scalar, Sql::new().joined(", ", arguments)))
        }
    })
}

fn named(parameter: &Parameter) -> Sql {
    let sql = if parameter.variadic { Sql::text("VARIADIC ") } else { Sql::new() };
    sql.ident(&parameter.name).raw(" := ")
}

fn argument(value: &ArgumentValue) -> Sql {
    match value {
        ArgumentValue::One(value) => Sql::new().value(value),
        ArgumentValue::Many(values) => {
            let literal = Bytes::from(array_literal(values));
            Sql::new().param(Param::typed(Some(literal), Type::TEXT_ARRAY))
        }
        ArgumentValue::Missing => Sql::text("NULL"),
    }
}

fn whole(parameter: &Parameter, body: Option<&Bytes>) -> Sql {
    if parameter.kind == "bytea" {
        // Text format of bytea: hexadecimal.
        let hex = body.map(|body| {
            let mut text = String::with_capacity(2 + body.len() * 2);
            text.push_str("\\x");
            for byte in body {
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
            Bytes::from(text)
        });
        return Sql::new().param(Param::typed(hex, Type::BYTEA));
    }
    let kind = CatalogSql::from_catalog(parameter.kind.clone());
    Sql::new().param(Param::typed(body.cloned(), Type::UNKNOWN)).raw("::").catalog(&kind)
}

fn invoke(plan: &CallPlan, scalar: bool, arguments: Sql) -> Sql {
    let call = Sql::new().name(&plan.routine.name).raw("(").then(arguments).raw(")");
    if scalar {
        Sql::text("(SELECT ").then(call).raw(" pgrst_scalar) pgrst_call")
    } else {
        call.raw(" pgrst_call")
    }
}

fn columns(plan: &CallPlan) -> Sql {
    let table = Name::alias("pgrst_call");
    if plan.returning.is_empty() {
        return Sql::text("*");
    }
    if plan.returning.len() == 1 && plan.returning.contains("*") {
        return column_of(&table, "*");
    }
    let all: BTreeSet<&String> = plan.returning.iter().chain(&plan.filter_columns).collect();
    Sql::new().joined(", ", all.into_iter().map(|column| column_of(&table, column)))
}
