//! A first reading of what is exported: which threads were there before their first event, and which descriptors readers will
//! not have seen being opened. Readers know both from tables that stand before the events.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use events::{ArgKind, Returns};
use format::Process;
use pipeline::{EventView, Projection, Question, Sink, Source};

use super::params;
use super::tables::{self, Machine, Task};
use crate::export::facts;

/// What the writer knows of the whole.
#[derive(Debug, Default)]
pub struct Surveyed {
    /// The hosts that events are of. Threads are known by number alone, so there can be only one.
    pub hosts: Vec<String>,
    /// The calls of execs are there, which say the same as their tracepoint.
    pub(super) has_execs: bool,
    /// Paths of cgroups.
    pub(super) cgroups: BTreeMap<u64, Vec<u8>>,
    tables: Vec<u8>,
    /// Lists of strings that were cut.
    pub(super) cut: AtomicU64,
}

impl Surveyed {
    /// Reads what matches once.
    pub fn of(question: &Question<'_>, source: &Source) -> pipeline::Result<Surveyed> {
        let mut survey = Survey::default();
        let mut machine = Machine::default();
        let mut cgroups = BTreeMap::new();
        let mut users = BTreeMap::new();
        for file in source.files() {
            let header = file.capture.header();
            machine = Machine { host: header.host.hostname.clone(), cpus: header.host.cpus };
            for cgroup in file.capture.cgroups() {
                cgroups.insert(cgroup.id, cgroup.path.clone().into_bytes());
            }
            users.extend(file.capture.users().iter().map(|user| (user.uid, user.name.clone())));
            // What was there is told of a host that is the only one.
            let is_only = source
                .files()
                .iter()
                .flat_map(|file| &file.hosts)
                .all(|host| host.name == header.host.hostname);
            for process in file.capture.processes().iter().filter(|_| is_only) {
                survey.was_there(process, cgroups.get(&process.cgroup_id));
            }
        }
        question.ask(&Seeing, &mut |seen| {
            for event in &seen {
                if survey.hosts.insert(event.host.clone()) {
                    machine.host.clone_from(&event.host);
                }
                survey.see(event, &cgroups);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut tables = Vec::new();
        tables::head(&machine, &mut tables);
        let tasks: Vec<Task> = survey.tasks.into_values().collect();
        tables::processes(&tasks, &mut tables);
        for task in tasks.iter().filter(|task| task.tid == task.pid) {
            if let Some(all) = survey.descriptors.get(&task.pid).filter(|all| !all.is_empty()) {
                tables::descriptors(task.pid, all, &mut tables);
            }
        }
        let users: Vec<_> = users.into_iter().collect();
        tables::users(&users, &mut tables);
        let hosts = survey.hosts.into_iter().collect();
        Ok(Surveyed { hosts, has_execs: survey.has_execs, cgroups, tables, cut: AtomicU64::new(0) })
    }

    /// Command lines and environments that were longer than an event takes, and were cut.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub fn tables(&self) -> &[u8] {
        &self.tables
    }
}

/// One event, as far as the tables are concerned.
#[derive(Debug)]
pub struct Seen {
    host: String,
    task: Task,
    cgroup: u64,
    /// Descriptors that it names, with what they stand for.
    names: Vec<(i32, Vec<u8>)>,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Other,
    /// Readers learn of these descriptors.
    Opens([i32; 2]),
    Closes(i32),
    /// Another task of this number, and its process.
    Makes {
        tid: u32,
        pid: u32,
    },
    Execs,
    Ends,
}

/// Makes [`Seen`] of events.
struct Seeing;

impl Sink for Seeing {
    type Worker = ();
    type Made = Vec<Seen>;

    fn projection(&self) -> Projection {
        Projection { cpus: false, recorded: false, ..Projection::ALL }
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Seen> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Seen>) {
        // What a thread does behind its end, in the kernel, is no event of the format.
        const OF_TASKS: [&str; 3] = ["sched_process_fork", "sched_process_exec", "sched_process_exit"];
        if !event.event.is_syscall() && !OF_TASKS.contains(&event.event.name) {
            return;
        }
        let context = event.context;
        made.push(Seen {
            host: event.host.name.clone(),
            task: Task {
                tid: context.tid,
                pid: context.pid,
                ppid: context.ppid,
                comm: context.comm.to_vec(),
                exe: context.exe.to_vec(),
                uid: context.uid,
                gid: context.gid,
                ns_tid: context.ns_tid,
                ns_pid: context.ns_pid,
                login_uid: u32::MAX,
                ..Task::default()
            },
            cgroup: context.cgroup_id,
            names: names(event),
            act: act(event),
        });
    }

    fn size(&self, made: &Vec<Seen>) -> usize {
        made.len() * 256
    }

    fn truncate(&self, made: &mut Vec<Seen>, events: usize) {
        made.truncate(events);
    }
}

fn names(event: &EventView<'_>) -> Vec<(i32, Vec<u8>)> {
    if !event.event.is_syscall() {
        return Vec::new();
    }
    let args = event.event.listed_args().iter().enumerate();
    args.filter(|(_, arg)| arg.kind == ArgKind::Fd)
        .filter_map(|(at, _)| event.args.get(at).descriptor())
        .map(|(number, stands_for)| (number as i32, stands_for.to_vec()))
        .filter(|(number, stands_for)| *number >= 0 && !stands_for.is_empty())
        .collect()
}

/// Calls whose descriptors readers learn of from their events.
const OPENS: &[&str] = &[
    "open",
    "openat",
    "openat2",
    "creat",
    "socket",
    "accept",
    "accept4",
    "dup",
    "dup2",
    "dup3",
    "eventfd",
    "eventfd2",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "inotify_init",
    "inotify_init1",
];

fn act(event: &EventView<'_>) -> Act {
    let number = |name: &str| facts::number(event, &[name]);
    match event.event.name {
        "sched_process_exit" => Act::Ends,
        "sched_process_fork" => match (number("child_tid"), number("child_pid")) {
            (Some(tid), Some(pid)) => Act::Makes { tid: tid as u32, pid: pid as u32 },
            _ => Act::Other,
        },
        "execve" | "execveat" if event.ret == 0 => Act::Execs,
        "close" => match facts::descriptor(event) {
            Some((number, _)) if event.ret == 0 => Act::Closes(number as i32),
            _ => Act::Other,
        },
        "pipe" | "pipe2" | "socketpair" if event.ret == 0 => {
            let pair = event.event.arg("pipefd").or_else(|| event.event.arg("sv"));
            let numbers = pair.map(|(at, _)| params::numbers(event, at)).unwrap_or_default();
            Act::Opens([0, 1].map(|at| numbers.get(at).map_or(-1, |number| *number as i32)))
        }
        name if event.ret >= 0
            && (OPENS.contains(&name) || (name == "fcntl" && event.event.returns == Returns::Fd)) =>
        {
            Act::Opens([event.ret as i32, -1])
        }
        _ => Act::Other,
    }
}

/// What readers will know at each event, as far as it decides what they must be told before.
#[derive(Debug, Default)]
pub struct Survey {
    hosts: BTreeSet<String>,
    has_execs: bool,
    /// Threads that are there when the events begin, by number.
    tasks: BTreeMap<u32, Task>,
    /// Threads that readers know at this moment.
    known: BTreeSet<u32>,
    /// Descriptors of these threads' processes when the events begin.
    descriptors: BTreeMap<u32, BTreeMap<i32, Vec<u8>>>,
    /// Descriptors that readers know at this moment, by process.
    open: BTreeMap<u32, BTreeSet<i32>>,
    /// Who made a process during the events.
    made_by: BTreeMap<u32, u32>,
}

impl Survey {
    fn was_there(&mut self, process: &Process, cgroup: Option<&Vec<u8>>) {
        let task = Task {
            tid: process.pid,
            pid: process.pid,
            ppid: process.ppid,
            session: process.facts.session.unwrap_or(0),
            group: process.facts.group.unwrap_or(0),
            comm: process.comm.clone(),
            exe: process.exe.clone(),
            argv: process.argv.clone(),
            cwd: process.facts.cwd.as_deref().unwrap_or_default().to_vec(),
            uid: process.uid,
            gid: process.gid,
            ns_tid: process.ns_pid,
            ns_pid: process.ns_pid,
            cgroup: cgroup.cloned().unwrap_or_default(),
            login_uid: process.facts.login_uid.unwrap_or(u32::MAX),
        };
        self.known.insert(task.tid);
        self.tasks.insert(task.tid, task);
        self.open.insert(process.pid, process.fds.iter().map(|(number, _)| *number).collect());
        self.descriptors.insert(process.pid, process.fds.iter().cloned().collect());
    }

    fn see(&mut self, seen: &Seen, cgroups: &BTreeMap<u64, Vec<u8>>) {
        let pid = seen.task.pid;
        self.meet(&seen.task, seen.cgroup, cgroups);
        for (number, stands_for) in &seen.names {
            self.name(pid, *number, stands_for);
        }
        let open = self.open.entry(pid).or_default();
        match seen.act {
            Act::Other => {}
            Act::Execs => self.has_execs = true,
            Act::Opens(numbers) => open.extend(numbers.into_iter().filter(|number| *number >= 0)),
            Act::Closes(number) => {
                open.remove(&number);
            }
            Act::Makes { tid, pid: child } => {
                // The table of a recording that had begun already may have it too.
                if !self.known.insert(tid) {
                    self.tasks.remove(&tid);
                    self.descriptors.remove(&tid);
                }
                if child != pid {
                    let open = open.clone();
                    self.open.insert(child, open);
                    self.made_by.insert(child, pid);
                }
            }
            Act::Ends => {
                self.known.remove(&seen.task.tid);
                if seen.task.tid == pid {
                    self.open.remove(&pid);
                    self.made_by.remove(&pid);
                }
            }
        }
    }

    /// A thread that readers do not know was there before.
    fn meet(&mut self, task: &Task, cgroup: u64, cgroups: &BTreeMap<u64, Vec<u8>>) {
        if !self.known.insert(task.tid) || self.tasks.contains_key(&task.tid) {
            return;
        }
        let mut task = task.clone();
        task.cgroup = cgroups.get(&cgroup).cloned().unwrap_or_default();
        // What its process is known by is known of its thread.
        if let Some(process) = self.tasks.get(&task.pid) {
            task = Task {
                session: process.session,
                group: process.group,
                argv: process.argv.clone(),
                cwd: process.cwd.clone(),
                login_uid: process.login_uid,
                ..task
            };
        } else if task.tid != task.pid {
            // A thread's descriptors are looked for in its process.
            let process = Task { tid: task.pid, ns_tid: task.ns_pid, ..task.clone() };
            self.known.insert(process.tid);
            self.tasks.insert(process.tid, process);
        }
        self.tasks.insert(task.tid, task);
    }

    /// A descriptor that readers do not know was open before: in the process, or in the one that it has it from.
    fn name(&mut self, pid: u32, number: i32, stands_for: &[u8]) {
        let is_known = !self.open.entry(pid).or_default().insert(number);
        let mut first = pid;
        // Numbers are given again: none is followed twice.
        let mut followed = BTreeSet::new();
        while let Some(maker) = self.made_by.get(&first).filter(|_| followed.insert(first)) {
            first = *maker;
        }
        let descriptors = self.descriptors.entry(first).or_default();
        match descriptors.get_mut(&number) {
            None if !is_known => {
                descriptors.insert(number, stands_for.to_vec());
            }
            // What was there is known better by those who used it.
            Some(before) if is_known && before.starts_with(b"socket:[") && first == pid => {
                *before = stands_for.to_vec();
            }
            _ => {}
        }
    }
}
