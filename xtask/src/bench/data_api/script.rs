//! What the Data API sends for each operation, as Postgres logs it, made into scripts for `pgbench`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::place::{OWNER, Place};
use crate::http::{client, send};
use crate::postgres::connect;

/// Stands in a captured request where the load has a random number, and how large that may be.
const RANDOM: &str = "31337";

/// Scripts by operation and by whether a transaction is sent in one go.
pub(super) struct Scripts(HashMap<&'static str, Script>);

/// The two forms of one operation.
pub(super) struct Script {
    pub(super) pipelined: PathBuf,
    pub(super) pieces: PathBuf,
}

impl Scripts {
    pub(super) fn get(&self, operation: &str) -> Option<&Script> {
        self.0.get(operation)
    }
}

struct Request {
    operation: &'static str,
    method: &'static str,
    target: &'static str,
    prefer: Option<&'static str>,
    largest: u32,
}

/// The requests of `bench/data-api.lua`.
const REQUESTS: [Request; 4] = [
    Request {
        operation: "read",
        method: "GET",
        target: "/items?id=eq.31337",
        prefer: None,
        largest: 100_000,
    },
    Request {
        operation: "page",
        method: "GET",
        target: "/items?select=id,title,price,customer:customers(name)&id=gt.31337&order=id&limit=100",
        prefer: None,
        largest: 99_000,
    },
    Request {
        operation: "count",
        method: "GET",
        target: "/items?select=id&kind=eq.31337&limit=1",
        prefer: Some("count=exact"),
        largest: 499,
    },
    Request {
        operation: "insert",
        method: "POST",
        target: "/events",
        prefer: Some("return=minimal"),
        largest: 1,
    },
];

/// Makes each request once while Postgres logs every statement.
pub(super) async fn capture(place: &Place) -> Result<Scripts> {
    let admin = connect(&place.url()).await?;
    admin.batch_execute("alter role authenticator set log_statement = 'all'").await?;
    let peer = place.alone("bench", "public").await?;
    let token = peer.token().await?;
    let mut scripts = HashMap::new();
    for request in &REQUESTS {
        let before = place.postgres.log()?.len();
        let body = format!(r#"{{"owner":"{OWNER}","note":"from the bench"}}"#);
        let mut http = http::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", peer.origin, request.target))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        if let Some(prefer) = request.prefer {
            http = http.header("prefer", prefer);
        }
        let body = if request.method == "POST" { body } else { String::new() };
        let answer = send(&client(), http.body(body.into())?).await?;
        ensure!(answer.status().is_success(), "{}: {}", request.target, answer.status());
        let log = place.postgres.log()?;
        let statements = statements(log.get(before..).unwrap_or_default());
        ensure!(
            statements.len() >= 4,
            "{}: {} statements were logged",
            request.operation,
            statements.len()
        );
        scripts.insert(request.operation, write(place, request, &statements)?);
    }
    admin.batch_execute("alter role authenticator reset log_statement").await?;
    Ok(Scripts(scripts))
}

/// The statements of the request in a stretch of log, each with its parameters put in. Other connections read the
/// schema meanwhile: the request's is the one that changes its role.
fn statements(log: &str) -> Vec<String> {
    let mut connections: HashMap<&str, Vec<String>> = HashMap::new();
    for entry in log.split("\n~").map(|entry| entry.trim_start_matches('~')) {
        let Some((connection, text)) = entry.trim_end().split_once('~') else { continue };
        let found = connections.entry(connection).or_default();
        if let Some(sql) = text.strip_prefix("LOG:  statement: ") {
            let parts = sql.split(';').map(|part| part.trim().to_owned());
            found.extend(parts.filter(|part| !part.is_empty()));
        } else if let Some((_, sql)) =
            text.strip_prefix("LOG:  execute ").and_then(|rest| rest.split_once(": "))
        {
            found.push(sql.to_owned());
        } else if let Some(parameters) = text.strip_prefix("DETAIL:  parameters: ")
            && let Some(last) = found.last_mut()
        {
            *last = filled(last, parameters);
        }
    }
    let changes_role = |all: &Vec<String>| all.iter().any(|sql| sql.contains("set_config('role'"));
    connections.into_values().find(changes_role).unwrap_or_default()
}

/// Puts `$1 = 'a', $2 = 'b'` into a statement, the last first: `$1` begins `$10`.
fn filled(sql: &str, parameters: &str) -> String {
    let mut values: Vec<(usize, &str)> = Vec::new();
    let mut rest = parameters;
    while let Some((number, after)) = rest.strip_prefix('$').and_then(|rest| rest.split_once(" = "))
    {
        let mut end = after.len();
        let mut quoted = false;
        for (at, letter) in after.char_indices() {
            quoted ^= letter == '\'';
            if !quoted && after.get(at..).is_some_and(|rest| rest.starts_with(", $")) {
                end = at;
                break;
            }
        }
        values.push((number.parse().unwrap_or_default(), after.get(..end).unwrap_or_default()));
        rest = after.get(end..).unwrap_or_default().trim_start_matches(", ");
    }
    let mut text = sql.to_owned();
    // The log does not tell types: a body is JSON, everything else is read by its place.
    let body = sql.contains("json_to_record");
    for (number, value) in values.into_iter().rev() {
        let kind = if body && value.starts_with("'{") { "::json" } else { "" };
        text = text.replace(&format!("${number}"), &format!("{value}{kind}"));
    }
    text
}

fn write(place: &Place, request: &Request, statements: &[String]) -> Result<Script> {
    let set = format!("\\set n random(1, {})\n", request.largest);
    let body: String = statements
        .iter()
        .map(|sql| {
            // pgbench takes `:word` for one of its variables, also within a text.
            let sql = sql.replace('\n', " ").replace(&format!("'{RANDOM}'"), "@N@");
            format!("{};\n", unmistakable(&sql).replace("@N@", ":n"))
        })
        .collect();
    let path = |name: &str| place.dir.path().join(format!("{}-{name}.sql", request.operation));
    let script = Script { pipelined: path("pipelined"), pieces: path("pieces") };
    fs::write(&script.pipelined, format!("{set}\\startpipeline\n{body}\\endpipeline\n"))?;
    fs::write(&script.pieces, format!("{set}{body}")).context("script")?;
    Ok(script)
}

/// Colons before a word become escapes, and the texts around them escape strings.
fn unmistakable(sql: &str) -> String {
    let mut out = String::new();
    for (at, part) in sql.split('\'').enumerate() {
        let inside = at % 2 == 1;
        let colons = part
            .as_bytes()
            .windows(2)
            .any(|two| matches!(two, [b':', next] if next.is_ascii_alphanumeric()));
        if at > 0 {
            out.push('\'');
        }
        if inside && colons && !part.contains('\\') {
            out.pop();
            out.push_str("E'");
            out.push_str(&part.replace(':', "\\x3a"));
        } else {
            out.push_str(part);
        }
    }
    out
}
