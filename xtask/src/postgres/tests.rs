use super::*;

#[tokio::test]
async fn a_killed_server_comes_back_with_its_rows() {
    let mut postgres = Postgres::start(&["max_connections=20"]).await.unwrap();
    let url = postgres.create_database("rows").await.unwrap();
    let before = connect(&url).await.unwrap();
    before.batch_execute("create table kept as select 7 as n").await.unwrap();
    postgres.kill().await.unwrap();
    postgres.start_again().await.unwrap();
    let after = connect(&url).await.unwrap();
    let n: i32 = after.query_one("select n from kept", &[]).await.unwrap().get(0);
    assert_eq!(n, 7);
}
