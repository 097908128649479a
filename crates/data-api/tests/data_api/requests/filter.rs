//! Columns with paths, filters, logical trees and orders.

use proptest::prelude::*;
use proptest::sample::select;

use super::values::{FREE, LIST, NAME, NUMBER, QUOTED, WORD, written};

/// A column of the table, or one that the client made up.
pub fn column(columns: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        9 => select(columns.to_vec()).prop_map(written),
        1 => Just(NAME.to_string()),
    ]
}

/// `->key->>0`; keys and indexes are values.
pub fn json_path() -> impl Strategy<Value = String> {
    let step = (select(vec!["->", "->>"]), select(vec![QUOTED, NUMBER, QUOTED]), any::<bool>())
        .prop_map(|(arrow, operand, minus)| {
            let minus = if minus && operand == NUMBER { "-" } else { "" };
            format!("{arrow}{minus}{operand}")
        });
    prop_oneof![
        3 => Just(String::new()),
        1 => prop::collection::vec(step, 1..3).prop_map(|steps| steps.concat()),
    ]
}

/// A column with its path.
pub fn field(columns: &'static [&'static str]) -> impl Strategy<Value = String> {
    (column(columns), json_path()).prop_map(|(column, path)| column + &path)
}

/// `not.operator(modifier).value`, the value written as `value`.
pub fn operation(value: char) -> impl Strategy<Value = String> {
    let quantified = (
        select(vec!["eq", "gte", "gt", "lte", "lt", "like", "ilike", "match", "imatch"]),
        select(vec!["", "(any)", "(all)"]),
    )
        .prop_map(move |(operator, modifier)| format!("{operator}{modifier}.{value}"));
    let simple =
        select(vec!["neq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "isdistinct"])
            .prop_map(move |operator| format!("{operator}.{value}"));
    let full_text = (select(vec!["fts", "plfts", "phfts", "wfts"]), any::<bool>()).prop_map(
        move |(operator, language)| {
            let language = if language { format!("({WORD})") } else { String::new() };
            format!("{operator}{language}.{value}")
        },
    );
    let is = select(vec!["null", "not_null", "true", "false", "unknown", "NULL"])
        .prop_map(|word| format!("is.{word}"));
    let operation = prop_oneof![
        4 => quantified,
        4 => simple,
        2 => full_text,
        1 => is,
        2 => Just(format!("in.{LIST}")),
    ];
    (any::<bool>(), operation)
        .prop_map(|(not, operation)| if not { format!("not.{operation}") } else { operation })
}

/// A term of a logical tree, `depth` levels deep at most.
fn term(columns: &'static [&'static str], depth: u32) -> BoxedStrategy<String> {
    let leaf = (field(columns), operation(QUOTED))
        .prop_map(|(field, operation)| format!("{field}.{operation}"))
        .boxed();
    if depth == 0 {
        return leaf;
    }
    let node = (operator(), terms(columns, depth - 1))
        .prop_map(|(operator, terms)| format!("{operator}{terms}"));
    prop_oneof![2 => leaf, 1 => node].boxed()
}

fn operator() -> impl Strategy<Value = &'static str> {
    select(vec!["and", "or", "not.and", "not.or"])
}

fn terms(columns: &'static [&'static str], depth: u32) -> impl Strategy<Value = String> {
    prop::collection::vec(term(columns, depth), 1..4)
        .prop_map(|terms| format!("({})", terms.join(",")))
}

/// A parameter that chooses rows of the node that `at` leads to (empty, or ending in a dot).
pub fn filter(columns: &'static [&'static str]) -> BoxedStrategy<(String, String)> {
    prop_oneof![
        3 => (field(columns), operation(FREE)),
        1 => (operator().prop_map(str::to_owned), terms(columns, 3)),
    ]
    .boxed()
}

/// The terms of an order.
pub fn order(columns: &'static [&'static str]) -> impl Strategy<Value = String> {
    let term = (field(columns), direction()).prop_map(|(field, direction)| field + &direction);
    prop::collection::vec(term, 1..3).prop_map(|terms| terms.join(","))
}

/// `.desc.nullslast`, or less.
pub fn direction() -> impl Strategy<Value = String> {
    (select(vec!["", ".asc", ".desc"]), select(vec!["", ".nullsfirst", ".nullslast"]))
        .prop_map(|(direction, nulls)| format!("{direction}{nulls}"))
}
