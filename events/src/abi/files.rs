//! What descriptors stand for: sent once as a record of its own, and referred to by an id from then on.
//!
//! ```text
//! FILE record:   context = id, slot = place | what it is | inode | is it deleted | blobs: path, socket's addresses
//! event record:  ... | blob of form FILE: arg, place | id |
//! ```
//! The programs keep the files that they have sent in a table of [`PLACES`]. A place's new file takes the old one's, which
//! events that began before may still refer to: so the recorder keeps the last two of each, and memory is bounded.

/// Files that are kept at once, by the address of their `struct file`.
pub const PLACES: u32 = 8192;
/// Descriptors of which the last file is kept, by process and number.
pub const DESCRIPTORS: u32 = 32_768;

/// Words of a FILE record.
pub mod word {
    /// Mode in bits 0 to 15; of a socket the family in bits 16 to 31, the protocol in bits 32 to 47.
    pub const KIND: usize = 0;
    pub const INODE: usize = 1;
    /// 1: no directory has its name any more.
    pub const UNLINKED: usize = 2;
    pub const COUNT: u8 = 3;
}

/// Blobs of a FILE record.
pub mod part {
    pub const PATH: u8 = 0;
    /// `struct sockaddr` of a socket's own end, and of the other.
    pub const LOCAL: u8 = 1;
    pub const REMOTE: u8 = 2;
    /// The name of the file system, where the path alone does not say what the file is.
    pub const FILE_SYSTEM: u8 = 3;
}

/// Positions of [`super::form::FILE`] blobs that are no argument's.
pub mod position {
    /// The directory that relative paths of the call begin at.
    pub const WORKING_DIRECTORY: u8 = 0xfd;
}

/// Logs that messages are sent to, and how many bytes of them are kept at least.
pub mod log {
    /// `/dev/log`, and sockets of the journal: below `/run/systemd/journal`, or `/run/systemd/journal.NAMESPACE`.
    pub const MESSAGES: u64 = 1;
    /// Audit, by netlink.
    pub const AUDIT: u64 = 2;

    pub const MESSAGE_BYTES: u64 = 1024;
    /// As much as one read of the programs takes; the kernel itself takes messages of 8,970.
    pub const AUDIT_BYTES: u64 = 4096;
}

/// Ids of files: one of [`log`] for a socket that is one, the CPU that sent it, plus 1, then the file's place, then a number
/// that counts up.
pub mod id {
    pub const LOG_SHIFT: u32 = 62;
    pub const CPU_SHIFT: u32 = 44;
    pub const PLACE_SHIFT: u32 = CPU_SHIFT - super::PLACES.ilog2();
    pub const NUMBER_MASK: u64 = (1 << PLACE_SHIFT) - 1;

    pub const fn place(id: u64) -> u32 {
        (id >> PLACE_SHIFT) as u32 & (super::PLACES - 1)
    }
}

/// What a word says that is yes, no, or nothing: whether an open made the file that it opened, say.
pub mod told {
    pub const NO: u64 = 0;
    pub const YES: u64 = 1;
    /// Any number with this bit: there is nothing that it could be said of, or it is not known.
    pub const NOTHING: u64 = 2;
}

/// Which bit of `file.f_mode` the kernel sets where its open made the file, since 4.19.
pub const FMODE_CREATED_SHIFT: u32 = 20;

/// Which of a call's files: indices of `WriteState::found`.
pub mod found {
    pub const FIRST: usize = 0;
    pub const SECOND: usize = 1;
    pub const RETURNED: usize = 2;
    pub const DIRECTORY: usize = 3;
    pub const COUNT: usize = 4;
}
