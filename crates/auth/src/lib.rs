//! The auth server: one folder per feature.

pub mod app;
pub mod database;
pub mod http;
pub mod limits;
pub mod mail;
