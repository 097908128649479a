//! The `neon_auth` schema: migrations, drift, roles.
//!
//! [`create_roles`] once, [`migrate`] at every upgrade, [`check`] at every start of a server.

mod catalogue;
mod check;
mod drift;
mod migrate;
pub mod migrations;
mod repair;
mod roles;
mod row_level;
pub mod statements;
#[cfg(test)]
mod tests;

pub use check::{Refusal, Version, check};
pub use drift::{Difference, Problem, Repair, drift};
pub use migrate::{MigrateError, Plan, Report, migrate, plan};
pub use roles::{Roles, RolesError, create_roles, excessive_powers};
pub use row_level::functions as row_level_functions;

/// What Postgres said, which the driver's error keeps to itself, or what happened to the connection.
fn said(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => match said.hint().or(said.detail()) {
            Some(more) => format!("{} ({more})", said.message()),
            None => said.message().to_owned(),
        },
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
