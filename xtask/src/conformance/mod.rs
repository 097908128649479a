//! Suites that drive the built binary from outside.

pub(crate) mod better_auth;
mod built;
pub(crate) mod data_api;
pub(crate) mod neon;
pub(crate) mod profiles;
pub(crate) mod shared;
pub(crate) mod sidecar;
pub(crate) mod types;
