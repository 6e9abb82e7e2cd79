//! Contexts on the wire have ids of the kernel's making; the sink gets dense ones, and is told when they are done with.
//!
//! Any process can make as many as it likes (a name set in a loop is a context each time), so they are bounded by bytes.
//! What goes first is what is least likely to be referred to: contexts of tasks that are gone, then those that a task has
//! replaced, and only when all that is left are the contexts of living tasks the one that was announced longest ago. An
//! event whose context is gone says so ([`events::Marks::NO_CONTEXT`]).

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use events::{
    Context,
    abi::{RecordHeader, WireContext},
    context::{ContextFlags, Credentials, Standing},
};
use hashbrown::HashMap;

use super::{
    Records, UNKNOWN_CONTEXT,
    decode::{self, until_nul},
    socket_list::SocketOwner,
};

/// How long the context of a task that is gone, or has changed, can still be referred to.
const GRACE_NS: u64 = 10_000_000_000;

#[derive(Clone, Copy, Debug)]
pub struct SentContext {
    pub id: u32,
    pub tid: u32,
    /// Hash of the program's path, which many contexts share.
    path: u64,
}

/// Contexts of one thread that are kept: sockets refer to those in which they were made.
const OF_THREAD: usize = 16;

/// Bytes that contexts may take, here and with the sink. An ordinary machine's are some hundred kibibytes.
pub const BYTES_BOUND: usize = 64 << 20;
/// What one takes in all tables together, its path apart.
const EACH_BYTES: usize = 768;

/// A path that contexts have: how many, and its length.
#[derive(Clone, Copy, Debug, Default)]
struct SharedPath {
    contexts: u32,
    bytes: usize,
}

/// The contexts that records may refer to.
#[derive(Debug, Default)]
pub struct Contexts {
    known: HashMap<u64, SentContext>,
    /// Those of each thread, the latest last.
    of_thread: HashMap<u32, VecDeque<u64>>,
    /// Those to be given up, with the time of their end.
    ending: VecDeque<(u64, u64)>,
    next_id: u32,
    /// Ids of contexts that were given up, to be given again: so the sink's table stays as large as the tasks are many.
    free: Vec<u32>,
    /// The context that was asked for last: records of one task follow each other.
    last: Option<(u64, SentContext)>,
    path: Vec<u8>,
    /// Those that their thread has replaced, and all, in the order in which they came. Some are gone already.
    replaced: VecDeque<u64>,
    announced: VecDeque<u64>,
    paths: HashMap<u64, SharedPath>,
    hasher: RandomState,
    bytes: usize,
}

impl Contexts {
    /// Announces the context for what has none.
    pub fn begin(&mut self, sink: &mut impl Records) {
        if self.next_id == UNKNOWN_CONTEXT {
            sink.context(UNKNOWN_CONTEXT, &Context::default());
            self.next_id = UNKNOWN_CONTEXT + 1;
        }
    }

    /// Takes a context record and announces it.
    pub fn add(&mut self, header: &RecordHeader, record: &[u8], sink: &mut impl Records) {
        let Some(wire) = decode::context(record) else { return };
        self.path.clear();
        decode::context_path(record, header.words, &mut self.path);
        self.take(header.context, header.time_ns, &wire, sink);
    }

    /// Takes a context with the path that was read of it.
    fn take(&mut self, wire_id: u64, time_ns: u64, wire: &WireContext, sink: &mut impl Records) {
        let path = self.hasher.hash_one(&self.path);
        let known = SentContext { id: self.new_id(), tid: wire.tid, path };
        announce(known.id, wire, &self.path, sink);
        self.know(wire_id, known, self.path.len(), sink);
        let thread = self.of_thread.entry(wire.tid).or_default();
        self.replaced.extend(thread.back());
        thread.push_back(wire_id);
        if thread.len() > OF_THREAD
            && let Some(oldest) = thread.pop_front()
        {
            self.ending.push_back((time_ns, oldest));
        }
        self.hold_to_bound(wire_id, sink);
    }

    /// Gives contexts up until the rest is within the bound; the newest stays.
    fn hold_to_bound(&mut self, newest: u64, sink: &mut impl Records) {
        while self.bytes > BYTES_BOUND {
            let next = self.ending.pop_front().map(|(_, wire_id)| wire_id);
            let next = next.or_else(|| self.replaced.pop_front()).or_else(|| self.announced.pop_front());
            let Some(wire_id) = next else { return };
            if wire_id != newest {
                self.remove(wire_id, sink);
            }
        }
        // What is gone leaves its place in the queues when they have become long.
        let (known, most) = (&self.known, 2 * self.known.len() + 1024);
        for queue in [&mut self.replaced, &mut self.announced] {
            if queue.len() > most {
                queue.retain(|wire_id| known.contains_key(wire_id));
            }
        }
        if self.ending.len() > most {
            self.ending.retain(|(_, wire_id)| known.contains_key(wire_id));
        }
    }

    fn remove(&mut self, wire_id: u64, sink: &mut impl Records) {
        let Some(known) = self.known.remove(&wire_id) else { return };
        self.last = None;
        // A thread whose only context goes is one that is not seen any more.
        if self.of_thread.get(&known.tid).is_some_and(|of_thread| of_thread.back() == Some(&wire_id)) {
            self.of_thread.remove(&known.tid);
        }
        self.give_up(known, sink);
    }

    /// Announces who had a socket when the recording began. Sockets refer to it as long as they are there.
    pub fn add_owner(&mut self, owner: &SocketOwner, sink: &mut impl Records) {
        let path = self.hasher.hash_one(&owner.exe);
        let known = SentContext { id: self.new_id(), tid: owner.context.tid, path };
        announce(known.id, &owner.context, &owner.exe, sink);
        self.know(owner.id, known, owner.exe.len(), sink);
    }

    fn new_id(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1).max(UNKNOWN_CONTEXT + 1);
            id
        })
    }

    fn know(&mut self, wire_id: u64, known: SentContext, path_bytes: usize, sink: &mut impl Records) {
        self.last = None;
        self.bytes += EACH_BYTES;
        let path = self.paths.entry(known.path).or_default();
        if path.contexts == 0 {
            path.bytes = path_bytes;
            self.bytes += path_bytes;
        }
        path.contexts += 1;
        self.announced.push_back(wire_id);
        if let Some(older) = self.known.insert(wire_id, known) {
            self.give_up(older, sink);
        }
    }

    fn give_up(&mut self, known: SentContext, sink: &mut impl Records) {
        sink.forget(known.id);
        self.free.push(known.id);
        self.bytes -= EACH_BYTES;
        if let Some(path) = self.paths.get_mut(&known.path) {
            path.contexts -= 1;
            if path.contexts == 0 {
                self.bytes -= path.bytes;
                self.paths.remove(&known.path);
            }
        }
    }

    #[inline]
    pub fn get(&mut self, wire_id: u64) -> Option<SentContext> {
        if let Some((last, known)) = self.last
            && last == wire_id
        {
            return Some(known);
        }
        let known = self.known.get(&wire_id).copied()?;
        self.last = Some((wire_id, known));
        Some(known)
    }

    /// The same for one of several who read at the same time.
    pub fn find(&self, wire_id: u64) -> Option<SentContext> {
        self.known.get(&wire_id).copied()
    }

    /// The context that was last told of a thread.
    pub fn latest(&self, tid: u32) -> Option<u64> {
        self.of_thread.get(&tid)?.back().copied()
    }

    /// The task of this context is gone.
    pub fn end(&mut self, wire_id: u64, time_ns: u64) {
        let Some(known) = self.known.get(&wire_id) else { return };
        let ended = self.of_thread.remove(&known.tid).unwrap_or_default();
        self.ending.extend(ended.into_iter().map(|wire_id| (time_ns, wire_id)));
    }

    /// Gives up those whose time is over.
    pub fn forget_until(&mut self, now_ns: u64, sink: &mut impl Records) {
        while let Some((time_ns, wire_id)) = self.ending.front().copied() {
            if time_ns.saturating_add(GRACE_NS) > now_ns {
                break;
            }
            self.ending.pop_front();
            self.remove(wire_id, sink);
        }
    }
}

fn credentials(wire: &WireContext) -> Credentials {
    let [effective, permitted, inheritable, bounding, ambient] = wire.capabilities;
    Credentials {
        euid: wire.euid,
        egid: wire.egid,
        suid: wire.suid,
        sgid: wire.sgid,
        fsuid: wire.fsuid,
        fsgid: wire.fsgid,
        effective,
        permitted,
        inheritable,
        bounding,
        ambient,
    }
}

fn announce(id: u32, wire: &WireContext, exe: &[u8], sink: &mut impl Records) {
    let context = Context {
        pid: wire.pid,
        tid: wire.tid,
        ppid: wire.ppid,
        ns_pid: wire.ns_pid,
        ns_tid: wire.ns_tid,
        ns_ppid: wire.ns_ppid,
        uid: wire.uid,
        gid: wire.gid,
        mnt_ns: wire.mnt_ns,
        pid_ns: wire.pid_ns,
        net_ns: wire.net_ns,
        user_ns: wire.user_ns,
        cgroup_id: wire.cgroup_id,
        thread_start_ns: wire.thread_start_ns,
        process_start_ns: wire.process_start_ns,
        parent_start_ns: wire.parent_start_ns,
        comm: until_nul(&wire.comm),
        exe,
        uts: until_nul(wire.uts.as_flattened()),
        flags: ContextFlags(wire.flags),
        credentials: Some(credentials(wire)),
        standing: Standing::default(),
    };
    sink.context(id, &context);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the sink has of contexts.
    #[derive(Default)]
    struct Table(Vec<Option<u32>>);

    impl Records for Table {
        fn context(&mut self, id: u32, context: &Context<'_>) {
            let at = id as usize;
            if self.0.len() <= at {
                self.0.resize(at + 1, None);
            }
            self.0[at] = Some(context.tid);
        }

        fn record(&mut self, _: &super::super::Record<'_>) {}

        fn lost(&mut self, _: &super::super::Loss) {}

        fn forget(&mut self, id: u32) {
            self.0[id as usize] = None;
        }
    }

    fn take(contexts: &mut Contexts, sink: &mut Table, wire_id: u64, tid: u32, path: &[u8]) {
        contexts.path.clear();
        contexts.path.extend_from_slice(path);
        contexts.take(wire_id, 1, &WireContext { pid: tid, tid, ..WireContext::default() }, sink);
    }

    #[test]
    fn a_task_that_makes_contexts_for_ever_costs_bounded_memory_and_only_its_own_contexts() {
        let (mut contexts, mut sink) = (Contexts::default(), Table::default());
        take(&mut contexts, &mut sink, 1, 7, b"/usr/sbin/sshd");
        let path = vec![b'x'; 4000];
        for wire_id in 2..400_000 {
            take(&mut contexts, &mut sink, wire_id, 8, &path);
            assert!(contexts.bytes <= BYTES_BOUND);
        }
        assert!(sink.0.len() < 150_000, "{} ids", sink.0.len());
        assert!(contexts.get(1).is_some() && contexts.get(399_999).is_some());
        assert!(contexts.replaced.len() + contexts.announced.len() + contexts.ending.len() < 1_000_000);
    }

    #[test]
    fn paths_that_differ_are_counted_and_the_oldest_tasks_give_way_at_last() {
        let (mut contexts, mut sink) = (Contexts::default(), Table::default());
        for tid in 1..40_000 {
            let mut path = vec![b'x'; 4000];
            path.extend(tid.to_string().bytes());
            take(&mut contexts, &mut sink, tid.into(), tid, &path);
            assert!(contexts.bytes <= BYTES_BOUND);
        }
        assert!(contexts.get(1).is_none() && contexts.get(39_999).is_some());
        assert_eq!(contexts.of_thread.len(), contexts.known.len());
        let alive = sink.0.iter().flatten().count();
        assert_eq!(alive, contexts.known.len());
    }
}
