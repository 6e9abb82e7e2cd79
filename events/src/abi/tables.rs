//! What the recorder tells the programs at load, as frozen read-only data that the verifier takes as constants.

use crate::capture::{ARGUMENTS, Capture, Captures};

/// Stands in the object for `bpf_rdonly_cast`, a function that each kernel has at another number: no helper has this one.
pub const CAST_MARK: i32 = 0x6361_7374;
/// The same for `bpf_preempt_disable` and `bpf_preempt_enable`.
pub const PREEMPT_DISABLE_MARK: i32 = 0x6361_7375;
pub const PREEMPT_ENABLE_MARK: i32 = 0x6361_7376;

/// Settings of a recording.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Config {
    /// Bytes of a CPU's data, less one.
    pub data_mask: u64,
    /// Where the rooms after the data begin in a CPU's region.
    pub rooms_offset: u64,
    /// Bytes of each of them.
    pub room_bytes: u64,
    /// Where the last of them begins.
    pub last_room: u64,
    /// The most that one program writes at once.
    pub write_bytes: u64,
    /// No capture of a record begins beyond it, from the start of the write.
    pub capture_limit: u64,
    /// A quarter of the ring buffer, when records go there.
    pub quarter_bytes: u64,
    /// Bytes of a CPU's data that are kept back for the events that matter most.
    pub kept_back: u64,
    /// The same of the ring buffer: beyond so many bytes in it, it is theirs.
    pub ring_limit: u64,
    /// The same of a CPU's data, as a power of two: passing a multiple of it rings the bell.
    pub quarter_shift: u32,
    /// Whether records go to the shared ring buffer instead of the regions.
    pub ringbuf: u32,
    /// Whether the kernel has `bpf_get_current_task_btf` and `bpf_task_pt_regs` (5.15 and later).
    pub modern: u32,
    /// Bytes of a string that are kept, NUL included; at most 4,096.
    pub string_bound: u32,
    /// Bytes of a buffer that are kept; at most 4,096.
    pub buffer_bound: u32,
    /// Strings of a list that are kept, such as argv.
    pub list_strings: u32,
    /// With so many bytes of a list no string more is kept.
    pub list_bytes: u32,
    /// Bytes of a packet that are kept.
    pub snaplen: u32,
    /// Whether an exec carries its environment.
    pub environment: u32,
    /// Whether arguments of an exec are taken at the entry of the call (no `sched_prepare_exec`).
    pub exec_at_entry: u32,
    /// From a task's stack to its `pt_regs`, where there is no helper for it.
    pub regs_offset: u32,
    /// Whether the last file of each descriptor is kept, for those that are closed.
    pub remembers: u32,
    /// Whether hooks are entered by kprobes, which find arguments in registers, rather than by trampolines.
    pub kprobes: u32,
    /// Whether the kernel says at the end of a task whether it is the last of its process (6.16 and later).
    pub tells_last: u32,
    /// BTF's id of `struct files_struct`, where the kernel has `bpf_rdonly_cast` (6.2 and later); else 0.
    pub files_type: u32,
    /// Whether programs keep others from preempting them while they write: the kernel has functions for it, and lets
    /// global functions be called meanwhile (6.15 and later).
    pub disables_preemption: u32,
    /// Whether the kernel lets programs on tracepoints be preempted (7.0 and later), and then leaves out runs of them: those
    /// that matter most are attached twice.
    pub preempts_tracepoints: u32,
    /// Whether what calls are given is compared at their entry and at their exit.
    pub strict: u32,
    /// Whether it is noted when calls begin.
    pub timing: u32,
    /// The same of `struct task_struct`.
    pub task_type: u32,
    /// Which hooks are wanted, a bit for each.
    pub hooks: [u64; 2],
    /// Which of them matter most: see [`Config::kept_back`].
    pub vital_hooks: [u64; 2],
    /// Thread group ids that are not recorded; 0 ends the list.
    pub excluded: [u32; 16],
}

impl Config {
    pub const EMPTY: Config = Config {
        data_mask: 0,
        rooms_offset: 0,
        room_bytes: 0,
        last_room: 0,
        write_bytes: 0,
        capture_limit: 0,
        quarter_bytes: 0,
        kept_back: 0,
        ring_limit: 0,
        quarter_shift: 0,
        ringbuf: 0,
        modern: 0,
        string_bound: 0,
        buffer_bound: 0,
        list_strings: 0,
        list_bytes: 0,
        snaplen: 0,
        environment: 0,
        exec_at_entry: 0,
        regs_offset: 0,
        remembers: 0,
        kprobes: 0,
        tells_last: 0,
        files_type: 0,
        disables_preemption: 0,
        preempts_tracepoints: 0,
        strict: 0,
        timing: 0,
        task_type: 0,
        hooks: [0; 2],
        vital_hooks: [0; 2],
        excluded: [0; 16],
    };
}

/// What to record of one system call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SyscallEntry {
    pub flags: u8,
    /// Number of arguments.
    pub words: u8,
    /// A bit per argument that is followed.
    pub followed: u8,
    /// What the exit is looked at for besides: one of [`role`].
    pub role: u8,
    /// Position of the first argument that is a descriptor, plus 1; 0 is none.
    pub first: u8,
    /// The same of the second. (The three are read at once: see [`SyscallEntry::DESCRIPTORS_OFFSET`].)
    pub second: u8,
    /// Bits of [`descriptor`].
    pub descriptors: u8,
    /// Bits of [`compared`]: what is compared with what it was at the entry, where [`Config::strict`].
    pub compared: u8,
    pub captures: Captures,
    /// Scopes that want what this slot records, where [`super::lower::Scopes::is_on`].
    pub scopes: u64,
}

impl SyscallEntry {
    pub const EMPTY: SyscallEntry = SyscallEntry {
        flags: 0,
        words: 0,
        followed: 0,
        role: 0,
        first: 0,
        second: 0,
        descriptors: 0,
        compared: 0,
        captures: [Self::NUMBER; ARGUMENTS],
        scopes: 0,
    };
    const NUMBER: Capture = Capture { op: 0, dir: 0, len_from: 0, len_arg: 0, size: 0, max: 0 };
    pub const WANTED: u8 = 1;
    /// Where the four bytes from `first` on are.
    pub const DESCRIPTORS_OFFSET: usize = core::mem::offset_of!(SyscallEntry, first);
    /// An exec. A successful one has its arguments from elsewhere, and its exit is told of even where the call is not
    /// wanted: the kernel then says `execve`, whichever exec it was.
    pub const EXEC: u8 = 2;
    /// Passes whatever the task is: something is derived from it, or its entry has been sent ahead.
    pub const KEPT: u8 = 4;
    /// One in so many is recorded, at random.
    pub const SAMPLED: u8 = 8;
    /// No call of the catalogue has this number.
    pub const UNKNOWN: u8 = 16;
    /// Recorded while others are refused: see [`Config::kept_back`].
    pub const VITAL: u8 = 32;
    /// It fills one argument and reads another, which may lie where it fills.
    pub const OVERLAPS: u8 = 64;
    /// Others are made through it: see [`super::multiplexed`].
    pub const MULTIPLEXED: u8 = 128;
}

const _: () = assert!(core::mem::size_of::<SyscallEntry>() == 64);
const _: () = assert!(SyscallEntry::DESCRIPTORS_OFFSET == 4);
const _: () = assert!(core::mem::size_of::<Config>() == 72 + 20 * 4 + 32 + 64);

/// The call that a task is in, where calls are timed: the value of a map by the address of its `task_struct`, which is what
/// an exec leaves as it is. Numbers of 64 bits only, so that the recorder reads it as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Begun {
    /// When it began, by the monotonic clock; 0 where the task is in no call that is recorded.
    pub time_ns: u64,
    /// The number that the task gave.
    pub number: u64,
    /// The slot, 0 to 1,023.
    pub slot: u64,
    pub tid: u64,
    /// 1 for a 32-bit call.
    pub compat: u64,
    pub arguments: [u64; 6],
}

impl Begun {
    pub const WORDS: usize = 11;
    /// Tasks that are remembered, where calls are timed.
    pub const TASKS: u32 = 65_536;

    /// As the map has it.
    pub fn of_words(words: [u64; Begun::WORDS]) -> Begun {
        let [time_ns, number, slot, tid, compat, arguments @ ..] = words;
        Begun { time_ns, number, slot, tid, compat, arguments }
    }
}

const _: () = assert!(core::mem::size_of::<Begun>() == Begun::WORDS * 8);

/// Bits of [`SyscallEntry::compared`]: one for each argument's position, and two for descriptors.
pub mod compared {
    pub const ARGUMENTS: u8 = 0x3f;
    /// What the first descriptor stands for.
    pub const FIRST: u8 = 0x40;
    /// The same of the second.
    pub const SECOND: u8 = 0x80;
    /// Threads that the map of what calls were given tells apart, where anything is compared.
    pub const THREADS: u32 = 32_768;
}

/// What a call does with descriptors, beside having them as arguments: [`SyscallEntry::descriptors`].
pub mod descriptor {
    /// The result is one.
    pub const RETURNED: u8 = 1;
    /// The first is gone when the call returns.
    pub const CLOSED: u8 = 2;
    /// The first may be a socket that has other addresses now.
    pub const READDRESSED: u8 = 4;
    /// Relative paths are of interest: the directory that they begin at is told.
    pub const RELATIVE: u8 = 8;
    /// The call's last word is no argument: it says whether the file was made by it ([`super::files::told`]).
    pub const CREATED: u8 = 16;
    /// What it sends to the first may be a message for a log: more of that is kept ([`super::files::log`]).
    pub const LOGS: u8 = 32;
    /// Beside [`LOGS`]: it may say itself where to.
    pub const LOGS_BY_ADDRESS: u8 = 64;
}

/// Values of [`SyscallEntry::role`].
pub mod role {
    pub const NONE: u8 = 0;
    /// Returns a descriptor of the file whose path is argument 0.
    pub const OPENS_0: u8 = 1;
    /// The same of argument 1.
    pub const OPENS_1: u8 = 2;
    /// Returns a socket, which is the caller's from then on.
    pub const GIVES_SOCKET: u8 = 3;
    /// Uses the socket of argument 0.
    pub const USES_SOCKET: u8 = 4;
    /// May have moved the task to other namespaces.
    pub const SWITCHES_NAMESPACES: u8 = 5;
    /// May have changed the task's credentials.
    pub const CHANGES_CREDENTIALS: u8 = 6;
    /// May have given directories or mounts other names.
    pub const MOVES_NAMES: u8 = 7;
    /// Closes the descriptors of a range.
    pub const CLOSES_RANGE: u8 = 8;
    /// Gives two descriptors, in the array that argument 0 points to.
    pub const GIVES_PAIR_0: u8 = 9;
    /// The same of argument 3.
    pub const GIVES_PAIR_3: u8 = 10;
    /// Runs another program, which may have been given rights by its file.
    pub const EXECS: u8 = 11;
    /// From here on: stand-ins for hooks, from what the call did.
    pub const STAND_INS: u8 = 16;
    /// Maps a file that argument 4 describes.
    pub const MAPS: u8 = 16;
    /// Makes another descriptor of that in argument 0.
    pub const DUPLICATES: u8 = 17;
    /// The same, where argument 1 says so (`fcntl`).
    pub const MAY_DUPLICATE: u8 = 18;
    /// Goes to another directory.
    pub const CHANGES_DIRECTORY: u8 = 19;
    /// Makes or attaches what argument 0 says (`bpf`).
    pub const BPF: u8 = 20;
    /// Has the kernel read the module of argument 0.
    pub const READS_MODULE: u8 = 21;
    /// Has the kernel read the images of arguments 0 and 1.
    pub const READS_KERNEL: u8 = 22;
    /// Writes to argument 0, from the buffer in argument 1.
    pub const WRITES: u8 = 23;
    /// The same at the offset in argument 3.
    pub const WRITES_AT: u8 = 24;
    /// The same from the vector of buffers in argument 1.
    pub const WRITES_VECTOR: u8 = 25;
    /// Attaches a program, where argument 1 says so (`ioctl`).
    pub const MAY_ATTACH: u8 = 26;
}

/// The key of the map of variants: which argument, and the value of the one that says what it is. See
/// [`crate::variants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VariantKey {
    pub slot: u16,
    pub position: u16,
    pub value: u32,
}
