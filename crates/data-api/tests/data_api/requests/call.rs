//! Calls: arguments by query string, JSON, form or as the body; what tables allow of results that are rows.

use proptest::prelude::*;
use proptest::sample::select;

use super::read::{self, TASKS};
use super::values::{ARGUMENT, FIELD, FREE, JSON, escaped, written};
use super::{Body, Kind, Template};

/// A function: the names of its arguments, and whether it returns tasks.
#[derive(Debug)]
struct Function {
    name: &'static str,
    arguments: &'static [&'static str],
    rows: bool,
    variadic: bool,
}

const fn scalar(name: &'static str, arguments: &'static [&'static str]) -> Function {
    Function { name, arguments, rows: false, variadic: false }
}

static FUNCTIONS: [Function; 11] = [
    scalar("whoami", &[]),
    scalar("add", &["a", "b"]),
    scalar("add", &["a"]),
    Function { rows: true, ..scalar("tasks_of", &["project"]) },
    Function { rows: true, ..scalar("first_task", &[]) },
    Function { variadic: true, ..scalar("sum_all", &["n"]) },
    Function { variadic: true, ..scalar("told", &["words"]) },
    scalar("numbers", &["up_to"]),
    scalar("write_note", &["text"]),
    scalar("nothing", &[]),
    Function { rows: true, ..scalar("f\"n", &["a\"b", "c d"]) },
];

fn template(method: &'static str, name: &str, query: Vec<(String, String)>) -> Template {
    Template {
        kind: Kind::Call,
        method,
        path: format!("/rpc/{}", escaped(name)),
        query,
        headers: Vec::new(),
        body: None,
        capped: false,
    }
}

fn body(content_type: &'static str, row: String) -> Body {
    Body { content_type, first: "", row, between: "", last: "", many: false }
}

/// One way to give a function its arguments.
#[derive(Clone, Copy, Debug)]
enum Way {
    Query(&'static str),
    Json,
    Columns,
    Form,
}

fn called(function: &'static Function, way: Way, mut query: Vec<(String, String)>) -> Template {
    let joined = |separator: &str, pair: &dyn Fn(&str) -> String| {
        let pairs: Vec<String> = function.arguments.iter().map(|name| pair(name)).collect();
        pairs.join(separator)
    };
    match way {
        Way::Query(method) => {
            // A variadic argument is one parameter for each value.
            let times = if function.variadic { 2 } else { 1 };
            for name in function.arguments {
                query.extend(vec![(written(name), ARGUMENT.to_string()); times]);
            }
            template(method, function.name, query)
        }
        Way::Json => {
            let pair = |name: &str| format!("{}:{JSON}", serde_json::Value::from(name));
            let object = format!("{{{}}}", joined(",", &pair));
            let body = Some(body("application/json", object));
            Template { body, ..template("POST", function.name, query) }
        }
        Way::Columns => {
            if !function.arguments.is_empty() {
                query.push(("columns".to_owned(), joined(",", &written)));
            }
            let text =
                if function.arguments.is_empty() { String::new() } else { format!("{{{FREE}") };
            let body = Some(body("application/json", text));
            Template { body, ..template("POST", function.name, query) }
        }
        Way::Form => {
            let form = joined("&", &|name: &str| format!("{}={FIELD}", escaped(name)));
            let body = Some(body("application/x-www-form-urlencoded", form));
            Template { body, ..template("POST", function.name, query) }
        }
    }
}

/// Functions whose one argument is the body.
fn whole() -> impl Strategy<Value = Template> {
    select(vec![
        ("echo", "application/json", format!("[{JSON}]")),
        ("echo", "application/json", format!("{{\"a\":{JSON}}}")),
        ("say", "text/plain", FREE.to_string()),
        ("size", "application/octet-stream", FREE.to_string()),
    ])
    .prop_map(|(name, content_type, row)| Template {
        body: Some(body(content_type, row)),
        ..template("POST", name, Vec::new())
    })
}

fn named() -> impl Strategy<Value = Template> {
    let way =
        select(vec![Way::Query("GET"), Way::Query("HEAD"), Way::Json, Way::Columns, Way::Form]);
    let function = (0..FUNCTIONS.len()).prop_flat_map(|index| {
        let function = &FUNCTIONS[index];
        let query = if function.rows { read::rows(&TASKS, 1) } else { Just(Vec::new()).boxed() };
        (Just(function), query)
    });
    (function, way).prop_map(|((function, query), way)| called(function, way, query))
}

pub fn request() -> impl Strategy<Value = Template> {
    (prop_oneof![5 => named(), 1 => whole()], read::accept()).prop_map(|(template, accept)| {
        Template { headers: accept.into_iter().collect(), ..template }
    })
}
