//! Which way somebody signed in last: a cookie that pages read, and a member of the user.
//!
//! The ways that Better Auth names are named as it names them; the others leave what was there.

#[cfg(test)]
mod tests;

use deadpool_postgres::GenericClient;
use gatepost_protocol::cookie::SetCookie;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    database::statements::Statement,
    error::Result,
    http::Call,
    session::Method,
    user::{self, User},
};

/// The last way in. `features.last_login_method` switches it on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The cookie's whole name, as the client looks for it.
    pub cookie_name: String,
    /// Seconds it stays.
    pub max_age: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cookie_name: "better-auth.last_used_login_method".to_owned(),
            max_age: 30 * 24 * 60 * 60,
        }
    }
}

const SET: Statement = Statement::new(
    "last_login_method.set",
    concat!(
        r#"update neon_auth."user" as u set "lastLoginMethod" = $2 where u.id = $1 returning "#,
        user::columns!()
    ),
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&SET];

/// Notes the way in, in the transaction that begins the session; returns the user as the row is now.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn note(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    method: &Method,
) -> Result<User> {
    let Some(name) = method.name().filter(|_| app.config.features.last_login_method) else {
        return Ok(user.clone());
    };
    call.aside.cookies([cookie(app, call, name)]);
    let statement = conn.prepare_cached(SET.sql).await?;
    let row = conn.query_opt(&statement, &[&user.id, &name]).await?;
    row.map_or_else(|| Ok(user.clone()), |row| user::from_row(&row, 0))
}

/// Readable by scripts: it is for the page that offers the ways in.
fn cookie(app: &App, call: &Call, name: &str) -> SetCookie {
    let config = &app.config.last_login_method;
    let value = crate::wire::component(name);
    let max_age = Some(i64::from(config.max_age));
    let cookie = call.mount.cookies.set(&config.cookie_name, value, max_age);
    SetCookie { http_only: false, ..cookie }
}
