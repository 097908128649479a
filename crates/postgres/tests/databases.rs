//! What other crates' tests rely on.

use gatepost_postgres::{connect, testing::database};

async fn prepare(url: String) -> Result<(), gatepost_postgres::Error> {
    let (client, _task) = connect(&url).await?;
    client
        .batch_execute(
            "CREATE TABLE animal (name text PRIMARY KEY); INSERT INTO animal VALUES ('hen')",
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn every_test_gets_a_copy_of_the_template_of_its_own() {
    let first = database(None, "animals 1", prepare).await.unwrap();
    let second = database(None, "animals 1", prepare).await.unwrap();
    assert_ne!(first.name, second.name);
    let (client, _task) = connect(&first.url).await.unwrap();
    client.execute("DELETE FROM animal", &[]).await.unwrap();
    let (other, _task) = connect(&second.url).await.unwrap();
    let left: i64 = other.query_one("SELECT count(*) FROM animal", &[]).await.unwrap().get(0);
    assert_eq!(left, 1);
    drop(first);
    let gone = connect(&second.url.replace("gatepost%5Ftest", "nothing%5Fsuch")).await;
    assert!(gone.is_err());
}
