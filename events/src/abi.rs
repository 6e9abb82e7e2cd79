//! What the kernel programs and the recorder say to each other: records, maps, and the places of kernel fields.
//!
//! A record is a header, a 64-bit word for each argument, then blobs for the arguments that are bytes:
//!
//! ```text
//! | header, 40 bytes | word 0 | word 1 | ... | blob | blob | ...          padded to 8 bytes
//!                                            | len u32, arg u8, form u8, 0 u16 | bytes, padded to 8 |
//! ```
//! All numbers are in the machine's byte order: both ends run on the same one.
//!
//! The kernel programs use this module, and of the rest of the crate only [`crate::capture`].

pub mod files;
pub mod hooks;
pub mod layout;
pub mod linux;
pub mod lower;
pub mod multiplexed;
pub mod owners;
pub mod region;
pub mod tables;
pub mod x32;

/// Starts every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RecordHeader {
    /// Monotonic clock.
    pub time_ns: u64,
    /// Of the whole record, a multiple of 8.
    pub length: u32,
    /// What happened: see [`Slot`].
    pub slot: u16,
    pub kind: u8,
    /// Number of argument words that follow the header.
    pub words: u8,
    /// Id of the task's context, unique for the recording; 0 is none.
    pub context: u64,
    /// Of what happens in a system call, and has no result of its own: that call's slot, plus 1; 0 where it is in none.
    pub ret: i64,
    /// Bits of `Marks`.
    pub marks: u32,
    pub cpu: u16,
    /// 1: another record of the same write follows. See [`region`].
    pub more: u16,
}

pub const HEADER_BYTES: usize = 40;
const _: () = assert!(core::mem::size_of::<RecordHeader>() == HEADER_BYTES);

/// Values of [`RecordHeader::kind`].
pub mod kind {
    pub const EVENT: u8 = 1;
    /// A [`super::WireContext`] and a blob with the executable's path.
    pub const CONTEXT: u8 = 2;
    /// Arguments of an exec that are gone when it returns. `ret` is the address of its task, `context` the thread's number.
    pub const ENTRY: u8 = 3;
    /// What a descriptor stands for: see [`super::files`].
    pub const FILE: u8 = 4;
    /// An exec has succeeded: word 0 is the address of its task, as [`super::RecordHeader::ret`] of its entry is. Which
    /// exec it was, only the entry says.
    pub const EXECED: u8 = 5;
    /// Beside [`EVENT`] and [`EXECED`] of a system call, where calls are timed: the record's last eight bytes are when the
    /// call began (monotonic clock), 0 where that is not known.
    pub const TIMED: u8 = 0x80;
}

/// Numbers of what can be recorded: native system calls by number, then those of 32-bit tasks, then hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u16);

impl Slot {
    pub const SYSCALLS: usize = 512;
    pub const COMPAT_BASE: usize = 512;
    pub const HOOK_BASE: usize = 1024;
    /// Of all native numbers that are beyond the table; no call has this one.
    pub const UNKNOWN: usize = 511;
    pub const COUNT: usize = Self::HOOK_BASE + 128;
}

/// Starts each blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct BlobHeader {
    /// Bytes that follow, without the padding to 8.
    pub length: u32,
    pub arg: u8,
    pub form: u8,
    /// [`form::FILE`]: where the programs keep the file.
    pub place: u16,
}

pub const BLOB_HEADER_BYTES: usize = 8;
const _: () = assert!(core::mem::size_of::<BlobHeader>() == BLOB_HEADER_BYTES);

/// Values of [`BlobHeader::form`].
pub mod form {
    /// The bytes as they are.
    pub const PLAIN: u8 = 0;
    /// The components of an absolute path, the last one first, each ended by a NUL.
    pub const PATH: u8 = 1;
    /// The same of a file that hangs in no tree, such as a memfd.
    pub const PSEUDO_PATH: u8 = 2;
    /// Eight bytes: the id of the file that the argument stands for, of a [`super::kind::FILE`] record.
    pub const FILE: u8 = 3;
    /// The components of a path as in [`PATH`], of which those next to the root are missing.
    pub const PARTIAL_PATH: u8 = 4;
}

/// A task's context on the wire; the fields are those of `Context`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WireContext {
    pub pid: u32,
    pub tid: u32,
    pub ppid: u32,
    pub ns_pid: u32,
    pub ns_tid: u32,
    pub ns_ppid: u32,
    pub uid: u32,
    pub gid: u32,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub user_ns: u32,
    pub cgroup_id: u64,
    pub thread_start_ns: u64,
    pub process_start_ns: u64,
    pub parent_start_ns: u64,
    pub flags: u32,
    pub spare: u32,
    pub comm: [u8; 16],
    /// 65 bytes in the kernel, NUL included.
    pub uts: [[u8; 8]; 8],
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    pub fsuid: u32,
    pub fsgid: u32,
    /// Effective, permitted, inheritable, bounding and ambient.
    pub capabilities: [u64; 5],
}

pub const CONTEXT_BYTES: usize = 232;
const _: () = assert!(core::mem::size_of::<WireContext>() == CONTEXT_BYTES);

/// Bits of `Marks` and `ContextFlags` that the kernel programs set; the crate's tests hold them against the originals.
pub mod bits {
    pub const FAULT: u32 = 1 << 0;
    pub const TRUNCATED: u32 = 1 << 1;
    pub const STAND_IN: u32 = 1 << 3;
    pub const AT_ENTRY: u32 = 1 << 5;
    pub const COMPAT: u32 = 1 << 6;
    pub const NO_CONTEXT: u32 = 1 << 7;
    pub const BLOCKED: u32 = 1 << 25;
    pub const OVERLAP: u32 = 1 << 26;
    pub const CHANGED: u32 = 1 << 27;
    pub const REMEMBERED: u32 = 1 << 28;
    pub const PARTIAL: u32 = 1 << 29;
    pub const UNCOMPARED: u32 = 1 << 30;
    pub const LOST_ARG_SHIFT: u32 = 8;
    pub const CUT_ARG_SHIFT: u32 = 16;

    pub const CONTEXT_COMPAT: u32 = 1;
    pub const CONTEXT_KERNEL_THREAD: u32 = 2;
    pub const CONTEXT_EXE_TRUNCATED: u32 = 4;
    pub const CONTEXT_EXE_UNKNOWN: u32 = 8;
}
