use gatepost_postgres::{connect, rights::missing_rights};

use crate::server::{Server, directory};

/// What this role lacks, as codes.
async fn missing(server: &Server, role: &str) -> Vec<(&'static str, String)> {
    let (client, _task) =
        connect(&server.url.replace("//postgres@", &format!("//{role}@"))).await.unwrap();
    missing_rights(&client)
        .await
        .unwrap()
        .into_iter()
        .map(|right| (right.code, right.sentence))
        .collect()
}

fn codes(missing: &[(&'static str, String)]) -> Vec<&'static str> {
    missing.iter().map(|(code, _)| *code).collect()
}

#[tokio::test]
async fn each_missing_right_is_named_with_the_statement_that_grants_it() {
    let data = directory();
    let server = Server::start(data.path());
    let admin = server.client().await;
    assert_eq!(missing(&server, "postgres").await, []);

    admin.batch_execute("CREATE ROLE \"some one\" LOGIN").await.unwrap();
    let lacks = missing(&server, "some%20one").await;
    assert_eq!(codes(&lacks), ["create_schema", "create_roles"]);
    // Each sentence ends in a statement; the first of them suffices.
    for (_, sentence) in &lacks {
        let statement = sentence.split_once("run: ").unwrap().1.split_once(';').unwrap().0;
        admin.batch_execute(statement).await.unwrap();
    }
    assert_eq!(missing(&server, "some%20one").await, []);

    admin
        .batch_execute("CREATE ROLE another; CREATE SCHEMA neon_auth AUTHORIZATION another")
        .await
        .unwrap();
    let lacks = missing(&server, "some%20one").await;
    assert_eq!(codes(&lacks), ["schema_owner"]);
    assert!(lacks[0].1.contains("GRANT another TO \"some one\";"), "{lacks:?}");
    admin.batch_execute("GRANT another TO \"some one\"").await.unwrap();
    assert_eq!(missing(&server, "some%20one").await, []);

    admin.batch_execute("CREATE ROLE anonymous; CREATE ROLE authenticated; ALTER ROLE \"some one\" NOCREATEROLE").await.unwrap();
    assert_eq!(missing(&server, "some%20one").await, []);
    admin
        .batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        .await
        .unwrap();
    assert_eq!(codes(&missing(&server, "some%20one").await), ["read_only"]);
}
