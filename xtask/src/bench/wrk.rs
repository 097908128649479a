//! One run of the load generator.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command::{output, program};

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) users: u32,
    pub(crate) operation: &'static str,
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
}

/// What wrk measured; times in microseconds.
#[derive(Clone, Deserialize)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) us: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) status: u64,
    pub(crate) connect: u64,
    pub(crate) read: u64,
    pub(crate) timeout: u64,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / (self.us.max(1) as f64 / 1e6)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.status + self.connect + self.read + self.timeout
    }
}

/// Loads `origin` and returns what was measured.
pub(crate) async fn run(origin: &str, load: Load, cookies: &Path, tag: &str) -> Result<Measured> {
    let users = load.users;
    let mut command = program("wrk", "bench");
    command
        .args(["--threads", if load.connections < 64 { "1" } else { "2" }])
        .args(["--connections", &load.connections.to_string()])
        .args(["--duration", &format!("{}s", load.seconds)])
        .args(["--timeout", "30s", "--latency", "--script", "load.lua", origin])
        .env("OP", load.operation)
        .env("COOKIES", cookies)
        .env("ORIGIN", origin)
        .env("BASEPATH", "/api/auth")
        .env("TAG", tag)
        .env("USERS", users.to_string())
        .env("PASSWORD", super::PASSWORD);
    let text = output(command).await?;
    let line = text.lines().find_map(|line| line.strip_prefix("JSON "));
    Ok(serde_json::from_str(line.context("wrk prints no result")?)?)
}
