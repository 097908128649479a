//! Generated SQL, given to a server: none of it is refused for its syntax. What it must look like is tested in `fuzz/shape`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio_postgres::types::Type;

use crate::requests::{Kind, ODD, PLAIN_NAME, adjust, template, values};
use crate::support::Server;

async fn started() -> Server {
    let mut server = Server::start("", |_| ()).await;
    server.sql(ODD).await;
    let mut config = (*server.state.config()).clone();
    adjust(&mut config);
    server.state = gatepost_data_api::State::new(config).unwrap();
    assert!(gatepost_data_api::reload(&server.state).await, "the catalogue loads");
    server
}

#[test]
fn a_server_takes_every_generated_statement() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(started());
    let (client, _connection) =
        runtime.block_on(gatepost_postgres::connect(&server.admin_url)).unwrap();
    let (config, catalog) = (server.state.config(), server.state.catalog().unwrap());
    let prepared = RefCell::new(BTreeMap::<Kind, u32>::new());
    let kinds = [Kind::Read, Kind::Call, Kind::Insert, Kind::Update, Kind::Delete];
    let enough =
        || kinds.iter().all(|kind| prepared.borrow().get(kind).is_some_and(|count| *count > 5));
    // Chance decides how many of the rarer kinds are among them.
    for _ in 0..10 {
        if enough() {
            break;
        }
        TestRunner::new(ProptestConfig::with_cases(400))
            .run(&(template(), values("")), |(template, values)| {
                let rendered = template.render(&config, &catalog, &values, PLAIN_NAME);
                let Ok(rendered) = rendered else { return Ok(()) };
                for statement in [&rendered.statements.main, &rendered.settings] {
                    let types: Vec<Type> =
                        statement.params.iter().map(|param| param.kind.clone()).collect();
                    let result = runtime.block_on(client.prepare_typed(&statement.text, &types));
                    let problem = result.as_ref().err().and_then(|error| error.as_db_error());
                    // What the parser takes and the analysis does not (an operator that a type lacks) is a 400 to the caller.
                    let syntax = problem.is_some_and(|error| error.code().code() == "42601");
                    prop_assert!(!syntax, "{:?}: {}", problem, statement.text);
                    if statement == &rendered.statements.main {
                        *prepared.borrow_mut().entry(template.kind).or_default() +=
                            u32::from(result.is_ok());
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    assert!(enough(), "{:?}", prepared.into_inner());
}

#[tokio::test]
async fn an_argument_without_a_name_is_not_given_by_an_empty_one() {
    let server = started().await;
    let answer = server.call("alice", "POST", "/rpc/half", &[], r#"{"": 1, "b": 2}"#).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("PGRST202"), "{answer:?}");
}
