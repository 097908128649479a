mod adopting;
mod drifting;
mod migrating;
mod roles;
mod row_level;
mod statements;

use std::convert::Infallible;

use gatepost_postgres::testing::{self, TestDatabase};
use tokio_postgres::{Client, Config, NoTls};

use super::{migrate, migrations::fingerprint};

/// A database of the test's own.
struct Database(TestDatabase);

impl Database {
    /// As a superuser.
    async fn connect(&self) -> Client {
        self.connect_as("postgres").await
    }

    async fn connect_as(&self, role: &str) -> Client {
        let mut config: Config = self.0.url.parse().unwrap();
        let (client, connection) = config.user(role).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A role name that no other test uses: roles belong to the whole cluster.
    fn role(&self, what: &str) -> String {
        let unique: String = self.0.name.chars().rev().take(20).collect();
        format!("{what}_{unique}")
    }
}

async fn empty() -> Database {
    let nothing = async |_| Ok::<(), Infallible>(());
    Database(testing::database(None, "nothing", nothing).await.unwrap())
}

/// A database that [`migrate`] brought up to date, and a superuser's connection.
async fn migrated() -> (Database, Client) {
    let prepare = async |url: String| {
        let (mut client, _task) =
            gatepost_postgres::connect(&url).await.map_err(|error| error.to_string())?;
        migrate(&mut client).await.map(|_| ()).map_err(|error| error.to_string())
    };
    let database = Database(testing::database(None, &fingerprint(), prepare).await.unwrap());
    let client = database.connect().await;
    (database, client)
}

async fn count(client: &Client, from: &str) -> i64 {
    client.query_one(&format!("select count(*) from {from}"), &[]).await.unwrap().get(0)
}
