use tokio_postgres::Client;

use super::{
    super::{MigrateError, Problem, Repair, migrate, plan},
    Database, count, empty,
};

/// Better Auth 1.7's own schema with all its plugins.
const BETTER_AUTH: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../conformance/better-auth/schema-main.sql"
));

/// The layout of a live Neon branch of the older kind: no plugin columns, no alg and crv, no settings of plugins.
const NEON: &str = include_str!("neon.sql");

const ROWS: &str = r#"
insert into SCHEMA."user" (id, name, email, "emailVerified") values
    ('11111111-1111-4111-8111-111111111111', 'Ada', 'ada@example.com', true),
    ('22222222-2222-4222-8222-222222222222', 'Bob', 'bob@example.com', false);
insert into SCHEMA.session ("expiresAt", token, "updatedAt", "userId")
    values (now() + '7 days', 'plain-token', now(), '11111111-1111-4111-8111-111111111111');
insert into SCHEMA.account ("accountId", "providerId", "userId", password, "updatedAt") values
    ('11111111-1111-4111-8111-111111111111', 'credential', '11111111-1111-4111-8111-111111111111', 'salt:key', now());
insert into SCHEMA.jwks ("publicKey", "privateKey", "createdAt") values ('{}', '"sealed"', now());
insert into SCHEMA.organization (name, slug, "createdAt") values ('Acme', 'acme', now());
insert into SCHEMA.member ("organizationId", "userId", role, "createdAt")
    select id, '11111111-1111-4111-8111-111111111111', 'owner', now() from SCHEMA.organization;
"#;

const ADOPTED: [&str; 6] = ["user", "session", "account", "jwks", "organization", "member"];

/// The dump without psql's own commands.
fn better_auth_ddl(schema: &str) -> String {
    let lines: Vec<&str> = BETTER_AUTH.lines().filter(|line| !line.starts_with('\\')).collect();
    lines.join("\n").replace("public.", &format!("{schema}."))
}

/// A database with Better Auth's schema and rows under `schema`.
async fn better_auth(schema: &str) -> (Database, Client) {
    let database = empty().await;
    let client = database.connect().await;
    let ddl = better_auth_ddl(schema);
    client.batch_execute(&format!("create schema if not exists {schema}; {ddl}")).await.unwrap();
    client.batch_execute(&ROWS.replace("SCHEMA", schema)).await.unwrap();
    client.batch_execute("reset all").await.unwrap();
    (database, client)
}

/// Every stored version of every row: equal before and after only if no row was written.
async fn versions(client: &Client, schema: &str) -> Vec<String> {
    let mut versions = Vec::new();
    for table in ADOPTED {
        let sql = format!(
            "select xmin || ' ' || ctid::text || ' ' || id from {schema}.\"{table}\" order by 1"
        );
        versions.extend(
            client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)),
        );
    }
    assert!(versions.len() >= 7);
    versions
}

#[tokio::test]
async fn a_better_auth_database_is_adopted_without_touching_its_rows() {
    let (_database, mut client) = better_auth("neon_auth").await;
    let before = versions(&client, "neon_auth").await;
    let report = migrate(&mut client).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(report.notice, None);
    assert_eq!(versions(&client, "neon_auth").await, before);
    assert_eq!(count(&client, "neon_auth.users where email_verified").await, 1);
    assert_eq!(count(&client, "neon_auth.\"teamMember\"").await, 0, "tables of others stay");
}

#[tokio::test]
async fn a_neon_branch_is_adopted_without_touching_its_rows() {
    let database = empty().await;
    let mut client = database.connect().await;
    client.batch_execute(NEON).await.unwrap();
    client.batch_execute(&ROWS.replace("SCHEMA", "neon_auth")).await.unwrap();
    let config = "insert into neon_auth.project_config
        (name, endpoint_id, trusted_origins, social_providers, allow_localhost)
        values ('shop', 'ep-quiet-sea', '[{\"domain\":\"https://shop.example\"}]', '[]', false)";
    client.batch_execute(config).await.unwrap();

    let before = versions(&client, "neon_auth").await;
    let report = migrate(&mut client).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(versions(&client, "neon_auth").await, before);
    assert_eq!(
        count(&client, "neon_auth.project_config where name = 'shop' and plugin_configs is null")
            .await,
        1
    );
    assert_eq!(count(&client, "neon_auth.project_config").await, 1);
    assert_eq!(count(&client, "neon_auth.jwks where alg is null").await, 1);
    // The older table has plain columns; who was there before is in it now, with all of them filled.
    assert_eq!(
        count(
            &client,
            r#"neon_auth.users_sync s join neon_auth."user" u
               on u.id::text = s.id and u.name = s.name and u.email = s.email and date_trunc('milliseconds', u."createdAt") = s.created_at"#
        )
        .await,
        2
    );
}

#[tokio::test]
async fn text_ids_are_refused_by_column_and_type_before_anything_changes() {
    let database = empty().await;
    let mut client = database.connect().await;
    let ddl = better_auth_ddl("neon_auth")
        .replace(" uuid DEFAULT gen_random_uuid()", " text")
        .replace(" uuid ", " text ");
    client.batch_execute(&format!("create schema neon_auth; {ddl}; reset all")).await.unwrap();

    assert!(plan(&client).await.is_err());
    let error = migrate(&mut client).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("neon_auth.user: column id has another type"), "{text}");
    assert!(
        text.contains("- \"id\" uuid not null") && text.contains("+ \"id\" text not null"),
        "{text}"
    );
    assert!(text.contains("neon_auth.session: column userId has another type"), "{text}");
    let MigrateError::Unadoptable(differences) = error else { panic!("{text}") };
    assert!(
        differences.iter().all(|difference| matches!(difference.problem, Problem::WrongType(_))),
        "{text}"
    );
    assert_eq!(count(&client, "pg_class where relname like 'gatepost%'").await, 0);
}

#[tokio::test]
async fn a_lost_constraint_is_refused_with_its_repair_before_anything_changes() {
    let (_database, mut client) = better_auth("neon_auth").await;
    let broken = "alter table neon_auth.\"user\" drop constraint user_email_key;
        alter table neon_auth.session alter column \"expiresAt\" type timestamp";
    client.batch_execute(broken).await.unwrap();
    let MigrateError::Unadoptable(differences) = migrate(&mut client).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert_eq!(count(&client, "pg_class where relname like 'gatepost%'").await, 0);

    for difference in differences {
        match difference.repair {
            Repair::Safe(sql) | Repair::Decide { sql, .. } => {
                client.batch_execute(&sql).await.unwrap();
            }
            Repair::None => panic!("{difference}"),
        }
    }
    assert_eq!(migrate(&mut client).await.unwrap().differences, []);
}

#[tokio::test]
async fn better_auth_tables_in_public_stay_and_the_operator_hears_how_to_move_them() {
    let (_database, mut client) = better_auth("public").await;
    let before = versions(&client, "public").await;
    let notice = migrate(&mut client).await.unwrap().notice.unwrap();
    assert!(notice.contains("alter table public.\"user\" set schema neon_auth;"), "{notice}");
    assert_eq!(versions(&client, "public").await, before);
    assert_eq!(count(&client, "neon_auth.users").await, 0);

    let (_database, mut client) = better_auth("public").await;
    let before = versions(&client, "public").await;
    let notice = plan(&client).await.unwrap().notice.unwrap();
    let sql: Vec<&str> = notice.lines().filter(|line| line.starts_with("  ")).collect();
    client.batch_execute(&sql.join("\n")).await.unwrap();
    let report = migrate(&mut client).await.unwrap();
    assert_eq!((report.differences, report.notice), (vec![], None));
    assert_eq!(versions(&client, "neon_auth").await, before);
    assert_eq!(count(&client, "neon_auth.users").await, 2);
}
