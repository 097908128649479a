//! `gatepost migrate`.

use std::path::Path;

use gatepost_auth::database::{self, Report};
use gatepost_postgres::connect;

use crate::{
    config::{self, Environment, Refused},
    output,
};

/// Runs what has not run, or prints it.
///
/// # Errors
/// No database, or one that refuses.
pub(crate) fn run(
    dry_run: bool,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let process = config::load(path, environment)?.settings.process;
    let url = process.migration_database_url.as_ref().unwrap_or(&process.database_url);
    if url.is_empty() {
        let how = "no database: set DATABASE_URL, or `database_url` in gatepost.toml";
        return Err(Refused(vec![how.to_owned()]).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut client, _connection) = connect(url.reveal()).await?;
        if dry_run {
            let plan = database::plan(&client).await?;
            if let Some(notice) = &plan.notice {
                eprintln!("{notice}");
            }
            let nothing = "-- nothing to do: the database is up to date\n".to_owned();
            return output::print(&if plan.pending.is_empty() { nothing } else { plan.sql() });
        }
        output::print(&said(&database::migrate(&mut client).await?))
    })
}

/// What a run did, for people.
fn said(report: &Report) -> String {
    let mut text: String =
        report.applied.iter().map(|title| format!("applied {title}\n")).collect();
    if report.applied.is_empty() {
        text.push_str("nothing to do: the database is up to date\n");
    }
    if let Some(notice) = &report.notice {
        text.push_str(&format!("\n{notice}"));
    }
    if !report.differences.is_empty() {
        text.push_str("\nThe schema is not what it should be:\n");
        text.extend(report.differences.iter().map(ToString::to_string));
    }
    text
}
