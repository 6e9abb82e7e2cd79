//! The mapped region of a CPU: how records get from the kernel to the recorder without a copy in the kernel.
//!
//! ```text
//! REGIONS, an element per CPU: | header, 32 KiB: head, nest, drops | data, a power of two | slack | other rooms |
//! TAILS, an element per CPU:   | tail, asleep |
//! ```
//! Head and tail only grow; their low bits are the place in the data. A record that starts near the end of the data runs
//! over into the slack, so that it is never split; so do the other records of the same write (see `RecordHeader::more`).
//! The next write starts where its place in the data is, as if the data had gone round.

/// What a CPU's region starts with. The kernel writes it; the recorder maps it read-only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RegionHeader {
    /// Bytes written since the start; published after the record that it covers.
    pub head: u64,
    /// Sum of `full`, `nested` and `forgotten`.
    pub dropped: u64,
    /// What the recorder had read when a program last asked: it has read that much at least. Its own word lies in memory
    /// that the recorder's CPU writes.
    pub known_tail: u64,
    pub pad0: [u64; 5],
    /// Who writes, where nothing but an interrupt can come between: 0 nobody, 1 a program at the head of the data, 2 one
    /// that interrupted it as well. Elsewhere [`WriteState::claims`] says it.
    pub nest: u32,
    pub pad1: [u32; 13],
    /// Of the writes that go on, by [`room`].
    pub writes: [WriteState; room::COUNT],
    /// Runs of programs that the kernel left out and their spares took over, by [`spare`].
    pub taken_over: [u64; spare::COUNT],
    /// What no scope can want: exits of system calls, and firings of each hook.
    pub left_out_calls: u64,
    /// Calls of which it is not known when they began, for the map of them was full.
    pub untimed_calls: u64,
    pub left_out_hooks: [u64; super::Slot::COUNT - super::Slot::HOOK_BASE],
    /// Records that found the data, or the ring buffer, full: by slot.
    pub full: [u64; super::Slot::COUNT],
    /// Records that came while every room was taken by programs that they interrupted or preempted: by slot.
    pub nested: [u64; super::Slot::COUNT],
    /// Functions that returned when nothing was kept of their entry any more, nor ever: by hook.
    pub forgotten: [u64; super::Slot::COUNT - super::Slot::HOOK_BASE],
}

/// What the parts of a program that writes leave for each other: global functions take and return numbers only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WriteState {
    /// Where a number goes so that the verifier knows nothing of it any more.
    pub opaque: u64,
    /// Where the write begins, from the start of the region.
    pub start: u64,
    /// How many programs want the room: it is theirs who were first. Where programs can be preempted in their writes.
    pub claims: u64,
    /// Contexts and files that have been given an id by those who wrote here.
    pub ids: u64,
    /// When the write began, by the monotonic clock.
    pub time_ns: u64,
    /// Bytes of a string that are kept in this write, NUL included.
    pub string_bound: u64,
    /// Bytes of a buffer that are kept in this write, where the buffer has no bound of its own.
    pub buffer_bound: u64,
    /// Where the record that ended last began, from the start of the write.
    pub last: u64,
    /// Whose context its records have: from the function that begins it to the program.
    pub context: u64,
    /// A file that is to be sent.
    pub file: u64,
    pub dentry: u64,
    pub mount: u64,
    /// Where the walk of a path has come to: dentry and mount.
    pub walk: [u64; 2],
    /// How a call is recorded, the programs' own affair, and its result.
    pub how: u64,
    pub result: i64,
    /// When the call began, where calls are timed.
    pub began: u64,
    /// Arguments of a call that was made through another one: see [`super::multiplexed`].
    pub arguments: [u64; 6],
    /// Whether the file of the descriptor that a call returned was made as it was opened: [`super::files::told`].
    pub created: u64,
    /// Files that the call's descriptors stand for, by [`super::files::found`]; 0 is none.
    pub found: [u64; super::files::found::COUNT],
}

/// What the recorder tells the kernel about a CPU's region.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Tail {
    /// Bytes read since the start.
    pub tail: u64,
    pub pad0: [u64; 7],
    /// 1 when the recorder waits for the bell; the kernel sets it to 0 when it rings.
    pub asleep: u32,
    pub pad1: [u32; 15],
}

/// Where the data starts in a region.
pub const DATA_OFFSET: usize = 0x8000;
const _: () = assert!(core::mem::size_of::<RegionHeader>() <= DATA_OFFSET);
const _: () = assert!(core::mem::size_of::<Tail>() == 128);

/// The most that one program writes at once, a context and a record, lies between these; a power of two, chosen by how
/// much of lists is kept ([`write_bytes`]).
pub const LEAST_WRITE: usize = 0x1_0000;
pub const LARGEST_WRITE: usize = 0x10_0000;
/// Captures of a record stop so many bytes before the end of a write; the rest is marked as cut.
pub const CAPTURE_RESERVE: usize = 0x4000;
/// One bounded read, and what else is written without a look at the bounds.
const ONE_READ: usize = 0x3000;

/// Lists of strings: how many strings, and how many bytes, may be asked for.
pub const LIST_STRINGS: core::ops::RangeInclusive<u32> = 1..=32_768;
pub const LIST_BYTES: core::ops::RangeInclusive<u32> = 4096..=0xe_0000;

/// The largest write that a recording needs which keeps so many bytes of a list: room for one, for half of another as
/// large as the smallest write, and for what else a record has. No more than a quarter of the data.
pub fn write_bytes(list_bytes: u32, data_bytes: usize) -> usize {
    let wanted = (list_bytes as usize + LEAST_WRITE / 2 * 3 + CAPTURE_RESERVE).next_power_of_two();
    wanted.min(data_bytes / 4).clamp(LEAST_WRITE, LARGEST_WRITE)
}

/// Room after the data: the write that begins last, and one more bounded read.
pub const fn slack_bytes(write_bytes: usize) -> usize {
    write_bytes + ONE_READ
}

/// Bytes of each room after the data's slack.
pub const fn room_bytes(write_bytes: usize) -> usize {
    write_bytes + ONE_READ
}

/// Bytes of a string that are kept of ordinary events once more than half of the data is waiting to be read.
pub const SHORT_STRING: u32 = 256;
/// One in so many bytes of the data is kept back for the events that matter most.
pub const KEPT_BACK: usize = 8;

/// Programs that have a spare: see [`RegionHeader::taken_over`].
pub mod spare {
    pub const SYS_EXIT: usize = 0;
    pub const FORK: usize = 1;
    pub const EXEC: usize = 2;
    pub const EXIT: usize = 3;
    pub const PREPARE_EXEC: usize = 4;
    /// A power of two.
    pub const COUNT: usize = 8;
    /// Tasks that the map of runs tells apart, where there are spares.
    pub const TASKS: u32 = 32_768;
}

/// Where a write is put together.
pub mod room {
    /// At the head of the data; always at their start when records go to the ring buffer in the end.
    pub const DATA: u64 = 0;
    /// A room of its own, for a write that interrupts another.
    pub const NESTED: u64 = 1;
    /// From here on: where hooks write when the kernel may preempt it there and run another one on the same CPU,
    /// and the kernel has no way to forbid it (before 6.15).
    pub const FIRST_OF_HOOKS: u64 = 2;
    /// A power of two.
    pub const COUNT: usize = 4;
}

/// Room for the headers of a packet, beside the snap length: the longest of IP (60) and TCP (60).
pub const PACKET_HEADERS: u32 = 120;

/// Value size in the object's definition of REGIONS, which the recorder replaces before loading.
pub const VALUE_SIZE_MARK: u32 = 0x7ace_0001;

/// Bytes of a region with so much data, for writes that are at most so large.
pub const fn region_bytes(data_bytes: usize, write_bytes: usize) -> usize {
    rooms_offset(data_bytes, write_bytes) + (room::COUNT - 1) * room_bytes(write_bytes)
}

/// Where the rooms after the data begin in a region.
pub const fn rooms_offset(data_bytes: usize, write_bytes: usize) -> usize {
    DATA_OFFSET + data_bytes + slack_bytes(write_bytes)
}
