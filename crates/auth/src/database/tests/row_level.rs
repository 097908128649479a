//! The functions for policies, and the example of the documentation asked as the roles that callers have.

use serde_json::{Value, json};
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use super::{
    super::{migrate, row_level_functions},
    Database, count, empty, migrated,
};

const EXAMPLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/row-level-security/schema.sql"
));

const ROLES: &str = "
do $$ begin create role anonymous; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role authenticated; exception when duplicate_object or unique_violation then null; end $$;";

/// Two hundred organizations with 50 documents each, sorted as they came.
const ROWS: &str = "
insert into neon_auth.organization (id, name, slug, \"createdAt\")
select ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'O' || i, 'o' || i, now() from generate_series(1, 200) i;
insert into app.project (id, organization_id, name, public)
select id, id, name, slug = 'o2' from neon_auth.organization order by id;
insert into app.document (organization_id, project_id, author_id, title)
select p.id, p.id, ('aaaaaaaa-0000-4000-8000-' || lpad((i % 2)::text, 12, '0'))::uuid, 'D' || i
from app.project p, generate_series(1, 50) i order by p.id, i;
analyze app.project; analyze app.document;";

fn organization(number: u32) -> Uuid {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

fn author(number: u32) -> Uuid {
    format!("aaaaaaaa-0000-4000-8000-{number:012}").parse().unwrap()
}

fn claims(user: u32, of: u32, role: &str) -> Value {
    json!({ "sub": author(user), "role": "authenticated", "o": { "id": organization(of), "slug": "x", "role": role } })
}

async fn example() -> (Database, Client) {
    let (database, client) = migrated().await;
    client.batch_execute(ROLES).await.unwrap();
    client.batch_execute(EXAMPLE).await.unwrap();
    client.batch_execute(ROWS).await.unwrap();
    (database, client)
}

/// Becomes a caller as the Data API does, for the rest of the transaction.
async fn act_as(client: &Client, role: &str, claims: &Value) {
    let sql = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
    let claims = if claims.is_null() { String::new() } else { claims.to_string() };
    client.execute(sql, &[&role, &claims]).await.unwrap();
}

/// What a statement of a caller gives: the number of its rows, or the code of its refusal. Nothing stays of it.
async fn asked(client: &Client, role: &str, claims: &Value, sql: &str) -> Result<u64, SqlState> {
    client.batch_execute("begin").await.unwrap();
    act_as(client, role, claims).await;
    let result = client.execute(sql, &[]).await;
    client.batch_execute("rollback").await.unwrap();
    result.map_err(|error| error.code().unwrap().clone())
}

/// Who asks what, and what comes of it.
type Case<'a> = (&'a str, &'a str, &'a Value, String, Result<u64, SqlState>);

async fn hold(client: &Client, cases: Vec<Case<'_>>) {
    for (case, role, claims, sql, expected) in cases {
        assert_eq!(asked(client, role, claims, &sql).await, expected, "{case}");
    }
}

#[tokio::test]
async fn the_example_shows_everybody_what_is_theirs() {
    let (_database, client) = example().await;
    let own = claims(0, 1, "member");
    let homeless = json!({ "sub": author(0), "role": "authenticated" });
    let stranger = json!({ "sub": "auth0|ada", "role": "authenticated", "o": { "id": "org_1", "role": "owner" } });
    let (documents, projects) = ("select from app.document", "select from app.project");
    let cases: Vec<Case<'_>> = vec![
        (
            "a member sees the organization's documents",
            "authenticated",
            &own,
            documents.to_owned(),
            Ok(50),
        ),
        (
            "and its project beside the public one",
            "authenticated",
            &own,
            projects.to_owned(),
            Ok(2),
        ),
        (
            "who is in no organization sees none",
            "authenticated",
            &homeless,
            documents.to_owned(),
            Ok(0),
        ),
        (
            "ids of another server are nobody's",
            "authenticated",
            &stranger,
            documents.to_owned(),
            Ok(0),
        ),
        ("a guest sees what is public", "anonymous", &Value::Null, projects.to_owned(), Ok(1)),
        (
            "and no documents at all",
            "anonymous",
            &Value::Null,
            documents.to_owned(),
            Err(SqlState::INSUFFICIENT_PRIVILEGE),
        ),
    ];
    hold(&client, cases).await;
}

#[tokio::test]
async fn the_example_lets_everybody_write_what_is_theirs() {
    let (_database, client) = example().await;
    let (member, admin, owner) =
        (claims(0, 1, "member"), claims(0, 1, "admin"), claims(0, 1, "owner"));
    let (one, three) = (organization(1), organization(3));
    let insert = |organization: Uuid, author: Uuid| {
        format!(
            "insert into app.document (organization_id, project_id, author_id, title) values ('{organization}', '{organization}', '{author}', 'new')"
        )
    };
    let rename = "update app.document set title = 'x'".to_owned();
    let give = format!("update app.document set organization_id = '{three}'");
    let project = format!("insert into app.project (organization_id, name) values ('{one}', 'x')");
    let denied = SqlState::INSUFFICIENT_PRIVILEGE;
    let remove = "delete from app.document".to_owned();
    let role = "authenticated";
    let cases: Vec<Case<'_>> = vec![
        ("a member writes in the own name", role, &member, insert(one, author(0)), Ok(1)),
        ("not in somebody else's", role, &member, insert(one, author(1)), Err(denied.clone())),
        (
            "nor for another organization",
            role,
            &member,
            insert(three, author(0)),
            Err(denied.clone()),
        ),
        ("a member changes the own documents", role, &member, rename.clone(), Ok(25)),
        ("an admin changes all of them", role, &admin, rename, Ok(50)),
        ("and gives none away", role, &admin, give, Err(denied.clone())),
        ("an admin removes none", role, &admin, remove.clone(), Ok(0)),
        ("an owner does", role, &owner, remove, Ok(50)),
        ("a member makes no projects", role, &member, project, Err(denied)),
    ];
    hold(&client, cases).await;
}

/// Every node of a plan.
fn nodes<'a>(plan: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(plan);
    for child in plan["Plans"].as_array().into_iter().flatten() {
        nodes(child, found);
    }
}

async fn explained(client: &Client, role: &str, claims: &Value, sql: &str) -> Value {
    client.batch_execute("begin").await.unwrap();
    act_as(client, role, claims).await;
    let sql = format!("explain (analyze, format json) {sql}");
    let plan: Value = client.query_one(&sql, &[]).await.unwrap().get(0);
    client.batch_execute("rollback").await.unwrap();
    plan[0]["Plan"].clone()
}

#[tokio::test]
async fn policies_read_through_the_index_and_ask_who_is_calling_once() {
    let (_database, client) = example().await;
    let own = claims(0, 1, "member");
    for sql in [
        "select * from app.document",
        "select * from app.document d join app.project p on p.id = d.project_id where d.title <> 'x'",
        "update app.document set title = 'x'",
    ] {
        let plan = explained(&client, "authenticated", &own, sql).await;
        let mut all = Vec::new();
        nodes(&plan, &mut all);
        let scan = all
            .iter()
            .find(|node| node["Relation Name"] == "document" && node["Node Type"] != "ModifyTable")
            .unwrap();
        assert_eq!(scan["Node Type"], "Index Scan", "{sql}: {plan:#}");
        assert_eq!(scan["Index Name"], "document_organization_id_idx", "{sql}");
        let asking: Vec<&&Value> =
            all.iter().filter(|node| node["Parent Relationship"] == "InitPlan").collect();
        assert!(!asking.is_empty(), "{sql}: {plan:#}");
        for node in asking {
            assert!(node["Actual Loops"].as_i64().unwrap() <= 1, "{sql}: {plan:#}");
        }
        for node in &all {
            let filters = [&node["Filter"], &node["Index Cond"]];
            let per_row = filters.iter().any(|text| text.to_string().contains("current_setting"));
            assert!(!per_row, "{sql}: {node:#}");
        }
    }
}

#[tokio::test]
async fn the_functions_tell_what_the_claims_say() {
    let (_database, client) = migrated().await;
    let row = client
        .query_one(
            "select bool_and(p.provolatile = 's' and p.proparallel = 's' and p.proconfig is null and not p.prosecdef), count(*)
             from pg_proc p where pronamespace = 'auth'::regnamespace",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1)), (true, 6));
    client.batch_execute("begin").await.unwrap();
    let nobody = "select auth.uid() is null and auth.user_id() is null and auth.jwt() is null
        and auth.session() is null and auth.org_id() is null and auth.org_role() is null";
    assert!(client.query_one(nobody, &[]).await.unwrap().get::<_, bool>(0));
    act_as(&client, "postgres", &claims(1, 7, "admin")).await;
    let row = client
        .query_one(
            "select auth.uid(), auth.user_id(), auth.org_id(), auth.org_role(), auth.jwt() = auth.session()",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Uuid>(0), author(1));
    assert_eq!(row.get::<_, String>(1), author(1).to_string());
    assert_eq!(row.get::<_, Uuid>(2), organization(7));
    assert_eq!(row.get::<_, String>(3), "admin");
    assert!(row.get::<_, bool>(4));
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(row_level_functions(&client).await.unwrap(), None);
}

#[tokio::test]
async fn functions_of_others_stay_as_they_are_and_the_operator_hears_of_it() {
    let database = empty().await;
    let mut client = database.connect().await;
    client
        .batch_execute("create schema auth; create function auth.uid() returns uuid language sql as 'select null::uuid'")
        .await
        .unwrap();
    let report = migrate(&mut client).await.unwrap();
    let notice = report.notice.unwrap();
    assert!(notice.starts_with("auth.uid() came from somebody else"), "{notice}");
    assert!(!notice.contains("missing"), "{notice}");
    let kept = "pg_proc where oid = 'auth.uid()'::regprocedure and prosrc = 'select null::uuid'";
    assert_eq!(count(&client, kept).await, 1);
    assert_eq!(count(&client, "pg_proc where pronamespace = 'auth'::regnamespace").await, 6);
    client.batch_execute("drop function auth.org_id()").await.unwrap();
    let told = row_level_functions(&client).await.unwrap().unwrap();
    assert!(told.contains("missing: auth.org_id()"), "{told}");
    let sql = told.split_once("run:\n").unwrap().1;
    client.batch_execute(sql).await.unwrap();
    assert_eq!(count(&client, "pg_proc where pronamespace = 'auth'::regnamespace").await, 6);
}
