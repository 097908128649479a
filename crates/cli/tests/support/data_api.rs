//! `gatepost data-api` over the fixture of its conformance cases.

use std::{fs, path::Path, process::Stdio};

use gatepost_postgres::testing::{TestDatabase, database};
use serde_json::Value;

use super::{Running, gatepost};

const FIXTURE: &str = include_str!("../../../../conformance/data-api/fixture.sql");
/// What [`data_api`] verifies tokens with.
const SECRET: &str = "a secret that only these tests know, long enough";

/// The database of the Data API's own tests.
pub fn fixture() -> TestDatabase {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let prepare = |url: String| async move {
        let (client, _task) =
            gatepost_postgres::connect(&url).await.map_err(|error| error.to_string())?;
        client.batch_execute(FIXTURE).await.map_err(|error| error.to_string())
    };
    runtime.block_on(database(None, FIXTURE, prepare)).unwrap()
}

/// The server, with a configuration file, on a port of the system's choice; its origin.
pub fn data_api(dir: &Path, database: &TestDatabase) -> (Running, String) {
    let (_, place) = database.url.split_once('@').unwrap();
    let conf = format!(
        "db-uri = \"postgres://authenticator@{place}\" # the login role\ndb-schemas = \"api\"\n\
         jwt-secret = \"$(TEST_SECRET)\"\nserver-host = \"127.0.0.1\"\nserver-port = 3000\nlog-level = \"info\"\n"
    );
    fs::write(dir.join("postgrest.conf"), conf).unwrap();
    let mut command = gatepost(dir);
    command
        .args(["data-api", "postgrest.conf"])
        .env("TEST_SECRET", SECRET)
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGRST_SERVER_PORT", "0")
        .env("GATEPOST_LOG__FORMAT", "json")
        .stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    let log = running.log_until("listening");
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let origin = format!("http://{}", line["address"].as_str().unwrap());
    (running, origin)
}
