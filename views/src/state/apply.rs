//! What each event does to the state of its boot.

use std::sync::Arc;

use events::{Context, Event, Marks, Raw, descriptor};
use format::facts::{Actor, FactChange, FactSet};
use pipeline::stage::Told;

use super::deeds::{self, Deed};
use super::files::{Descriptor, OpenFile};
use super::{Boot, PathTold, Process, Since};

const CLONE_FILES: u64 = 0x400;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_NEWNS: u64 = 0x20000;
const O_CLOEXEC: u64 = 0o2_000_000;
const AT_FDCWD: i32 = -100;
const CLOSE_RANGE_UNSHARE: u64 = 2;
const CLOSE_RANGE_CLOEXEC: u64 = 4;
pub(super) const F_DUPFD: u64 = 0;
pub(super) const F_SETFD: u64 = 2;
pub(super) const F_DUPFD_CLOEXEC: u64 = 1030;
pub(super) const FIOCLEX: u64 = 0x5451;
pub(super) const FIONCLEX: u64 = 0x5450;
/// Threads of which a hook has said something that no call has taken yet: more than run at one time.
const MOST_TOLD: usize = 1 << 16;

/// How a call's flags say that an exec closes what it gives.
fn closes_on_exec(call: &str, flags: Option<u64>) -> Option<bool> {
    let bit = match call {
        "memfd_create" | "fanotify_init" | "fsopen" | "fsmount" | "fspick" => 1,
        "perf_event_open" => 8,
        "pidfd_open" | "pidfd_getfd" | "io_uring_setup" | "landlock_create_ruleset" | "bpf" => {
            return Some(true);
        }
        "creat" | "epoll_create" | "eventfd" | "inotify_init" | "signalfd" | "pipe" | "accept" | "dup"
        | "dup2" => return Some(false),
        _ => O_CLOEXEC,
    };
    flags.map(|flags| flags & bit != 0)
}

/// What calls give that always has the same name.
fn named(call: &str) -> Option<&'static [u8]> {
    Some(match call {
        "epoll_create" | "epoll_create1" => b"anon_inode:[eventpoll]",
        "eventfd" | "eventfd2" => b"anon_inode:[eventfd]",
        "timerfd_create" => b"anon_inode:[timerfd]",
        "signalfd" | "signalfd4" => b"anon_inode:[signalfd]",
        "inotify_init" | "inotify_init1" => b"anon_inode:inotify",
        "userfaultfd" => b"anon_inode:[userfaultfd]",
        "io_uring_setup" => b"anon_inode:[io_uring]",
        _ => return None,
    })
}

/// The number of flags that stand in a register, or at the beginning of a structure.
fn flags_of(raw: Raw<'_>) -> Option<u64> {
    match raw {
        Raw::Number(number) => Some(number),
        Raw::Bytes(bytes) => bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        Raw::Missing => None,
    }
}

fn bytes<'a>(row: &Told<'a>, at: usize) -> Option<&'a [u8]> {
    match row.arg(at) {
        Raw::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn number(row: &Told<'_>, at: usize) -> Option<u64> {
    flags_of(row.arg(at))
}

/// A descriptor's number, and what the kernel said that it stands for.
fn descriptor_of<'a>(row: &Told<'a>, at: usize) -> Option<(i32, Option<&'a [u8]>)> {
    let (number, text) = row.arg(at).descriptor()?;
    Some((number as i32, Some(text).filter(|text| !text.is_empty())))
}

impl Boot {
    pub(super) fn apply(&mut self, deed: Deed, event: &'static Event, row: &Told<'_>, context: &Context<'_>) {
        // Whoever runs when a packet comes has nothing to do with the connection, and may have ended already.
        if let Deed::Connection { new, local, remote, protocol, cookie } = deed {
            return self.connections.tell(
                number(row, new),
                bytes(row, local),
                bytes(row, remote),
                number(row, protocol),
                number(row, cookie),
            );
        }
        let wall_ns = row.wall_ns();
        if let Deed::Unshare { flags } = deed
            && row.ret() >= 0
            && row.number(flags).unwrap_or_default() & CLONE_NEWNS != 0
            && let Some(process) = self.processes.get_mut(&context.pid)
        {
            // What its context says from here on is a copy of what it was in.
            (process.has_new_mounts, process.context_name) = (true, None);
        }
        let Some(process) = self.process(context, row) else { return };
        let (table, tid) = (process.table, context.tid);
        if !matches!(deed, Deed::Close { .. } | Deed::Directory { .. }) {
            self.uses(event, row, table, context.pid);
        }
        match deed {
            Deed::Fork { pid, tid, ns_pid, start, flags } => {
                let (Some(pid), Some(start)) = (row.number(pid), row.number(start)) else { return };
                // A new thread is no process.
                if row.number(tid).is_none_or(|tid| tid as u32 == pid as u32) {
                    let ns_pid = row.number(ns_pid).unwrap_or(pid);
                    let flags = row.number(flags).unwrap_or_default();
                    let began_ns = start.wrapping_sub(row.boot_ns()) as i64;
                    let began = (wall_ns, wall_ns.saturating_add(began_ns));
                    self.fork(context.pid, pid as u32, ns_pid as u32, start, flags, began);
                }
            }
            Deed::Exec { argv } => {
                let table = self.descriptors.unshare(table);
                self.descriptors.exec(table);
                if let Some(process) = self.processes.get_mut(&context.pid) {
                    process.table = table;
                    process.argv = bytes(row, argv).map(Arc::from);
                    process.comm = context.comm.into();
                }
            }
            Deed::Exit { whole } => {
                self.told.remove(&tid);
                // A thread that ends alone ends no process.
                if row.number(whole).map_or(context.pid == tid, |whole| whole != 0) {
                    self.end(context.pid);
                }
            }
            Deed::Told { path, call } => {
                if let Some(path) = bytes(row, path)
                    && (self.told.len() < MOST_TOLD || self.told.contains_key(&tid))
                {
                    let call = bytes(row, call).map(<[u8]>::to_vec);
                    self.told.insert(tid, PathTold { call, path: path.to_vec() });
                }
            }
            _ if row.ret() < 0 || row.marks().has(Marks::UNDONE) => {
                self.told.remove(&tid);
            }
            Deed::Unshare { flags } => {
                let flags = row.number(flags).unwrap_or_default();
                if flags & CLONE_FILES != 0 {
                    let table = self.descriptors.unshare(table);
                    if let Some(process) = self.processes.get_mut(&context.pid) {
                        process.table = table;
                    }
                }
            }
            Deed::Directory { fd } => {
                // A hook that saw it has said which one it is already.
                if self.told_of(event, tid).is_none() {
                    let of_descriptor = fd.and_then(|fd| descriptor_of(row, fd)?.1);
                    self.change(&FactChange::Directory(of_descriptor.map(Arc::from)), context);
                }
            }
            Deed::Mount { source, target, kind, flags } => {
                let told = self.told_of(event, tid);
                let target = told.as_deref().or(bytes(row, target));
                let flags = row.number(flags).unwrap_or_default();
                let since = Since::At(wall_ns);
                let mounts = &mut self.mounts;
                mounts.mount(context.mnt_ns, bytes(row, source), target, bytes(row, kind), flags, since);
            }
            Deed::Unmount { target } => {
                let told = self.told_of(event, tid);
                self.mounts.unmount(context.mnt_ns, told.as_deref().or(bytes(row, target)));
            }
            Deed::MoveMount { to } => {
                let since = Since::At(wall_ns);
                self.mounts.mount(context.mnt_ns, None, bytes(row, to), None, 0, since);
            }
            Deed::PivotRoot => self.mounts.pivot(context.mnt_ns),
            Deed::Refresh | Deed::Use | Deed::Connection { .. } => {}
            of_files => self.descriptor(of_files, event, row, table, tid),
        }
    }

    /// The path that a hook said in the call that returns. Other calls open files, too (`execve`, `acct`): what hooks said in
    /// those is not this one's.
    fn told_of(&mut self, event: &Event, tid: u32) -> Option<Vec<u8>> {
        let told = self.told.remove(&tid)?;
        let is_its = told.call.is_none_or(|call| call == event.name.as_bytes());
        is_its.then_some(told.path)
    }

    /// Brings facts forward by a row.
    pub(super) fn follow(&mut self, row: &Told<'_>, context: &Context<'_>) {
        let change = FactChange::of(row.event, row.ret(), row.marks(), &|position| row.arg(position));
        if let Some(change) = change
            && self.process(context, row).is_some()
        {
            self.change(&change, context);
        }
    }

    fn change(&mut self, change: &FactChange, context: &Context<'_>) {
        let actor = Actor::of(context);
        self.ns_pids.learn(actor.pid_ns, actor.ns_pid, actor.pid);
        let (processes, followed) = (&mut self.processes, self.followed.unwrap_or(FactSet::ALL));
        change.apply(actor, &self.ns_pids, &mut |pid, change| {
            if let Some(process) = processes.get_mut(&pid) {
                change(&mut process.facts);
                process.facts.keep(followed);
            }
        });
    }

    fn fork(
        &mut self,
        parent: u32,
        pid: u32,
        ns_pid: u32,
        start_ns: u64,
        flags: u64,
        (wall_ns, start_wall_ns): (i64, i64),
    ) {
        let is_known =
            |it: &Process| super::process::same_start(it.start_ns, start_ns) && it.since == Since::Before;
        if self.processes.get(&pid).is_some_and(is_known) || !self.has_room() {
            return;
        }
        self.end(pid);
        let Some(of) = self.processes.get_mut(&parent) else { return };
        let is_kernel_thread = of.is_kernel_thread();
        let facts = of.facts.fork(flags, is_kernel_thread);
        let of = of.clone();
        self.ns_pids.learn(of.pid_ns, ns_pid, pid);
        let table = self.descriptors.fork(of.table, flags & CLONE_FILES != 0);
        let entity = if flags & CLONE_PARENT != 0 { of.parent } else { of.context().process() };
        let child = Process {
            pid,
            ns_pid,
            start_ns,
            facts,
            parent: entity,
            since: Since::At(wall_ns),
            start_wall_ns: Some(start_wall_ns),
            table,
            context_name: None,
            has_new_mounts: flags & CLONE_NEWNS != 0,
            ..of
        };
        self.processes.insert(pid, child);
    }

    /// What a call's descriptors stand for is as the kernel had it at its exit.
    fn uses(&mut self, event: &'static Event, row: &Told<'_>, table: u64, pid: u32) {
        for at in deeds::descriptors(event) {
            match descriptor_of(row, at) {
                Some((AT_FDCWD, Some(directory))) => {
                    let is_other = |it: &Process| it.facts.cwd.as_deref() != Some(directory);
                    if self.processes.get(&pid).is_some_and(is_other)
                        && let Some(context) = row.context()
                    {
                        self.change(&FactChange::Directory(Some(directory.into())), &context);
                    }
                }
                Some((fd, Some(what))) if fd >= 0 => {
                    self.descriptors.use_of(table, fd, what, row.wall_ns());
                }
                _ => {}
            }
        }
    }

    /// A call that changes which descriptors there are, and succeeded.
    fn descriptor(&mut self, deed: Deed, event: &'static Event, row: &Told<'_>, table: u64, tid: u32) {
        let (ret, since, call) = (row.ret(), Since::At(row.wall_ns()), event.name);
        let given = i32::try_from(ret).ok().filter(|fd| *fd >= 0);
        let told = self.told_of(event, tid);
        let give = |file: OpenFile, flags: Option<usize>| {
            let flags = flags.and_then(|flags| number(row, flags));
            Descriptor::new(OpenFile { by: Some(call), ..file }, closes_on_exec(call, flags))
        };
        match deed {
            Deed::Open { path, flags } => {
                let Some(fd) = given else { return };
                // A path that is not absolute names no file by itself: what it is is seen at the first use.
                let asked = bytes(row, path).filter(|path| path.first() == Some(&b'/'));
                let file = OpenFile::new(told.as_deref().or(asked), Some(call), fd, since);
                let file = OpenFile { flags: flags.and_then(|flags| number(row, flags)), ..file };
                self.descriptors.put(table, fd, give(file, flags));
            }
            Deed::Close { fd } => {
                if let Some((fd, _)) = descriptor_of(row, fd) {
                    self.descriptors.close(table, fd);
                }
            }
            Deed::CloseRange { first, last, flags } => {
                let (Some(first), Some(last)) = (row.number(first), row.number(last)) else { return };
                let flags = row.number(flags).unwrap_or_default();
                let (first, last) = (first as u32, last as u32);
                let own =
                    if flags & CLOSE_RANGE_UNSHARE != 0 { self.descriptors.unshare(table) } else { table };
                self.processes.values_mut().filter(|_| own != table).for_each(|process| {
                    if process.table == table && row.context().is_some_and(|it| it.pid == process.pid) {
                        process.table = own;
                    }
                });
                if flags & CLOSE_RANGE_CLOEXEC != 0 {
                    self.descriptors.each_of(own, first, last, |it| it.closes_on_exec = Some(true));
                } else {
                    self.descriptors.close_range(own, first, last);
                }
            }
            Deed::Duplicate { old, flags } => {
                let old = descriptor_of(row, old);
                let flags = flags.and_then(|flags| number(row, flags));
                self.duplicate(table, old, given, closes_on_exec(call, flags), row);
            }
            Deed::Control { fd, command, value } => {
                let Some(old) = descriptor_of(row, fd) else { return };
                match number(row, command) {
                    Some(F_DUPFD) => self.duplicate(table, Some(old), given, Some(false), row),
                    Some(F_DUPFD_CLOEXEC) => self.duplicate(table, Some(old), given, Some(true), row),
                    Some(F_SETFD) => {
                        let closes = number(row, value).map(|value| value & 1 != 0);
                        self.set_closing(table, old.0, closes);
                    }
                    _ => {}
                }
            }
            Deed::Ioctl { fd, request } => {
                let closes = match number(row, request) {
                    Some(FIOCLEX) => Some(true),
                    Some(FIONCLEX) => Some(false),
                    _ => return,
                };
                if let Some((fd, _)) = descriptor_of(row, fd) {
                    self.set_closing(table, fd, closes);
                }
            }
            Deed::Socket { domain, kind, protocol } => {
                let Some(fd) = given else { return };
                let [domain, socket, protocol] = [domain, kind, protocol].map(|at| number(row, at));
                let file = OpenFile::new(word(domain, socket, protocol), Some(call), fd, since);
                self.descriptors.put(table, fd, give(file, Some(kind)));
            }
            Deed::Pair { at, flags } => {
                let Some(both) = bytes(row, at) else { return };
                for end in both.chunks_exact(4).take(2).filter_map(|end| end.first_chunk()) {
                    let fd = i32::from_le_bytes(*end);
                    let file = OpenFile::new(None, Some(call), fd, since);
                    self.descriptors.put(table, fd, give(file, flags));
                }
            }
            Deed::Accept { fd, flags, .. } => {
                let Some(new) = given else { return };
                // The kind is the listener's. Its ends are seen at the first use.
                let listener = descriptor_of(row, fd).and_then(|(_, text)| text);
                let kind = listener.and_then(|text| text.split(|byte| *byte == b' ').next());
                self.descriptors.put(table, new, give(OpenFile::new(kind, Some(call), new, since), flags));
            }
            Deed::Listen { fd } => {
                if let Some((fd, _)) = descriptor_of(row, fd)
                    && let Some(known) = self.descriptors.get(table, fd)
                {
                    known.file.listens.set(true);
                }
            }
            Deed::Gives { flags, name } => {
                let Some(fd) = given else { return };
                let memory =
                    if call == "memfd_create" { name.and_then(|name| bytes(row, name)) } else { None };
                let memory = memory.map(|name| [b"memfd:", name].concat());
                let file = OpenFile::new(memory.as_deref().or(named(call)), Some(call), fd, since);
                self.descriptors.put(table, fd, give(file, flags));
            }
            _ => {}
        }
    }

    fn set_closing(&mut self, table: u64, fd: i32, closes: Option<bool>) {
        if let Some(known) = self.descriptors.get_mut(table, fd) {
            known.closes_on_exec = closes;
        }
    }

    fn duplicate(
        &mut self,
        table: u64,
        old: Option<(i32, Option<&[u8]>)>,
        new: Option<i32>,
        closes_on_exec: Option<bool>,
        row: &Told<'_>,
    ) {
        let Some(((old, what), new)) = old.zip(new) else { return };
        if old == new {
            return;
        }
        let copy = match self.descriptors.get(table, old) {
            Some(known) => Descriptor { closes_on_exec, ..known.clone() },
            None => {
                let file = OpenFile::new(what, None, old, Since::Seen(row.wall_ns()));
                Descriptor::new(file, closes_on_exec)
            }
        };
        self.descriptors.put(table, new, copy);
    }
}

/// The word for a new socket, as far as it says what kind it is.
fn word(domain: Option<u64>, kind: Option<u64>, protocol: Option<u64>) -> Option<&'static [u8]> {
    const AF_UNIX: u64 = 1;
    const AF_INET: u64 = 2;
    const AF_INET6: u64 = 10;
    const AF_NETLINK: u64 = 16;
    let word: &str = match (domain?, kind? & 0xf, protocol?) {
        (AF_UNIX, ..) => "unix",
        (AF_NETLINK, ..) => "netlink",
        (AF_INET | AF_INET6, 1, 0 | 6) => "tcp",
        (AF_INET | AF_INET6, 2, 0 | 17) => "udp",
        _ => return None,
    };
    descriptor::SOCKETS.iter().find(|known| **known == word).map(|word| word.as_bytes())
}
