//! What a capture knows beside a row: names of users, and of the processes that a row's own context only numbers.

use events::Context;
use hashbrown::HashMap;
use pipeline::{EventView, Source};

use crate::sightings::{self, Sighting, outrank};
use crate::{digits, text};

/// A process of a boot. Its start is cut to clock ticks, as /proc shows it: a process that was there before the recording
/// began is known by that alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Who {
    pub boot: usize,
    pub pid: u32,
    tick: u64,
}

/// A hundredth of a second: what user space calls a clock tick, on every architecture that Linux runs on today.
const TICK_NS: u64 = 10_000_000;

impl Who {
    pub fn new(boot: usize, pid: u32, start_ns: u64) -> Who {
        Who { boot, pid, tick: start_ns / TICK_NS }
    }

    pub fn of(boot: usize, context: &Context<'_>) -> Who {
        Who::new(boot, context.pid, context.process_start_ns)
    }

    pub fn parent(boot: usize, context: &Context<'_>) -> Who {
        Who::new(boot, context.ppid, context.parent_start_ns)
    }
}

/// Names by number. Empty: nothing is known, and numbers are shown.
#[derive(Debug, Default)]
pub struct Known {
    users: HashMap<(usize, u32), String>,
    processes: HashMap<Who, Named>,
}

#[derive(Debug, Default)]
struct Named {
    parent: Who,
    comm: Box<[u8]>,
    /// What the name and the parent rank by: whether they are of the leading thread, and when they were seen last.
    named: Option<(bool, u64)>,
    parented: Option<u64>,
}

/// Ancestors of a row that are told, at most.
const MOST_ANCESTORS: usize = 64;

impl Known {
    /// Reads names of users; with `processes` the names of processes, too: from what was there before, and from the
    /// contexts of all blocks. About 100 bytes of memory for each process.
    pub fn of(source: &Source, processes: bool) -> format::Result<Known> {
        let mut known = Known::default();
        for file in source.files() {
            let boot = |host: u16| file.host(host).map_or(0, |host| host.boot);
            for user in file.capture.users() {
                known.users.entry((boot(user.host), user.uid)).or_insert_with(|| user.name.clone());
            }
        }
        if processes {
            let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
            sightings::each(source, threads, &mut |sighting| known.learn(sighting))?;
        }
        Ok(known)
    }

    /// The name that a process had last is the one that it is known by. A thread may have a name of its own: the process has
    /// that of its leader.
    fn learn(&mut self, sighting: &Sighting<'_>) {
        let (context, last_ns) = (&sighting.context, *sighting.seen_ns.end());
        let boot = sighting.boot();
        let named = self.processes.entry(Who::of(boot, context)).or_default();
        let of_leader = context.pid == context.tid;
        outrank(&mut named.named, (of_leader, last_ns), &mut named.comm, || context.comm.into());
        outrank(&mut named.parented, last_ns, &mut named.parent, || Who::parent(boot, context));
    }

    pub fn user(&self, boot: usize, uid: u32) -> Option<&str> {
        self.users.get(&(boot, uid)).map(String::as_str)
    }

    pub fn comm(&self, who: Who) -> Option<&[u8]> {
        self.processes.get(&who).map(|named| &*named.comm)
    }

    pub fn parent(&self, who: Who) -> Option<Who> {
        self.processes.get(&who).map(|named| named.parent)
    }

    /// Appends `bash(500)`; `(500)` of a process without a name, and nothing where there is no parent.
    pub fn write_name(&self, who: Who, pid: u32, out: &mut Vec<u8>) {
        if pid == 0 {
            return;
        }
        text::shown(self.comm(who).unwrap_or_default(), out);
        out.push(b'(');
        digits::unsigned(pid.into(), out);
        out.push(b')');
    }

    /// Appends `bash(500) < sshd(80) < systemd(1)`.
    pub fn write_ancestors(&self, event: &EventView<'_>, out: &mut Vec<u8>) {
        let mut who = Who::parent(event.host.boot, event.context);
        for at in 0..MOST_ANCESTORS {
            if who.pid == 0 {
                break;
            }
            if at > 0 {
                out.extend_from_slice(b" < ");
            }
            self.write_name(who, who.pid, out);
            match self.parent(who) {
                Some(parent) if parent != who => who = parent,
                _ => break,
            }
        }
    }
}
