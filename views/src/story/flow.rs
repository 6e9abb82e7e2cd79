//! What goes from one thing to another in an event.

use events::{ArgKind, Context, Event, EventId, Marks, Raw, catalogue};
use hashbrown::HashMap;
use pipeline::Source;
use pipeline::stage::{Reads, Told};
use scopes::thing::file;

use super::thing::{How, Place, Thing};
use crate::known::Who;

/// From the first to the second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    pub from: Thing,
    pub to: Thing,
    pub how: How,
    /// Bytes that went, where the event says it.
    pub bytes: u64,
}

/// What stands at an end of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The process that the event is of.
    Own,
    /// What a descriptor stands for.
    Fd(usize),
    /// A path, and the descriptor of the directory that it is relative to.
    Path(usize, Option<usize>),
    /// A process by its pid.
    Pid(usize),
    /// A process by its pid and its start.
    Child(usize, usize),
}

/// When an event counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    Always,
    /// The call succeeded.
    Done,
    /// It moved bytes: its result is how many.
    Moved,
    /// It opened something that it may change: the flags are this argument.
    Creates(usize),
    /// A signal that somebody sent: the argument is which. That a child ended is no deed of its own.
    Sent(usize),
    /// It maps what it may run or read: prot and flags.
    Maps(usize, usize),
    /// It changes the traced process: the request.
    Traces(usize),
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    from: End,
    to: End,
    how: How,
    when: When,
}

/// The rules of all events, and the processes by their pids.
#[derive(Debug)]
pub struct Flows<'a> {
    source: &'a Source,
    rules: HashMap<EventId, (&'static Event, Vec<Rule>)>,
    /// Starts of the processes of each pid of a boot, rising: who a number meant at a time.
    lives: HashMap<(usize, u32), Vec<u64>>,
}

const READERS: &[&str] =
    &["read", "pread64", "readv", "preadv", "preadv2", "recvfrom", "recvmsg", "recvmmsg"];
const WRITERS: &[&str] =
    &["write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "vmsplice"];
/// Change what a descriptor stands for and return 0.
const CHANGERS: &[&str] = &["ftruncate", "fallocate"];

fn rules(event: &Event) -> Vec<Rule> {
    let at = |name: &str| event.arg(name).map_or(usize::MAX, |(at, _)| at);
    let maybe = |name: &str| event.arg(name).map(|(at, _)| at);
    let first_fd = || event.args.iter().position(|arg| arg.kind == ArgKind::Fd).unwrap_or(usize::MAX);
    let rule = |from, to, how, when| Rule { from, to, how, when };
    let own = End::Own;
    let path = |name: &str, directory: &str| End::Path(at(name), maybe(directory));
    match event.name {
        name if READERS.contains(&name) => vec![rule(End::Fd(first_fd()), own, How::Reads, When::Moved)],
        name if WRITERS.contains(&name) => vec![rule(own, End::Fd(first_fd()), How::Writes, When::Moved)],
        name if CHANGERS.contains(&name) => vec![rule(own, End::Fd(first_fd()), How::Writes, When::Done)],
        "sendfile" => moved(End::Fd(at("in_fd")), End::Fd(at("out_fd"))),
        "splice" | "tee" | "copy_file_range" => moved(End::Fd(at("fd_in")), End::Fd(at("fd_out"))),
        "truncate" => vec![rule(own, path("path", ""), How::Writes, When::Done)],
        "security_file_open" => {
            let when = When::Creates(at("flags"));
            vec![
                rule(own, path("pathname", ""), How::OpensToWrite, when),
                rule(path("pathname", ""), own, How::Opens, when),
            ]
        }
        "security_mmap_file" => {
            let when = When::Maps(at("prot"), at("mmap_flags"));
            vec![
                rule(path("pathname", ""), own, How::Maps, when),
                rule(own, path("pathname", ""), How::Writes, when),
            ]
        }
        "sched_process_fork" => {
            vec![rule(own, End::Child(at("child_pid"), at("start_time")), How::Forks, When::Always)]
        }
        "sched_process_exec" => vec![
            rule(path("pathname", ""), own, How::Executes, When::Always),
            // A script is not what runs, and decides what does.
            rule(path("cmdpath", ""), own, How::Executes, When::Always),
        ],
        "security_inode_rename" => vec![
            rule(path("old_path", ""), path("new_path", ""), How::Renamed, When::Always),
            rule(own, path("new_path", ""), How::Renames, When::Always),
        ],
        "security_inode_symlink" => vec![
            rule(path("target", ""), path("linkpath", ""), How::Linked, When::Always),
            rule(own, path("linkpath", ""), How::Links, When::Always),
        ],
        "link" => vec![
            rule(path("oldpath", ""), path("newpath", ""), How::Linked, When::Done),
            rule(own, path("newpath", ""), How::Links, When::Done),
        ],
        "linkat" => vec![
            rule(path("oldpath", "olddirfd"), path("newpath", "newdirfd"), How::Linked, When::Done),
            rule(own, path("newpath", "newdirfd"), How::Links, When::Done),
        ],
        "security_inode_unlink" => vec![rule(own, path("pathname", ""), How::Removes, When::Always)],
        "chmod" | "chown" | "lchown" => vec![rule(own, path("pathname", ""), How::ChangesMode, When::Done)],
        "fchmodat" | "fchmodat2" | "fchownat" => {
            vec![rule(own, path("pathname", "dirfd"), How::ChangesMode, When::Done)]
        }
        "fchmod" | "fchown" => vec![rule(own, End::Fd(first_fd()), How::ChangesMode, When::Done)],
        "connect" => vec![rule(own, End::Fd(first_fd()), How::Connects, When::Always)],
        "signal_generate" => vec![rule(own, End::Pid(at("target_pid")), How::Signals, When::Sent(at("sig")))],
        "ptrace" => vec![rule(own, End::Pid(at("pid")), How::Traces, When::Traces(at("request")))],
        "process_vm_writev" => vec![rule(own, End::Pid(at("pid")), How::WritesMemory, When::Moved)],
        "process_vm_readv" => vec![rule(End::Pid(at("pid")), own, How::ReadsMemory, When::Moved)],
        _ => Vec::new(),
    }
}

/// From one descriptor to another, through who does it.
fn moved(from: End, to: End) -> Vec<Rule> {
    let rule = |from, to, how| Rule { from, to, how, when: When::Moved };
    vec![rule(from, End::Own, How::Reads), rule(End::Own, to, How::Writes)]
}

impl<'a> Flows<'a> {
    /// `lives`: pids of boots with the starts of their processes.
    pub fn new(source: &'a Source, lives: impl Iterator<Item = (usize, u32, u64)>) -> Flows<'a> {
        let known = catalogue::events().map(|event| (event.id, (event, rules(event))));
        let rules = known.filter(|(_, (_, rules))| !rules.is_empty()).collect();
        let mut starts: HashMap<(usize, u32), Vec<u64>> = HashMap::new();
        for (boot, pid, start_ns) in lives {
            starts.entry((boot, pid)).or_default().push(start_ns);
        }
        starts.values_mut().for_each(|starts| starts.sort_unstable());
        Flows { source, rules, lives: starts }
    }

    /// What it is to be told.
    pub fn reads(&self) -> Vec<Reads> {
        let mut reads: Vec<Reads> = self
            .rules
            .values()
            .map(|(event, rules)| {
                let mut args: Vec<usize> = rules.iter().flat_map(|rule| rule.args()).collect();
                args.retain(|at| *at < event.args.len());
                args.sort_unstable();
                args.dedup();
                Reads { event: event.id, args, contexts: true, results: true, only: None, descriptors: None }
            })
            .collect();
        reads.sort_by_key(|reads| reads.event);
        reads
    }

    /// Adds what goes from one to another in a row, causes first.
    pub fn of(&self, row: &Told<'_>, flows: &mut Vec<Flow>) {
        let Some((_, rules)) = self.rules.get(&row.event) else { return };
        let Some(context) = row.context() else { return };
        if context.pid == 0 || row.marks().has(Marks::NO_CONTEXT | Marks::UNDONE) {
            return;
        }
        for rule in rules {
            let Some(bytes) = rule.counts(row) else { continue };
            let ends = self.end(rule.from, row, &context).zip(self.end(rule.to, row, &context));
            let Some((from, to)) = ends.filter(|(from, to)| from != to) else { continue };
            let how = match (rule.how, &from, &to) {
                (How::Reads, Thing::Connection(_) | Thing::Channel(..), _) => How::Receives,
                (How::Writes, _, Thing::Connection(_) | Thing::Channel(..)) => How::Sends,
                (how, ..) => how,
            };
            let flow = Flow { from, to, how, bytes };
            if !flows.contains(&flow) {
                flows.push(flow);
            }
        }
    }

    fn end(&self, end: End, row: &Told<'_>, context: &Context<'_>) -> Option<Thing> {
        let boot = row.boot();
        let place = || Place { boot, container: self.container(row, context.cgroup_id) };
        match end {
            End::Own => Some(Thing::Process(Who::of(boot, context))),
            End::Fd(at) => {
                let (_, text) = row.arg(at).descriptor()?;
                Thing::of_descriptor(place(), text)
            }
            End::Path(at, directory) => {
                let Raw::Bytes(path) = row.arg(at) else { return None };
                let directory = directory.and_then(|at| row.arg(at).descriptor());
                let directory = directory.map_or(&b""[..], |(_, stands_for)| stands_for);
                Thing::file(place(), &file::of_path(path, directory))
            }
            End::Pid(at) => {
                // A pid that a task in a pid namespace gave is not the host's.
                let is_hosts =
                    context.pid == context.ns_pid || row.event == catalogue::process::SIGNAL_GENERATE;
                let pid = u32::try_from(row.number(at)? as i64).ok().filter(|pid| *pid != 0 && is_hosts)?;
                let starts = self.lives.get(&(boot, pid))?;
                let known = starts.partition_point(|start| *start <= row.boot_ns());
                Some(Thing::Process(Who::new(boot, pid, *starts.get(known.checked_sub(1)?)?)))
            }
            End::Child(pid, start) => {
                let (pid, start) = (row.number(pid)? as u32, row.number(start)?);
                // A new thread is no process.
                (pid != context.pid).then(|| Thing::Process(Who::new(boot, pid, start)))
            }
        }
    }

    fn container(&self, row: &Told<'_>, cgroup: u64) -> u64 {
        let host = self.source.files().get(row.file()).and_then(|file| file.host(row.host()));
        let is_in = host.is_some_and(|host| host.containers().get(cgroup).is_some());
        if is_in { cgroup } else { 0 }
    }
}

impl Rule {
    fn args(self) -> impl Iterator<Item = usize> {
        let of = |end: End| match end {
            End::Own => [None, None],
            End::Fd(at) | End::Pid(at) => [Some(at), None],
            End::Path(at, directory) => [Some(at), directory],
            End::Child(pid, start) => [Some(pid), Some(start)],
        };
        let asked = match self.when {
            When::Creates(at) | When::Traces(at) | When::Sent(at) => [Some(at), None],
            When::Maps(prot, flags) => [Some(prot), Some(flags)],
            When::Always | When::Done | When::Moved => [None, None],
        };
        of(self.from).into_iter().chain(of(self.to)).chain(asked).flatten()
    }

    /// Bytes that went, if anything did.
    fn counts(self, row: &Told<'_>) -> Option<u64> {
        const O_ACCMODE: u64 = 3;
        const O_CREAT: u64 = 0o100;
        const O_TRUNC: u64 = 0o1000;
        const SIGCHLD: u64 = 17;
        const PROT_WRITE: u64 = 2;
        const MAP_SHARED: u64 = 1;
        // What only asks, or ends: the tracer takes nothing from it and changes nothing.
        const PTRACE_QUIET: &[u64] = &[0, 1, 2, 3, 7, 12, 17];
        let ret = row.ret();
        match self.when {
            When::Always => Some(0),
            When::Done => (ret >= 0).then_some(0),
            When::Moved => (ret > 0).then_some(ret as u64),
            When::Creates(flags) => {
                // Hooks are told the flags without those that only say how to open.
                let flags = row.number(flags)?;
                let creates = flags & (O_CREAT | O_TRUNC) != 0 || flags & O_ACCMODE != 0;
                (creates == (self.how == How::OpensToWrite)).then_some(0)
            }
            When::Sent(signal) => (row.number(signal)? != SIGCHLD).then_some(0),
            When::Maps(prot, flags) => {
                let writes = row.number(prot)? & PROT_WRITE != 0 && row.number(flags)? & 3 == MAP_SHARED;
                (writes == (self.how == How::Writes)).then_some(0)
            }
            When::Traces(request) => {
                let request = row.number(request)?;
                (ret >= 0 && !PTRACE_QUIET.contains(&request)).then_some(0)
            }
        }
    }
}
