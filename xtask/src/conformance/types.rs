//! The types that the Data API prints, by the TypeScript compiler and the generics of the npm clients.

use anyhow::Result;

use crate::command::{must, program};
use crate::node;
use crate::report::Counts;

const FOLDER: &str = "conformance/data-api/types";

/// Compiles what is printed together with uses of it, some of which must be refused.
pub(crate) async fn run() -> Result<Counts> {
    node::install(FOLDER).await?;
    let mut command = program("node", FOLDER);
    command.args(["node_modules/typescript/bin/tsc", "-p", "."]);
    must(command).await?;
    Ok(Counts { passed: 1, ..Counts::default() })
}
