//! The project's own protocol cases: `conformance/data-api/cases.txt` against its fixture, Row Level Security included.

use crate::support::{Server, target};

const CASES: &str = include_str!("../../../../conformance/data-api/cases.txt");

/// One case: a request line, then what is expected of the answer.
struct Case<'a> {
    request: &'a str,
    status: u16,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<&'a str>,
}

fn cases() -> Vec<Case<'static>> {
    CASES
        .split("\n\n")
        .map(|block| block.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>())
        .filter(|lines| !lines.is_empty())
        .map(|lines| Case {
            request: lines[0],
            status: lines[1].strip_prefix("= ").unwrap().parse().unwrap(),
            headers: lines
                .iter()
                .filter_map(|line| line.strip_prefix("+ "))
                .map(|line| line.split_once(": ").unwrap())
                .collect(),
            body: lines.iter().find_map(|line| line.strip_prefix("> ")),
        })
        .collect()
}

async fn failure(server: &Server, case: &Case<'_>) -> Option<String> {
    let (line, body) = case.request.split_once(" @ ").unwrap_or((case.request, ""));
    let mut parts = line.split(" + ");
    let mut words = parts.next().unwrap().splitn(3, ' ');
    let (who, method, path) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let headers: Vec<(&str, &str)> = parts.map(|header| header.split_once(": ").unwrap()).collect();
    let answer =
        server.call(who, method, &target(path), &headers, &body.replace("\\n", "\n")).await;
    if answer.status.as_u16() != case.status {
        return Some(format!(
            "status {} instead of {}: {}",
            answer.status.as_u16(),
            case.status,
            answer.body
        ));
    }
    for (name, value) in &case.headers {
        let found = answer.headers.get(*name).map(|found| found.to_str().unwrap());
        if found != Some(value) {
            return Some(format!("{name}: {found:?} instead of {value}"));
        }
    }
    let expected = case.body.unwrap_or_default().replace("\\n", "\n");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let same = match (json(&answer.body), json(&expected)) {
        (Some(found), Some(expected)) => found == expected,
        _ => answer.body == expected,
    };
    (!same).then(|| format!("body {} instead of {expected}", answer.body))
}

#[tokio::test]
async fn every_protocol_case_answers_as_written() {
    let server = Server::start("db-tx-end = \"rollback\"\n", |_| ()).await;
    let cases = cases();
    assert!(cases.len() >= 300, "there are {} cases", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        if let Some(reason) = failure(&server, case).await {
            failures.push(format!("{}\n    {reason}", case.request));
        }
    }
    // Shown by `cargo xtask test`, which counts cases and not only tests.
    println!("{} passed, {} failed", cases.len() - failures.len(), failures.len());
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}
