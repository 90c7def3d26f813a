//! Checks of the limits of the operating system.

use indicatif::HumanBytes;

use super::finding::Finding;
use crate::cli::open_files;
use crate::config::Config;

/// Files that are open besides connections: the binary, sockets, logs, and files that are read.
const OTHER_FILES: u64 = 128;

/// Checks the limits.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    [open_files(config), memory(config), maps()].into_iter().flatten().collect()
}

/// The limit of open files, which `kiln serve` raises to the hard limit.
fn open_files(config: &Config) -> Option<Finding> {
    let hard = open_files::hard_limit()?;
    let needed = config.server.max_connections as u64 + config.postgis.connections as u64 * 2 + OTHER_FILES;
    if hard >= needed {
        return Some(Finding::ok("open files", format!("a limit of {hard}, {needed} needed")));
    }
    let detail = format!(
        "a limit of {hard}; {needed} are needed for server.max_connections = {}",
        config.server.max_connections
    );
    let remedy = "raise it, by LimitNOFILE= of the systemd unit or `ulimit -Hn`, or lower server.max_connections";
    Some(Finding::warning("open files", detail, remedy))
}

/// The limit of memory of the control group, such as that of a container.
fn memory(config: &Config) -> Option<Finding> {
    /// Memory of a server apart from its cache and the bodies of requests; measured under mixed load.
    const BASE_BYTES: u64 = 200 << 20;
    let path = "/sys/fs/cgroup/memory.max";
    let limit: u64 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let needed = BASE_BYTES + config.cache.size.bytes() + config.limits.bodies.bytes();
    let (has, needs) = (HumanBytes(limit), HumanBytes(needed));
    if limit >= needed {
        return Some(Finding::ok("memory", format!("a limit of {has}, up to {needs} needed")));
    }
    let detail = format!("a limit of {has}; up to {needs} are needed for cache.size and limits.bodies");
    Some(Finding::warning("memory", detail, "raise the limit of the container, or lower cache.size and limits.bodies"))
}

/// The limit of memory maps: each segment of a layer is one or two.
fn maps() -> Option<Finding> {
    const NEEDED: u64 = 10_000;
    let limit: u64 = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()?;
    (limit < NEEDED).then(|| {
        let detail = format!("a limit of {limit} memory maps; each segment of a stored layer has up to two");
        Finding::warning("memory maps", detail, "raise it: sysctl vm.max_map_count=65530")
    })
}
