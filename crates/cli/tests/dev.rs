//! `gatepost dev`: from nothing to a signed-in user, and nothing left behind.

#[cfg(test)]
mod support;

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use nix::sys::signal::Signal;
use serde_json::json;
use support::{Running, dev, directory, gatepost, get, post, processes_in, request, run};

#[test]
fn a_user_signs_up_and_in_and_nothing_is_left_after_sigterm() {
    let dir = directory();
    let (mut running, ready) = dev(dir.path(), &["--port", "0"]);
    let url =
        |key: &str| ready[key].as_str().unwrap_or_else(|| panic!("{key}: {ready}")).to_owned();
    assert!(url("data_url").ends_with("/app/rest/v1"), "{ready}");
    assert!(ready.get("console_url").is_none(), "{ready}");
    let auth = url("auth_url");
    assert!(auth.ends_with("/app/auth"), "{auth}");

    let body =
        json!({ "name": "Mary", "email": "mary@example.com", "password": "correct horse 7" });
    let signed_up = post(&format!("{auth}/sign-up/email"), &body);
    assert_eq!(signed_up.status, 200, "{signed_up:?}");
    assert_eq!(running.wait_for("signed-up")["email"], "mary@example.com");

    let cookies = signed_up.cookies();
    let session = request("GET", &format!("{auth}/get-session"), &[("cookie", &cookies)], None);
    assert_eq!(session.json()["user"]["email"], "mary@example.com");

    let wrong = json!({ "email": "mary@example.com", "password": "wrong horse 7" });
    assert_eq!(post(&format!("{auth}/sign-in/email"), &wrong).status, 401);
    assert_eq!(running.wait_for("refused")["why"], "wrong-password");
    let foreign = [("origin", "https://evil.example"), ("content-type", "application/json")];
    let sign_in = format!("{auth}/sign-in/email");
    assert_eq!(request("POST", &sign_in, &foreign, Some(&body)).status, 403);
    let refused = running.wait_for("refused");
    assert_eq!(refused["why"], "origin");
    assert!(
        refused["detail"].as_str().is_some_and(|text| text.contains("evil.example")),
        "{refused}"
    );

    assert!(get(&url("jwks_url")).json()["keys"][0]["kid"].is_string());
    assert_eq!(get(&format!("{}/messages", url("inbox_url"))).status, 200);

    let better_auth = url("better_auth_url");
    let ada = json!({ "email": "ada@example.com", "password": "password" });
    let signed_in = post(&format!("{better_auth}/sign-in/email"), &ada);
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    assert_eq!(signed_in.json()["user"]["role"], "admin");

    assert!(!processes_in(dir.path()).is_empty());
    assert_eq!(running.terminate(), Some(0));
    assert_eq!(processes_in(dir.path()), Vec::<String>::new());
}

#[test]
fn mail_is_shown_with_its_link_and_lands_in_the_inbox() {
    let dir = directory();
    let (mut running, ready) = dev(dir.path(), &["--port", "0"]);
    let auth = ready["auth_url"].as_str().unwrap();
    let asked =
        post(&format!("{auth}/request-password-reset"), &json!({ "email": "grace@example.com" }));
    assert_eq!(asked.status, 200, "{asked:?}");
    let mail = running.wait_for("mail");
    assert_eq!(mail["to"], "grace@example.com");
    assert!(mail["url"].as_str().is_some_and(|url| url.contains("/reset-password/")), "{mail}");
    let inbox = ready["inbox_url"].as_str().unwrap();
    let code = get(&format!("{inbox}/code?to=grace@example.com&wait=10"));
    assert_eq!(code.json()["url"], mail["url"]);
    // A stranger's page whose host name was pointed here.
    let rebound = request("GET", &format!("{inbox}/messages"), &[("host", "evil.example")], None);
    assert_eq!(rebound.status, 421, "{rebound:?}");
}

#[test]
fn a_taken_port_is_left_to_its_owner() {
    let dir = directory();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (running, ready) = dev(dir.path(), &["--port", &port.to_string()]);
    let url = ready["auth_url"].as_str().unwrap();
    assert!(!url.contains(&format!(":{port}/")), "{url}");
    assert_eq!(get(&format!("{url}/ok")).status, 200);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn two_run_at_once_in_directories_of_their_own() {
    let (one, other) = (directory(), directory());
    let (first, first_ready) = dev(one.path(), &["--port", "0"]);
    let (second, second_ready) = dev(other.path(), &["--port", "0"]);
    let body =
        json!({ "name": "Mary", "email": "mary@example.com", "password": "correct horse 7" });
    for ready in [&first_ready, &second_ready] {
        let auth = ready["auth_url"].as_str().unwrap();
        assert_eq!(post(&format!("{auth}/sign-up/email"), &body).status, 200);
    }
    assert_eq!(first.terminate(), Some(0));
    let auth = second_ready["auth_url"].as_str().unwrap();
    let again = json!({ "email": "mary@example.com", "password": "correct horse 7" });
    assert_eq!(post(&format!("{auth}/sign-in/email"), &again).status, 200);
    assert_eq!(second.terminate(), Some(0));
}

#[test]
fn users_survive_a_kill_and_the_secret_stays() {
    let dir = directory();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    let auth = ready["auth_url"].as_str().unwrap();
    let body =
        json!({ "name": "Mary", "email": "mary@example.com", "password": "correct horse 7" });
    let cookies = post(&format!("{auth}/sign-up/email"), &body).cookies();
    running.kill();

    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    let auth = ready["auth_url"].as_str().unwrap();
    let session = request("GET", &format!("{auth}/get-session"), &[("cookie", &cookies)], None);
    assert_eq!(session.json()["user"]["email"], "mary@example.com");
    let secret = fs::metadata(dir.path().join(".gatepost/secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(dir.path().join(".gatepost/.gitignore")).unwrap(), "*\n");
    assert_eq!(running.end(Signal::SIGINT), Some(0));
    assert_eq!(processes_in(dir.path()), Vec::<String>::new());
}

#[test]
fn the_banner_shows_urls_that_answer() {
    let dir = directory();
    let mut running = Running::start(gatepost(dir.path()).args(["dev", "--port", "0"]));
    let banner = running.lines_until("Ctrl-C");
    let urls: Vec<&str> =
        banner.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    assert_eq!(urls.len(), 5, "{banner}");
    for url in urls {
        // The Data API answers, and asks for a token.
        let expected = if url.ends_with("/rest/v1") { 400 } else { 200 };
        let url = if url.ends_with("/auth") { format!("{url}/ok") } else { url.to_owned() };
        assert_eq!(get(&url).status, expected, "{url}");
    }
    assert!(banner.contains("ada@example.com") && banner.contains("psql"), "{banner}");
}

#[test]
fn a_database_without_the_rights_is_left_alone() {
    let dir = directory();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    let superuser = ready["database_url"].as_str().unwrap();
    // The server's own role may not make a schema or roles.
    let url = superuser
        .replace("postgres://postgres@", "postgres://gatepost_server@")
        .replace("/app", "/postgres");
    let (code, out, err) =
        run(gatepost(dir.path()).args(["dev", "--port", "0", "--database-url", &url]));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(
        err.contains("nothing was changed") && err.contains("GRANT CREATE ON DATABASE"),
        "{err}"
    );
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_given_database_is_filled_once_and_its_users_are_left_alone() {
    let dir = directory();
    let database = support::empty();
    let arguments = ["--port", "0", "--database-url", &database.url];
    let (running, ready) = dev(dir.path(), &arguments);
    let auth = ready["auth_url"].as_str().unwrap().to_owned();
    assert!(auth.ends_with(&format!("/{}/auth", database.name)), "{auth}");
    let ada = json!({ "email": "ada@example.com", "password": "password" });
    assert_eq!(post(&format!("{auth}/sign-in/email"), &ada).status, 200);
    assert_eq!(running.terminate(), Some(0));
    assert!(!dir.path().join(".gatepost/pg").exists());

    let (running, ready) = dev(dir.path(), &arguments);
    let auth = ready["auth_url"].as_str().unwrap();
    assert_eq!(post(&format!("{auth}/sign-in/email"), &ada).status, 200);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn spans_reach_a_collector_at_the_latest_when_the_server_ends() {
    let dir = directory();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let mut command = gatepost(dir.path());
    command
        .args(["dev", "--json", "--port", "0"])
        .env("GATEPOST_TELEMETRY__OTLP_ENDPOINT", endpoint);
    let mut running = Running::start(command.env("GATEPOST_LOG__LEVEL", "info"));
    let auth = running.event()["auth_url"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("{auth}/ok")).status, 200);
    let received = std::thread::spawn(move || support::receive(&collector));
    assert_eq!(running.terminate(), Some(0));
    let received = received.join().unwrap();
    assert!(received.starts_with("POST /v1/traces "), "{received}");
    assert!(received.contains("gatepost") && received.contains("request"), "{received}");
}

fn location(answer: &support::Answer) -> String {
    let line = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    assert!(line.is_some(), "no location: {answer:?}");
    line.unwrap_or_default()
}

#[test]
fn signing_in_with_google_and_others_needs_no_account_there() {
    let dir = directory();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    assert_eq!(ready["providers"], json!(["github", "google", "vercel"]));
    let auth = ready["auth_url"].as_str().unwrap();
    for provider in ["google", "github", "vercel"] {
        let body = json!({ "provider": provider, "callbackURL": "/dash" });
        let started = post(&format!("{auth}/sign-in/social"), &body);
        assert_eq!(started.status, 200, "{started:?}");
        let page = started.json()["url"].as_str().unwrap().to_owned();
        assert!(get(&page).text.contains("Margaret Hamilton"), "{page}");
        let chosen = get(&format!("{page}&account=margaret@example.com"));
        let back = location(&chosen);
        assert!(back.starts_with(&format!("{auth}/callback/{provider}?code=")), "{back}");
        let ended = location(&get(&back));
        let (_, verifier) = ended.split_once("neon_auth_session_verifier=").expect(&ended);
        let url = format!("{auth}/get-session?neon_auth_session_verifier={verifier}");
        let session = request("GET", &url, &[("cookie", &started.cookies())], None).json();
        assert_eq!(session["user"]["email"], "margaret@example.com", "{provider}: {session}");
        assert_eq!(session["user"]["emailVerified"], true);
    }
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_provider_with_credentials_of_its_own_is_left_alone_and_one_without_is_stood_in_for() {
    let dir = directory();
    let settings = "[social.providers.google]\nclient_id = \"own\"\nclient_secret = \"secret\"\n\
        [social.providers.discord]\nname = \"Our Discord\"\n";
    fs::write(dir.path().join("gatepost.toml"), settings).unwrap();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    assert_eq!(ready["providers"], json!(["discord", "github", "vercel"]));
    let auth = ready["auth_url"].as_str().unwrap();
    let url = |provider: &str| {
        let body = json!({ "provider": provider, "callbackURL": "/dash" });
        post(&format!("{auth}/sign-in/social"), &body).json()["url"].as_str().unwrap().to_owned()
    };
    assert!(url("google").starts_with("https://accounts.google.com/"));
    assert!(get(&url("discord")).text.contains("Our Discord"));
    assert_eq!(running.terminate(), Some(0));
}
