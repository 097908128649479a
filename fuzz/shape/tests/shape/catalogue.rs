//! The catalogue of a real database: that of the protocol cases, and what they lack.

use std::collections::BTreeMap;

use gatepost_data_api::Config;
use gatepost_data_api::schema::{Catalog, load};
use gatepost_postgres::testing::database;

use crate::requests::{ODD, adjust};

const FIXTURE: &str = include_str!("../../../../conformance/data-api/fixture.sql");

/// The configuration and what it serves.
pub fn loaded() -> (Config, Catalog) {
    let mut config = Config::parse("", &BTreeMap::new(), &BTreeMap::new()).unwrap();
    adjust(&mut config);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let catalog = runtime.block_on(async {
        let schema = format!("{FIXTURE}\n{ODD}");
        let prepare = |url: String| {
            let schema = schema.clone();
            async move {
                let (client, _task) =
                    gatepost_postgres::connect(&url).await.map_err(|error| error.to_string())?;
                client.batch_execute(&schema).await.map_err(|error| error.to_string())
            }
        };
        let database = database(None, &schema, prepare).await.unwrap();
        let (mut client, _task) = gatepost_postgres::connect(&database.url).await.unwrap();
        load(&mut client, &config).await.unwrap()
    });
    (config, catalog)
}
