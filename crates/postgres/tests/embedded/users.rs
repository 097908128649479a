//! The user that the tests run as is tested by all others. As root, these become somebody else first.

use std::{fs, os::unix::fs::chown, path::Path, process::Command};

use nix::unistd::geteuid;

use crate::server::{Server, directory, eventually, program};

/// The same program under another user, in a directory that belongs to it.
fn as_user(uid: u32, data: &Path) -> Command {
    chown(data, Some(uid), Some(uid)).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()])
        .arg(program())
        .arg(data);
    command
}

#[tokio::test]
async fn a_normal_user_can_run_it() {
    if geteuid().is_root() {
        let data = directory();
        let server = Server::spawn(as_user(1, data.path())).wait_until_ready();
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
        server.stop();
    }
}

#[tokio::test]
async fn a_user_without_a_name_can_run_it() {
    if geteuid().is_root() {
        let data = directory();
        let server = Server::spawn(as_user(54_321, data.path())).wait_until_ready();
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
        server.stop();
    }
}

#[tokio::test]
async fn root_runs_the_cluster_of_a_normal_user_as_that_user() {
    if geteuid().is_root() {
        let data = directory();
        Server::spawn(as_user(1, data.path())).wait_until_ready().stop();
        let server = Server::start(data.path());
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
        server.stop();
        let server = Server::spawn(as_user(1, data.path())).wait_until_ready();
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
    }
}

/// Root in a place where no (further) user namespace can be made, as in containers with a strict seccomp profile.
fn without_namespaces(data: &Path) -> Server {
    let mut command = Command::new("unshare");
    let script = r#"read -r go; exec sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" "$1"' "$0" "$1""#;
    command.args(["--user", "sh", "-c", script]).arg(program()).arg(data);
    let mut server = Server::spawn(command);
    let process = format!("/proc/{}", server.pid());
    let namespace = |process: &str| fs::read_link(format!("{process}/ns/user")).unwrap();
    eventually("it has its namespace", || namespace(&process) != namespace("/proc/self"));
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("{process}/{map}"), "0 0 65536").unwrap();
    }
    server.say("go");
    server
}

#[tokio::test]
async fn root_without_user_namespaces_becomes_another_user() {
    if geteuid().is_root() {
        let data = directory();
        let server = without_namespaces(data.path()).wait_until_ready();
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
        let owner =
            std::os::unix::fs::MetadataExt::uid(&fs::metadata(data.path().join("pg")).unwrap());
        assert_ne!(owner, 0);
        server.stop();
        let server = Server::start(data.path());
        assert_eq!(server.origin, "Started");
        server.client().await.query_one("SELECT 1", &[]).await.unwrap();
    }
}

#[test]
fn root_without_user_namespaces_is_told_about_a_directory_that_the_other_user_cannot_reach() {
    if geteuid().is_root() {
        let data = directory();
        fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        let refusal = without_namespaces(&data.path().join("below")).refusal();
        assert!(refusal.contains("choose a data directory such as /var/lib/gatepost"), "{refusal}");
    }
}

#[test]
fn root_below_a_private_directory_needs_no_other_user() {
    if geteuid().is_root() {
        let data = directory();
        fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        Server::start(&data.path().join("below")).stop();
    }
}
