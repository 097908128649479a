//! What `/proc` tells about process trees: processor time and memory.

use std::collections::{HashMap, HashSet};
use std::fs;

/// Processor time of a tree, in seconds, children that ended included.
pub(crate) fn cpu_seconds(root: u32) -> f64 {
    let processes = processes();
    let own = tree(root, &processes)
        .iter()
        .filter_map(|pid| processes.get(pid))
        .map(|it| it.own)
        .sum::<u64>();
    let ended = processes.get(&root).map_or(0, |it| it.ended);
    // The kernel's clock tick is 1/100 s on every Linux that Gatepost runs on.
    (own + ended) as f64 / 100.0
}

/// Proportional memory of a tree, in MiB.
pub(crate) fn memory(root: u32) -> f64 {
    let kib: u64 = tree(root, &processes()).into_iter().filter_map(pss).sum();
    kib as f64 / 1024.0
}

/// The one-minute load average of the machine.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

struct Process {
    parent: u32,
    own: u64,
    ended: u64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses: fields count from the last one.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        ended: number(13)? + number(14)?,
    })
}

fn tree(root: u32, processes: &HashMap<u32, Process>) -> HashSet<u32> {
    let mut found = HashSet::from([root]);
    loop {
        let more: Vec<u32> = processes
            .iter()
            .filter(|(pid, it)| found.contains(&it.parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn pss(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
