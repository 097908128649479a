//! Rules that no compiler checks: which crate may see which, and what must not stand in a file.

use std::fs;

use anyhow::{Result, bail};

use crate::command::{cargo, output, program, root};
use crate::report::{Counts, Report};

/// Both rules.
pub(crate) async fn run() -> Result<Counts> {
    let mut report = Report::default();
    steps(&mut report).await;
    report.print();
    Ok(report.counts())
}

/// The same as steps of a larger report.
pub(crate) async fn steps(report: &mut Report) {
    report.step("dependency direction", dependencies()).await;
    report.step("forbidden strings", strings()).await;
}

/// A crate and what it must never depend on, directly or through others.
const NEVER: &[(&str, &[&str])] = &[
    ("gatepost-protocol", &["gatepost-", "tokio", "axum", "hyper", "tokio-postgres"]),
    (
        "gatepost-password",
        &["gatepost-auth", "gatepost-postgres", "tokio", "axum", "tokio-postgres"],
    ),
    ("gatepost-outbound", &["gatepost-", "axum", "tokio-postgres"]),
    ("gatepost-postgres", &["gatepost-", "axum"]),
    ("gatepost-dev-provider", &["gatepost-auth", "gatepost-postgres", "tokio-postgres"]),
    (
        "gatepost-auth",
        &[
            "gatepost-data-api",
            "gatepost-dev-provider",
            "gatepost-pages",
            "gatepost-gateway",
            "gatepost-cli",
            "gatepost-sdk",
        ],
    ),
    (
        "gatepost-data-api",
        &[
            "gatepost-auth",
            "gatepost-password",
            "gatepost-pages",
            "gatepost-gateway",
            "gatepost-cli",
        ],
    ),
    (
        "gatepost-pages",
        &["gatepost-auth", "gatepost-data-api", "gatepost-postgres", "tokio-postgres"],
    ),
    (
        "gatepost-sdk",
        &["gatepost-auth", "gatepost-postgres", "gatepost-data-api", "tokio-postgres"],
    ),
    (
        "gatepost-gateway",
        &["gatepost-auth", "gatepost-postgres", "gatepost-data-api", "tokio-postgres"],
    ),
];

/// Proves the dependency direction with `cargo tree`.
async fn dependencies() -> Result<Counts> {
    let listed =
        output(cargo(&["tree", "--workspace", "--depth", "0", "--prefix", "none"])).await?;
    let mut broken = Vec::new();
    for (name, never) in NEVER {
        if !listed.lines().any(|line| line.split(' ').next() == Some(name)) {
            continue;
        }
        let tree = ["tree", "--package", name, "--edges", "normal", "--prefix", "none"];
        for line in output(cargo(&tree)).await?.lines() {
            let dependency = line.split(' ').next().unwrap_or_default();
            let bad = never.iter().any(|it| {
                if it.ends_with('-') { dependency.starts_with(it) } else { dependency == *it }
            });
            if bad && dependency != *name {
                broken.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    refuse(broken)
}

/// A string that must not stand in the tree. Written in two parts, so that this file passes.
struct Forbidden {
    parts: (&'static str, &'static str),
    why: &'static str,
    only: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[
    Forbidden { parts: ("todo", "!("), why: "unfinished code", only: ".rs" },
    Forbidden { parts: ("unimplemented", "!("), why: "unfinished code", only: ".rs" },
    Forbidden { parts: ("#[ig", "nore"), why: "a test that does not run", only: ".rs" },
    Forbidden { parts: ("#[al", "low("), why: "use `expect` with a reason", only: ".rs" },
    Forbidden { parts: ("registry.npm", "js.org"), why: "host of a registry", only: "" },
    Forbidden { parts: ("static.crates", ".io"), why: "host of a registry", only: "" },
    Forbidden { parts: ("files.python", "hosted.org"), why: "host of a registry", only: "" },
    Forbidden { parts: ("deb.debian", ".org"), why: "host of a registry", only: "" },
    Forbidden {
        parts: ("\"reso", "lved\":"),
        why: "host of a registry",
        only: "package-lock.json",
    },
    Forbidden { parts: ("/work", "/"), why: "path of one machine", only: ".rs" },
    Forbidden { parts: ("/work", "/"), why: "path of one machine", only: ".md" },
    Forbidden { parts: ("/ro", "ot/"), why: "path of one machine", only: "" },
    Forbidden { parts: ("/ho", "me/user"), why: "path of one machine", only: ".rs" },
];

/// Looks through every file that git knows or would add.
async fn strings() -> Result<Counts> {
    let mut list = program("git", ".");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let files = output(list).await?;
    let mut found = Vec::new();
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        // Deleted but not yet committed, or not text: nothing to read.
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        for rule in FORBIDDEN.iter().filter(|rule| file.ends_with(rule.only)) {
            let needle = format!("{}{}", rule.parts.0, rule.parts.1);
            for (number, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&needle)) {
                found.push(format!("{file}:{}: {needle} ({})", number + 1, rule.why));
            }
        }
    }
    refuse(found)
}

fn refuse(found: Vec<String>) -> Result<Counts> {
    if found.is_empty() {
        return Ok(Counts::default());
    }
    let count = found.len();
    for line in found {
        println!("{line}");
    }
    bail!("{count} against the rules")
}
