//! What is known of processes at a moment: brought forward by forks, execs and changes of directory, in order of time.

pub mod credentials;
mod entry;
mod lineage;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use events::context::{Credentials, Entity};
use events::{Context, Raw};
use format::Process as Recorded;
use format::facts::{Actor, Fact, FactChange, FactSet, Facts, NsPids, share_terminals};

use crate::form::{Execution, Leader, ProcessFact, Value, Who};
use entry::Entry;
pub use lineage::Lineage;
use value::each_value;

/// Processes that are kept; those that ended first are forgotten first.
const MAX_PROCESSES: usize = 1 << 17;
/// Ancestors that are looked at.
const MAX_ANCESTORS: usize = 32;
/// The snapshot has start times cut to ticks of the clock.
const TICK_NS: u64 = 10_000_000;

/// A process as it is now.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub pid: u32,
    pub start_ns: u64,
    pub parent: Option<Entity>,
    pub uid: u32,
    pub gid: u32,
    /// What it acts with; `None` where that is not known.
    pub credentials: Option<Credentials>,
    pub ns_pid: u32,
    pub comm: Arc<[u8]>,
    pub exe: Arc<[u8]>,
    /// Each argument followed by a NUL; `None` where nobody saw its exec.
    pub argv: Option<Arc<[u8]>>,
    pub env: Option<Arc<[u8]>>,
    /// Where that program came from.
    pub program: Program,
    /// Its directory, session, terminal and login.
    pub facts: Facts,
    /// What rules ask of what it and processes before it executed.
    pub lineage: Lineage,
    /// By which process somebody or something came in that led to it; what that came by, where it is that process itself.
    pub entry_leader: Option<Entity>,
    pub entry: Option<Entry>,
}

impl Process {
    pub fn entity(&self) -> Entity {
        Entity { pid: self.pid, start_ns: self.start_ns }
    }
}

/// What the kernel said of the file of a program as it was executed; `None` where nobody saw it, or it is in no overlay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Program {
    pub upper_layer: Option<bool>,
    pub memfd: Option<bool>,
}

impl Program {
    /// By the arguments of the execution.
    pub fn of(upper_layer: Raw<'_>, memfd: Raw<'_>) -> Program {
        let flag = |raw| match raw {
            Raw::Number(number) => Some(number != 0),
            _ => None,
        };
        Program { upper_layer: flag(upper_layer), memfd: flag(memfd) }
    }
}

/// Names of users, by their ids.
pub type Users = BTreeMap<u32, String>;

/// Whose facts are asked.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub process: Entity,
    pub parent: Entity,
}

impl Subject {
    pub fn of(context: &Context<'_>) -> Subject {
        Subject { process: context.process(), parent: context.parent() }
    }
}

/// The processes of one boot.
#[derive(Debug, Default)]
pub struct Processes {
    /// The facts that can be followed: others are not known.
    followed: FactSet,
    /// Executions that rules ask for later, those that others are built on before them.
    executions: Arc<[Execution]>,
    users: Arc<Users>,
    ns_pids: NsPids,
    /// By pid, oldest first: most pids are those of one process only.
    by_pid: HashMap<u32, Vec<Process>>,
    count: usize,
    ended: std::collections::VecDeque<Entity>,
    /// Processes that had to be forgotten while others might still ask for them.
    pub forgotten: u64,
}

impl Processes {
    /// With these facts of processes, and executions that are asked for later.
    pub fn new(followed: FactSet, executions: Arc<[Execution]>, users: Arc<Users>) -> Processes {
        Processes { followed, executions, users, ..Processes::default() }
    }

    /// Processes that were there when a recording began.
    pub fn snapshot(&mut self, mut processes: Vec<Recorded>) {
        share_terminals(processes.iter_mut());
        let mut told = Vec::new();
        for mut process in processes {
            let entity = Entity { pid: process.pid, start_ns: process.start_ns };
            process.facts.keep(self.followed);
            self.ns_pids.learn(process.pid_ns, process.ns_pid, process.pid);
            if let Some(known) = self.get_mut(entity) {
                known.facts.complete(&process.facts);
                continue;
            }
            told.push(entity);
            self.insert(Process {
                pid: process.pid,
                start_ns: process.start_ns,
                parent: Some(Entity { pid: process.ppid, start_ns: process.parent_start_ns }),
                uid: process.uid,
                gid: process.gid,
                credentials: process.credentials,
                ns_pid: process.ns_pid,
                comm: process.comm.as_slice().into(),
                exe: process.exe.as_slice().into(),
                argv: Some(process.argv.as_slice().into()),
                env: None,
                program: Program::default(),
                facts: process.facts,
                lineage: Lineage::default(),
                entry_leader: None,
                entry: None,
            });
        }
        // Whoever is another's parent began before it.
        told.sort_unstable_by_key(|entity| (entity.start_ns, entity.pid));
        self.trace(&told);
        told.iter().for_each(|entity| self.enter(*entity));
    }

    pub fn get(&self, entity: Entity) -> Option<&Process> {
        let of_pid = self.by_pid.get(&entity.pid)?;
        let is_it = |process: &&Process| is_same(process.start_ns, entity.start_ns);
        of_pid.iter().rev().find(is_it)
    }

    fn get_mut(&mut self, entity: Entity) -> Option<&mut Process> {
        let of_pid = self.by_pid.get_mut(&entity.pid)?;
        of_pid.iter_mut().rev().find(|process| is_same(process.start_ns, entity.start_ns))
    }

    fn insert(&mut self, process: Process) {
        while self.count >= MAX_PROCESSES {
            let Some(ended) = self.ended.pop_front() else {
                // All are alive: what is told of a new one cannot be kept.
                self.forgotten += 1;
                return;
            };
            self.remove(ended);
        }
        self.count += 1;
        self.by_pid.entry(process.pid).or_default().push(process);
    }

    fn remove(&mut self, entity: Entity) {
        let Some(of_pid) = self.by_pid.get_mut(&entity.pid) else { return };
        let before = of_pid.len();
        of_pid.retain(|process| !is_same(process.start_ns, entity.start_ns));
        self.count -= before - of_pid.len();
        if of_pid.is_empty() {
            self.by_pid.remove(&entity.pid);
        }
    }

    /// A task was seen: what its context tells holds from now on.
    pub fn see(&mut self, context: &Context<'_>) {
        let entity = context.process();
        match self.get_mut(entity) {
            Some(known) => {
                if context.pid == context.tid && *known.comm != *context.comm {
                    known.comm = context.comm.into();
                }
                if !context.exe.is_empty() && *known.exe != *context.exe {
                    known.exe = context.exe.into();
                    known.program = Program::default();
                }
                (known.uid, known.gid) = (context.uid, context.gid);
                known.credentials = context.credentials.or(known.credentials);
                known.parent = Some(context.parent());
            }
            None => {
                let lineage = self.lineage_below(context.parent());
                let entry_leader = self.get(context.parent()).and_then(|parent| parent.entry_leader);
                self.insert(Process { lineage, entry_leader, ..of_context(context) });
            }
        }
    }

    /// A new process, with what it has of its parent.
    pub fn fork(&mut self, parent: &Context<'_>, child: Entity, ns_pid: u32, clone_flags: u64) {
        if child.pid == 0 || self.get(child).is_some() {
            return;
        }
        self.ns_pids.learn(parent.pid_ns, ns_pid, child.pid);
        let known = self.get_mut(parent.process()).map(|known| {
            let facts = known.facts.fork(clone_flags, known.exe.is_empty());
            Process { facts, entry: None, ..known.clone() }
        });
        let base = known.unwrap_or_else(|| of_context(parent));
        let lineage = self.lineage_below(parent.process());
        self.insert(Process {
            lineage,
            pid: child.pid,
            start_ns: child.start_ns,
            parent: Some(parent.process()),
            ns_pid,
            ..base
        });
    }

    /// It executed a program. `time_ns`: boot clock.
    pub fn exec(
        &mut self,
        context: &Context<'_>,
        time_ns: u64,
        (exe, program): (Raw<'_>, Program),
        argv: Raw<'_>,
        env: Raw<'_>,
    ) {
        self.see(context);
        let Some(known) = self.get_mut(context.process()) else { return };
        known.program = program;
        if let Raw::Bytes(exe) = exe {
            known.exe = exe.into();
        }
        let list = |raw| match raw {
            Raw::Bytes(list) => Some(Arc::from(list)),
            _ => None,
        };
        (known.argv, known.env) = (list(argv), list(env));
        self.enter(context.process());
        self.executed(context.process(), time_ns);
    }

    /// It has another directory, session, group or terminal, or somebody logged in.
    pub fn change(&mut self, context: &Context<'_>, change: &FactChange) {
        self.see(context);
        let actor = Actor::of(context);
        self.ns_pids.learn(actor.pid_ns, actor.ns_pid, actor.pid);
        let (by_pid, followed) = (&mut self.by_pid, self.followed);
        change.apply(actor, &self.ns_pids, &mut |pid, change| {
            // The one of this pid that lives.
            if let Some(process) = by_pid.get_mut(&pid).and_then(|of_pid| of_pid.last_mut()) {
                change(&mut process.facts);
                process.facts.keep(followed);
            }
        });
    }

    /// Its children may still ask for it: it is forgotten when there are too many.
    pub fn exit(&mut self, entity: Entity) {
        // What is not followed stays unknown, also to those who share it.
        if self.followed.has(Fact::Terminal)
            && let Some(known) = self.get(entity)
        {
            known.facts.end(known.pid);
        }
        self.ended.push_back(entity);
    }

    /// Parent, its parent, and so on, as far as they are known.
    pub fn ancestors(&self, of: Subject) -> impl Iterator<Item = &Process> {
        let mut next = Some(of.parent).filter(|parent| parent.pid != 0);
        let mut seen = of.process;
        std::iter::from_fn(move || {
            let process = self.get(next.take()?)?;
            let is_loop = process.parent.is_none_or(|parent| parent == seen || parent.pid == process.pid);
            next = if is_loop { None } else { process.parent.filter(|parent| parent.pid != 0) };
            seen = process.entity();
            Some(process)
        })
        .take(MAX_ANCESTORS)
    }

    /// Calls `see` with each value of a fact.
    pub fn each_value(
        &self,
        subject: Subject,
        who: Who,
        fact: ProcessFact,
        time_ns: u64,
        user: &dyn Fn(u32) -> Option<String>,
        see: &mut dyn FnMut(Value<'_>),
    ) {
        let mut of = |process: &Process| match fact {
            ProcessFact::NsGroup => {
                if let Some(group) = self.ns_group(process) {
                    see(Value::Number(group.into()));
                }
            }
            fact => each_value(process, fact, time_ns, user, see),
        };
        match who {
            Who::Actor => {
                if let Some(process) = self.get(subject.process) {
                    of(process);
                }
            }
            Who::Ancestor(n) => {
                if let Some(process) = self.ancestors(subject).nth(usize::from(n).saturating_sub(1)) {
                    of(process);
                }
            }
            Who::AnyAncestor => self.ancestors(subject).for_each(of),
            Who::Leader(leader) => {
                let actor = self.get(subject.process);
                if let Some(process) = actor.and_then(|it| self.leader(it, leader)) {
                    of(process);
                }
            }
            Who::ParentsLeader(leader) => {
                let parent = self.ancestors(subject).next();
                if let Some(process) = parent.and_then(|it| self.leader(it, leader)) {
                    of(process);
                }
            }
        }
    }

    /// Who leads the session, the group or the entry of a process. No other process has its pid while anybody is in there.
    fn leader<'p>(&'p self, process: &'p Process, leader: Leader) -> Option<&'p Process> {
        let of: fn(&Process) -> Option<u32> = match leader {
            Leader::Session | Leader::EldestOfSession => |process| process.facts.session,
            Leader::Group | Leader::EldestOfGroup => |process| process.facts.group,
            Leader::Entry => return self.get(process.entry_leader?),
        };
        let number = of(process)?;
        let leads = |it: &&Process| it.start_ns <= process.start_ns && of(it) == Some(number);
        let found = self.by_pid.get(&number).and_then(|all| all.iter().rev().find(leads));
        let is_strict = matches!(leader, Leader::Session | Leader::Group);
        if found.is_some() || is_strict {
            return found;
        }
        let mut eldest = process;
        for _ in 0..MAX_ANCESTORS {
            let parent = eldest.parent.and_then(|parent| self.get(parent));
            match parent.filter(|it| of(it) == Some(number) && it.pid != eldest.pid) {
                Some(parent) => eldest = parent,
                None => break,
            }
        }
        Some(eldest)
    }

    /// The group of a process as its own namespace numbers it.
    fn ns_group(&self, process: &Process) -> Option<u32> {
        let group = process.facts.group?;
        if process.ns_pid == process.pid {
            return Some(group);
        }
        self.leader(process, Leader::Group).map(|leader| leader.ns_pid).filter(|number| *number != 0)
    }
}

fn is_same(known: u64, asked: u64) -> bool {
    known == asked
        || (known.is_multiple_of(TICK_NS) && asked.checked_sub(known).is_some_and(|more| more < TICK_NS))
}

fn of_context(context: &Context<'_>) -> Process {
    Process {
        pid: context.pid,
        start_ns: context.process_start_ns,
        parent: Some(context.parent()),
        uid: context.uid,
        gid: context.gid,
        credentials: context.credentials,
        ns_pid: context.ns_pid,
        comm: context.comm.into(),
        exe: context.exe.into(),
        argv: None,
        env: None,
        program: Program::default(),
        facts: Facts::default(),
        lineage: Lineage::default(),
        entry_leader: None,
        entry: None,
    }
}

/// A process as keys tell it apart.
pub fn entity(pid: u32, start_ns: u64) -> String {
    format!("{pid}@{start_ns}")
}
