use std::{env, fs};

use tokio_postgres::Client;

use super::{
    super::{
        Difference, Problem, Repair,
        catalogue::{Catalogue, SNAPSHOT},
        drift,
    },
    migrated,
};

/// The one difference that `change` makes; its repair must remove it.
async fn one_difference(change: &str) -> Difference {
    let (_database, client) = migrated().await;
    client.batch_execute(change).await.unwrap();
    let mut differences = drift(&client).await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    let difference = differences.remove(0);
    repair(&client, &difference).await;
    assert_eq!(drift(&client).await.unwrap(), [], "repaired with {:?}", difference.repair);
    difference
}

async fn repair(client: &Client, difference: &Difference) {
    match &difference.repair {
        Repair::Safe(sql) | Repair::Decide { sql, .. } => client.batch_execute(sql).await.unwrap(),
        Repair::None => panic!("{difference} has no repair"),
    }
}

#[tokio::test]
async fn the_checked_in_snapshot_is_what_the_migrations_produce() {
    let (_database, client) = migrated().await;
    let fresh = Catalogue::read(&client).await.unwrap().to_string();
    if fresh != SNAPSHOT {
        let path = env::temp_dir().join("gatepost-snapshot.txt");
        fs::write(&path, &fresh).unwrap();
        panic!("migrations/snapshot.txt is stale; look at {} and copy it there", path.display());
    }
    assert_eq!(Catalogue::expected().to_string(), SNAPSHOT);
    assert_eq!(drift(&client).await.unwrap(), []);
}

#[tokio::test]
async fn a_missing_column_is_shown_as_a_diff_with_its_repair() {
    let difference = one_difference("alter table neon_auth.account drop column scope").await;
    assert_eq!(difference.problem, Problem::MissingColumn("scope".to_owned()));
    assert!(difference.stops_server());
    assert_eq!(
        difference.to_string(),
        "neon_auth.account: column scope is missing\n  - \"scope\" text\n  \
         repair: alter table neon_auth.\"account\" add column \"scope\" text;\n"
    );
}

#[tokio::test]
async fn a_wrong_type_is_shown_with_both_types() {
    let difference =
        one_difference("alter table neon_auth.verification alter column value type varchar(40)")
            .await;
    assert_eq!(
        difference.to_string(),
        "neon_auth.verification: column value has another type\n  - \"value\" text not null\n  \
         + \"value\" character varying(40) not null\n  \
         repair: alter table neon_auth.\"verification\" alter column \"value\" type text;\n"
    );
}

#[tokio::test]
async fn timestamps_without_zone_are_left_for_a_person_to_decide() {
    let difference =
        one_difference("alter table neon_auth.jwks alter column \"expiresAt\" type timestamp")
            .await;
    assert!(matches!(difference.repair, Repair::Decide { .. }), "{difference}");
    assert!(
        difference.to_string().contains("only if its values are in UTC: alter table"),
        "{difference}"
    );
}

#[tokio::test]
async fn a_dropped_unique_constraint_is_a_difference() {
    let difference =
        one_difference("alter table neon_auth.session drop constraint session_token_key").await;
    assert_eq!(difference.problem, Problem::MissingConstraint("session_token_key".to_owned()));
    assert!(
        difference.to_string().contains("add constraint \"session_token_key\" unique (token);"),
        "{difference}"
    );
}

#[tokio::test]
async fn a_dropped_foreign_key_is_a_difference() {
    let difference =
        one_difference("alter table neon_auth.session drop constraint \"session_userId_fkey\"")
            .await;
    assert_eq!(difference.problem, Problem::MissingConstraint("session_userId_fkey".to_owned()));
}

#[tokio::test]
async fn a_foreign_key_that_no_longer_cascades_is_a_difference() {
    let (_database, client) = migrated().await;
    let change = "alter table neon_auth.account drop constraint \"account_userId_fkey\",
        add constraint other foreign key (\"userId\") references neon_auth.\"user\" (id)";
    client.batch_execute(change).await.unwrap();
    let differences = drift(&client).await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(
        differences[0].problem,
        Problem::MissingConstraint("account_userId_fkey".to_owned())
    );
}

#[tokio::test]
async fn a_lost_default_is_a_difference() {
    let difference =
        one_difference("alter table neon_auth.account alter column id drop default").await;
    assert_eq!(difference.problem, Problem::WrongDefault("id".to_owned()));
}

#[tokio::test]
async fn a_column_that_takes_null_where_it_must_not_is_a_difference() {
    let difference =
        one_difference("alter table neon_auth.account alter column \"userId\" drop not null").await;
    assert_eq!(difference.problem, Problem::WrongNullability("userId".to_owned()));
}

#[tokio::test]
async fn a_foreign_column_that_makes_every_insert_fail_is_a_difference() {
    let difference =
        one_difference("alter table neon_auth.\"user\" add column company text not null").await;
    assert_eq!(difference.problem, Problem::RequiredColumn("company".to_owned()));
}

#[tokio::test]
async fn a_missing_index_is_told_but_stops_nothing() {
    let difference = one_difference("drop index neon_auth.\"session_userId_idx\"").await;
    assert!(!difference.stops_server());
}

#[tokio::test]
async fn a_missing_view_is_told_but_stops_nothing() {
    let difference = one_difference("drop view neon_auth.sessions").await;
    assert_eq!(difference.problem, Problem::MissingView);
    assert!(!difference.stops_server());
}

#[tokio::test]
async fn a_missing_table_comes_back_whole() {
    let difference = one_difference("drop table neon_auth.gatepost_audit").await;
    assert_eq!(difference.problem, Problem::MissingTable);
    let difference = one_difference("drop table neon_auth.account").await;
    assert_eq!(difference.problem, Problem::MissingTable);
}

#[tokio::test]
async fn what_the_owner_of_the_database_added_is_welcome() {
    let (_database, client) = migrated().await;
    let additions = "alter table neon_auth.\"user\" add column company text, add column seats int not null default 1;
        create table neon_auth.invoices (id int primary key);
        create index mine on neon_auth.session (\"expiresAt\");
        alter table neon_auth.account add unique (\"providerId\", \"accountId\");
        alter table neon_auth.\"user\" alter column banned set default false;
        alter table neon_auth.\"user\" rename constraint user_email_key to unique_mail;
        alter index neon_auth.\"session_userId_idx\" rename to by_user;
        alter table neon_auth.session alter column id set default md5(random()::text)::uuid";
    client.batch_execute(additions).await.unwrap();
    assert_eq!(drift(&client).await.unwrap(), []);
}

#[tokio::test]
async fn an_index_whose_building_failed_does_not_count() {
    let (_database, client) = migrated().await;
    let broken = "update pg_index set indisvalid = false where indexrelid = 'neon_auth.user_email_key'::regclass";
    client.batch_execute(broken).await.unwrap();
    let differences = drift(&client).await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].problem, Problem::MissingConstraint("user_email_key".to_owned()));
}
