//! Who reads what this program prints: the processes behind its pipe, and those that draw its terminal. What they do is
//! caused by what is shown, and shown it would cause more of it.
//!
//! ```text
//! tracer --pipe--> grep --pty--> tmux --pty--> sshd            all three are left out
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// As many as the kernel programs can leave out beside the recorder itself.
const MOST: usize = 15;

/// An end of a pipe or a terminal, by which one process feeds another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Channel {
    /// By inode.
    Pipe(u64),
    /// By number.
    Terminal(u32),
}

/// An open descriptor that matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Open {
    pid: u32,
    fd: u32,
    channel: Channel,
    /// What is written into the channel comes out here.
    reads: bool,
}

/// The processes that read what this one prints, and those that read what they print, nearest first.
pub fn onlookers() -> Vec<u32> {
    find(std::process::id(), &descriptors(Path::new("/proc")))
}

fn find(own: u32, all: &[Open]) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut known: BTreeSet<Channel> = BTreeSet::new();
    let mut next = 0;
    let mut pid = own;
    loop {
        let holds_master = all.iter().any(|it| it.pid == pid && it.reads && is_terminal(&it.channel));
        // What holds the other end of terminals prints on a terminal that it may have anywhere.
        let prints = |it: &&Open| {
            it.pid == pid && !it.reads && (matches!(it.fd, 1 | 2) || holds_master && is_terminal(&it.channel))
        };
        let channels: Vec<Channel> = all.iter().filter(prints).map(|it| it.channel.clone()).collect();
        for channel in channels.into_iter().filter(|channel| known.insert(channel.clone())) {
            for reader in all.iter().filter(|it| it.reads && it.channel == channel) {
                if reader.pid != own && reader.pid != 1 && !found.contains(&reader.pid) {
                    found.push(reader.pid);
                }
            }
        }
        match found.get(next) {
            Some(reader) if next < MOST => pid = *reader,
            _ => break,
        }
        next += 1;
    }
    found.truncate(MOST);
    found
}

fn is_terminal(channel: &Channel) -> bool {
    matches!(channel, Channel::Terminal(_))
}

/// Pipes and terminals that processes have open. One that ends meanwhile, or may not be looked at, has none.
fn descriptors(proc: &Path) -> Vec<Open> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut all = Vec::new();
    for pid in pids {
        let folder = proc.join(pid.to_string());
        let Ok(entries) = fs::read_dir(folder.join("fd")) else { continue };
        for entry in entries.flatten() {
            let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let info = || fs::read_to_string(folder.join("fdinfo").join(fd.to_string())).unwrap_or_default();
            if let Some((channel, reads)) = channel(&target.to_string_lossy(), &info) {
                all.push(Open { pid, fd, channel, reads });
            }
        }
    }
    all
}

/// What a descriptor is an end of, and whether it is the end that reads.
fn channel(target: &str, info: &dyn Fn() -> String) -> Option<(Channel, bool)> {
    let field = |name: &str| {
        info().lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    if let Some(inode) = target.strip_prefix("pipe:[") {
        let inode = inode.strip_suffix(']')?.parse().ok()?;
        let flags = u32::from_str_radix(&field("flags:")?, 8).ok()?;
        return Some((Channel::Pipe(inode), flags & 3 == 0));
    }
    if let Some(number) = target.strip_prefix("/dev/pts/").and_then(|number| number.parse().ok()) {
        return Some((Channel::Terminal(number), false));
    }
    if target == "/dev/ptmx" || target == "/dev/pts/ptmx" {
        return Some((Channel::Terminal(field("tty-index:")?.parse().ok()?), true));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(pid: u32, fd: u32, channel: Channel, reads: bool) -> Open {
        Open { pid, fd, channel, reads }
    }

    #[test]
    fn readers_are_found_through_pipes_and_terminals() {
        use Channel::{Pipe, Terminal};
        let all = [
            // tracer | grep on terminal 3, which tmux draws on terminal 1, which sshd reads.
            open(10, 1, Pipe(7), false),
            open(10, 2, Terminal(3), false),
            open(11, 0, Pipe(7), true),
            open(11, 1, Terminal(3), false),
            open(20, 8, Terminal(3), true),
            open(20, 9, Terminal(4), true),
            open(20, 5, Terminal(1), false),
            open(30, 4, Terminal(1), true),
            // Others on the same and on another terminal, and a pipe of the shell's.
            open(40, 1, Terminal(4), false),
            open(41, 1, Terminal(3), false),
            open(42, 0, Pipe(8), true),
        ];
        let mut found = find(10, &all);
        found.sort_unstable();
        assert_eq!(found, [11, 20, 30]);
        assert_eq!(find(42, &all), [0; 0]);
    }

    #[test]
    fn descriptors_are_told_by_their_links() {
        let info = || "pos:\t0\nflags:\t0100001\ntty-index:\t12\n".to_owned();
        assert_eq!(channel("pipe:[4711]", &info), Some((Channel::Pipe(4711), false)));
        assert_eq!(channel("/dev/pts/4", &info), Some((Channel::Terminal(4), false)));
        assert_eq!(channel("/dev/pts/ptmx", &info), Some((Channel::Terminal(12), true)));
        assert_eq!(channel("/dev/null", &info), None);
    }

    #[test]
    fn a_child_that_reads_our_pipe_is_seen_in_proc() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = std::process::Command::new("cat").stdin(reader).spawn().unwrap();
        let all = descriptors(Path::new("/proc"));
        let read = all.iter().find(|it| it.pid == child.id() && it.fd == 0).cloned();
        drop(writer);
        child.wait().unwrap();
        let read = read.expect("cat's standard input");
        let matches = |it: &&Open| it.pid == std::process::id() && it.channel == read.channel && !it.reads;
        assert!(read.reads && all.iter().any(|it| matches(&it)), "{all:?}");
    }
}
