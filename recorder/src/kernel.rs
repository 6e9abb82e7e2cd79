//! The face of the kernel side: load the programs, drain what they recorded, finish.
//!
//! ```no_run
//! # struct Printer;
//! # impl recorder::kernel::Records for Printer {
//! #     fn context(&mut self, _: u32, _: &events::Context<'_>) {}
//! #     fn record(&mut self, _: &recorder::kernel::Record<'_>) {}
//! #     fn lost(&mut self, _: &recorder::kernel::Loss) {}
//! # }
//! # let (mut printer, done) = (Printer, false);
//! use recorder::kernel::{Kernel, KernelOptions};
//! let mut kernel = Kernel::load(&KernelOptions::default())?;
//! while !done {
//!     kernel.wait(std::time::Duration::from_millis(50))?;
//!     kernel.drain(&mut printer)?;
//! }
//! kernel.finish(&mut printer)?;
//! # Ok::<(), recorder::kernel::Error>(())
//! ```

mod bell;
mod cast;
mod clock;
mod contexts;
mod cpus;
mod decode;
mod drain;
mod early_drop;
mod execs;
mod files;
mod hook_table;
mod hooks;
mod link_misses;
mod load;
mod losses;
mod map_memory;
mod numbers;
mod object;
mod order;
mod ordered;
mod packets;
mod plain;
mod preemption;
mod quiesce;
mod refusals;
mod region;
mod requests;
mod resync;
mod socket_list;
mod spares;
mod specialize;
mod stand_in;
#[cfg(test)]
mod stand_in_page;
mod tables;
mod unfinished;
mod vital;

use std::{collections::BTreeMap, ops::RangeInclusive, os::fd::AsFd as _, path::PathBuf, time::Duration};

use aya::maps::{MapData, RingBuf};
use bell::Bell;
/// For benchmarks: draining bytes that no kernel wrote.
#[doc(hidden)]
pub use cpus::BUFFER_BYTES;
pub use drain::Drain;
pub use early_drop::EarlyDrop;
use events::{
    Context, EventId, Marks, Raw,
    abi::region::{LIST_BYTES, LIST_STRINGS},
};
use scopes::Lowered;

use crate::team::Team;
#[doc(hidden)]
pub use tables::SlotEvent;

/// What to load and how.
#[derive(Clone, Debug)]
pub struct KernelOptions {
    /// Events to record. `sched_process_fork`, `_exec` and `_exit` come in any case, with [`Marks::STATE_ONLY`] when they
    /// are not in this list. `None` records everything that this kernel can carry, but for events that every call or
    /// switch of the machine would pay for.
    pub events: Option<Vec<EventId>>,
    pub transport: Transport,
    /// By which programs functions of the kernel are looked at.
    pub hooks: HookPrograms,
    /// Bytes of the buffer of each CPU, rounded up to a power of two. `None` chooses by the number of CPUs.
    pub buffer_bytes: Option<usize>,
    /// CPUs that have a buffer, by number from 0 on; events of others are counted ([`LossCause::NoBuffer`]). `None` is
    /// those that are online, and some that may come online later.
    pub cpus: Option<usize>,
    /// Bytes of a string argument that are kept, NUL included; at most 4,096.
    pub string_bound: usize,
    /// Bytes of a buffer argument (`write`'s data) that are kept; at most 4,096.
    pub buffer_bound: usize,
    /// What is kept of lists of strings, such as argv.
    pub lists: Lists,
    /// Bytes of a packet that are kept after its IP and transport headers; at most 60,000.
    pub snaplen: usize,
    /// Keep the environment of an exec as well.
    pub environment: bool,
    /// Compare what calls are given at their entry with what it is at their exit ([`Marks::CHANGED`]).
    pub strict: bool,
    /// Note when calls begin ([`Record::duration_ns`]), and tell at the end of those that have not returned.
    pub timing: bool,
    /// Of these system calls one in so many is recorded, the rest counted ([`Records::left_out`]).
    pub samples: BTreeMap<EventId, u32>,
    /// What no scope of these can want is dropped in the kernel, and counted ([`Records::left_out`]).
    pub scopes: Option<Lowered>,
    /// Load the programs as they were built, not as what they come to on this kernel: a call costs some 20 ns more.
    pub as_built: bool,
    /// Thread group ids whose events are not recorded, beside the recorder's own.
    pub exclude: Vec<u32>,
    /// Records younger than this are held back for slower CPUs, so that time order holds. See `transport.md`.
    pub hold_back: Duration,
}

impl Default for KernelOptions {
    fn default() -> KernelOptions {
        KernelOptions {
            events: None,
            transport: Transport::Region,
            hooks: HookPrograms::Auto,
            buffer_bytes: None,
            cpus: None,
            string_bound: 4096,
            buffer_bound: 256,
            lists: Lists::default(),
            snaplen: 256,
            environment: false,
            strict: false,
            timing: false,
            samples: BTreeMap::new(),
            scopes: None,
            as_built: false,
            exclude: Vec::new(),
            hold_back: Duration::from_millis(10),
        }
    }
}

/// What is kept of lists of strings: argv, environments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lists {
    /// So many strings; at most 32,768.
    pub strings: u32,
    /// With so many bytes no string more; 4 to 896 KiB. Less where buffers are small.
    pub bytes: u32,
}

impl Lists {
    pub const STRINGS: RangeInclusive<u32> = LIST_STRINGS;
    pub const BYTES: RangeInclusive<u32> = LIST_BYTES;
}

/// What the longest command line of `xargs` has.
impl Default for Lists {
    fn default() -> Lists {
        Lists { strings: 8192, bytes: 128 << 10 }
    }
}

/// How records come from the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A memory-mapped region per CPU: about 3 ns a record.
    Region,
    /// One BPF ring buffer for all CPUs: about 30 ns a record, more when CPUs contend.
    Ringbuf,
}

/// Programs on functions of the kernel. Events that need one come from the exits of system calls where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookPrograms {
    /// The first of the following that the kernel takes: trampolines, kprobes, hooks of security modules.
    Auto,
    /// Trampolines at the entry or exit.
    Fentry,
    /// Hooks of security modules; needs `bpf` among them.
    Lsm,
    /// Kprobes and kretprobes.
    Kprobe,
    None,
}

/// Where drained records go. All calls of one drain come in time order.
pub trait Records {
    /// A context that later records refer to. Ids are dense, given once, and announced before their first record.
    fn context(&mut self, id: u32, context: &Context<'_>);
    fn record(&mut self, record: &Record<'_>);
    fn lost(&mut self, loss: &Loss);
    /// A CPU records nothing any more, for a program does not end what it began: [`LossCause::Stuck`] counts what is lost.
    /// Said once for each CPU.
    fn stuck(&mut self, cpu: u16) {
        let _ = cpu;
    }
    /// So many events were dropped in the kernel, for no scope could want them.
    fn left_out(&mut self, count: u64) {
        let _ = count;
    }
    /// Of so many calls it is not known when they began, for more threads were in calls than are remembered.
    fn untimed(&mut self, count: u64) {
        let _ = count;
    }
    /// No later record refers to this context: its task is gone or has changed.
    fn forget(&mut self, id: u32) {
        let _ = id;
    }

    /// Whether records wait here for an answer, so that nothing behind them can be judged yet.
    fn is_waiting(&self) -> bool {
        false
    }
    /// Too much is behind them: they go on without.
    fn give_up_waiting(&mut self) {}
    /// Whether records that change nothing by which others are judged may be given to shares, by several threads, after all
    /// others up to their time were given here. Then such a stretch begins, which [`Records::end_sharing`] ends.
    fn begin_sharing(&mut self) -> bool {
        false
    }
    /// So many shares.
    fn shares(&mut self, count: usize) -> Vec<Box<dyn Share + '_>> {
        let _ = count;
        Vec::new()
    }
    fn end_sharing(&mut self) {}
}

/// Takes a part of the records, in time order among themselves, while others take other parts.
pub trait Share: Send {
    fn record(&mut self, record: &Record<'_>);
}

/// One event, as the kernel side recorded it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Boot clock.
    pub time_ns: u64,
    pub event: EventId,
    pub cpu: u16,
    /// Id of the context, as announced. With [`Marks::NO_CONTEXT`] it is [`UNKNOWN_CONTEXT`].
    pub context: u32,
    /// Return value of a system call; 0 for other events.
    pub ret: i64,
    pub marks: Marks,
    /// How long the call took; of one that has not returned ([`Marks::UNFINISHED`]), how long it had been under way.
    pub duration_ns: Option<u64>,
    /// One for each declared argument.
    pub args: &'a [Raw<'a>],
}

/// The context of records whose context was lost; it is announced like any other, all fields zero or empty.
pub const UNKNOWN_CONTEXT: u32 = 0;

/// Events that did not come through, counted where it happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Boot clock; the loss happened between these times.
    pub from_ns: u64,
    pub to_ns: u64,
    /// `None` where the kernel counts for all of them together.
    pub cpu: Option<u16>,
    /// `None` where the kernel side could not say which.
    pub event: Option<EventId>,
    pub count: u64,
    pub cause: LossCause,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossCause {
    /// The CPU's buffer was full, up to what is kept back for the events that matter most, if it is none of these.
    BufferFull,
    /// The event interrupted or preempted others' recording, and all rooms for that were taken.
    Nested,
    /// The kernel left out the run of a program that would have recorded it, for the program was at work on that CPU already.
    Missed,
    /// A function returned, and of its entry, which has the arguments, nothing was known: it was entered before the recording
    /// began, an inner call of the same function came, or too many tasks were in such functions. Without trampolines only.
    Forgotten,
    /// A program began a record and did not end it: the CPU records nothing any more. This is a bug.
    Stuck,
    /// Bytes in the buffer did not read as a record: one for each stretch of them, up to where records go on.
    Malformed,
    /// The CPU came online while it was recorded, and had no buffer.
    NoBuffer,
}

impl LossCause {
    pub const fn name(self) -> &'static str {
        match self {
            LossCause::BufferFull => "buffer full",
            LossCause::Nested => "nested",
            LossCause::Missed => "missed by the kernel",
            LossCause::Forgotten => "entry not known",
            LossCause::Stuck => "writer stuck",
            LossCause::Malformed => "malformed",
            LossCause::NoBuffer => "cpu without buffer",
        }
    }
}

/// A wanted event that this kernel cannot carry, or not all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    pub event: EventId,
    /// It is recorded, but something is missing.
    pub in_part: bool,
    /// Why, and what was tried, in words for people.
    pub reason: String,
}

/// The reason of events that this kernel could carry, and that are recorded only when they are named.
pub const NAMED_ONLY: &str = "recorded when --events names it: all programs of the machine pay for it";

/// Why the kernel side could not be loaded or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "recording needs the capability {capability}, which this process lacks: run it as root, or with `setcap {capability}+ep`"
    )]
    Capability { capability: &'static str },
    #[error("this kernel does not describe its types: {path} is missing; it needs CONFIG_DEBUG_INFO_BTF=y")]
    NoBtf { path: PathBuf },
    #[error("the kernel's type information cannot be used: {reason}")]
    Btf { reason: String },
    #[error("this kernel lacks {feature} (kernel 5.10 or later is needed): {reason}")]
    Feature { feature: &'static str, reason: String },
    #[error(
        "the kernel is locked down (confidentiality): programs may not read the arguments of system calls; boot with lockdown=integrity or none"
    )]
    Lockdown,
    #[error(
        "recording works on x86_64 and aarch64, and this machine is {found}: the programs would take other registers for the arguments of calls; captures of other machines can be read here"
    )]
    Architecture { found: &'static str },
    #[error(
        "recording on aarch64 needs kernel 5.18 or later, and this is {release}: programs of older ones cannot say in which order what they write is to be seen"
    )]
    OldOfAarch64 { release: String },
    #[error(
        "this process is in a pid namespace of its own, while the kernel tells of processes by the host's ids: start it on the host, or in a container with the host's pids (`docker run --pid=host`, `hostPID: true` of a Kubernetes pod)"
    )]
    PidNamespace,
    #[error(
        "this process is in a time namespace, whose clocks are not those that the kernel tells times by: start it outside of it"
    )]
    TimeNamespace,
    #[error("no more than {limit} processes can be left out of a recording, and {asked} are asked for")]
    Excluded { asked: usize, limit: usize },
    #[error("the kernel refused program `{program}`: {reason}")]
    Program { program: String, reason: String },
    #[error("cannot map the buffers of {cpus} CPUs at {bytes} bytes each ({reason}): try a smaller --buffer")]
    Memory { cpus: usize, bytes: usize, reason: String },
    #[error("{what}: {source}")]
    Io { what: &'static str, source: std::io::Error },
}

/// Bytes of what is remembered between records at most: contexts, open files, execs and requests that go on.
pub const OWN_BOUND: usize = contexts::BYTES_BOUND + files::BYTES_BOUND + execs::BYTES + requests::MOST_BYTES;

/// What the maps of the programs take of the kernel's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// CPUs that have a buffer, and how many bytes each has.
    pub cpus: usize,
    pub buffer_bytes: usize,
    /// Of all maps, buffers included, as the kernel reckons them.
    pub map_bytes: u64,
}

/// The loaded and attached programs with their buffers. Dropping it detaches them; [`Kernel::finish`] also drains.
#[derive(Debug)]
pub struct Kernel {
    loaded: load::Loaded,
    drain: drain::Drain,
    bell: Bell,
    hold_back_ns: u64,
}

/// How often the counters of lost records are looked at.
const LOSSES_EVERY_NS: u64 = 100_000_000;
/// How often the kernel is asked for the runs of programs that it left out.
const MISSES_EVERY_NS: u64 = 1_000_000_000;

impl Kernel {
    /// Resolves the kernel's types, loads and attaches. Recording runs from here on.
    pub fn load(options: &KernelOptions) -> Result<Kernel, Error> {
        let mut loaded = load::load(options)?;
        let slots = loaded.tables.slots.clone();
        let owners = std::mem::take(&mut loaded.owners);
        let drain = drain::Drain::new(slots, loaded.regions.cpus(), clock::monotonic_ns(), owners);
        let hold_back_ns = u64::try_from(options.hold_back.as_nanos()).unwrap_or(u64::MAX);
        let bell = Bell::of(&[loaded.records.as_fd(), loaded.packets.as_fd()])?;
        Ok(Kernel { loaded, drain, bell, hold_back_ns })
    }

    /// Reads with these from now on, each having CPUs of its own.
    pub fn employ(&mut self, team: Team) {
        self.drain.employ(team);
    }

    /// Why the programs are loaded as they were built, where that was not asked for: what the kernel said to the others.
    pub fn refused_evaluation(&self) -> Option<&str> {
        self.loaded.refused_evaluation.as_deref()
    }

    /// Wanted events that this kernel cannot carry.
    pub fn unavailable(&self) -> &[Unavailable] {
        &self.loaded.tables.unavailable
    }

    /// Keeps what the kernel drops up to date; to be taken once. `None` when nothing is dropped.
    pub fn take_early_drop(&mut self) -> Option<EarlyDrop> {
        self.loaded.early_drop.take()
    }

    /// Where the events of hooks come from: an event, the way, and where that is a call's exit, why not from the hook.
    pub fn carriers(&self) -> impl Iterator<Item = (EventId, &str, Option<&str>)> {
        let carriers = self.loaded.tables.carriers.iter();
        carriers.map(|it| (it.event, it.way.as_str(), it.instead_of.as_deref()))
    }

    /// What is kept of lists of strings: what was asked for, or less where buffers are small.
    pub fn lists(&self) -> Lists {
        self.loaded.lists
    }

    /// What its maps take of the kernel's memory.
    pub fn memory(&self) -> Memory {
        self.loaded.memory
    }

    /// Sleeps until a buffer has filled to a quarter or the time is over.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), Error> {
        if self.loaded.regions.sleep() {
            self.bell.wait(timeout)?;
        }
        self.loaded.regions.wake();
        Ok(())
    }

    /// Takes what has been recorded and is older than the hold-back, in time order. Returns the number of records.
    pub fn drain(&mut self, sink: &mut impl Records) -> Result<usize, Error> {
        let now_ns = clock::monotonic_ns();
        self.take();
        let count = self.drain.release(now_ns.saturating_sub(self.hold_back_ns), sink);
        if now_ns.saturating_sub(self.drain.losses_since_ns()) >= LOSSES_EVERY_NS {
            self.report_losses(now_ns, sink);
        }
        if now_ns.saturating_sub(self.drain.misses_since_ns()) >= MISSES_EVERY_NS {
            self.drain.report_misses(&self.loaded.misses(), now_ns, sink);
        }
        Ok(count)
    }

    /// How full the fullest buffer was at the last drain, in thousandths.
    pub fn buffer_fill(&self) -> u64 {
        self.loaded.regions.fullest_bytes() as u64 * 1000 / (self.loaded.regions.data_bytes() as u64).max(1)
    }

    fn take(&mut self) {
        self.loaded.regions.forget_fullest();
        self.drain.take(&mut self.loaded.regions);
        let bounds = self.loaded.ring_bytes;
        take_all(&mut self.loaded.records, bounds.records, |piece| self.drain.take_piece(piece));
        take_all(&mut self.loaded.packets, bounds.packets, |packet| self.drain.take_packet(packet));
    }

    /// Detaches, drains all that is left, and reports the last losses.
    pub fn finish(mut self, sink: &mut impl Records) -> Result<(), Error> {
        let misses = self.loaded.misses();
        self.loaded.detach();
        // Programs may still be at work on other CPUs.
        quiesce::wait_for_programs();
        self.take();
        self.drain.release(u64::MAX, sink);
        self.drain.give_unfinished(self.loaded.begun(), clock::monotonic_ns(), sink);
        self.drain.report_misses(&misses, clock::monotonic_ns(), sink);
        self.report_losses(clock::monotonic_ns(), sink);
        Ok(())
    }

    fn report_losses(&mut self, now_ns: u64, sink: &mut impl Records) {
        let without_region = self.loaded.without_region.get(&0, 0);
        self.drain.report_losses(&self.loaded.regions, without_region.ok().as_ref(), now_ns, sink);
    }
}

/// Takes what a ring buffer held when this began, at least, and less than twice of it: when programs write as fast as it is
/// read, this ends all the same.
fn take_all(ring: &mut RingBuf<MapData>, ring_bytes: usize, mut take: impl FnMut(&[u8])) {
    let mut taken = 0;
    while taken < ring_bytes {
        let Some(piece) = ring.next() else { return };
        // Each piece has a header of eight bytes there.
        taken += piece.len().next_multiple_of(8) + 8;
        take(&piece);
    }
}
