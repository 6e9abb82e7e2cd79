//! Where processes stand while rows go by: their directories, sessions, groups, terminals and logins. The programs in the kernel do
//! not send these with contexts, since they would have to look for changes at every call; the calls that change them are records
//! themselves. So every context of the file has them, and filters ask for them as for anything else of a context.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use events::{Context, Raw, catalogue::process};
use format::Process;
use format::facts::{self, Actor, FactChange, FactSet, Facts, NsPids, Terminal};
use hashbrown::{HashMap, HashSet};

use crate::{
    contexts::OwnedContext,
    host::process_table::{Fork, argument, ends_process},
    host::snapshot::same_start,
    kernel::Record,
};

/// Processes of which this is known; when there are more, it is not known of those that begin then.
const MOST: usize = 1 << 17;
/// Processes that have ended and are known a little longer: what they do on their way out comes after their end.
const ENDED: usize = 4096;
/// Bytes that directories may take, here and with contexts; those for which there is no room are not known.
const DIRECTORIES_BOUND: usize = 16 << 20;
/// What all of it takes at most.
pub const BYTES_BOUND: usize = DIRECTORIES_BOUND + MOST * 192;

/// Directories that processes or contexts have, each once.
#[derive(Debug, Default)]
struct Directories {
    texts: HashSet<Arc<[u8]>>,
    bytes: usize,
}

impl Directories {
    /// `None`: there is no room for it.
    fn share(&mut self, path: &Arc<[u8]>) -> Option<Arc<[u8]>> {
        if let Some(known) = self.texts.get(path) {
            return Some(Arc::clone(known));
        }
        let each = |path: &[u8]| path.len() + 64;
        if self.bytes + each(path) > DIRECTORIES_BOUND {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.bytes = self.texts.iter().map(|text| each(text)).sum();
        }
        if self.bytes + each(path) > DIRECTORIES_BOUND {
            return None;
        }
        self.bytes += each(path);
        self.texts.insert(Arc::clone(path));
        Some(Arc::clone(path))
    }
}

/// What was known before it changed, and until when, in order of time.
#[derive(Debug, Default)]
struct Past {
    /// By pid: of the process that began then.
    facts: HashMap<u32, Vec<(u64, u64, Facts)>>,
    /// Of terminals that a session has in common.
    terminals: Vec<(u64, Terminal, Terminal)>,
}

impl Past {
    fn keep(past: &mut Option<Past>, pid: u32, (start_ns, facts): &(u64, Facts), time_ns: u64) {
        if let Some(past) = past {
            past.facts.entry(pid).or_default().push((time_ns, *start_ns, facts.clone()));
        }
    }

    /// Notes what a terminal was, if it is something else by now.
    fn keep_terminal(past: &mut Option<Past>, shared: Terminal, before: Terminal, time_ns: u64) {
        if let Some(past) = past
            && shared != before
        {
            past.terminals.push((time_ns, shared, before));
        }
    }
}

/// What is known of the processes that are there.
#[derive(Debug, Default)]
pub struct Standings {
    /// By pid: when it began, and its facts.
    known: HashMap<u32, (u64, Facts)>,
    directories: Directories,
    /// The pids and starts of those that have ended.
    ended: VecDeque<(u32, u64)>,
    /// While rows are judged after others that are later: what was known of processes before it changed, and until when.
    past: Option<Past>,
    ns_pids: NsPids,
    /// Facts whose changes come by: others are not known.
    followed: FactSet,
    /// Rises with every change.
    version: u64,
    /// The recorder itself, of which nothing is recorded, also not that it starts the command.
    own: u32,
}

impl Standings {
    pub fn new(followed: FactSet) -> Standings {
        Standings { followed, version: 1, own: std::process::id(), ..Standings::default() }
    }

    /// The processes that are there when the recording begins.
    pub fn begin(&mut self, processes: &[Process]) {
        if self.followed == FactSet::NONE {
            return;
        }
        let without_texts = |it: &Process| Process {
            host: it.host,
            pid: it.pid,
            ns_pid: it.ns_pid,
            pid_ns: it.pid_ns,
            start_ns: it.start_ns,
            facts: it.facts.as_now(),
            ..Process::default()
        };
        let mut processes: Vec<Process> = processes.iter().map(without_texts).collect();
        facts::share_terminals(processes.iter_mut());
        for mut process in processes {
            process.facts.keep(self.followed);
            process.facts.cwd = process.facts.cwd.and_then(|cwd| self.directories.share(&cwd));
            self.ns_pids.learn(process.pid_ns, process.ns_pid, process.pid);
            // What came by meanwhile is no older than what /proc said.
            self.known.entry(process.pid).or_insert((process.start_ns, process.facts));
        }
        self.version += 1;
    }

    /// Takes a record that is about to be judged: it sees what it changes itself, but for the end of its process.
    #[inline]
    pub fn see(&mut self, record: &Record<'_>, context: &OwnedContext) {
        if self.followed != FactSet::NONE && FactChange::may_be(record.event) {
            let context = context.view();
            self.adopt(&context);
            self.change(record, &context);
        }
    }

    /// What the recorder starts has what the recorder has, which is what it had when the recording began.
    fn adopt(&mut self, context: &Context<'_>) {
        let is_own_child = context.ppid == self.own && !self.known.contains_key(&context.pid);
        if is_own_child && let Some((_, own)) = self.known.get_mut(&self.own) {
            let facts = own.fork(0, false);
            self.known.insert(context.pid, (context.process_start_ns, facts));
            self.version += 1;
        }
    }

    fn change(&mut self, record: &Record<'_>, context: &Context<'_>) {
        if record.event == process::SCHED_PROCESS_FORK
            && let Some(child) = Fork::read(record)
        {
            return self.fork(record, context, child);
        }
        let arg = |position: usize| record.args.get(position).copied().unwrap_or(Raw::Missing);
        let Some(change) = FactChange::of(record.event, record.ret, record.marks, &arg) else { return };
        let change = match change {
            FactChange::Directory(Some(path)) => FactChange::Directory(self.directories.share(&path)),
            change => change,
        };
        let actor = Actor::of(context);
        self.ns_pids.learn(actor.pid_ns, actor.ns_pid, actor.pid);
        let (known, past, followed) = (&mut self.known, &mut self.past, self.followed);
        change.apply(actor, &self.ns_pids, &mut |pid, change| {
            if let Some(known) = known.get_mut(&pid) {
                Past::keep(past, pid, known, record.time_ns);
                let (shared, before) = (known.1.terminal.clone(), known.1.terminal.apart());
                change(&mut known.1);
                known.1.keep(followed);
                Past::keep_terminal(past, shared, before, record.time_ns);
            }
        });
        self.version += 1;
    }

    fn fork(&mut self, record: &Record<'_>, context: &Context<'_>, child: Fork) {
        self.ns_pids.learn(context.pid_ns, child.ns_pid, child.pid);
        let flags = match argument(record, "clone_flags") {
            Raw::Number(flags) => flags,
            _ => 0,
        };
        let is_known =
            self.known.get(&child.pid).is_some_and(|(start, _)| same_start(*start, child.start_ns));
        if is_known {
            return;
        }
        let is_kernel_thread = context.exe.is_empty();
        // The parent changes as well where it shares its directory, and an earlier process of the child's number is gone.
        for pid in [context.pid, child.pid] {
            if let Some(known) = self.known.get(&pid) {
                Past::keep(&mut self.past, pid, known, record.time_ns);
            }
        }
        let parent = self.known.get_mut(&context.pid).map(|(_, facts)| facts.fork(flags, is_kernel_thread));
        match parent {
            Some(facts) if self.known.len() < MOST => {
                self.known.insert(child.pid, (child.start_ns, facts));
            }
            // Of an earlier process of this number nothing holds any more.
            _ => {
                self.known.remove(&child.pid);
            }
        }
        self.version += 1;
    }

    /// Takes a record that was judged: its process may be at its end.
    #[inline]
    pub fn leave(&mut self, record: &Record<'_>, context: &OwnedContext) {
        if record.event != process::SCHED_PROCESS_EXIT || self.followed == FactSet::NONE {
            return;
        }
        let context = context.view();
        let is_it = |(start, _): &&(u64, Facts)| same_start(*start, context.process_start_ns);
        if ends_process(record, &context)
            && let Some((start, facts)) = self.known.get(&context.pid).filter(is_it)
        {
            let (shared, before) = (facts.terminal.clone(), facts.terminal.apart());
            facts.end(context.pid);
            Past::keep_terminal(&mut self.past, shared, before, record.time_ns);
            self.ended.push_back((context.pid, *start));
            self.version += 1;
        }
        if self.ended.len() > ENDED
            && let Some((pid, start)) = self.ended.pop_front()
            && self.known.get(&pid).is_some_and(|(of, _)| *of == start)
            && let Some(known) = self.known.remove(&pid)
        {
            Past::keep(&mut self.past, pid, &known, record.time_ns);
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// From here on [`Standings::at`] tells of what was before later changes.
    pub fn begin_past(&mut self) {
        self.past = self.followed.ne(&FactSet::NONE).then(Past::default);
    }

    pub fn end_past(&mut self) {
        self.past = None;
    }

    /// Takes a context that rows will have: what the recorder starts has what the recorder has.
    pub fn meet(&mut self, context: &Context<'_>) {
        self.adopt(context);
    }

    /// What was known of a process at a time, and whether there is something else at another.
    pub fn at(&self, context: &Context<'_>, time_ns: u64) -> (Option<Cow<'_, Facts>>, bool) {
        let is_it = |start_ns: u64| same_start(start_ns, context.process_start_ns);
        let now = || self.known.get(&context.pid).filter(|(start, _)| is_it(*start)).map(|(_, facts)| facts);
        let Some(past) = &self.past else { return (now().map(Cow::Borrowed), false) };
        let of_it = past.facts.get(&context.pid);
        let then = of_it.into_iter().flatten().find(|(until, start, _)| time_ns < *until && is_it(*start));
        let facts = then.map(|(.., facts)| facts).or_else(now);
        let shared = |terminal: &&(u64, Terminal, Terminal)| {
            facts.is_some_and(|facts| facts.terminal.is_shared_with(&terminal.1))
        };
        let terminals = || past.terminals.iter().filter(shared);
        let is_past = of_it.is_some() || terminals().next().is_some();
        let before = terminals().find(|(until, ..)| time_ns < *until).map(|(.., before)| before.clone());
        let facts = facts.map(|facts| match before {
            Some(terminal) => Cow::Owned(Facts { terminal, ..facts.clone() }),
            None => Cow::Borrowed(facts),
        });
        (facts, is_past)
    }

    /// What is known of a process; `None` of one of which nothing is.
    pub fn of(&mut self, context: &Context<'_>) -> Option<&Facts> {
        self.adopt(context);
        let (start, facts) = self.known.get(&context.pid)?;
        same_start(*start, context.process_start_ns).then_some(facts)
    }
}

#[cfg(test)]
mod tests {
    use events::{Marks, catalogue};

    use super::*;
    use crate::contexts::SharedTexts;

    const TICK: u64 = 1_000_000_000;

    fn context(pid: u32, tid: u32) -> OwnedContext {
        let start = u64::from(pid) * TICK;
        let context =
            Context { pid, tid, ns_pid: pid, process_start_ns: start, exe: b"/bin/sh", ..Context::default() };
        OwnedContext::new(&context, &mut SharedTexts::default())
    }

    fn row(standings: &mut Standings, of: &OwnedContext, name: &str, given: &[(&str, Raw<'_>)]) {
        let event = catalogue::by_name(name).unwrap();
        let value =
            |name: &str| given.iter().find(|(of, _)| *of == name).map_or(Raw::Missing, |(_, raw)| *raw);
        let args: Vec<Raw<'_>> = event.args.iter().map(|arg| value(arg.name)).collect();
        let (event, marks, args) = (event.id, Marks(0), args.as_slice());
        let record = Record { time_ns: 0, event, cpu: 0, context: 1, ret: 0, marks, duration_ns: None, args };
        standings.see(&record, of);
        standings.leave(&record, of);
    }

    fn cwd(standings: &mut Standings, of: &OwnedContext) -> Option<Vec<u8>> {
        let mut of = of.clone();
        of.stand(standings.of(&of.view()).cloned().as_ref());
        of.view().standing.cwd.map(<[u8]>::to_vec)
    }

    #[test]
    fn contexts_stand_where_their_processes_do_from_the_snapshot_on() {
        let mut standings = Standings::new(FactSet::ALL);
        let facts = Facts { cwd: Some(b"/root".as_slice().into()), session: Some(7), ..Facts::default() };
        standings.begin(&[Process { pid: 7, start_ns: 7 * TICK, facts, ..Process::default() }]);
        let (shell, thread) = (context(7, 7), context(7, 8));
        assert_eq!(cwd(&mut standings, &shell).as_deref(), Some(&b"/root"[..]));
        let start = Raw::Number(9 * TICK);
        let child = [("child_pid", Raw::Number(9)), ("child_tid", Raw::Number(9)), ("start_time", start)];
        row(&mut standings, &shell, "sched_process_fork", &child);
        // A thread of it goes elsewhere: all of the process does, and not the child.
        row(&mut standings, &thread, "set_fs_pwd", &[("resolved_path", Raw::Bytes(b"/usr"))]);
        assert_eq!(cwd(&mut standings, &shell).as_deref(), Some(&b"/usr"[..]));
        assert_eq!(cwd(&mut standings, &context(9, 9)).as_deref(), Some(&b"/root"[..]));
        // What it does after its end, what has its number later, and what nobody saw begin.
        row(&mut standings, &context(9, 9), "sched_process_exit", &[("process_group_exit", Raw::Number(1))]);
        assert_eq!(cwd(&mut standings, &context(9, 9)).as_deref(), Some(&b"/root"[..]));
        let end = context(9, 9);
        let later = Context { process_start_ns: 10 * TICK, ..end.view() };
        assert!(standings.of(&later).is_none());
        assert_eq!(cwd(&mut standings, &context(11, 11)), None);
        // It is forgotten when enough others have ended.
        for pid in 100..100 + ENDED as u32 {
            standings.known.insert(pid, (u64::from(pid) * TICK, Facts::default()));
            let end = [("process_group_exit", Raw::Number(1))];
            row(&mut standings, &context(pid, pid), "sched_process_exit", &end);
        }
        assert_eq!(cwd(&mut standings, &context(9, 9)), None);
    }

    #[test]
    fn what_is_not_followed_is_not_known_and_directories_are_bounded() {
        let mut standings = Standings::new(FactSet::NONE);
        standings.begin(&[Process { pid: 7, start_ns: 7 * TICK, ..Process::default() }]);
        assert!(standings.of(&context(7, 7).view()).is_none());
        let mut directories = Directories::default();
        let path = |number: usize| -> Arc<[u8]> { format!("/{number:04000}").into_bytes().into() };
        let held: Vec<_> = (0..10_000).filter_map(|number| directories.share(&path(number))).collect();
        assert!((4_000..4_200).contains(&held.len()), "{}", held.len());
        drop(held);
        assert!(directories.share(&path(20_000)).is_some() && directories.bytes < 10_000);
    }
}
