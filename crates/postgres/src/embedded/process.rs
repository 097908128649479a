//! What the system says about processes.

use std::{fs, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Sends a signal; a process that is gone is no error.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if pid > 0 {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Whether the process runs. A zombie does not: `kill(pid, 0)` succeeds on one, and in a container whose first process does not reap,
/// a killed Postgres stays one for ever.
pub(crate) fn alive(pid: i32) -> bool {
    if pid <= 0 || !matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(nix::Error::EPERM)) {
        return false;
    }
    !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
    })
}

/// Whether the process is a Postgres that works in this cluster, not another program that got the same number.
pub(crate) fn works_in(pid: i32, cluster: &Path) -> bool {
    if cfg!(target_os = "linux") {
        return fs::read_link(format!("/proc/{pid}/cwd"))
            .is_ok_and(|directory| directory == cluster);
    }
    let listed =
        std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"))
}

/// Every live process that works in this cluster: a killed Postgres leaves its backends behind for a moment, and they still write.
pub(crate) fn all_in(cluster: &Path) -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| works_in(*pid, cluster) && alive(*pid))
        .collect()
}
