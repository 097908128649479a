//! What is written into a text comes back from the parser as what it was.

use gatepost_data_api::ident::{CastType, Ident, Name};
use gatepost_data_api::sql::Sql;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::tree::{kinds, node, statements};

/// What PostgreSQL can carry of a text: all before NUL.
fn before_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

/// No longer than PostgreSQL's names are.
fn short() -> impl Strategy<Value = String> {
    let evil = "[\"'\\\\$a-b\u{0}éß\u{1F600}\\-/*;.() \n]{0,15}";
    prop_oneof![any::<String>(), evil].prop_map(|text| {
        text.chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 63).then_some(c)
            })
            .collect::<String>()
    })
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    TestRunner::new(crate::cases(3000)).run(strategy, test).unwrap();
}

fn targets(text: &str) -> Result<Vec<Value>, String> {
    let mut all = statements(text)?;
    if all.len() != 1 {
        return Err(format!("{} statements", all.len()));
    }
    match node(&all[0]) {
        ("SelectStmt", select) => Ok(select["target_list"].as_array().unwrap().clone()),
        _ => Err(all.swap_remove(0).to_string()),
    }
}

#[test]
fn an_identifier_comes_back_as_it_was() {
    run(&(short(), short()), |(one, other)| {
        let text = format!("SELECT 1 AS {}, 2 AS {}", Ident(&one), Ident(&other));
        let found = targets(&text);
        let expected = [before_nul(&one), before_nul(&other)];
        if expected.contains(&"") {
            // Refused before it comes to SQL.
            prop_assert!(found.is_err_and(|error| error.contains("zero-length")));
            return Ok(());
        }
        let found = found.map_err(TestCaseError::fail)?;
        let names: Vec<&Value> = found.iter().map(|target| &node(target).1["name"]).collect();
        prop_assert_eq!(names, expected);
        Ok(())
    });
}

#[test]
fn a_qualified_name_comes_back_as_it_was() {
    let name = || short().prop_filter("no name", |name: &String| !before_nul(name).is_empty());
    run(&(name(), name()), |(schema, table)| {
        let text = Sql::text("SELECT FROM ").name(&Name::new(&schema, &table)).finish().text;
        let all = statements(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(all.len(), 1);
        let (kind, range) = node(&node(&all[0]).1["from_clause"][0]);
        prop_assert_eq!(kind, "RangeVar");
        prop_assert_eq!(&range["schemaname"], before_nul(&schema));
        prop_assert_eq!(&range["relname"], before_nul(&table));
        Ok(())
    });
}

#[test]
fn a_literal_comes_back_as_it_was() {
    run(&(short(), short()), |(one, other)| {
        let sql = Sql::text("SELECT ").catalog_literal(&one).raw(", ").catalog_literal(&other);
        let found = targets(&sql.finish().text).map_err(TestCaseError::fail)?;
        let texts: Vec<&Value> = found
            .iter()
            .map(|target| &node(&node(target).1["val"]).1["val"]["Sval"]["sval"])
            .collect();
        prop_assert_eq!(texts, [before_nul(&one), before_nul(&other)]);
        Ok(())
    });
}

#[test]
fn a_type_of_the_clients_is_a_type_or_nothing() {
    let words = prop::collection::vec(
        prop_oneof![
            "[a-z_$0-9]{1,6}",
            "[\\w$]{1,3}",
            prop::sample::select(vec![
                "int",
                "double",
                "precision",
                "$$",
                "$a$",
                "setof",
                "array",
                "interval",
                "year",
                "to",
                "month",
                "from",
                "as",
                "select",
                "null",
                "collate",
                "character",
                "varying",
                "time",
                "with",
                "zone",
                "$1",
            ])
            .prop_map(str::to_owned),
        ],
        1..4,
    );
    let taken = std::cell::Cell::new(0);
    run(&(words.clone(), words), |(one, other)| {
        let parse = |words: &[String]| CastType::parse(&words.join(" "));
        let (Some(one), Some(other)) = (parse(&one), parse(&other)) else { return Ok(()) };
        let sql = Sql::text("SELECT CAST(1 AS ").cast(&one).raw("), CAST(2 AS ").cast(&other);
        let text = sql.raw("), 3").finish().text;
        // Each is made of words: nothing that begins elsewhere ends within it.
        for cast in [&one, &other] {
            for word in crate::tree::words(cast.as_str()).map_err(TestCaseError::fail)? {
                prop_assert!(
                    word.text.starts_with(|c: char| c.is_alphabetic() || c == '_'),
                    "{:?}",
                    word
                );
            }
        }
        // Words that are no type are a syntax error, and the statement is not run.
        let Ok(found) = targets(&text) else { return Ok(()) };
        taken.set(taken.get() + 1);
        let values: Vec<&str> = found.iter().map(|target| node(&node(target).1["val"]).0).collect();
        prop_assert_eq!(values, ["TypeCast", "TypeCast", "AConst"], "{}", text);
        prop_assert!(!found.iter().any(|target| kinds(target).contains(&"ColumnRef")), "{}", text);
        Ok(())
    });
    assert!(taken.get() > 50, "only {} pairs of types", taken.get());
}
