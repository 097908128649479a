//! A statement is planned once for a connection, not at every request.

use serde_json::Value;

use crate::support::Server;

#[tokio::test]
async fn a_page_is_not_planned_at_every_request() {
    let server = Server::start("db-pool = 1", |_| ()).await;
    server
        .sql(
            "create table api.many (id int primary key, kind int not null);
             insert into api.many select n, n % 100 from generate_series(1, 20000) n;
             create index on api.many (kind); analyze api.many;
             create view api.plans as
               select statement, generic_plans, custom_plans from pg_prepared_statements;
             grant select on api.many, api.plans to authenticated",
        )
        .await;
    assert!(gatepost_data_api::reload(&server.state).await);
    let pages = ["/many?id=gt.{n}&order=id&limit=10", "/many?kind=eq.{n}&select=id&limit=1"];
    for page in pages {
        for n in 0..20 {
            let answer = server.get("alice", &page.replace("{n}", &n.to_string())).await;
            assert!(answer.status.is_success(), "{}", answer.body);
        }
    }
    let answer = server.get("alice", "/plans?statement=like.*many*").await;
    let plans: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(plans.len(), 2, "{}", answer.body);
    for plan in plans {
        // PostgreSQL compares five plans made for their values with one for any.
        assert_eq!(plan["custom_plans"], 5, "{plan}");
        assert_eq!(plan["generic_plans"], 14, "{plan}");
    }
}
