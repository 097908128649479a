//! `gatepost serve` and the commands of its operator, against a database of the test's own.

#[cfg(test)]
mod support;

use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};
use support::{configured, directory, empty, get, migrated, post, request, run, serve, with_input};

#[test]
fn a_database_without_the_schema_is_refused_with_what_to_run() {
    let dir = directory();
    let database = empty();
    let (code, out, err) = run(configured(dir.path(), &database).arg("serve"));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("run `gatepost migrate`"), "{err}");
}

#[test]
fn migrate_says_what_it_would_do_and_what_it_did() {
    let dir = directory();
    let database = empty();
    let (code, plan, err) = run(configured(dir.path(), &database).args(["migrate", "--dry-run"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(plan.contains("create table"), "{plan}");
    let (_, refused, _) = run(configured(dir.path(), &database).arg("serve"));
    assert_eq!(refused, "");
    let (code, done, err) = run(configured(dir.path(), &database).arg("migrate"));
    assert_eq!(code, Some(0), "{err}");
    assert!(done.contains("applied "), "{done}");
    let (_, again, _) = run(configured(dir.path(), &database).arg("migrate"));
    assert_eq!(again, "nothing to do: the database is up to date\n");
    let (_, plan, _) = run(configured(dir.path(), &database).args(["migrate", "--dry-run"]));
    assert_eq!(plan, "-- nothing to do: the database is up to date\n");
}

#[test]
fn a_server_is_alive_ready_counted_and_ends_on_sigterm() {
    let dir = directory();
    let database = migrated(dir.path());
    let (running, origin) = serve(dir.path(), &database);
    assert_eq!(get(&format!("{origin}/health/live")).json()["status"], "live");
    let ready = get(&format!("{origin}/health/ready"));
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(
        ready.json(),
        json!({ "status": "ready", "database": "reachable", "schema": "right", "keys": "loaded" })
    );
    assert_eq!(get(&format!("{origin}/api/auth/ok")).status, 200);
    let stand_in = format!("{origin}/dev-provider/google/jwks");
    assert_eq!(get(&stand_in).status, 404, "nobody is stood in for in production");
    assert_eq!(get(&format!("{origin}/.well-known/jwks.json")).status, 200);
    assert_eq!(get(&format!("{origin}/inbox/messages")).status, 404);
    let numbers = get(&format!("{origin}/metrics"));
    assert!(numbers.text.contains("operation=\"ok\""), "{numbers:?}");
    let through_proxy = [("x-forwarded-for", "203.0.113.7")];
    assert_eq!(request("GET", &format!("{origin}/metrics"), &through_proxy, None).status, 404);
    assert_eq!(running.terminate(), Some(0));
    assert!(TcpStream::connect(origin.trim_start_matches("http://")).is_err());
}

#[test]
fn a_server_whose_database_is_gone_is_alive_but_not_ready() {
    let dir = directory();
    let database = migrated(dir.path());
    let (running, origin) = serve(dir.path(), &database);
    drop(database);
    let ready = get(&format!("{origin}/health/ready"));
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("not ready")));
    assert_eq!(get(&format!("{origin}/health/live")).status, 200);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_taken_port_ends_the_server_with_a_sentence() {
    let dir = directory();
    let database = migrated(dir.path());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, err) =
        run(configured(dir.path(), &database).arg("serve").env("GATEPOST_LISTEN", &address));
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("cannot listen on {address}")), "{err}");
}

#[test]
fn users_made_by_command_sign_in_and_are_listed() {
    let dir = directory();
    let database = migrated(dir.path());
    let create = |arguments: &[&str], password: &str| {
        with_input(
            configured(dir.path(), &database).args(["user", "create"]).args(arguments),
            password,
        )
    };
    let arguments =
        ["Mary@Example.com", "--name", "Mary", "--password-stdin", "--verified", "--admin"];
    let (code, out, err) = create(&arguments, "correct horse 7\n");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("created mary@example.com ("), "{out}");
    let (code, _, err) = create(&arguments, "correct horse 7\n");
    assert_eq!((code, err.trim()), (Some(1), "mary@example.com has an account already"));
    let (code, _, err) = create(&["joe@example.com", "--password-stdin"], "short\n");
    assert_eq!((code, err.trim()), (Some(2), "Password too short"));
    assert_eq!(create(&["no-address"], "").0, Some(2));

    let (_, list, _) = run(configured(dir.path(), &database).args(["user", "list", "--json"]));
    let users: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(users.len(), 1, "{list}");
    assert_eq!(
        (&users[0]["email"], &users[0]["role"]),
        (&json!("mary@example.com"), &json!("admin"))
    );

    let (running, origin) = serve(dir.path(), &database);
    let sign_in = |password: &str| {
        let body = json!({ "email": "mary@example.com", "password": password });
        let origin_header = [("origin", "https://auth.example.com")];
        request("POST", &format!("{origin}/api/auth/sign-in/email"), &origin_header, Some(&body))
    };
    let signed_in = sign_in("correct horse 7");
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let (code, out, err) = with_input(
        configured(dir.path(), &database).args(["user", "set-password", "mary@example.com"]),
        "another horse 8",
    );
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("1 sessions ended"), "{out}");
    let session = [("cookie", &*signed_in.cookies()), ("origin", "https://auth.example.com")];
    assert_eq!(
        request("GET", &format!("{origin}/api/auth/get-session"), &session, None).text,
        "null"
    );
    assert_eq!(sign_in("correct horse 7").status, 401);
    assert_eq!(sign_in("another horse 8").status, 200);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_rotated_key_is_published_before_it_signs() {
    let dir = directory();
    let database = migrated(dir.path());
    let keys = || {
        let (code, out, err) =
            run(configured(dir.path(), &database).args(["keys", "list", "--json"]));
        assert_eq!(code, Some(0), "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let first = keys();
    assert_eq!((first.len(), &first[0]["use"]), (1, &json!("signs")));
    let (code, out, err) = run(configured(dir.path(), &database).args(["keys", "rotate"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("is published now and signs from"), "{out}");
    let both = keys();
    assert_eq!(both.len(), 2);
    let use_of =
        |kid: &Value| both.iter().find(|key| key["kid"] == *kid).map(|key| key["use"].clone());
    assert_eq!(use_of(&first[0]["kid"]), Some(json!("signs")));
    assert!(both.iter().any(|key| key["use"] == "published"), "{both:?}");
    let (running, origin) = serve(dir.path(), &database);
    let published = get(&format!("{origin}/.well-known/jwks.json")).json();
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(2));
    let refused = post(&format!("{origin}/api/auth/jwks"), &json!({}));
    assert_eq!(refused.status, 404);
    assert_eq!(running.terminate(), Some(0));
}
