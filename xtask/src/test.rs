//! `cargo xtask test`: every test there is.

use anyhow::Result;

use crate::command::{cargo, exists, tests};
use crate::conformance::{better_auth, data_api, neon, shared, types};
use crate::report::{Counts, Report};
use crate::{browser, examples, guesses, shape};

/// Tests of the crates, then the suites that drive the built binary.
pub(crate) async fn run() -> Result<Counts> {
    let mut report = Report::default();
    steps(&mut report).await;
    report.print();
    Ok(report.counts())
}

/// The same as steps of a larger report.
pub(crate) async fn steps(report: &mut Report) {
    let nextest = exists("cargo-nextest", "--version").await;
    let crates: &[&str] = if nextest {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]
    };
    report.step("crates", tests(cargo(crates))).await;
    report.step("examples in documentation", tests(cargo(&["test", "--workspace", "--doc"]))).await;
    report.step("shape of the SQL", shape::run()).await;
    report
        .step("conformance better-auth", better_auth::run(&better_auth::Options::default()))
        .await;
    report
        .step("conformance better-auth, hashed", better_auth::run(&better_auth::Options::hashed()))
        .await;
    report.step("conformance neon", neon::run(&neon::Options::default())).await;
    report.step("conformance neon, hashed", neon::run(&neon::Options::hashed())).await;
    report.step("protocol cases of the Data API", protocol_cases()).await;
    report.step("conformance data-api", data_api::run(&data_api::Options::default())).await;
    if exists("pgbouncer", "--version").await {
        let pooled = data_api::Options::pgbouncer();
        report.step("conformance data-api, PgBouncer", data_api::run(&pooled)).await;
    }
    report.step("types of the Data API", types::run()).await;
    report.step("one database, two servers", shared::run()).await;
    report.step("guesses at once, two servers", guesses::run()).await;
    report.step("examples", examples::run()).await;
    report.step("browser", browser::run(&browser::Options::default())).await;
}

/// `conformance/data-api/cases.txt`, counted one by one; the test that runs them is one among those of the crates.
async fn protocol_cases() -> Result<Counts> {
    let arguments = ["test", "--quiet", "-p", "gatepost-data-api", "--test", "data_api", "--"];
    let mut command = cargo(&arguments);
    command.args(["protocol::every_protocol_case", "--nocapture"]);
    tests(command).await
}
