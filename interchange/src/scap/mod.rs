//! The `.scap` format of sysdig, Falco and Stratoshark: what writing and reading it share.
//!
//! A file is a row of blocks as pcapng has them: kind, length, body, padding to four bytes, the length again. Tables of the
//! machine, its processes, their descriptors and its users come first, then an event a block: its time, thread, kind, and
//! parameters by position. A call is two events, one as it begins and one as it ends. Kinds of events and their parameters
//! stand in `events.txt`, and what of the catalogue they are in `calls.txt`.

pub mod address;
pub mod calls;
pub mod events;
pub mod forms;

/// Kinds of blocks.
pub mod block {
    pub const SECTION: u32 = 0x0a0d_0d0a;
    pub const MACHINE: u32 = 0x201;
    /// Versions of the process table, from the first.
    pub const PROCESSES: [u32; 9] = [0x202, 0x207, 0x209, 0x210, 0x211, 0x212, 0x213, 0x214, 0x215];
    pub const DESCRIPTORS_V1: u32 = 0x203;
    pub const DESCRIPTORS: u32 = 0x218;
    pub const INTERFACES: [u32; 2] = [0x205, 0x219];
    pub const USERS_V1: u32 = 0x206;
    pub const USERS: u32 = 0x220;
    /// An event that does not say how many parameters it has.
    pub const EVENT_V1: u32 = 0x204;
    /// The same, with flags before it.
    pub const EVENT_FLAGS_V1: u32 = 0x208;
    pub const EVENT: u32 = 0x216;
    pub const EVENT_FLAGS: u32 = 0x217;
    /// Lengths of parameters are of four bytes.
    pub const EVENT_LARGE: u32 = 0x221;
    pub const EVENT_FLAGS_LARGE: u32 = 0x222;
}

/// Behind the section's header: that its bytes stand in this machine's order.
pub const MAGIC: u32 = 0x1a2b_3c4d;

/// Kinds of descriptors.
pub mod descriptor {
    pub const FILE: u8 = 1;
    pub const DIRECTORY: u8 = 2;
    pub const IPV4: u8 = 3;
    pub const IPV6: u8 = 4;
    pub const IPV4_LISTENING: u8 = 5;
    pub const IPV6_LISTENING: u8 = 6;
    pub const PIPE: u8 = 7;
    pub const UNIX: u8 = 8;
    pub const EVENT: u8 = 9;
    pub const UNSUPPORTED: u8 = 10;
    pub const SIGNAL: u8 = 11;
    pub const POLL: u8 = 12;
    pub const INOTIFY: u8 = 13;
    pub const TIMER: u8 = 14;
    pub const NETLINK: u8 = 15;
    /// A file with its flags and device.
    pub const FILE_V2: u8 = 16;
}

/// Numbers of events that are written and read by themselves; each is the one of the beginning.
pub mod number {
    pub const GENERIC: u16 = 0;
    pub const PROCESS_EXIT_V1: u16 = 16;
    pub const PROCESS_EXIT: u16 = 186;
    pub const CLONE: u16 = 222;
    pub const EXECVE: u16 = 292;
}

/// What stands for a text that could not be read, and for no text.
pub const UNREADABLE: &[u8] = b"<NA>";
pub const NULL: &[u8] = b"(NULL)";
