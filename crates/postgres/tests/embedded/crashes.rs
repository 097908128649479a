use std::fs;

use tokio_postgres::Client;

use crate::server::{
    Server, command, directory, eventually, has_ended, kill_9, postmaster, processes_of, supervisor,
};

#[tokio::test]
async fn a_new_directory_becomes_a_durable_cluster_and_starts_again_with_its_rows() {
    let data = directory();
    let server = Server::start(data.path());
    assert_eq!(server.origin, "Created");
    let client = server.client().await;
    client.batch_execute("CREATE TABLE kept AS SELECT lower('ÄÖÅ') AS folded").await.unwrap();
    let row =
        client.query_one("SELECT folded, current_setting('fsync') FROM kept", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("äöå", "on"));
    server.stop();
    assert_eq!(processes_of(data.path()), Vec::<String>::new());
    let server = Server::start(data.path());
    assert_eq!(server.origin, "Started");
    assert_eq!(server.client().await.query("SELECT FROM kept", &[]).await.unwrap().len(), 1);
}

#[test]
fn nothing_is_left_after_the_server_was_killed() {
    let data = directory();
    let mut server = Server::start(data.path());
    server.kill();
    eventually("postgres and supervisor are gone", || processes_of(data.path()).is_empty());
    assert!(!data.path().join("pg/postmaster.pid").exists(), "a clean shutdown");
}

#[test]
fn ctrl_c_ends_the_server_and_then_postgres() {
    let data = directory();
    let server = Server::start(data.path());
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(server.pid()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    eventually("postgres and supervisor are gone", || processes_of(data.path()).is_empty());
    assert!(!data.path().join("pg/postmaster.pid").exists(), "a clean shutdown");
}

#[tokio::test]
async fn a_killed_supervisor_comes_back_with_its_postgres() {
    let data = directory();
    let server = Server::start(data.path());
    let before = postmaster(data.path());
    kill_9(supervisor(data.path()));
    let client = loop {
        let client = server.client_when_back().await;
        // The former Postgres may still answer while it stops.
        if postmaster(data.path()) != before {
            break client;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    drop(client);
    server.stop();
    assert_eq!(processes_of(data.path()), Vec::<String>::new());
}

#[test]
fn nothing_is_left_after_server_and_supervisor_were_killed() {
    let data = directory();
    let mut server = Server::start(data.path());
    kill_9(supervisor(data.path()));
    server.kill();
    eventually("postgres is gone", || processes_of(data.path()).is_empty());
}

/// Inserts rows until the connection breaks; returns the last one that was acknowledged.
async fn write_until_it_breaks(client: Client) -> i64 {
    let mut acknowledged = 0;
    while client.execute("INSERT INTO written VALUES ($1)", &[&(acknowledged + 1)]).await.is_ok() {
        acknowledged += 1;
    }
    acknowledged
}

async fn with_table(server: &Server) -> Client {
    let client = server.client().await;
    client.batch_execute("CREATE TABLE written (id bigint PRIMARY KEY)").await.unwrap();
    client
}

async fn rows(client: &Client) -> (i64, i64) {
    let row =
        client.query_one("SELECT count(*), coalesce(max(id), 0) FROM written", &[]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn after_some_writes(server: &Server) {
    let client = server.client().await;
    while rows(&client).await.0 < 100 {}
}

#[tokio::test]
async fn a_killed_postgres_comes_back_without_losing_an_acknowledged_row() {
    let data = directory();
    let server = Server::start(data.path());
    let writer = tokio::spawn(write_until_it_breaks(with_table(&server).await));
    after_some_writes(&server).await;
    kill_9(postmaster(data.path()));
    // Backends live on for a moment: cut the writer off as they end.
    let acknowledged = writer.await.unwrap();
    let (count, last) = rows(&server.client_when_back().await).await;
    assert!(
        last >= acknowledged && count >= acknowledged,
        "{acknowledged} acknowledged, {count} there, last {last}"
    );
}

#[tokio::test]
async fn after_everything_was_killed_the_next_start_recovers_every_acknowledged_row() {
    let data = directory();
    let mut server = Server::start(data.path());
    let writer = tokio::spawn(write_until_it_breaks(with_table(&server).await));
    after_some_writes(&server).await;
    let (postgres, supervisor) = (postmaster(data.path()), supervisor(data.path()));
    server.kill();
    kill_9(supervisor);
    kill_9(postgres);
    // The signal is not the end: a Postgres that still runs would be attached to.
    eventually("postgres has ended", || has_ended(postgres));
    let again = Server::start(data.path());
    let acknowledged = writer.await.unwrap();
    assert_eq!(again.origin, "Started");
    let (count, last) = rows(&again.client_when_back().await).await;
    assert!(
        last >= acknowledged && count >= acknowledged,
        "{acknowledged} acknowledged, {count} there, last {last}"
    );
}

#[tokio::test]
async fn postgres_that_is_stopped_by_hand_comes_back_while_the_server_lives() {
    let data = directory();
    let server = Server::start(data.path());
    let before = postmaster(data.path());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(before), nix::sys::signal::Signal::SIGINT)
        .unwrap();
    eventually("another postgres is ready", || {
        fs::read_to_string(data.path().join("pg/postmaster.pid"))
            .is_ok_and(|text| !text.starts_with(&format!("{before}\n")) && text.contains("ready"))
    });
    server.client().await;
}

#[tokio::test]
async fn a_pid_file_that_names_another_program_is_no_obstacle() {
    let data = directory();
    Server::start(data.path()).stop();
    name_in_lock_files(data.path(), std::process::id());
    let server = Server::start(data.path());
    server.client().await;
}

#[tokio::test]
async fn a_pid_file_that_names_a_zombie_is_no_obstacle() {
    let data = directory();
    Server::start(data.path()).stop();
    let mut zombie = std::process::Command::new("true").spawn().unwrap();
    name_in_lock_files(data.path(), zombie.id());
    let server = Server::start(data.path());
    server.client().await;
    zombie.wait().unwrap();
}

fn name_in_lock_files(data: &std::path::Path, pid: u32) {
    let text = |state| {
        format!(
            "{pid}\n{}\n1700000000\n5432\n{}\n\n\n{state}\n",
            data.join("pg").display(),
            data.join("run").display()
        )
    };
    fs::write(data.join("pg/postmaster.pid"), text("ready   ")).unwrap();
    fs::write(data.join("run/.s.PGSQL.5432.lock"), text("")).unwrap();
}

#[tokio::test]
async fn a_server_that_was_killed_during_initdb_leaves_nothing_that_hinders_the_next() {
    let data = directory();
    let mut server = Server::spawn(command(data.path()));
    let begun = |entry: fs::DirEntry| {
        entry.file_name().to_str().unwrap().starts_with("pg.init")
            && entry.path().join("base").exists()
    };
    eventually("initdb works", || fs::read_dir(data.path()).unwrap().flatten().any(begun));
    server.kill();
    let server = Server::start(data.path());
    assert_eq!(server.origin, "Created");
    server.client().await;
    let leftovers = fs::read_dir(data.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("pg.init"));
    assert_eq!(leftovers.count(), 0);
}
