//! The files of one process in /proc: reading and their syntax.
//!
//! Everything here tolerates that the process ends between two reads: readers give `None` or nothing.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use events::context::Credentials;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, readlinkat, statat};

/// What is read of one file at most: argv may be 2 MiB, of which the first 64 KiB say enough.
const FILE_BOUND: usize = 65_536;

/// The numeric names in a directory, such as the pids in /proc, rising.
pub(crate) fn numbers(dir: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(crate) fn directory(at: &impl AsFd, name: &str) -> Option<OwnedFd> {
    openat(at, name, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The whole file, up to the bound, in `buffer`.
pub(crate) fn read<'b>(at: &impl AsFd, name: &str, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
    let file = openat(at, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    buffer.resize(FILE_BOUND, 0);
    let mut filled = 0;
    loop {
        let rest = buffer.get_mut(filled..)?;
        if rest.is_empty() {
            break;
        }
        match rustix::io::read(&file, rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    buffer.get(..filled)
}

/// What `stat` says of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stat {
    pub comm: Vec<u8>,
    pub ppid: u32,
    pub group: u32,
    pub session: u32,
    /// The number of its terminal's device; 0 for none.
    pub terminal: u32,
    /// Since boot, cut to clock ticks.
    pub start_ns: u64,
    /// Where the arguments are in its memory: another place after each exec. 0 when that is not to be seen.
    pub arguments_at: u64,
}

impl Stat {
    /// The comm stands in parentheses and may itself hold parentheses and blanks: it ends at the last one.
    pub fn parse(text: &[u8]) -> Option<Stat> {
        let open = text.iter().position(|b| *b == b'(')?;
        let close = text.iter().rposition(|b| *b == b')')?;
        let comm = text.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // Counted as proc(5) does: state is 3, ppid 4, pgrp 5, session 6, tty_nr 7, starttime 22, arg_start 48.
        let ppid = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let terminal = fields.next()?.parse::<i32>().ok()? as u32;
        let ticks: u64 = fields.nth(14)?.parse().ok()?;
        let arguments_at = fields.nth(25).and_then(|field| field.parse().ok()).unwrap_or_default();
        let start_ns = ticks.saturating_mul(crate::host::snapshot::tick_ns());
        Some(Stat { comm, ppid, group, session, terminal, start_ns, arguments_at })
    }
}

/// What `status` says of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Status {
    pub uid: u32,
    pub gid: u32,
    /// The innermost id of `NSpid`; kernels without pid namespaces have none.
    pub ns_pid: Option<u32>,
    /// The other ids, and the sets of capabilities; `None` where one of them is missing.
    pub credentials: Option<Credentials>,
}

impl Status {
    pub fn parse(text: &[u8]) -> Status {
        let mut status = Status::default();
        // Of users and groups the real, effective and saved ids, and those for files; capabilities in order of `SETS`.
        const SETS: [&str; 5] = ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"];
        let (mut uids, mut gids, mut sets) = (None, None, [None; SETS.len()]);
        for line in text.split(|b| *b == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((key, value)) = line.split_once(':') else { continue };
            let mut numbers = value.split_ascii_whitespace().map_while(|n| n.parse().ok());
            let four = |[real, effective, saved, files]: [Option<u32>; 4]| {
                Some((real?, [effective?, saved?, files?]))
            };
            match key {
                "Uid" => uids = four(std::array::from_fn(|_| numbers.next())),
                "Gid" => gids = four(std::array::from_fn(|_| numbers.next())),
                "NSpid" => status.ns_pid = numbers.last(),
                _ => {
                    let at = SETS.iter().position(|set| *set == key);
                    if let Some(set) = at.and_then(|at| sets.get_mut(at)) {
                        *set = u64::from_str_radix(value.trim(), 16).ok();
                    }
                }
            }
        }
        status.uid = uids.map_or(0, |(real, _)| real);
        status.gid = gids.map_or(0, |(real, _)| real);
        status.credentials = uids.zip(gids).and_then(|((_, users), (_, groups))| {
            let ([euid, suid, fsuid], [egid, sgid, fsgid]) = (users, groups);
            let [effective, permitted, inheritable, bounding, ambient] = sets;
            Some(Credentials {
                euid,
                egid,
                suid,
                sgid,
                fsuid,
                fsgid,
                effective: effective?,
                permitted: permitted?,
                inheritable: inheritable?,
                bounding: bounding?,
                ambient: ambient?,
            })
        });
        status
    }
}

/// The path in the unified hierarchy: the line of hierarchy 0.
pub(crate) fn unified(text: &[u8]) -> Option<String> {
    let line = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
    Some(String::from_utf8_lossy(line).into_owned())
}

/// The inode number in a link such as `mnt:[4026531841]`; 0 when it cannot be read.
pub(crate) fn namespace(at: &impl AsFd, name: &str) -> u32 {
    let link = readlinkat(at, name, Vec::new()).unwrap_or_default();
    let text = link.to_str().unwrap_or_default();
    text.split_once('[')
        .and_then(|(_, rest)| rest.strip_suffix(']'))
        .and_then(|n| n.parse().ok())
        .unwrap_or_default()
}

/// The running executable, without the note that /proc adds when its file is gone: events have none either.
pub(crate) fn executable(at: &impl AsFd) -> Vec<u8> {
    let mut path = readlinkat(at, "exe", Vec::new()).map(|link| link.into_bytes()).unwrap_or_default();
    if let Some(kept) = path.strip_suffix(b" (deleted)") {
        path.truncate(kept.len());
    }
    path
}

/// The working directory, without the note that /proc adds when it was removed.
pub(crate) fn working_directory(at: &impl AsFd) -> Option<Vec<u8>> {
    let mut path = readlinkat(at, "cwd", Vec::new()).ok()?.into_bytes();
    if let Some(kept) = path.strip_suffix(b" (deleted)")
        && statat(at, "cwd", AtFlags::empty()).is_ok_and(|directory| directory.st_nlink == 0)
    {
        path.truncate(kept.len());
    }
    Some(path).filter(|path| path.first() == Some(&b'/'))
}

/// The number that a file says and nothing else.
pub(crate) fn number(at: &impl AsFd, name: &str, buffer: &mut Vec<u8>) -> Option<u32> {
    std::str::from_utf8(read(at, name, buffer)?).ok()?.trim().parse().ok()
}

/// Open descriptors and what they stand for, the lowest first.
pub(crate) fn descriptors(at: &impl AsFd, bound: usize) -> Vec<(i32, Vec<u8>)> {
    let Some(dir) = directory(at, "fd") else { return Vec::new() };
    let mut fds = numbers(&dir).unwrap_or_default();
    fds.truncate(bound);
    fds.into_iter()
        .filter_map(|fd| {
            let link = readlinkat(&dir, fd.to_string(), Vec::new()).ok()?;
            Some((i32::try_from(fd).ok()?, link.into_bytes()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comm_may_hold_anything() {
        let tick = crate::host::snapshot::tick_ns();
        let line = |comm: &str| {
            format!("7 ({comm}) S 3 5 6 34816 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 420 9 10 11\n").into_bytes()
        };
        for comm in ["ls", "a b", ") S 1 (", "(sd-pam)", ""] {
            let stat = Stat::parse(&line(comm)).unwrap();
            let (group, session, terminal) = (5, 6, 34816);
            let start_ns = 420 * tick;
            let expected =
                Stat { comm: comm.into(), ppid: 3, group, session, terminal, start_ns, arguments_at: 0 };
            assert_eq!(stat, expected);
        }
        let of_self = std::fs::read("/proc/self/stat").unwrap();
        assert!(Stat::parse(&of_self).unwrap().arguments_at > 0);
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b"7 )ls( S"), None);
        assert_eq!(Stat::parse(b"7 (ls) S 3"), None);
    }

    #[test]
    fn real_ids_and_the_innermost_pid_are_read() {
        let text = b"Name:\tsh\nUid:\t1000\t0\t1\t2\nGid:\t100\t3\t4\t5\nNSpid:\t4711\t12\t1\n";
        let plain = Status { uid: 1000, gid: 100, ns_pid: Some(1), credentials: None };
        assert_eq!(Status::parse(text), plain);
        let sets = b"CapInh:\t1\nCapPrm:\t3\nCapEff:\t000001ffffffffff\nCapBnd:\t7\nCapAmb:\t0\n";
        let credentials = Some(Credentials {
            euid: 0,
            suid: 1,
            fsuid: 2,
            egid: 3,
            sgid: 4,
            fsgid: 5,
            effective: 0x1ff_ffff_ffff,
            permitted: 3,
            inheritable: 1,
            bounding: 7,
            ambient: 0,
        });
        assert_eq!(Status::parse(&[text.as_slice(), sets].concat()), Status { credentials, ..plain });
        assert_eq!(Status::parse(b"Uid:\n\xff\n:\n"), Status::default());
    }

    #[test]
    fn the_unified_path_is_found_among_the_old_hierarchies() {
        assert_eq!(unified(b"9:name=systemd:/a\n1:cpu:/b\n0::/docker/c\n").as_deref(), Some("/docker/c"));
        assert_eq!(unified(b"1:cpu:/b\n"), None);
        assert_eq!(unified(b"0::/\n").as_deref(), Some("/"));
    }
}
