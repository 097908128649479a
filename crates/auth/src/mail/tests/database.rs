//! A database of one's own, brought up to date by the migrations.

use gatepost_postgres::{
    Pool, PoolOptions, connect, pool,
    testing::{self, TestDatabase},
};

use crate::database::{migrate, migrations};

pub(super) struct Database {
    pub pool: Pool,
    pub url: String,
    _dropped_last: TestDatabase,
}

pub(super) async fn database() -> Database {
    let prepare = async |url: String| -> anyhow::Result<()> {
        let (mut client, _task) = connect(&url).await?;
        migrate(&mut client).await?;
        Ok(())
    };
    let database = testing::database(None, &migrations::fingerprint(), prepare).await.unwrap();
    Database {
        pool: pool(&database.url, &PoolOptions::default()).unwrap(),
        url: database.url.clone(),
        _dropped_last: database,
    }
}
