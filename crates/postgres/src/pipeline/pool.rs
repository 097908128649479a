//! A pool of connections in pipeline mode.

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio_postgres::Config;

use super::{Connection, open::open};
use crate::{
    Error, PoolOptions,
    pool::{Target, build},
    tls::Tls,
};

pub use deadpool::{Status, managed::TimeoutType};

/// Makes connections, and looks whether they can be used again.
pub struct Manager {
    config: Config,
    /// One for all connections: certificates are read once.
    tls: Tls,
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it holds includes a password.
        f.debug_struct("Manager").finish_non_exhaustive()
    }
}

/// A pool. `pool.get().await` gives a connection; dropping it gives it back.
pub type Pool = managed::Pool<Manager>;
/// A connection of a [`Pool`].
pub type Object = managed::Object<Manager>;
/// Why there is no connection.
pub type PoolError = managed::PoolError<Error>;

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        open(&self.config, &self.tls).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        match connection.is_free().await {
            true => Ok(()),
            false => Err(RecycleError::message("lost, or left within a transaction")),
        }
    }
}

/// Makes a pool; connects only when a connection is asked for. The URL is read as by [`crate::pool`].
///
/// # Errors
/// [`Error::Url`] for a URL that cannot be read.
pub fn pool(url: &str, options: &PoolOptions) -> Result<Pool, Error> {
    let Target { config, trust } = options.target(url)?;
    build(Manager { config, tls: Tls::new(trust) }, options)
}
