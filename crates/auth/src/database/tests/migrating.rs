use std::fs;

use tokio_postgres::NoTls;

use super::{
    super::{
        MigrateError, Refusal, check, migrate,
        migrate::run,
        migrations::{ALL, Migration},
        plan,
    },
    count, empty, migrated,
};

fn titles() -> Vec<String> {
    ALL.iter().map(Migration::title).collect()
}

#[tokio::test]
async fn a_fresh_database_is_migrated_and_a_second_run_does_nothing() {
    let database = empty().await;
    let mut client = database.connect().await;
    assert!(matches!(check(&client).await, Err(Refusal::NotInstalled)));

    let report = migrate(&mut client).await.unwrap();
    assert_eq!(report.applied, titles());
    assert_eq!(report.differences, []);
    assert_eq!(report.notice, None);
    assert_eq!(check(&client).await.unwrap().number, ALL.last().unwrap().number);

    let report = migrate(&mut client).await.unwrap();
    assert_eq!(report.applied, [""; 0]);
    assert_eq!(count(&client, "neon_auth.project_config").await, 1);
    assert!(plan(&client).await.unwrap().pending.is_empty());
}

#[tokio::test]
async fn the_plan_shows_the_sql_and_writes_nothing() {
    let database = empty().await;
    let client = database.connect().await;
    let plan = plan(&client).await.unwrap();
    assert_eq!(plan.pending.len(), ALL.len());
    assert_eq!(count(&client, "pg_namespace where nspname = 'neon_auth'").await, 0);

    let sql = plan.sql();
    assert!(sql.contains("create table if not exists neon_auth.\"user\""), "{sql}");
    client.batch_execute(&sql).await.unwrap();
    assert_eq!(count(&client, "neon_auth.users").await, 0);
}

#[tokio::test]
async fn db_15_two_migrators_at_once_share_the_work() {
    let database = empty().await;
    let (mut one, mut two) = (database.connect().await, database.connect().await);
    let (one, two) = tokio::join!(migrate(&mut one), migrate(&mut two));
    let mut applied = one.unwrap().applied;
    applied.extend(two.unwrap().applied);
    applied.sort();
    assert_eq!(applied, titles());
}

#[tokio::test]
async fn a_database_that_is_behind_is_named_with_what_it_lacks() {
    let (_database, client) = migrated().await;
    client
        .batch_execute("delete from neon_auth.gatepost_migration where number = 5")
        .await
        .unwrap();
    let refusal = check(&client).await.unwrap_err().to_string();
    assert!(
        refusal.contains("missing: 0005_views") && refusal.contains("gatepost migrate"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_database_of_a_newer_gatepost_is_refused() {
    let (_database, mut client) = migrated().await;
    let row = "insert into neon_auth.gatepost_migration (number, name, checksum) values (9999, 'future', 'x')";
    client.batch_execute(row).await.unwrap();
    assert!(matches!(check(&client).await, Err(Refusal::Ahead(title)) if title == "9999_future"));
    let error = migrate(&mut client).await.unwrap_err();
    assert!(matches!(&error, MigrateError::Refused(Refusal::Ahead(_))), "{error}");
    assert!(plan(&client).await.is_err());
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_ran_is_refused() {
    let (_database, mut client) = migrated().await;
    client
        .batch_execute("update neon_auth.gatepost_migration set checksum = 'x' where number = 2")
        .await
        .unwrap();
    assert!(
        matches!(check(&client).await, Err(Refusal::Edited(title)) if title == "0002_organization")
    );
    let error = migrate(&mut client).await.unwrap_err();
    assert!(matches!(&error, MigrateError::Refused(Refusal::Edited(_))), "{error}");
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_and_those_before_it_stay() {
    let (_database, mut client) = migrated().await;
    let all: Vec<Migration> = ALL
        .iter()
        .map(|m| Migration { number: m.number, name: m.name, sql: m.sql })
        .chain([
            Migration { number: 9001, name: "good", sql: "create table neon_auth.good ()" },
            Migration {
                number: 9002,
                name: "bad",
                sql: "create table neon_auth.half (); select 1 / 0",
            },
        ])
        .collect();
    let error = run(&mut client, &all).await.unwrap_err().to_string();
    assert!(error.contains("9002_bad") && error.contains("division by zero"), "{error}");
    assert_eq!(count(&client, "neon_auth.good").await, 0);
    assert_eq!(count(&client, "pg_class where relname = 'half'").await, 0);
    assert_eq!(count(&client, "neon_auth.gatepost_migration where number > 9000").await, 1);
}

#[tokio::test]
async fn a_busy_table_is_not_blocked_for_long() {
    let (database, mut client) = migrated().await;
    let reader = database.connect().await;
    reader.batch_execute("begin; select from neon_auth.\"user\"").await.unwrap();
    let busy = Migration {
        number: 9001,
        name: "busy",
        sql: "alter table neon_auth.\"user\" add column x text",
    };
    let all: Vec<Migration> = ALL
        .iter()
        .map(|m| Migration { number: m.number, name: m.name, sql: m.sql })
        .chain([busy])
        .collect();
    let error = run(&mut client, &all).await.unwrap_err();
    assert!(matches!(&error, MigrateError::Busy(title) if title == "9001_busy"), "{error}");
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(run(&mut client, &all).await.unwrap().applied, ["9001_busy"]);
}

#[tokio::test]
async fn a_role_without_rights_hears_which_ones_before_anything_changes() {
    let database = empty().await;
    let admin = database.connect().await;
    let role = database.role("nobody_much");
    admin.batch_execute(&format!("create role {role} login")).await.unwrap();
    let mut client = database.connect_as(&role).await;
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.contains("grant create on database"), "{error}");

    admin
        .batch_execute("create schema neon_auth; create table neon_auth.\"user\" ()")
        .await
        .unwrap();
    let error = migrate(&mut client).await.unwrap_err().to_string();
    assert!(error.contains("grant usage, create on schema neon_auth"), "{error}");
    assert!(error.contains("table neon_auth.\"user\" belongs to"), "{error}");
    assert_eq!(count(&admin, "pg_class where relname = 'gatepost_migration'").await, 0);
    admin.batch_execute(&format!("drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_database_is_said_to_be_so() {
    let (database, client) = migrated().await;
    let pid: i32 = client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let admin = database.connect().await;
    admin.execute("select pg_terminate_backend($1, 5000)", &[&pid]).await.unwrap();
    assert!(matches!(check(&client).await, Err(Refusal::Unreachable(_))));
    assert!(tokio_postgres::connect("host=/nonexistent user=x", NoTls).await.is_err());
}

#[test]
fn every_file_is_listed_in_order_and_says_why() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
        .filter(|name| name != "ledger")
        .collect();
    files.sort();
    assert_eq!(
        titles(),
        files,
        "database/migrations.rs lists every file of migrations/, ascending"
    );
    for migration in ALL {
        assert!(migration.sql.starts_with("-- "), "{}: the first line says why", migration.title());
    }
}
