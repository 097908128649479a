use std::{path::Path, time::Duration};

use tokio_postgres::config::{Host, SslMode};

use super::{Target, target};
use crate::tls::Trust;

fn read(url: &str) -> Target {
    target(url, "gatepost", Duration::from_secs(5)).unwrap()
}

fn problem(url: &str) -> String {
    target(url, "gatepost", Duration::from_secs(5)).err().unwrap().to_string()
}

#[test]
fn sslmode_decides_which_certificates_are_good() {
    let file = || Trust::File("/etc/my ca.pem".into());
    let cases = [
        ("", SslMode::Prefer, Trust::Anybody),
        ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
        ("?sslmode=allow", SslMode::Prefer, Trust::Anybody),
        ("?sslmode=prefer", SslMode::Prefer, Trust::Anybody),
        ("?sslmode=require", SslMode::Require, Trust::Platform),
        ("?sslmode=verify-ca", SslMode::Require, Trust::Platform),
        ("?sslmode=verify-full&channel_binding=require", SslMode::Require, Trust::Platform),
        ("?sslrootcert=system&sslmode=verify-full", SslMode::Require, Trust::Platform),
        ("?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem", SslMode::Require, file()),
    ];
    for (query, mode, trust) in cases {
        let target = read(&format!("postgresql://ada:secret@db.example.com/app{query}"));
        assert_eq!((target.config.get_ssl_mode(), target.trust), (mode, trust), "{query}");
    }
}

#[test]
fn unix_sockets_are_named_in_the_authority_or_as_a_parameter() {
    let socket = "/run/my db";
    for url in [
        "postgres://ada@%2Frun%2Fmy%20db:5433/app?sslmode=require",
        "postgres:///app?host=%2Frun%2Fmy%20db&port=5433&user=ada",
    ] {
        let config = read(url).config;
        assert_eq!(config.get_hosts(), [Host::Unix(Path::new(socket).to_owned())], "{url}");
        assert_eq!(
            (config.get_user(), config.get_ports(), config.get_dbname()),
            (Some("ada"), &[5433][..], Some("app")),
            "{url}"
        );
        assert_eq!(config.get_ssl_mode(), SslMode::Disable, "{url}");
    }
}

#[test]
fn what_the_url_says_wins_over_the_defaults() {
    let config =
        read("postgres://ada@db/app?application_name=shop&connect_timeout=2&tcp_user_timeout=4")
            .config;
    assert_eq!(config.get_application_name(), Some("shop"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(2)));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(4)));
}

#[test]
fn a_url_that_cannot_be_read_is_refused_without_repeating_its_password() {
    for url in [
        "postgres://ada:hunter2@db/app?schema=public",
        "postgres://ada:hunter2@db:port/app",
        "postgres://ada:hunter2@/app",
        "hunter2",
    ] {
        let problem = problem(url);
        assert!(
            problem.starts_with("the database URL is not valid: ") && !problem.contains("hunter2"),
            "{problem}"
        );
    }
    assert!(problem("postgres://ada@db/app?schema=public").contains("unknown option `schema`"));
}
