//! `gatepost data-api` over a database of the test's own.

#[cfg(test)]
mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::json;
use support::{
    Running,
    data_api::{data_api, fixture},
    directory, gatepost, get, request, run,
};
use tokio_postgres::config::Host;

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

#[test]
fn request_targets_are_taken_as_curl_sends_them() {
    let dir = directory();
    let database = fixture();
    let (running, origin) = data_api(dir.path(), &database);
    let typed = get(&format!("{origin}/labels?select=name&name=in.(\"urgent\",\"<b>\")"));
    assert_eq!((typed.status, typed.json()), (200, json!([{ "name": "urgent" }])));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_deployment_that_relies_on_libpq_variables_is_taken_over() {
    let dir = directory();
    let database = fixture();
    let place: tokio_postgres::Config = database.url.parse().unwrap();
    let Some(Host::Unix(host)) = place.get_hosts().first() else { panic!("{place:?}") };
    let port = place.get_ports().first().unwrap().to_string();
    let socket = dir.path().join("api.sock");
    let admin = dir.path().join("admin.sock");
    let variables = [
        ("PGHOST", host.to_str().unwrap()),
        ("PGPORT", port.as_str()),
        ("PGUSER", "authenticator"),
        ("PGDATABASE", place.get_dbname().unwrap()),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_SERVER_UNIX_SOCKET", socket.to_str().unwrap()),
        ("PGRST_ADMIN_SERVER_UNIX_SOCKET", admin.to_str().unwrap()),
        ("PGRST_LOG_LEVEL", "warn"),
    ];
    let mut command = gatepost(dir.path());
    command.arg("data-api").envs(variables).stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    let log = running.log_until("listening address");
    let ask = |path: &std::path::Path, target: &str| {
        let mut stream = UnixStream::connect(path).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nhost: x\r\nuser-agent: \"me\"\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let ready = ask(&admin, "/ready");
    assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}\n{log}");
    assert!(ask(&socket, "/labels?select=name&limit=1").contains(r#"[{"name":"urgent"}]"#));
    assert!(ask(&socket, "/nothing?x=eq.1").starts_with("HTTP/1.1 404 "));
    fs::remove_file(&socket).unwrap();
    assert!(ask(&admin, "/live").starts_with("HTTP/1.1 500 "));
    running.signal(Signal::SIGTERM);
    let lines = running.rest();
    assert_eq!(lines.lines().count(), 1, "log-level is warn: {lines}");
    assert!(lines.starts_with("- - anonymous ["), "{lines}");
    assert!(lines.contains("] \"GET /nothing?x=eq.1 HTTP/1.1\" 404 "), "{lines}");
    assert!(lines.ends_with(" \"\" \"\\\"me\\\"\"\n"), "{lines}");
    let dumped = run(gatepost(dir.path()).args(["data-api", "--dump-schema"]).envs(variables));
    assert!(dumped.1.starts_with(r#"{"dbTables":[{"#), "{dumped:?}");
    let dumped = run(gatepost(dir.path()).args(["data-api", "--dump-config"]).envs(variables));
    assert!(dumped.1.contains("\ndb-uri = \"postgresql://\"\n"), "{dumped:?}");
}

#[test]
fn without_recovery_a_database_that_is_away_ends_the_server() {
    let dir = directory();
    let variables = [
        ("PGRST_DB_URI", "postgres://nobody@127.0.0.1:1/none"),
        ("PGRST_DB_POOL_AUTOMATIC_RECOVERY", "false"),
        ("PGRST_SERVER_PORT", "0"),
    ];
    let (code, _, err) = run(gatepost(dir.path()).arg("data-api").envs(variables));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("db-pool-automatic-recovery is off"), "{err}");
}

#[test]
fn requests_are_answered_503_while_the_database_is_away() {
    let dir = directory();
    let mut command = gatepost(dir.path());
    command
        .arg("data-api")
        .env("PGRST_DB_URI", "postgres://nobody@127.0.0.1:1/none")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGRST_SERVER_HOST", "127.0.0.1")
        .env("PGRST_SERVER_PORT", "0")
        .env("GATEPOST_LOG__FORMAT", "json")
        .stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    let log = running.log_until("\"listening\"");
    let line: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let answer = get(&format!("http://{}/labels", line["address"].as_str().unwrap()));
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("PGRST002")));
    assert!(answer.head.to_ascii_lowercase().contains("\r\nretry-after: "), "{answer:?}");
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn an_example_is_printed_and_readiness_is_asked_for() {
    let dir = directory();
    let (code, example, _) = run(gatepost(dir.path()).args(["data-api", "--example"]));
    assert_eq!(code, Some(0));
    fs::write(dir.path().join("example.conf"), &example).unwrap();
    let dump = ["data-api", "--dump-config", "example.conf"];
    let (code, dumped, err) = run(gatepost(dir.path()).args(dump).env("PGRST_DB_CONFIG", "false"));
    assert_eq!(code, Some(0), "{err}");
    assert!(dumped.contains("\nserver-port = 3000\n"), "{dumped}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let admin = std::thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .unwrap();
        }
    });
    let ready = |host: &str| {
        let asked = ["data-api", "--ready"];
        let variables = [("PGRST_ADMIN_SERVER_HOST", host), ("PGRST_ADMIN_SERVER_PORT", &port)];
        run(gatepost(dir.path()).args(asked).envs(variables))
    };
    let url = format!("http://127.0.0.1:{port}/ready");
    assert_eq!(ready("127.0.0.1"), (Some(0), format!("OK: {url}\n"), String::new()));
    assert_eq!(ready("127.0.0.1").0, Some(1));
    assert_eq!(ready("!4").0, Some(1));
    admin.join().unwrap();
}

#[test]
fn two_processes_share_an_address_when_they_are_told_to() {
    let dir = directory();
    let database = fixture();
    let (running, origin) = data_api(dir.path(), &database);
    let port = origin.rsplit_once(':').unwrap().1;
    let second = |shared: &str| {
        let mut command = gatepost(dir.path());
        command
            .args(["data-api", "postgrest.conf"])
            .env("TEST_SECRET", "a secret that only these tests know, long enough")
            .env("PGRST_SERVER_PORT", port)
            .env("PGRST_SERVER_REUSEPORT", shared)
            .stderr(Stdio::piped());
        command
    };
    let (code, _, err) = run(&mut second("false"));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot listen"), "{err}");
    assert_eq!(running.terminate(), Some(0));
    let mut one = Running::start(&mut second("true"));
    one.log_until("listening address");
    let mut two = Running::start(&mut second("true"));
    two.log_until("listening address");
    assert_eq!((one.terminate(), two.terminate()), (Some(0), Some(0)));
}
