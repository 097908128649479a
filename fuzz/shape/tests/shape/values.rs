//! Values: two sets of them give one text, and nothing of them stands in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use gatepost_data_api::ident::Name;
use gatepost_data_api::request::HttpRequest;
use gatepost_data_api::schema::Catalog;
use gatepost_data_api::sql::{Sql, Statement, openapi, pre_request};
use gatepost_data_api::verify::Identity;
use http::HeaderMap;
use pg_query::FingerprintOptions;
use pg_query::protobuf::Token;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

use crate::catalogue::loaded;
use crate::requests::{Kind, PLAIN_NAME, Rendered, Values, render, template, values};
use crate::tree::{is_limit, kinds, node, statements, without_limits, words};

/// Texts and numbers that this server writes into statements.
const CONSTANTS: [&str; 22] = [
    "''",
    "'[]'",
    "'{}'",
    "'null'",
    "'0'",
    "'-1'",
    "'='",
    "'eq.'",
    "'is.null'",
    "','",
    "E'\\n'",
    "'type'",
    "'features'",
    "'FeatureCollection'",
    "'response.headers'",
    "'response.status'",
    "'pgrst.inserted'",
    "0",
    "1",
    "2",
    "'pg_namespace'",
    "'f'",
];

/// Names of settings that stand in the text; those of roles, functions and of the configuration are parameters.
const SETTINGS: [&str; 9] = [
    "'search_path'",
    "'statement_timeout'",
    "'role'",
    "'request.jwt.claims'",
    "'request.method'",
    "'request.path'",
    "'request.headers'",
    "'request.cookies'",
    "'timezone'",
];

/// All constants a statement may have: the server's own, those in types and defaults of the catalogue, and the columns' names, which
/// are the keys of an object of defaults.
fn constants(catalog: &Catalog) -> BTreeSet<String> {
    let columns = || catalog.tables.values().flat_map(|table| &table.columns);
    let printed =
        columns().flat_map(|column| [&column.declared_type].into_iter().chain(&column.default));
    let printed =
        printed.flat_map(|text| words(text.as_str()).unwrap()).map(|word| word.text.to_owned());
    let names = columns().map(|column| Sql::new().catalog_literal(&column.name).finish().text);
    CONSTANTS.map(str::to_owned).into_iter().chain(printed).chain(names).collect()
}

/// What every text must be: one statement without comments, with every parameter once and in order, and known constants.
fn one_statement(
    statement: &Statement,
    constants: &BTreeSet<String>,
) -> Result<Value, TestCaseError> {
    let text = &statement.text;
    let fail = |problem: String| TestCaseError::fail(format!("{problem}: {text}"));
    let mut found = statements(text).map_err(fail)?;
    prop_assert_eq!(found.len(), 1, "{}", text);
    let mut params = 0;
    let words = words(text).map_err(fail)?;
    for (index, word) in words.iter().enumerate() {
        match word.token {
            _ if is_limit(&words, index) => {}
            Token::Param => {
                params += 1;
                prop_assert_eq!(word.text, format!("${params}"), "{}", text);
            }
            Token::Sconst | Token::Iconst | Token::Fconst => {
                prop_assert!(constants.contains(word.text), "{} in {}", word.text, text);
            }
            Token::Ascii59
            | Token::SqlComment
            | Token::CComment
            | Token::Bconst
            | Token::Xconst
            | Token::Usconst
            | Token::Uident => prop_assert!(false, "{:?} in {}", word, text),
            _ => {}
        }
    }
    prop_assert_eq!(params, statement.params.len(), "{}", text);
    Ok(found.swap_remove(0))
}

/// The main statement: a SELECT over `pgrst_source`, in which the one write of the request stands, and nothing else but reads.
fn of_kind(tree: &Value, kind: Kind, text: &str) -> Result<(), TestCaseError> {
    let query = match node(tree) {
        ("ExplainStmt", explain) => &explain["query"],
        _ => tree,
    };
    let (top, select) = node(query);
    prop_assert_eq!(top, "SelectStmt", "{}", text);
    let source = node(&select["with_clause"]["ctes"][0]).1;
    prop_assert_eq!(&source["ctename"], "pgrst_source", "{}", text);
    let work = node(&source["ctequery"]).0;
    let expected = match kind {
        Kind::Read | Kind::Call => "SelectStmt",
        Kind::Insert => "InsertStmt",
        // An update that sets no column touches no row.
        Kind::Update if work == "SelectStmt" => "SelectStmt",
        Kind::Update => "UpdateStmt",
        Kind::Delete => "DeleteStmt",
    };
    prop_assert_eq!(work, expected, "{}", text);
    let others: Vec<&str> = kinds(query)
        .into_iter()
        .filter(|kind| kind.ends_with("Stmt") && *kind != "SelectStmt")
        .collect();
    let wanted: &[&str] = if expected == "SelectStmt" { &[] } else { &[expected] };
    prop_assert_eq!(others, wanted, "{}", text);
    Ok(())
}

/// The settings: calls of `set_config` with a name, a parameter and `true`, and nothing else.
fn only_settings(tree: &Value, text: &str) -> Result<(), TestCaseError> {
    let (top, select) = node(tree);
    prop_assert_eq!(top, "SelectStmt", "{}", text);
    let targets = select["target_list"].as_array().unwrap();
    for target in targets {
        let (kind, call) = node(&node(target).1["val"]);
        prop_assert_eq!(kind, "FuncCall", "{}", text);
        let names: Vec<&Value> =
            call["funcname"].as_array().unwrap().iter().map(|name| &node(name).1["sval"]).collect();
        prop_assert_eq!(names, ["pg_catalog", "set_config"], "{}", text);
        let arguments: Vec<&str> =
            call["args"].as_array().unwrap().iter().map(|argument| node(argument).0).collect();
        let [name, rest @ ..] = arguments.as_slice() else { panic!("{text}") };
        // Which constant is seen to in `one_statement`.
        prop_assert!(["AConst", "ParamRef"].contains(name), "{}", text);
        prop_assert_eq!(rest, ["ParamRef", "AConst"], "{}", text);
    }
    prop_assert!(
        !kinds(tree).iter().any(|kind| ["RangeVar", "SubLink"].contains(kind)),
        "{}",
        text
    );
    Ok(())
}

fn all(rendered: &Rendered) -> impl Iterator<Item = &Statement> {
    let Rendered { settings, statements } = rendered;
    [settings, &statements.main].into_iter().chain(&statements.explain)
}

#[test]
fn every_statement_is_parsed_as_the_one_it_should_be_and_no_value_changes_or_enters_it() {
    let (config, catalog) = loaded();
    let constants = constants(&catalog);
    let names = SETTINGS.map(str::to_owned).into();
    let seen = RefCell::new(BTreeMap::<Result<Kind, String>, u32>::new());
    let cases = ("[k-z]{12}", template()).prop_flat_map(|(marker, template)| {
        (Just(template), values(&marker), values(""), Just(marker))
    });
    TestRunner::new(crate::cases(2000))
        .run(&cases, |(template, one, other, marker)| {
            let render = |values: &Values| {
                let rendered = template.render(&config, &catalog, values, PLAIN_NAME);
                rendered.map_err(|error| error.code.clone())
            };
            let (rendered, other) = (render(&one), render(&other));
            let outcome = rendered.as_ref().map(|_| template.kind).map_err(String::clone);
            // Whether a request is refused, and why, depends on no value either.
            prop_assert_eq!(
                &outcome,
                &other.as_ref().map(|_| template.kind).map_err(String::clone)
            );
            *seen.borrow_mut().entry(outcome).or_default() += 1;
            let (Ok(rendered), Ok(other)) = (rendered, other) else { return Ok(()) };
            prop_assert_eq!(all(&rendered).count(), all(&other).count());
            for (statement, other) in all(&rendered).zip(all(&other)) {
                let fail = |problem: String| TestCaseError::fail(problem);
                let text = without_limits(&statement.text).map_err(fail)?;
                prop_assert_eq!(&text, &without_limits(&other.text).map_err(fail)?);
                // Where a limit makes two texts of them, the parser sees one shape.
                let print = |text: &str| {
                    pg_query::fingerprint(text, 0, FingerprintOptions::FULL_RELNAME).unwrap().hex
                };
                if statement.text != other.text {
                    prop_assert_eq!(print(&statement.text), print(&other.text));
                }
                let types = |statement: &Statement| {
                    statement.params.iter().map(|param| param.kind.clone()).collect::<Vec<_>>()
                };
                prop_assert_eq!(types(statement), types(other), "{}", statement.text);
                prop_assert!(!text.contains(&marker), "{}", text);
                for number in &one.numbers {
                    prop_assert!(!text.contains(&number.to_string()), "{}", text);
                }
            }
            let main = &rendered.statements.main;
            of_kind(&one_statement(main, &constants)?, template.kind, &main.text)?;
            let settings = &rendered.settings;
            // `true` is a word of its own, not a constant.
            only_settings(&one_statement(settings, &names)?, &settings.text)?;
            if let Some(explain) = &rendered.statements.explain {
                let tree = one_statement(explain, &constants)?;
                prop_assert_eq!(node(&tree).0, "ExplainStmt");
                prop_assert!(
                    kinds(&tree).iter().filter(|kind| kind.ends_with("Stmt")).all(|kind| [
                        "ExplainStmt",
                        "SelectStmt"
                    ]
                    .contains(kind))
                );
            }
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    println!("{seen:?}");
    for kind in [Kind::Read, Kind::Call, Kind::Insert, Kind::Update, Kind::Delete] {
        assert!(seen.get(&Ok(kind)).is_some_and(|count| *count > 50), "{seen:?}");
    }
}

#[test]
fn the_statements_of_the_openapi_document_and_the_function_before_a_request_are_one_each() {
    let constants = constants(&Catalog::default());
    let strings = any::<String>;
    TestRunner::new(crate::cases(256))
        .run(&(strings(), strings()), |(one, other)| {
            let (all, others) = (openapi(&one), openapi(&other));
            prop_assert_eq!(&all.tables.text, &others.tables.text);
            prop_assert_eq!(&all.functions.text, &others.functions.text);
            prop_assert_eq!(&all.description.text, &others.description.text);
            Ok(())
        })
        .unwrap();
    let documents = openapi("api");
    for statement in [&documents.tables, &documents.functions, &documents.description] {
        assert_eq!(statements(&statement.text).unwrap().len(), 1, "{}", statement.text);
    }
    let before = pre_request(&Name::new("a", "b\"c"));
    one_statement(&before, &constants).unwrap();
}

/// What looks like a value and chooses another statement, as the list in `main.rs` has it.
const CHOICES: [(&str, &str, &str); 10] = [
    ("GET", "/tasks?title=in.(%22%22)", ""),
    ("GET", "/tasks?title=in.()", ""),
    ("GET", "/tasks?offset=0", ""),
    ("GET", "/tasks?limit=x", ""),
    ("GET", "/tasks?limit=0", ""),
    ("GET", "/tasks?select=%22*%22&%22*%22=eq.1&order=%22*%22", ""),
    ("GET", "/rpc/tasks_of?project=1&id=eq.1", ""),
    ("POST", "/tasks", "[]"),
    ("POST", "/tasks", "{}"),
    ("PATCH", "/tasks?id=eq.1", "1"),
];

#[test]
fn what_chooses_another_statement_chooses_one() {
    let (config, catalog) = loaded();
    let constants = constants(&catalog);
    let identity = Identity { role: "authenticated".to_owned(), claims: Map::new() };
    for (method, target, body) in CHOICES {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let http = HttpRequest {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: body.into(),
        };
        let rendered = render(&config, &catalog, &http, &identity).unwrap();
        one_statement(&rendered.statements.main, &constants).unwrap();
    }
}
