//! What this process holds and what it may hold. Where the system does not say (it is not Linux), nothing is known.

use std::fs;

/// Bytes of memory that are this process's own.
pub fn held_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "RssAnon:")
}

/// Bytes of memory that the machine has, or the process's control group if that is less.
pub fn available_bytes() -> Option<u64> {
    let machine = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|max| max.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}

/// A figure of a list such as `/proc/meminfo`, in bytes.
fn kilobytes(list: &str, name: &str) -> Option<u64> {
    let line = list.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_in_bytes() {
        let list = "VmPeak:\t  9999 kB\nRssAnon:\t    1024 kB\nRssFile:\t 1 kB\n";
        assert_eq!(kilobytes(list, "RssAnon:"), Some(1 << 20));
        assert_eq!(kilobytes(list, "RssShmem:"), None);
        assert_eq!(kilobytes("RssAnon: many kB", "RssAnon:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_something_and_less_than_there_is() {
        let (held, available) = (held_bytes().unwrap(), available_bytes().unwrap());
        assert!(held > 100_000 && held < available, "{held} of {available}");
    }
}
