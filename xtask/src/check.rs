//! `cargo xtask check`: what CI runs.

use anyhow::Result;

use crate::command::{cargo, must, program};
use crate::report::{Counts, Report};
use crate::{test, tree};

/// Format, lints, documentation, rules of the tree, then every test.
pub(crate) async fn run() -> Result<Counts> {
    let mut report = Report::default();
    report.step("format", must(cargo(&["fmt", "--all", "--", "--check"]))).await;
    let mut fuzz = program("cargo", "fuzz");
    fuzz.args(["fmt", "--all", "--", "--check"]);
    report.step("format of fuzz", must(fuzz)).await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    report.step("clippy", must(cargo(&clippy))).await;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    report.step("documentation", must(docs)).await;
    tree::steps(&mut report).await;
    test::steps(&mut report).await;
    report.print();
    Ok(report.counts())
}
