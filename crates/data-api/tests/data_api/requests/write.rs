//! Writes: bodies of every type, upserts, what they return.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::filter::filter;
use super::read::{self, ODD, OTHER, PROJECTS, Relation, TASKS};
use super::values::{CELL, FIELD, FREE, JSON, NAME, NUMBER, escaped, written};
use super::{Body, Kind, Template};

fn quoted_json(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// Bodies that set these columns.
fn body(columns: &[&'static str]) -> impl Strategy<Value = Body> + use<> {
    let object: Vec<String> =
        columns.iter().map(|column| format!("{}:{JSON}", quoted_json(column))).collect();
    let object = format!("{{{}}}", object.join(","));
    let one = Body {
        content_type: "application/json",
        first: "",
        row: object,
        between: ",",
        last: "",
        many: false,
    };
    let many = Body { first: " [", last: "]", many: true, ..one.clone() };
    let fields: Vec<String> =
        columns.iter().map(|column| format!("{}={FIELD}", escaped(column))).collect();
    let form = Body {
        content_type: "application/x-www-form-urlencoded",
        row: fields.join("&"),
        ..one.clone()
    };
    select(vec![one, many, form])
}

fn csv(columns: &[&'static str]) -> Body {
    let header: Vec<String> =
        columns.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\""))).collect();
    let cells = vec![CELL.to_string(); columns.len()].join(",");
    Body {
        content_type: "text/csv",
        first: "",
        // The first of the rows is the header: it must not be repeated.
        row: format!("{}\n{cells}", header.join(",")),
        between: "\n",
        last: "\n",
        many: false,
    }
}

/// Bodies that are not looked into, because `columns` says what is in them.
fn unread() -> impl Strategy<Value = Body> {
    let body = Body {
        content_type: "application/json",
        first: "{",
        row: FREE.to_string(),
        between: "",
        last: "",
        many: false,
    };
    select(vec![body.clone(), Body { first: "\n[", ..body }])
}

/// Columns to set, a body that sets them, and `columns` where that is needed or wanted.
fn payload(relation: &'static Relation) -> impl Strategy<Value = (Body, Option<(String, String)>)> {
    let stored: Vec<&'static str> = relation
        .columns
        .iter()
        .copied()
        // Computed, not stored.
        .filter(|column| *column != "full_title")
        .collect();
    let most = stored.len();
    subsequence(stored, 1..=most).prop_flat_map(|columns| {
        let names: Vec<String> = columns.iter().map(|column| written(column)).collect();
        let named = Some(("columns".to_owned(), names.join(",")));
        prop_oneof![
            3 => body(&columns).prop_map(|body| (body, None)),
            1 => Just((csv(&columns), None)),
            1 => unread().prop_map(move |body| (body, named.clone())),
        ]
    })
}

fn preferences() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let one = |all: &[&'static str]| {
        let all = all.to_vec();
        prop::option::of(select(all).prop_map(|text| ("prefer", text.to_owned())))
    };
    (
        one(&["return=representation", "return=minimal", "return=headers-only"]),
        one(&["resolution=merge-duplicates", "resolution=ignore-duplicates"]),
        one(&["missing=default", "missing=null"]),
        one(&["count=exact", "count=planned"]),
    )
        .prop_map(|(a, b, c, d)| a.into_iter().chain(b).chain(c).chain(d).collect())
}

fn conflict(relation: &'static Relation) -> impl Strategy<Value = Option<(String, String)>> {
    let columns = subsequence(relation.columns.to_vec(), 1..3).prop_map(|columns| {
        let names: Vec<String> = columns.into_iter().map(written).collect();
        names.join(",")
    });
    prop::option::of(prop_oneof![3 => columns, 1 => Just(NAME.to_string())])
        .prop_map(|columns| columns.map(|columns| ("on_conflict".to_owned(), columns)))
}

pub fn request() -> impl Strategy<Value = Template> {
    let relation = select(vec![&TASKS, &PROJECTS, &ODD, &OTHER]);
    let method = select(vec!["POST", "POST", "PATCH", "PUT", "DELETE"]);
    let parts = relation.prop_flat_map(|relation| {
        let filters = prop::collection::vec(filter(relation.columns), 0..3);
        (Just(relation), read::tree(relation, 1), filters, payload(relation), conflict(relation))
    });
    (method, parts, preferences(), read::accept()).prop_map(
        |(method, (relation, tree, filters, (body, columns), conflict), prefer, accept)| {
            let select = ("select".to_owned(), tree.select);
            let mut query: Vec<(String, String)> = vec![select];
            query.extend(tree.parameters);
            // PUT names one row by its key and nothing else.
            match method {
                "PUT" => {
                    query = vec![query.swap_remove(0), ("id".to_owned(), format!("eq.{FREE}"))]
                }
                "POST" => query.extend(columns.into_iter().chain(conflict)),
                "PATCH" => query.extend(columns.into_iter().chain(filters)),
                _ => query.extend(filters),
            }
            if method == "PATCH" {
                query.push(("limit".to_owned(), NUMBER.to_string()));
            }
            let mut headers: Vec<(&'static str, String)> =
                prefer.into_iter().chain(accept).collect();
            headers.extend(read::profile(relation, "content-profile"));
            Template {
                kind: match method {
                    "DELETE" => Kind::Delete,
                    "PATCH" => Kind::Update,
                    _ => Kind::Insert,
                },
                method,
                path: format!("/{}", escaped(relation.name)),
                query,
                headers,
                body: (method != "DELETE").then_some(body),
                capped: false,
            }
        },
    )
}
