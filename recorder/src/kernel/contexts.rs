//! Contexts on the wire have ids of the kernel's making; the sink gets dense ones, and is told when they are done with.

use std::collections::VecDeque;

use events::{
    Context,
    abi::{RecordHeader, WireContext},
    context::ContextFlags,
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
pub struct Known {
    pub id: u32,
    pub pid: u32,
    pub tid: u32,
}

/// Contexts of one thread that are kept: sockets refer to those in which they were made.
const OF_THREAD: usize = 16;

/// The contexts that records may refer to.
#[derive(Debug, Default)]
pub struct Contexts {
    known: HashMap<u64, Known>,
    /// Those of each thread, the latest last.
    of_thread: HashMap<u32, VecDeque<u64>>,
    /// Those to be given up, with the time of their end.
    ending: VecDeque<(u64, u64)>,
    next_id: u32,
    /// Ids of contexts that were given up, to be given again: so the sink's table stays as large as the tasks are many.
    free: Vec<u32>,
    /// The context that was asked for last: records of one task follow each other.
    last: Option<(u64, Known)>,
    path: Vec<u8>,
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
        let known = Known { id: self.new_id(), pid: wire.pid, tid: wire.tid };
        self.path.clear();
        decode::context_path(record, header.words, &mut self.path);
        announce(known.id, &wire, &self.path, sink);
        self.know(header.context, known, sink);
        let thread = self.of_thread.entry(wire.tid).or_default();
        thread.push_back(header.context);
        if thread.len() > OF_THREAD
            && let Some(oldest) = thread.pop_front()
        {
            self.ending.push_back((header.time_ns, oldest));
        }
    }

    /// Announces who had a socket when the recording began. Sockets refer to it as long as they are there.
    pub fn add_owner(&mut self, owner: &SocketOwner, sink: &mut impl Records) {
        let known = Known { id: self.new_id(), pid: owner.context.pid, tid: owner.context.tid };
        announce(known.id, &owner.context, &owner.exe, sink);
        self.know(owner.id, known, sink);
    }

    fn new_id(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1).max(UNKNOWN_CONTEXT + 1);
            id
        })
    }

    fn know(&mut self, wire_id: u64, known: Known, sink: &mut impl Records) {
        self.last = None;
        if let Some(older) = self.known.insert(wire_id, known) {
            self.give_up(older, sink);
        }
    }

    fn give_up(&mut self, known: Known, sink: &mut impl Records) {
        sink.forget(known.id);
        self.free.push(known.id);
    }

    #[inline]
    pub fn get(&mut self, wire_id: u64) -> Option<Known> {
        if let Some((last, known)) = self.last
            && last == wire_id
        {
            return Some(known);
        }
        let known = self.known.get(&wire_id).copied()?;
        self.last = Some((wire_id, known));
        Some(known)
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
            if let Some(known) = self.known.remove(&wire_id) {
                self.last = None;
                self.give_up(known, sink);
            }
        }
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
    };
    sink.context(id, &context);
}
