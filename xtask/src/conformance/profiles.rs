//! The configuration files of the servers under test: one function per profile over a common base.

mod better_auth;
mod neon;
mod social;

use toml::{Table, Value, toml};

pub(crate) use better_auth::better_auth;
pub(crate) use neon::neon;

/// The secret that the recorded cookies and tokens were signed with.
pub(crate) const RECORDED_SECRET: &str = "golden-secret-0123456789abcdefghijklmnopqrstuvwxyz";

/// What differs from one run to the next.
pub(crate) struct Place<'a> {
    pub(crate) port: u16,
    pub(crate) database_url: &'a str,
    pub(crate) hashed_tokens: bool,
    /// The provider that social sign-in is tried with.
    pub(crate) provider: Option<&'a str>,
}

/// What every server under test has: its place, an inbox, no counting of requests.
fn common(place: &Place<'_>) -> Table {
    let mut config = toml! {
        production = true
        trusted_origins = ["http://localhost:3000"]

        [rate_limit]
        enabled = false

        [session]

        [inbox]
        enabled = true
    };
    let storage = if place.hashed_tokens { "hashed" } else { "plain" };
    set(&mut config, "session", "token_storage", storage);
    put(&mut config, "secret", RECORDED_SECRET);
    put(&mut config, "public_url", format!("http://localhost:{}", place.port));
    put(&mut config, "listen", format!("127.0.0.1:{}", place.port));
    put(&mut config, "database_url", place.database_url);
    config
}

fn put(config: &mut Table, key: &str, value: impl Into<Value>) {
    config.insert(key.to_owned(), value.into());
}

fn set(config: &mut Table, section: &str, key: &str, value: impl Into<Value>) {
    if let Some(section) = config.get_mut(section).and_then(Value::as_table_mut) {
        put(section, key, value);
    }
}

/// Lays `over` on top of `config`, section by section.
pub(crate) fn merge(config: &mut Table, over: Table) {
    for (key, value) in over {
        match (config.get_mut(&key), value) {
            (Some(Value::Table(section)), Value::Table(value)) => merge(section, value),
            (_, value) => {
                config.insert(key, value);
            }
        }
    }
}
