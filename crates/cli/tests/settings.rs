//! Settings as a user meets them: what is refused, and in which words.

#[cfg(test)]
mod support;

use std::fs;

use support::{SECRET, directory, gatepost, run};

#[test]
fn serve_names_everything_that_is_missing_and_starts_nothing() {
    let dir = directory();
    let (code, out, err) = run(gatepost(dir.path()).arg("serve"));
    assert_eq!(code, Some(2), "{err}");
    assert_eq!(out, "");
    for part in [
        "no secret",
        "GATEPOST_SECRET",
        "no database",
        "DATABASE_URL",
        "no public URL",
        "GATEPOST_PUBLIC_URL",
    ] {
        assert!(err.contains(part), "{part} is missing: {err}");
    }
    assert!(!err.contains("listening"), "{err}");
}

#[test]
fn jw_22_serve_does_not_start_with_a_development_secret() {
    let dir = directory();
    for weak in [
        "gatepost-dev-5f0c8e1d2b7a49366f0c8e1d2b7a4936",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tooshort",
    ] {
        let (code, _, err) = run(gatepost(dir.path())
            .arg("serve")
            .env("GATEPOST_SECRET", weak)
            .env("GATEPOST_PUBLIC_URL", "https://auth.example.com")
            .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"));
        assert_eq!(code, Some(2), "{weak}: {err}");
        assert!(err.contains("secret:") && !err.contains(weak), "{err}");
    }
}

#[test]
fn cs_06_serve_does_not_start_with_an_origin_that_trusts_strangers() {
    let dir = directory();
    let (code, _, err) = run(gatepost(dir.path())
        .arg("serve")
        .env("GATEPOST_SECRET", SECRET)
        .env("GATEPOST_PUBLIC_URL", "https://auth.example.com")
        .env("GATEPOST_TRUSTED_ORIGINS", "https://app.example.com, *.com, https://*")
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("\"*.com\"") && err.contains("\"https://*\""), "{err}");
    assert!(!err.contains("app.example.com"), "{err}");
}

#[test]
fn the_inbox_is_not_served_to_a_network() {
    let dir = directory();
    let (code, _, err) = run(gatepost(dir.path())
        .arg("serve")
        .env("GATEPOST_SECRET", SECRET)
        .env("GATEPOST_PUBLIC_URL", "https://auth.example.com")
        .env("GATEPOST_LISTEN", "0.0.0.0:0")
        .env("GATEPOST_INBOX__ENABLED", "true")
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("[inbox] enabled"), "{err}");
}

#[test]
fn check_names_every_mistake_with_its_line() {
    let dir = directory();
    fs::write(
        dir.path().join("gatepost.toml"),
        "app_nam = \"x\"\n[session]\nexpires_in = \"long\"\n",
    )
    .unwrap();
    let (code, _, err) = run(gatepost(dir.path()).args(["config", "check"]));
    assert_eq!(code, Some(2));
    assert!(
        err.contains("gatepost.toml:1: unknown key `app_nam`; did you mean `app_name`?"),
        "{err}"
    );
    assert!(err.contains("gatepost.toml:3: `session.expires_in`"), "{err}");
    assert!(err.contains("no secret"), "{err}");
}

#[test]
fn check_is_content_with_good_settings() {
    let dir = directory();
    let (code, out, err) = run(gatepost(dir.path())
        .args(["config", "check"])
        .env("GATEPOST_SECRET", SECRET)
        .env("GATEPOST_PUBLIC_URL", "https://auth.example.com")
        .env("DATABASE_URL", "postgres://me@db.example.com/app"));
    assert_eq!((code, out.as_str()), (Some(0), "The settings are good.\n"), "{err}");
}

#[test]
fn an_unknown_variable_is_refused() {
    let dir = directory();
    let (code, _, err) = run(gatepost(dir.path())
        .args(["config", "dump"])
        .env("GATEPOST_PUBLIC_ULR", "https://x.example"));
    assert_eq!(code, Some(2));
    assert!(
        err.contains("GATEPOST_PUBLIC_ULR: unknown key `public_ulr`; did you mean `public_url`?"),
        "{err}"
    );
}

#[test]
fn lg_07_dump_shows_what_is_in_force_without_secrets() {
    let dir = directory();
    let file = dir.path().join("other.toml");
    fs::write(&file, format!("secret = {SECRET:?}\n[session]\nexpires_in = 60\nupdate_age = 7\n"))
        .unwrap();
    let (code, out, err) = run(gatepost(dir.path())
        .args(["config", "dump"])
        .env("GATEPOST_CONFIG", &file)
        .env("GATEPOST_SESSION__EXPIRES_IN", "120")
        .env("DATABASE_URL", "postgres://me:hunter22@db.example.com/app"));
    assert_eq!(code, Some(0), "{err}");
    let dump: toml::Table = out.parse().unwrap();
    assert_eq!(dump["session"]["expires_in"].as_integer(), Some(120));
    assert_eq!(dump["session"]["update_age"].as_integer(), Some(7));
    assert_eq!(dump["database_url"].as_str(), Some("postgres://me:hidden@db.example.com/app"));
    assert!(!out.contains(SECRET) && !out.contains("hunter22"), "{out}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let dir = directory();
    let (code, _, err) =
        run(gatepost(dir.path()).args(["config", "dump", "--config", "nowhere.toml"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("nowhere.toml"), "{err}");
}

#[test]
fn the_schema_and_completions_are_printed() {
    let dir = directory();
    let (code, out, _) = run(gatepost(dir.path()).args(["config", "schema"]));
    assert_eq!(code, Some(0));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["type"], "object");
    let (code, out, _) = run(gatepost(dir.path()).args(["completions", "bash"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("_gatepost"), "{out}");
    let (code, out, _) = run(gatepost(dir.path()).arg("--version"));
    assert_eq!((code, out.starts_with("gatepost 0.")), (Some(0), true), "{out}");
}

#[test]
fn mails_are_written_as_files_and_a_bad_template_is_named_with_its_line() {
    let dir = directory();
    let preview = || run(gatepost(dir.path()).args(["mail", "preview", "mails"]));
    let (code, out, err) = preview();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("index.html"), "{out}");
    for file in ["index.html", "en/verify-email.html", "ja/email-otp-sign-in.txt"] {
        assert!(dir.path().join("mails").join(file).is_file(), "{file}");
    }

    fs::create_dir(dir.path().join("templates")).unwrap();
    fs::write(dir.path().join("templates/layout.txt"), "{{ mail.title }}\n{{ mial.url }}").unwrap();
    fs::write(dir.path().join("gatepost.toml"), "[mail]\ntemplates = \"templates\"\n").unwrap();
    let (code, _, err) = preview();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("templates/layout.txt:2"), "{err}");
    let (code, _, err) = run(gatepost(dir.path()).args(["config", "check"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("templates/layout.txt:2"), "{err}");
}
