//! What a capture's header says about the machine, and the names of its users.

use std::fs;

use format::{Host, User};

/// Users beyond this are known by number only.
const USERS_BOUND: usize = 65_536;

/// This machine.
pub fn host() -> Host {
    let uname = rustix::system::uname();
    let text = |t: &std::ffi::CStr| t.to_string_lossy().into_owned();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Host {
        hostname: text(uname.nodename()),
        kernel_release: text(uname.release()),
        kernel_version: text(uname.version()),
        arch: text(uname.machine()),
        boot_id: boot_id.trim().to_owned(),
        os: os_name(&release),
        cpus: online_cpus(),
        clock_ticks: u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or_default(),
    }
}

fn online_cpus() -> u32 {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    count_ranges(online.trim()).unwrap_or(1)
}

/// `0-3,8` are five.
fn count_ranges(text: &str) -> Option<u32> {
    text.split(',').try_fold(0u32, |sum, range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

fn os_name(release: &str) -> String {
    release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// The users of `/etc/passwd`, by number; of several names for one, the first counts.
pub fn users() -> Vec<User> {
    parse_users(&fs::read_to_string("/etc/passwd").unwrap_or_default())
}

fn parse_users(passwd: &str) -> Vec<User> {
    let mut users: Vec<User> = passwd
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            let uid = fields.nth(1)?.parse().ok()?;
            Some(User { uid, name: name.to_owned(), ..User::default() })
        })
        .take(USERS_BOUND)
        .collect();
    users.sort_by_key(|user| user.uid);
    users.dedup_by_key(|user| user.uid);
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_a_kernel_and_processors() {
        let host = host();
        assert!(!host.hostname.is_empty() && !host.kernel_release.is_empty() && !host.arch.is_empty());
        assert_eq!(host.boot_id.len(), 36);
        assert!(host.cpus >= 1 && host.clock_ticks >= 1);
    }

    #[test]
    fn processor_ranges_add_up() {
        assert_eq!(count_ranges("0"), Some(1));
        assert_eq!(count_ranges("0-3,8"), Some(5));
        assert_eq!((count_ranges(""), count_ranges("3-1"), count_ranges("a-b")), (None, None, None));
    }

    #[test]
    fn users_are_sorted_and_named_once() {
        let users = parse_users(
            "b:x:1000:1000::/:/bin/sh\nroot:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:\n:x:1:\nbad\n",
        );
        let names: Vec<(u32, &str)> = users.iter().map(|u| (u.uid, u.name.as_str())).collect();
        assert_eq!(names, [(0, "root"), (1000, "b")]);
    }

    #[test]
    fn the_system_is_named_as_it_names_itself() {
        assert_eq!(os_name("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
        assert_eq!(os_name(""), "");
    }
}
