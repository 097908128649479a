use std::collections::BTreeSet;

use super::{
    super::statements::{ALL, Statement},
    roles::installed,
};

#[tokio::test]
async fn every_statement_can_be_prepared_by_the_server() {
    let installation = installed().await;
    let client = installation.server().await;
    let statements = || ALL.iter().flat_map(|store| store.iter());
    for Statement { name, sql } in statements() {
        if let Err(error) = client.prepare(sql).await {
            panic!("{name}: {error}\n{sql}");
        }
    }
    let names: BTreeSet<&str> = statements().map(|statement| statement.name).collect();
    assert_eq!(names.len(), statements().count(), "names are unique");
    installation.remove().await;
}
