//! What the machine says of itself, as far as a configuration can clash with it.

use std::{
    fs,
    net::{IpAddr, UdpSocket},
};

/// The machine that the configuration is for.
#[derive(Clone, Debug)]
pub struct System {
    /// What this process may have.
    pub memory: Option<Memory>,
    /// Its name.
    pub hostname: Option<String>,
    /// What its hosts file says: an address and a name.
    pub hosts: Vec<(IpAddr, String)>,
    /// Whether an address is one of its own.
    pub owns: fn(IpAddr) -> bool,
}

/// An amount of memory, and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How much, in bytes.
    pub bytes: u64,
    /// Whether it is the limit of a container, or what the machine has.
    pub is_container: bool,
}

/// Reads a file of the system; `None` where there is none.
type Files<'a> = &'a dyn Fn(&str) -> Option<String>;

impl System {
    /// Nothing is known.
    pub fn unknown() -> Self {
        Self {
            memory: None,
            hostname: None,
            hosts: Vec::new(),
            owns: |_| false,
        }
    }

    /// This machine. What cannot be read is not known.
    pub fn read() -> Self {
        let files = |path: &str| fs::read_to_string(path).ok();
        let name = files("/proc/sys/kernel/hostname");
        Self {
            memory: memory(&files),
            hostname: name.map(|name| name.trim().to_ascii_lowercase()),
            hosts: hosts(&files("/etc/hosts").unwrap_or_default()),
            // A socket can be bound to one's own addresses alone. Nothing is sent.
            owns: |ip| UdpSocket::bind((ip, 0)).is_ok(),
        }
    }
}

/// The smallest of what the machine has and what its control groups (version 2 or 1) allow.
fn memory(files: Files<'_>) -> Option<Memory> {
    let meminfo = files("/proc/meminfo").unwrap_or_default();
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib.saturating_mul(1024));
    let limit = limits(files).min();
    match (limit, total) {
        (Some(limit), Some(total)) if limit >= total => Some(Memory::of(total, false)),
        (Some(limit), _) => Some(Memory::of(limit, true)),
        (None, total) => total.map(|total| Memory::of(total, false)),
    }
}

impl Memory {
    fn of(bytes: u64, is_container: bool) -> Self {
        Self {
            bytes,
            is_container,
        }
    }
}

/// The limits of this process's control group and of all above it. Where there is none, it says `max` or a huge number.
fn limits(files: Files<'_>) -> impl Iterator<Item = u64> {
    let groups = files("/proc/self/cgroup").unwrap_or_default();
    let mut paths = vec![
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut group = group.trim_end_matches('/');
        while let Some(cut) = group.rfind('/') {
            paths.push(format!("{root}{group}/{file}"));
            group = &group[..cut];
        }
    }
    let read = move |path: String| files(&path)?.trim().parse().ok();
    paths.into_iter().filter_map(read)
}

fn hosts(text: &str) -> Vec<(IpAddr, String)> {
    let mut hosts = Vec::new();
    for line in text.lines() {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace();
        if let Some(Ok(ip)) = words.next().map(str::parse::<IpAddr>) {
            hosts.extend(words.map(|name| (ip, name.to_ascii_lowercase())));
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: (&str, &str) = (
        "/proc/meminfo",
        "MemTotal:        8000000 kB\nMemFree: 1 kB\n",
    );

    fn read(files: &[(&str, &str)]) -> Option<(u64, bool)> {
        let files = |path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        memory(&files).map(|memory| (memory.bytes, memory.is_container))
    }

    #[test]
    fn the_machine_has_what_it_says() {
        assert_eq!(read(&[MEMINFO]), Some((8_192_000_000, false)));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("/proc/meminfo", "MemTotal: many kB\n")]), None);
    }

    #[test]
    fn a_container_has_its_limit_in_either_version() {
        let v2 = ("/sys/fs/cgroup/memory.max", "536870912\n");
        assert_eq!(read(&[MEMINFO, v2]), Some((536_870_912, true)));
        let none = ("/sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(read(&[MEMINFO, none]), Some((8_192_000_000, false)));
        let v1 = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
        assert_eq!(read(&[MEMINFO, v1]), Some((1_048_576, true)));
        let none = (v1.0, "9223372036854771712\n");
        assert_eq!(read(&[MEMINFO, none]), Some((8_192_000_000, false)));
    }

    #[test]
    fn a_limit_of_a_group_above_counts_too() {
        let group = ("/proc/self/cgroup", "0::/system.slice/sidecache.service\n");
        let own = (
            "/sys/fs/cgroup/system.slice/sidecache.service/memory.max",
            "max\n",
        );
        let above = ("/sys/fs/cgroup/system.slice/memory.max", "1000\n");
        assert_eq!(read(&[MEMINFO, group, own, above]), Some((1000, true)));
        let old = ("/proc/self/cgroup", "5:cpu,memory:/a/b\n4:pids:/x\n:\n\n");
        let limit = ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "7\n");
        assert_eq!(read(&[old, limit]), Some((7, true)));
    }

    #[test]
    fn names_of_the_hosts_file_have_addresses() {
        let found =
            hosts("127.0.0.1 localhost\n# 1.1.1.1 no\n10.0.0.2\tBox box.lan # me\nbad line\n\n");
        let name = |name: &str| {
            let names = found.iter().filter(|(_, known)| known == name);
            names.map(|(ip, _)| ip.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (name("box"), name("box.lan")),
            (vec!["10.0.0.2".to_owned()], vec!["10.0.0.2".to_owned()])
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn this_machine_is_known() {
        let system = System::read();
        assert!(system.memory.is_some() && (system.owns)([127, 0, 0, 1].into()));
        assert!(!(system.owns)([192, 0, 2, 1].into()));
    }
}
