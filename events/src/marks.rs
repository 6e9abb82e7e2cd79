//! Per-event bits: what could not be captured whole, and how the event came about.

/// What a path begins with whose front is missing: `.../x/true`. No absolute prefix matches it, as `/usr/*` would match
/// what is left of a path that lost its front.
pub const PARTIAL_PATH: &[u8] = b".../";

/// Bits of one event. Zero is the usual case: everything was captured.
///
/// ```text
///  31      24 23      16 15       8 7        0
/// +----------+----------+----------+----------+
/// |  source  | cut args | lost args|  causes  |
/// +----------+----------+----------+----------+
/// ```
/// `cut args` and `lost args` have a bit per argument position (0 to 7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Marks(pub u32);

impl Marks {
    /// Memory of the task could not be read (paged out, or a bad pointer).
    pub const FAULT: u32 = 1 << 0;
    /// Something was longer than the recorder's bound and was cut.
    pub const TRUNCATED: u32 = 1 << 1;
    /// The event arrived after later ones of another CPU had been written.
    pub const LATE: u32 = 1 << 2;
    /// Emitted at the exit of a system call, because this kernel does not carry the hook.
    pub const STAND_IN: u32 = 1 << 3;
    /// Recorded only because process state needs it (fork, exec, exit under `--events`); never printed.
    pub const STATE_ONLY: u32 = 1 << 4;
    /// Emitted at the entry of a system call: there is no return value yet.
    pub const AT_ENTRY: u32 = 1 << 5;
    /// A 32-bit compat system call.
    pub const COMPAT: u32 = 1 << 6;
    /// The context is not known (lost before it could be read).
    pub const NO_CONTEXT: u32 = 1 << 7;

    /// Imported from a log: arguments with members are stored as [`crate::tree`], as the log told them.
    pub const IMPORTED: u32 = 1 << 24;
    /// A seccomp filter took the call back (`SECCOMP_RET_TRAP` or `_KILL`): nothing was done, and what stands as its result
    /// is none. An `openat` so stopped has the result 257, its own number.
    pub const BLOCKED: u32 = 1 << 25;
    /// What the call wrote lies over what it was given, so that the argument read at its exit is not what the kernel
    /// acted on: `stat(buf, buf)`.
    pub const OVERLAP: u32 = 1 << 26;
    /// An argument in the caller's memory was another at the entry of the call than at its exit. Looked for by
    /// `record --strict` only.
    pub const CHANGED: u32 = 1 << 27;
    /// What a descriptor stands for is what was last seen at its number, for it is closed and cannot be looked up.
    pub const REMEMBERED: u32 = 1 << 28;
    /// A path was not followed up to its root: its front is missing and it begins with [`PARTIAL_PATH`]. The
    /// argument is marked as cut as well.
    pub const PARTIAL: u32 = 1 << 29;
    /// `record --strict` was to look for [`Marks::CHANGED`], and could not: an argument was not readable at the entry or
    /// at the exit, or the call began before the recording, or a thread of an equal number took its place.
    pub const UNCOMPARED: u32 = 1 << 30;

    pub const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// Marks the argument at `position` as not readable.
    pub const fn lost_arg(self, position: usize) -> Marks {
        Marks(self.0 | Self::FAULT | (1 << (8 + (position & 7))))
    }

    /// Marks the argument at `position` as cut.
    pub const fn cut_arg(self, position: usize) -> Marks {
        Marks(self.0 | Self::TRUNCATED | (1 << (16 + (position & 7))))
    }

    /// Marks the argument at `position` as a path without its front.
    pub const fn partial_arg(self, position: usize) -> Marks {
        Marks(self.cut_arg(position).0 | Self::PARTIAL)
    }

    pub const fn is_lost(self, position: usize) -> bool {
        position < 8 && self.0 & (1 << (8 + position)) != 0
    }

    pub const fn is_cut(self, position: usize) -> bool {
        position < 8 && self.0 & (1 << (16 + position)) != 0
    }
}
