//! What processes cost, read from `/proc`.

use std::fs;

/// Clock ticks in a second: Linux has reported 100 to user space on every architecture since 2.6.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of a process and of its children that it waited for, in microseconds; 0 where it cannot be read.
pub(super) fn cpu_micros(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold spaces; what follows is numbered from field 3.
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let field = |number: usize| {
        after_name
            .split_whitespace()
            .nth(number - 3)
            .and_then(|v| v.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (field(14) + field(15)) * (1_000_000 / TICKS_PER_SECOND)
}

/// CPU time of a process and all of its descendants, in microseconds.
pub(super) fn tree_cpu_micros(pid: u32) -> u64 {
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let theirs: u64 = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(tree_cpu_micros)
        .sum();
    cpu_micros(pid) + theirs
}

/// Resident memory of a process, in KiB; 0 where it cannot be read.
pub(super) fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|v| v.parse().ok()).unwrap_or(0)
}
