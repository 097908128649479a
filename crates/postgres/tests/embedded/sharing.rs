use crate::server::{Server, command, directory, eventually, processes_of};

#[tokio::test]
async fn a_second_server_attaches_and_survives_the_first() {
    let data = directory();
    let first = Server::start(data.path());
    let second = Server::start(data.path());
    assert_eq!((first.origin.as_str(), second.origin.as_str()), ("Created", "Attached"));
    let client = second.client().await;
    first.stop();
    client.query_one("SELECT 1", &[]).await.unwrap();
    second.stop();
    eventually("postgres is gone", || processes_of(data.path()).is_empty());
}

#[tokio::test]
async fn two_directories_are_two_clusters() {
    let (one, two) = (directory(), directory());
    let (first, second) = (Server::start(one.path()), Server::start(two.path()));
    first.client().await.batch_execute("CREATE TABLE only_here ()").await.unwrap();
    assert!(second.client().await.query("SELECT FROM only_here", &[]).await.is_err());
}

#[tokio::test]
async fn eight_first_starts_at_once_make_one_cluster() {
    let data = directory();
    let spawned: Vec<Server> = (0..8).map(|_| Server::spawn(command(data.path()))).collect();
    let servers: Vec<Server> = spawned.into_iter().map(Server::wait_until_ready).collect();
    for server in &servers {
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
    }
    assert_eq!(servers.iter().filter(|server| server.origin == "Created").count(), 1);
    assert_eq!(servers.iter().filter(|server| server.origin == "Attached").count(), 7);
    drop(servers);
    eventually("postgres is gone", || processes_of(data.path()).is_empty());
}

#[tokio::test]
async fn starting_again_at_once_after_a_kill_works_every_time() {
    let data = directory();
    Server::start(data.path()).stop();
    for _ in 0..5 {
        let mut server = Server::start(data.path());
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
        server.kill();
    }
    eventually("postgres is gone", || processes_of(data.path()).is_empty());
}

#[tokio::test]
async fn a_directory_with_a_very_long_name_has_its_socket_elsewhere() {
    let data = directory();
    let long = data.path().join("x".repeat(120)).join("ü y");
    let server = Server::start(&long);
    server.client().await.query_one("SELECT 1", &[]).await.unwrap();
    server.stop();
}
