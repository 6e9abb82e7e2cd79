//! Records that wait, in order, for the names of a container, or for the hash of an executed file.
//!
//! A container is known from its cgroup's path before its first event; its name may be known only to its runtime, which
//! has to be asked. When scopes ask for names, a mask that was given before the answer would differ from what replay
//! says with the answer in the file. So from the first event on that such a mask would be given for, everything waits
//! here: all tasks and not only the container's, since what a scope follows passes from one to the other, and a capture
//! is in order of time.
//!
//! ```text
//! mkdir of the cgroup   runc init, entry point, others ...   answer, or PATIENCE is over
//!        |-------------------- held ------------------------------|
//! ```
//! An exec whose file is being hashed waits likewise, so that the hash is an argument as any other is.
//!
//! Time and memory are bounded; what is beyond is judged without the name, which is then left out of the file as well, or
//! without the hash.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use events::{EventId, Marks, Raw};
use format::Process;

use crate::{
    artifacts::Who, containers::container_events::Happened, contexts::OwnedContext, hashes::FileState,
    kernel::Record,
};

/// How long an answer is waited for. Runtimes answer in milliseconds, and a daemon that starts the container meanwhile
/// may take as long as that takes.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The same for containers that a user may have made up, and how often that is done.
const USERS_PATIENCE: Duration = Duration::from_millis(200);
const USERS_EVERY: Duration = Duration::from_secs(1);
/// The same for the hash of a file.
const HASH_PATIENCE: Duration = Duration::from_millis(300);
/// Bytes that may wait: at the busiest some hundred thousand records.
pub const BYTES_BOUND: usize = 96 << 20;

/// One thing that waits.
#[derive(Debug)]
pub enum Pending {
    /// The state that the recording begins with is judged as well.
    Begin {
        processes: Vec<Process>,
        start_ns: u64,
    },
    Context(u32, Box<OwnedContext>),
    Forget(u32),
    Record(OwnedRecord),
    /// What is to be said of a container once it has its name.
    Happened(HappenedAt),
}

/// Something that happened to a container, at the place of an event.
#[derive(Clone, Copy, Debug)]
pub struct HappenedAt {
    pub happened: Happened,
    pub cgroup_id: u64,
    pub time_ns: u64,
    pub cpu: u16,
    pub context: u32,
    pub marks: Marks,
}

impl Pending {
    fn bytes(&self) -> usize {
        size_of::<Pending>()
            + match self {
                Pending::Begin { processes, .. } => processes.len() * size_of::<Process>(),
                Pending::Context(_, context) => {
                    size_of::<(u32, u32, u32)>() + context.view().comm.len() + context.view().exe.len()
                }
                Pending::Forget(_) | Pending::Happened(_) => 0,
                Pending::Record(record) => record.args.len() * size_of::<Arg>() + record.bytes.len(),
            }
    }
}

/// A record that owns its arguments.
#[derive(Debug)]
pub struct OwnedRecord {
    time_ns: u64,
    event: EventId,
    cpu: u16,
    context: u32,
    ret: i64,
    marks: Marks,
    duration_ns: Option<u64>,
    args: Box<[Arg]>,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Arg {
    Missing,
    Number(u64),
    /// So many of the record's bytes, after those of the arguments before.
    Bytes(usize),
}

impl OwnedRecord {
    pub fn new(record: &Record<'_>) -> OwnedRecord {
        let mut bytes = Vec::new();
        let own = |raw: &Raw<'_>| match raw {
            Raw::Missing => Arg::Missing,
            Raw::Number(number) => Arg::Number(*number),
            Raw::Bytes(some) => {
                bytes.extend_from_slice(some);
                Arg::Bytes(some.len())
            }
        };
        let args = record.args.iter().map(own).collect();
        let Record { time_ns, event, cpu, context, ret, marks, duration_ns, .. } = *record;
        let bytes = bytes.into_boxed_slice();
        OwnedRecord { time_ns, event, cpu, context, ret, marks, duration_ns, args, bytes }
    }

    pub fn context(&self) -> u32 {
        self.context
    }

    /// Hands the record over as it came.
    pub fn view<T>(&self, then: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut rest = &*self.bytes;
        let mut args = Vec::with_capacity(self.args.len());
        for arg in &self.args {
            args.push(match arg {
                Arg::Missing => Raw::Missing,
                Arg::Number(number) => Raw::Number(*number),
                Arg::Bytes(length) => {
                    let (some, after) = rest.split_at_checked(*length).unwrap_or((rest, &[]));
                    rest = after;
                    Raw::Bytes(some)
                }
            });
        }
        let OwnedRecord { time_ns, event, cpu, context, ret, marks, duration_ns, .. } = *self;
        then(&Record { time_ns, event, cpu, context, ret, marks, duration_ns, args: &args })
    }
}

/// What somebody is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Awaited {
    /// The names of the container of this cgroup.
    Names(u64),
    Hash(FileState),
}

/// What waits, and what for.
#[derive(Debug, Default)]
pub struct Waiting {
    queue: VecDeque<Pending>,
    bytes: usize,
    /// Whose the contexts in the queue are.
    processes: HashMap<u32, Who>,
    /// What was asked for, and until when an answer is waited for.
    asked: BTreeMap<Awaited, Instant>,
    /// When one of a user's was asked for last.
    asked_for_users: Option<Instant>,
}

impl Waiting {
    /// An answer for this cgroup is waited for from now on.
    pub fn wait_for(&mut self, cgroup_id: u64) {
        self.asked.insert(Awaited::Names(cgroup_id), Instant::now() + PATIENCE);
    }

    /// The hash of this file is waited for from now on.
    pub fn wait_for_hash(&mut self, file: FileState) {
        self.asked.insert(Awaited::Hash(file), Instant::now() + HASH_PATIENCE);
    }

    /// The same for a container of a user's, unless that would let the user hold everything up: anybody who was given a
    /// subtree can make cgroups that look like containers, as fast as directories are made.
    pub fn wait_for_user(&mut self, cgroup_id: u64) -> bool {
        let now = Instant::now();
        if self.asked_for_users.is_some_and(|last| now < last + USERS_EVERY) {
            return false;
        }
        self.asked_for_users = Some(now);
        self.asked.insert(Awaited::Names(cgroup_id), now + USERS_PATIENCE);
        true
    }

    /// The answer is there, or there will be none.
    pub fn answered(&mut self, awaited: Awaited) {
        self.asked.remove(&awaited);
    }

    /// What was waited for long enough; with too much waiting, all of it.
    pub fn give_up(&mut self) -> Vec<Awaited> {
        let (now, is_full) = (Instant::now(), self.is_full());
        let over: Vec<Awaited> =
            self.asked.iter().filter(|(_, until)| is_full || **until <= now).map(|(id, _)| *id).collect();
        for id in &over {
            self.asked.remove(id);
        }
        over
    }

    /// Nothing is waited for any more.
    pub fn give_up_all(&mut self) {
        self.asked.clear();
    }

    /// Whether an answer is missing.
    pub fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.bytes > BYTES_BOUND
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn push(&mut self, held: Pending) {
        self.bytes += held.bytes();
        if let Pending::Context(id, context) = &held {
            let context = context.view();
            self.processes.insert(*id, Who::of(&context));
        }
        self.queue.push_back(held);
    }

    /// Whose a context is that waits itself.
    pub fn process(&self, context: u32) -> Option<Who> {
        self.processes.get(&context).copied()
    }

    /// Before all others that wait.
    pub fn push_first(&mut self, held: Pending) {
        self.bytes += held.bytes();
        self.queue.push_front(held);
    }

    /// The record that comes next, unless something else does.
    pub fn next_record(&self) -> Option<&OwnedRecord> {
        match self.queue.front()? {
            Pending::Record(record) => Some(record),
            _ => None,
        }
    }

    pub fn pop(&mut self) -> Option<Pending> {
        let held = self.queue.pop_front()?;
        self.bytes -= held.bytes();
        if self.queue.is_empty() {
            self.processes.clear();
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use events::Context;

    use super::*;
    use crate::contexts::SharedTexts;

    #[test]
    fn a_record_comes_back_as_it_went_in() {
        let args = [Raw::Bytes(b"/etc"), Raw::Missing, Raw::Number(7), Raw::Bytes(b""), Raw::Bytes(b"x")];
        let record = Record {
            time_ns: 5,
            event: EventId(257),
            cpu: 1,
            context: 9,
            ret: -2,
            marks: Marks(Marks::TRUNCATED),
            duration_ns: Some(90),
            args: &args,
        };
        OwnedRecord::new(&record).view(|back| {
            assert_eq!(back.args, record.args);
            let of = |r: &Record<'_>| (r.time_ns, r.event, r.cpu, r.context, r.ret, r.marks, r.duration_ns);
            assert_eq!(of(back), of(&record));
        });
    }

    #[test]
    fn an_answer_or_too_much_memory_ends_the_waiting() {
        let mut waiting = Waiting::default();
        waiting.wait_for(7);
        waiting.wait_for(8);
        assert!(waiting.give_up().is_empty() && waiting.is_waiting());
        waiting.answered(Awaited::Names(7));
        waiting.bytes = BYTES_BOUND + 1;
        assert_eq!((waiting.give_up(), waiting.is_waiting()), (vec![Awaited::Names(8)], false));
    }

    #[test]
    fn users_cannot_make_everything_wait_for_ever() {
        let mut waiting = Waiting::default();
        assert!(waiting.wait_for_user(1) && !waiting.wait_for_user(2));
        std::thread::sleep(USERS_PATIENCE);
        assert_eq!((waiting.give_up(), waiting.is_waiting()), (vec![Awaited::Names(1)], false));
    }

    #[test]
    fn memory_is_counted_in_and_out() {
        let mut waiting = Waiting::default();
        waiting.push(Pending::Forget(1));
        let context = Context { comm: b"ls", ..Context::default() };
        waiting.push(Pending::Context(1, Box::new(OwnedContext::new(&context, &mut SharedTexts::default()))));
        assert!(waiting.bytes > 2);
        while waiting.pop().is_some() {}
        assert_eq!((waiting.bytes, waiting.is_empty()), (0, true));
    }
}
