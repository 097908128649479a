//! Render: a plan becomes one SQL statement with parameters.

mod builder;
mod call;
mod filter;
mod openapi;
mod read;
mod response;
mod settings;
mod write;

pub use builder::{Param, Sql, Statement};
pub(crate) use filter::conditions;
pub use openapi::{OpenApiStatements, openapi};
pub use response::{Statements, render};
pub use settings::{pre_request, settings};

/// Name of the CTE that holds the rows a request is about.
pub(crate) const SOURCE: &str = "pgrst_source";
