//! Reaching Postgres: pools, the embedded development server, databases for tests.

pub mod embedded;
mod error;
pub mod pipeline;
mod pool;
pub mod rights;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;

pub use error::Error;
pub use pool::{Pool, PoolOptions, connect, listen, pool};
