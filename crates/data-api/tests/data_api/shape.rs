//! Generated SQL, given back to PostgreSQL's own parser: one statement, and its shape never depends on a value.

use gatepost_data_api::plan::{self, types::Plan};
use gatepost_data_api::request::{ApiRequest, HttpRequest};
use gatepost_data_api::sql::{self, Statement};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio_postgres::types::Type;

use crate::support::{Server, target};

/// What a request is made of: everything but its values.
#[derive(Clone, Debug)]
struct Shape {
    method: &'static str,
    table: &'static str,
    select: String,
    filters: Vec<(String, &'static str)>,
    order: Option<&'static str>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let select = prop::sample::subsequence(
        vec![
            "id",
            "title",
            "x:title",
            "full_title",
            "due::text",
            "project:projects(name,meta->client->>name)",
            "...projects!inner(team_id)",
            "labels(name)",
            "parent:tasks!parent_id(title)",
        ],
        1..5,
    );
    let column = prop::sample::select(vec!["id", "title", "done", "assignee", "full_title"]);
    let operator = prop::sample::select(vec![
        "eq.",
        "neq.",
        "gt.",
        "like.",
        "ilike.",
        "match.",
        "in.",
        "fts.",
        "not.eq.",
        "isdistinct.",
        "plfts(english).",
    ]);
    let filters = prop::collection::vec((column.prop_map(str::to_owned), operator), 0..4);
    let order =
        prop::option::of(prop::sample::select(vec!["id", "title.desc.nullslast", "due.asc"]));
    let method = prop::sample::select(vec!["GET", "PATCH", "DELETE", "POST"]);
    (method, select, filters, order).prop_map(|(method, select, filters, order)| Shape {
        method,
        table: "tasks",
        select: select.join(","),
        filters,
        order,
    })
}

/// Ordinary texts and those that mean something to SQL, to the query string or to the server.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "'; drop table tasks; --",
            "\\",
            "$1",
            "1) or (1=1",
            "\u{0}",
            "\"",
            "*/",
            "null",
            "{a,\"b\\\\\"}",
            "x' || 'y",
            "E'\\x27'",
        ])
        .prop_map(str::to_owned),
    ]
}

impl Shape {
    /// The statement of the request with these values; `None` if it is refused.
    fn render(&self, server: &Server, value: &str) -> Option<Statement> {
        // Never empty: `in.("")` is the empty list to PostgREST, and a statement of its own.
        let listed = format!("(\"-{}\")", value.replace('\\', "\\\\").replace('"', "\\\""));
        let mut query = format!("select={}", target(&self.select));
        for (column, operator) in &self.filters {
            let value = if *operator == "in." { &listed } else { value };
            query.push_str(&format!("&{column}={operator}{}", escaped(value)));
        }
        if let Some(order) = self.order {
            query.push_str(&format!("&order={order}"));
        }
        let body = serde_json::json!({ "title": value, "project_id": 1 }).to_string();
        let http = HttpRequest {
            method: self.method.parse().unwrap(),
            path: format!("/{}", self.table),
            query,
            headers: http::HeaderMap::from_iter([(
                http::HeaderName::from_static("prefer"),
                http::HeaderValue::from_static("return=representation"),
            )]),
            body: if matches!(self.method, "POST" | "PATCH") {
                body.into()
            } else {
                bytes::Bytes::new()
            },
        };
        let (config, catalog) = (server.state.config(), server.state.catalog().unwrap());
        let request = ApiRequest::parse(&config, &http).ok()?;
        let Plan::Crud(plan) = plan::plan(&config, &catalog, &request, "authenticated").ok()?
        else {
            return None;
        };
        Some(sql::render(&request, &plan).main)
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn postgres_parses_every_generated_statement_as_one_and_no_value_changes_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start("", |_| ()));
    let (client, _connection) =
        runtime.block_on(gatepost_postgres::connect(&server.admin_url)).unwrap();
    let mut parsed = 0;
    let parsing = std::cell::RefCell::new(&mut parsed);
    TestRunner::new(ProptestConfig::with_cases(200))
        .run(&(shape(), value(), value()), |(shape, one, other)| {
            let rendered = (shape.render(&server, &one), shape.render(&server, &other));
            let (Some(one), Some(other)) = rendered else { return Ok(()) };
            prop_assert_eq!(&one.text, &other.text);
            let types: Vec<Type> = one.params.iter().map(|param| param.kind.clone()).collect();
            // Two statements in one text are refused by the protocol, and a text that is cut off by the parser.
            let prepared = runtime.block_on(client.prepare_typed(&one.text, &types));
            let problem = prepared.as_ref().err().and_then(|error| error.as_db_error());
            // What the parser takes and the analysis does not (an operator that a type lacks) is a 400 to the caller.
            let syntax = problem.is_some_and(|error| error.code().code() == "42601");
            prop_assert!(!syntax, "{:?}: {}", problem, one.text);
            **parsing.borrow_mut() += usize::from(prepared.is_ok());
            Ok(())
        })
        .unwrap();
    assert!(parsed > 50, "only {parsed} statements were prepared");
}
