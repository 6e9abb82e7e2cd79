//! The tables before the events: the machine, its processes, what their descriptors stand for, and its users.

use std::collections::BTreeMap;

use events::descriptor::{ends, is_socket};

use crate::scap::address::{Address, Tuple};
use crate::scap::{MAGIC, block as kind, descriptor};

/// What is said of the machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub host: String,
    pub cpus: u32,
}

/// A thread that was there before the first event, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Task {
    pub tid: u32,
    pub pid: u32,
    pub ppid: u32,
    pub session: u32,
    pub group: u32,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    /// Each argument followed by a NUL.
    pub argv: Vec<u8>,
    pub cwd: Vec<u8>,
    pub uid: u32,
    pub gid: u32,
    pub ns_tid: u32,
    pub ns_pid: u32,
    pub cgroup: Vec<u8>,
    pub login_uid: u32,
}

/// Appends a block: its length stands before and behind its body, which ends at a multiple of four bytes.
pub fn block(kind: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let length = (out.len() - start + 4) as u32;
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    out.extend(length.to_le_bytes());
}

/// Appends an entry that begins with its length.
fn entry(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    body(out);
    let length = (out.len() - start) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Bytes of a name that readers take.
const NAME: usize = 1023;
/// Bytes of a command line.
const LIST: usize = 4095;

fn text(text: &[u8], most: usize, out: &mut Vec<u8>) {
    let text = text.get(..most).unwrap_or(text);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend_from_slice(text);
}

/// The section and the machine.
pub fn head(machine: &Machine, out: &mut Vec<u8>) {
    block(kind::SECTION, out, |out| {
        out.extend(MAGIC.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend(2u16.to_le_bytes());
        // The length of the section is not known.
        out.extend(u64::MAX.to_le_bytes());
    });
    block(kind::MACHINE, out, |out| {
        out.extend(machine.cpus.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        // The highest pid that Linux has.
        out.extend(4_194_304u64.to_le_bytes());
        let mut name = machine.host.as_bytes().to_vec();
        name.resize(128, 0);
        if let Some(last) = name.last_mut() {
            *last = 0;
        }
        out.extend_from_slice(&name);
        out.extend([0; 32]);
    });
}

pub fn processes(tasks: &[Task], out: &mut Vec<u8>) {
    block(kind::PROCESSES[8], out, |out| {
        for task in tasks {
            entry(out, |out| process(task, out));
        }
    });
}

fn process(task: &Task, out: &mut Vec<u8>) {
    /// Of a thread that is not its process's first: it shares its process's descriptors.
    const THREAD: u32 = 1 << 13 | 1;
    for id in [task.tid, task.pid, task.ppid, task.session, task.group] {
        out.extend(u64::from(id).to_le_bytes());
    }
    let mut argv = task.argv.splitn(2, |byte| *byte == 0);
    let first = argv.next().filter(|first| !first.is_empty()).unwrap_or(&task.exe);
    text(&task.comm, NAME, out);
    text(first, NAME, out);
    text(&task.exe, NAME, out);
    text(argv.next().unwrap_or_default(), LIST, out);
    text(&task.cwd, NAME, out);
    // The limit of descriptors.
    out.extend(0u64.to_le_bytes());
    out.extend(if task.tid == task.pid { 0 } else { THREAD }.to_le_bytes());
    out.extend(task.uid.to_le_bytes());
    out.extend(task.gid.to_le_bytes());
    // Memory and faults.
    out.extend([0; 3 * 4 + 2 * 8]);
    text(b"", LIST, out);
    for (in_namespace, id) in [(task.ns_tid, task.tid), (task.ns_pid, task.pid)] {
        let id = if in_namespace == 0 { id } else { in_namespace };
        out.extend(i64::from(id).to_le_bytes());
    }
    let cgroups =
        if task.cgroup.is_empty() { Vec::new() } else { [b"memory=", &task.cgroup[..], b"\0"].concat() };
    text(&cgroups, LIST, out);
    // The root directory.
    text(b"/", NAME, out);
    out.extend(task.login_uid.to_le_bytes());
    // Whether its user may write to its executable.
    out.push(0);
}

/// Descriptors of one process.
pub fn descriptors(pid: u32, all: &BTreeMap<i32, Vec<u8>>, out: &mut Vec<u8>) {
    block(kind::DESCRIPTORS, out, |out| {
        out.extend(u64::from(pid).to_le_bytes());
        for (number, stands_for) in all {
            entry(out, |out| {
                out.extend(i64::from(*number).to_le_bytes());
                out.extend(inode(stands_for).to_le_bytes());
                descriptor(stands_for, out);
            });
        }
    });
}

/// `4711` of `pipe:[4711]`.
fn inode(stands_for: &[u8]) -> u64 {
    let number = || {
        let text = std::str::from_utf8(stands_for).ok()?;
        text.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    };
    number().unwrap_or(0)
}

fn descriptor(stands_for: &[u8], out: &mut Vec<u8>) {
    if stands_for.starts_with(b"/") {
        out.push(descriptor::FILE_V2);
        out.extend(0u32.to_le_bytes());
        text(stands_for, NAME, out);
        out.extend(0u32.to_le_bytes());
    } else if is_socket(stands_for) {
        socket(stands_for, out);
    } else {
        out.push(match stands_for {
            it if it.starts_with(b"pipe:") => descriptor::PIPE,
            b"anon_inode:[eventfd]" => descriptor::EVENT,
            b"anon_inode:[signalfd]" => descriptor::SIGNAL,
            b"anon_inode:[eventpoll]" => descriptor::POLL,
            b"anon_inode:inotify" => descriptor::INOTIFY,
            b"anon_inode:[timerfd]" => descriptor::TIMER,
            _ => descriptor::UNSUPPORTED,
        });
        text(stands_for, NAME, out);
    }
}

fn socket(stands_for: &[u8], out: &mut Vec<u8>) {
    let word = ends(stands_for).map_or(stands_for, |ends| ends.word);
    let protocol = match word {
        b"tcp" | b"mptcp" => 2,
        b"udp" | b"udplite" => 3,
        b"icmp" | b"icmpv6" => 4,
        b"raw" => 5,
        _ => 0,
    };
    let tuple = Tuple::of_descriptor(stands_for);
    let mut written = Vec::new();
    tuple.write(&mut written);
    match (&tuple.source, &tuple.destination) {
        _ if word == b"unix" => {
            out.push(descriptor::UNIX);
            out.extend([0; 16]);
            let name = match tuple.destination.or(tuple.source) {
                Some(Address::Unix(name)) => name,
                _ => Vec::new(),
            };
            text(&name, NAME, out);
        }
        (Some(Address::Inet(local)), None) => {
            let is_v4 = local.is_ipv4();
            out.push(if is_v4 { descriptor::IPV4_LISTENING } else { descriptor::IPV6_LISTENING });
            // Behind the family, address and port.
            out.extend(written.get(1..if is_v4 { 7 } else { 19 }).unwrap_or_default());
            out.push(protocol);
        }
        (Some(Address::Inet(_)), _) | (_, Some(Address::Inet(_))) => {
            let ends = written.get(1..).unwrap_or_default();
            let is_v4 = ends.len() == 12;
            out.push(if is_v4 { descriptor::IPV4 } else { descriptor::IPV6 });
            // Addresses first, then ports.
            let (source, destination) = ends.split_at(ends.len() / 2);
            for end in [source, destination] {
                out.extend(end.get(..end.len() - 2).unwrap_or_default());
            }
            for end in [source, destination] {
                out.extend(end.get(end.len() - 2..).unwrap_or_default());
            }
            out.push(protocol);
        }
        _ => {
            out.push(if word == b"netlink" { descriptor::NETLINK } else { descriptor::UNSUPPORTED });
            text(stands_for, NAME, out);
        }
    }
}

pub fn users(users: &[(u32, String)], out: &mut Vec<u8>) {
    block(kind::USERS, out, |out| {
        for (uid, name) in users {
            entry(out, |out| {
                // A user; its group, home and shell are not known.
                out.push(0);
                out.extend(uid.to_le_bytes());
                out.extend(u32::MAX.to_le_bytes());
                text(name.as_bytes(), 255, out);
                text(b"", NAME, out);
                text(b"", NAME, out);
            });
        }
    });
}
