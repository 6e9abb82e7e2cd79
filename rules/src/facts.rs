//! What is known of processes at a moment: brought forward by forks, execs and changes of directory, in order of time.

use std::collections::HashMap;
use std::sync::Arc;

use events::context::Entity;
use events::{Context, Raw};
use format::Process as Recorded;

use crate::access::{Part, path_part};
use crate::form::{ProcessFact, Value, Who};
use events::value::strings;

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
    pub ns_pid: u32,
    pub comm: Arc<[u8]>,
    pub exe: Arc<[u8]>,
    /// Each argument followed by a NUL; `None` where nobody saw its exec.
    pub argv: Option<Arc<[u8]>>,
    pub env: Option<Arc<[u8]>>,
    pub cwd: Option<Arc<[u8]>>,
}

/// The processes of one boot.
#[derive(Debug, Default)]
pub struct Processes {
    /// By pid, oldest first: most pids are those of one process only.
    by_pid: HashMap<u32, Vec<Process>>,
    count: usize,
    ended: std::collections::VecDeque<Entity>,
    /// Processes that had to be forgotten while others might still ask for them.
    pub forgotten: u64,
}

impl Processes {
    /// Processes that were there when a recording began.
    pub fn snapshot<'a>(&mut self, processes: impl Iterator<Item = &'a Recorded>) {
        for process in processes {
            let entity = Entity { pid: process.pid, start_ns: process.start_ns };
            if self.get(entity).is_some() {
                continue;
            }
            self.insert(Process {
                pid: process.pid,
                start_ns: process.start_ns,
                parent: Some(Entity { pid: process.ppid, start_ns: process.parent_start_ns }),
                uid: process.uid,
                gid: process.gid,
                ns_pid: process.ns_pid,
                comm: process.comm.as_slice().into(),
                exe: process.exe.as_slice().into(),
                argv: Some(process.argv.as_slice().into()),
                env: None,
                cwd: None,
            });
        }
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
                }
                (known.uid, known.gid) = (context.uid, context.gid);
                known.parent = Some(context.parent());
            }
            None => self.insert(of_context(context)),
        }
    }

    /// A new process, with what it has of its parent.
    pub fn fork(&mut self, parent: &Context<'_>, child: Entity) {
        if child.pid == 0 || self.get(child).is_some() {
            return;
        }
        let base = self.get(parent.process()).cloned().unwrap_or_else(|| of_context(parent));
        self.insert(Process {
            pid: child.pid,
            start_ns: child.start_ns,
            parent: Some(parent.process()),
            ns_pid: 0,
            ..base
        });
    }

    pub fn exec(&mut self, context: &Context<'_>, exe: Raw<'_>, argv: Raw<'_>, env: Raw<'_>) {
        self.see(context);
        let Some(known) = self.get_mut(context.process()) else { return };
        if let Raw::Bytes(exe) = exe {
            known.exe = exe.into();
        }
        let list = |raw| match raw {
            Raw::Bytes(list) => Some(Arc::from(list)),
            _ => None,
        };
        (known.argv, known.env) = (list(argv), list(env));
    }

    pub fn change_directory(&mut self, context: &Context<'_>, path: Raw<'_>) {
        self.see(context);
        if let (Some(known), Raw::Bytes(path)) = (self.get_mut(context.process()), path) {
            known.cwd = Some(path.into());
        }
    }

    /// Its children may still ask for it: it is forgotten when there are too many.
    pub fn exit(&mut self, entity: Entity) {
        self.ended.push_back(entity);
    }

    /// Parent, its parent, and so on, as far as they are known.
    pub fn ancestors(&self, context: &Context<'_>) -> impl Iterator<Item = &Process> {
        let mut next = Some(context.parent()).filter(|parent| parent.pid != 0);
        let mut seen = context.process();
        std::iter::from_fn(move || {
            let process = self.get(next.take()?)?;
            let is_loop = process.parent.is_none_or(|parent| parent == seen || parent.pid == process.pid);
            next = if is_loop { None } else { process.parent.filter(|parent| parent.pid != 0) };
            seen = Entity { pid: process.pid, start_ns: process.start_ns };
            Some(process)
        })
        .take(MAX_ANCESTORS)
    }

    /// Calls `see` with each value of a fact.
    pub fn each_value(
        &self,
        context: &Context<'_>,
        who: Who,
        fact: ProcessFact,
        time_ns: u64,
        user: &dyn Fn(u32) -> Option<String>,
        see: &mut dyn FnMut(Value<'_>),
    ) {
        let mut of = |process: &Process| each_value(process, fact, time_ns, user, see);
        match who {
            Who::Actor => {
                if let Some(process) = self.get(context.process()) {
                    of(process);
                }
            }
            Who::Ancestor(n) => {
                if let Some(process) = self.ancestors(context).nth(usize::from(n).saturating_sub(1)) {
                    of(process);
                }
            }
            Who::AnyAncestor => self.ancestors(context).for_each(of),
        }
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
        ns_pid: context.ns_pid,
        comm: context.comm.into(),
        exe: context.exe.into(),
        argv: None,
        env: None,
        cwd: None,
    }
}

fn each_value(
    process: &Process,
    fact: ProcessFact,
    time_ns: u64,
    user: &dyn Fn(u32) -> Option<String>,
    see: &mut dyn FnMut(Value<'_>),
) {
    let mut text = |text: &[u8]| {
        if !text.is_empty() {
            see(Value::Text(text));
        }
    };
    let argv = process.argv.as_deref();
    match fact {
        ProcessFact::Exe => text(&process.exe),
        ProcessFact::Name => text(path_part(&process.exe, &Part::Name).unwrap_or_default()),
        ProcessFact::Comm => text(&process.comm),
        ProcessFact::CommandLine => {
            if let Some(argv) = argv {
                text(&strings(argv).collect::<Vec<_>>().join(&b' '));
            }
        }
        ProcessFact::Args => argv.into_iter().flat_map(strings).for_each(|it| see(Value::Text(it))),
        ProcessFact::ArgAt(n) => {
            if let Some(it) = argv.and_then(|argv| strings(argv).nth(usize::from(n))) {
                see(Value::Text(it));
            }
        }
        ProcessFact::ArgCount => {
            if let Some(argv) = argv {
                see(Value::Number(strings(argv).count() as i128));
            }
        }
        ProcessFact::Env => {
            process.env.as_deref().into_iter().flat_map(strings).for_each(|it| see(Value::Text(it)));
        }
        ProcessFact::WorkingDirectory => {
            if let Some(cwd) = &process.cwd {
                text(cwd);
            }
        }
        ProcessFact::CommAndArgs => {
            if let Some(argv) = argv {
                let rest = strings(argv).skip(1);
                let all: Vec<&[u8]> = std::iter::once(&*process.comm).chain(rest).collect();
                text(&all.join(&b' '));
            }
        }
        ProcessFact::Arguments => {
            if let Some(argv) = argv {
                text(&strings(argv).skip(1).collect::<Vec<_>>().join(&b' '));
            }
        }
        ProcessFact::UserName => {
            if let Some(name) = user(process.uid) {
                text(name.as_bytes());
            }
        }
        ProcessFact::Uid => see(Value::Number(process.uid.into())),
        ProcessFact::Gid => see(Value::Number(process.gid.into())),
        ProcessFact::Pid => see(Value::Number(process.pid.into())),
        ProcessFact::NsPid => see(Value::Number(process.ns_pid.into())),
        ProcessFact::Entity => text(entity(process.pid, process.start_ns).as_bytes()),
        ProcessFact::Age => see(Value::Number(time_ns.saturating_sub(process.start_ns).into())),
    }
}

/// A process as keys tell it apart.
pub fn entity(pid: u32, start_ns: u64) -> String {
    format!("{pid}@{start_ns}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pid: u32, ppid: u32) -> Context<'static> {
        Context {
            pid,
            tid: pid,
            ppid,
            process_start_ns: u64::from(pid) * TICK_NS + 5,
            parent_start_ns: u64::from(ppid) * TICK_NS + 5,
            exe: b"/bin/sh",
            comm: b"sh",
            ..Context::default()
        }
    }

    fn values(processes: &Processes, of: &Context<'_>, who: Who, fact: ProcessFact) -> Vec<String> {
        let mut values = Vec::new();
        processes.each_value(of, who, fact, 0, &|_| None, &mut |value| {
            values.push(String::from_utf8_lossy(&value.text()).into_owned());
        });
        values
    }

    #[test]
    fn a_child_has_what_its_parent_had_until_it_executes() {
        let mut processes = Processes::default();
        processes.exec(&context(10, 1), Raw::Bytes(b"/bin/sh"), Raw::Bytes(b"sh\0-i\0"), Raw::Missing);
        let child = context(11, 10);
        processes.fork(&context(10, 1), child.process());
        assert_eq!(values(&processes, &child, Who::Actor, ProcessFact::CommandLine), ["sh -i"]);
        processes.exec(&child, Raw::Bytes(b"/bin/ls"), Raw::Bytes(b"ls\0"), Raw::Missing);
        assert_eq!(values(&processes, &child, Who::Actor, ProcessFact::Name), ["ls"]);
        assert_eq!(values(&processes, &child, Who::PARENT, ProcessFact::CommandLine), ["sh -i"]);
        // The parent executes something else: what was its command line is no longer.
        processes.exec(&context(10, 1), Raw::Bytes(b"/bin/cat"), Raw::Bytes(b"cat\0x\0"), Raw::Missing);
        assert_eq!(values(&processes, &child, Who::PARENT, ProcessFact::CommandLine), ["cat x"]);
    }

    #[test]
    fn the_snapshot_knows_starts_in_ticks() {
        let mut processes = Processes::default();
        let recorded = Recorded {
            pid: 10,
            ppid: 1,
            start_ns: 10 * TICK_NS,
            exe: b"/usr/sbin/nginx".to_vec(),
            argv: b"nginx\0".to_vec(),
            ..Recorded::default()
        };
        processes.snapshot([&recorded].into_iter());
        assert_eq!(values(&processes, &context(11, 10), Who::PARENT, ProcessFact::Name), ["nginx"]);
        assert_eq!(
            values(&processes, &context(11, 10), Who::AnyAncestor, ProcessFact::Exe),
            ["/usr/sbin/nginx"]
        );
        assert_eq!(values(&processes, &context(11, 10), Who::Ancestor(2), ProcessFact::Exe), [""; 0]);
    }
}
