//! Scopes as the kernel programs apply them: which tasks' events are dropped before they are recorded.
//!
//! The recorder fills these from `scopes::Lowered`. A task's answer is kept beside its context until that changes, or
//! until the recorder has learnt more ([`State::epoch`]); an event then costs one AND with the word of its slot.

/// What is known when the programs are loaded, as frozen read-only data.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Scopes {
    /// Whether anything is dropped at all. All else is 0 then.
    pub is_on: u32,
    /// Whether contexts are sent whenever they have changed: packets and states of TCP refer to them.
    pub sends_contexts: u32,
    /// A bit for each of [`number`] that is asked for.
    pub numbers: u32,
    /// Bits of [`text`] that are asked for.
    pub texts: u32,
    /// Whether cgroups are asked for.
    pub cgroups: u32,
    /// Whether ancestors are asked for.
    pub lineage: u32,
    pub all: u64,
    /// Scopes that a text passes that has no entry.
    pub comm_others: u64,
    pub binary_others: u64,
    pub uts_others: u64,
    /// Scopes with `follow`, with `tree`, and with only exclusions in it.
    pub follow: u64,
    pub tree: u64,
    pub tree_default: u64,
    /// What is asked of processes and threads that began after the recording did.
    pub new_process: [u64; 2],
    pub new_thread: [u64; 2],
    /// Scopes that want what a hook records, and the hooks that are never dropped, a bit for each.
    pub hooks: [u64; 128],
    pub kept_hooks: [u64; 2],
}

impl Scopes {
    pub const NONE: Scopes = Scopes {
        is_on: 0,
        sends_contexts: 0,
        numbers: 0,
        texts: 0,
        cgroups: 0,
        lineage: 0,
        all: 0,
        comm_others: 0,
        binary_others: 0,
        uts_others: 0,
        follow: 0,
        tree: 0,
        tree_default: 0,
        new_process: [0; 2],
        new_thread: [0; 2],
        hooks: [0; 128],
        kept_hooks: [0; 2],
    };
}

const _: () = assert!(core::mem::size_of::<Scopes>() == 6 * 4 + (7 + 4 + 128 + 2) * 8);

/// Bits of [`Scopes::texts`].
pub mod text {
    pub const COMM: u32 = 1;
    pub const BINARY: u32 = 2;
    pub const UTS: u32 = 4;
}

/// Elements of the map of numbers.
pub mod number {
    pub const PID: u32 = 0;
    /// What `pid` asks of the thread's own number.
    pub const THREAD: u32 = 1;
    pub const TID: u32 = 2;
    pub const PPID: u32 = 3;
    pub const UID: u32 = 4;
    pub const NS_PID: u32 = 5;
    pub const NS_TID: u32 = 6;
    pub const NS_PPID: u32 = 7;
    pub const MNT_NS: u32 = 8;
    pub const PID_NS: u32 = 9;
    pub const CGROUP_ID: u32 = 10;
    pub const COUNT: u32 = 11;
}

/// Intervals of one number.
pub const INTERVALS: usize = 128;
/// Numbers from here on are not looked up: nothing has such a number.
pub const LARGEST_NUMBER: u64 = 1 << 62;
/// Bytes of an executable's path that are compared: its components, the last one first, each with its NUL.
pub const PATH_BYTES: usize = 256;
/// Processes whose ancestors are known; those of others are taken to be anyone.
pub const PROCESSES: u32 = 65_536;
/// Cgroups whose containers are known.
pub const CGROUPS: u32 = 16_384;

/// The scopes that numbers pass: those from `starts[i]` on, up to the next start, pass `words[i]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NumberTable {
    /// Rising from 0; unused ones are [`NumberTable::UNUSED`].
    pub starts: [u64; INTERVALS],
    pub words: [u64; INTERVALS],
}

impl NumberTable {
    pub const UNUSED: u64 = i64::MAX as u64;
    pub const BYTES: usize = INTERVALS * 16;
}

/// What the recorder tells the programs while they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// Answers of other epochs are out of date.
    pub epoch: u64,
    /// When the recording began, by the boot clock; 0 before that is known.
    pub start_ns: u64,
}

/// What a process has of its ancestors, by its id; the bits are those of `scopes::LineageBits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Inherited {
    /// When it began: to be compared in units of [`START_UNIT_NS`].
    pub start_ns: u64,
    pub tree: u64,
    pub named: u64,
    pub follow: u64,
}

/// `/proc` shows starts in hundredths of a second.
pub const START_UNIT_NS: u64 = 10_000_000;

/// A process that `tree` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct NamedRoot {
    pub equal: u64,
    pub not: u64,
    /// Not zero when only the start tells: then nothing is known of it and its descendants.
    pub unsure: u64,
}
