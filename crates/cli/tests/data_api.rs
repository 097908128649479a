//! `gatepost data-api` over a database of the test's own.

#[cfg(test)]
mod support;

use std::{fs, process::Stdio};

use nix::sys::signal::Signal;
use serde_json::json;
use support::{
    Running,
    data_api::{data_api, fixture},
    directory, gatepost, get, request, run,
};

/// `alice`, `authenticated`, signed with the secret of the tests.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsInJvbGUiOiJhdXRoZW50aWNhdGVkIiwiZXhwIjo5OTk5OTk5OTk5fQ.VtHgG0CtT--ET3pqHGXB1bP0e7ekpcLm1nQEQoUnGQM";

#[test]
fn policies_decide_what_anonymous_callers_and_token_holders_read() {
    let dir = directory();
    let database = fixture();
    let (running, origin) = data_api(dir.path(), &database);
    let labels = get(&format!("{origin}/labels?select=name&order=id"));
    assert_eq!(
        (labels.status, labels.json()),
        (200, json!([{ "name": "urgent" }, { "name": "text" }]))
    );
    let notes = format!("{origin}/notes?select=id,owner&order=id");
    assert_eq!(get(&notes).status, 401);
    let read = |token: &str| {
        request("GET", &notes, &[("authorization", &format!("Bearer {token}"))], None)
    };
    let own = read(TOKEN);
    assert_eq!(
        (own.status, own.json()),
        (200, json!([{ "id": 1, "owner": "alice" }, { "id": 3, "owner": "alice" }]))
    );
    let (signed, _) = TOKEN.rsplit_once('.').unwrap();
    assert_eq!(read(&format!("{signed}.AAAA")).status, 401);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_server_that_waits_for_its_database_ends_when_it_is_told_to() {
    let dir = directory();
    let mut command = gatepost(dir.path());
    command
        .arg("data-api")
        .env("PGRST_DB_URI", "postgres://nobody@127.0.0.1:1/none")
        .env("PGRST_SERVER_PORT", "0")
        .stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    running.log_until("cannot load the schema cache");
    assert_eq!(running.end(Signal::SIGINT), Some(0));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let dir = directory();
    fs::write(dir.path().join("c"), "# mine\ndb-uri = \"postgres://x@y/z\"\njwt-audd = \"a\"\n")
        .unwrap();
    let (code, out, err) = run(gatepost(dir.path()).args(["data-api", "c"]));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("line 3: unknown key `jwt-audd`"), "{err}");
    let (code, _, err) = run(gatepost(dir.path()).args(["data-api", "none.conf"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("none.conf: No such file"), "{err}");
}

#[test]
fn advise_names_a_table_without_row_security_and_the_sql_that_mends_it() {
    let dir = directory();
    let database = fixture();
    let advise = |schema: &str| {
        run(gatepost(dir.path()).args([
            "data-api",
            "advise",
            "--database-url",
            &database.url,
            "--schema",
            schema,
        ]))
    };
    let (code, out, err) = advise("api");
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains("-- no_row_security \"api\".\"open_notes\": Whoever"), "{out}");
    assert!(
        out.contains("\nALTER TABLE \"api\".\"open_notes\" ENABLE ROW LEVEL SECURITY;\n"),
        "{out}"
    );
    assert!(err.ends_with(" findings\n"), "{err}");
    assert_eq!(advise("auth"), (Some(0), String::new(), String::new()));
    let (code, _, err) = advise("aip");
    assert_eq!((code, err.as_str()), (Some(2), "the database has no schema \"aip\"\n"));
    for schema in ["neon_auth", "pg_catalog"] {
        let refused = format!("the schema '{schema}' is never exposed\n");
        assert_eq!(advise(schema), (Some(2), String::new(), refused));
    }
    let (code, _, err) = run(gatepost(dir.path()).args(["data-api", "advise"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--database-url"), "{err}");
}

#[test]
fn types_are_printed_for_each_language() {
    let dir = directory();
    let database = fixture();
    let types = |lang: &str| {
        let arguments = ["data-api", "types", "--lang", lang, "--schema", "api", "auth"];
        run(gatepost(dir.path()).args(arguments).env("DATABASE_URL", &database.url))
    };
    let (code, out, err) = types("typescript");
    assert_eq!(code, Some(0), "{err}");
    for part in [
        "export type Database = {\n  api: {\n",
        "\n  auth: {\n",
        "      state: \"open\" | \"active\" | \"done\"\n",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, err) = types("rust");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("pub struct TaskLabels {"), "{out}");
    assert_eq!(types("cobol").0, Some(2));
}
