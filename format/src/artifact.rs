//! What a recorder kept, or could not keep, of bytes that an event was about: what was executed, loaded, written.

use events::EventId;

use crate::rewrite::Place;

/// SHA-256 of some bytes.
pub type Sha256 = [u8; 32];

/// Bytes that an event was about. They stand in the capture once, however many artifacts are of them: see
/// [`crate::Content`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Artifact {
    pub host: u16,
    /// One word: see [`Artifact::KINDS`]. Readers stand others.
    pub kind: String,
    /// The event: its time (boot clock, ns), what it was, and who did it. An artifact that stands for many
    /// ([`Artifact::count`]) has none.
    pub time_ns: u64,
    pub event: Option<EventId>,
    /// Process and thread on the host.
    pub pid: u32,
    pub tid: u32,
    /// What the bytes were called: a path, or a name in place of one.
    pub path: Vec<u8>,
    /// How they were found, in words: `descriptor`, `executable`, `path`, `memory`.
    pub found: String,
    /// Of the bytes that were kept, or would have been; `None` where nobody read them.
    pub sha256: Option<Sha256>,
    /// Bytes of the whole, as far as known.
    pub size: u64,
    /// Of these, the first so many are what `sha256` is of.
    pub kept: u64,
    /// In words, why the bytes are not in the capture; empty where they are.
    pub left_out: String,
    /// How often that was so: more than once where only the number is told.
    pub count: u64,
}

impl Artifact {
    /// What was executed, files in memory, kernel modules, bpf programs, and files that were written.
    pub const KINDS: [&str; 5] = ["exec", "memfd", "module", "bpf", "write"];
    /// In place of a kind: hashes that could not be had.
    pub const HASH: &str = "hash";
    /// How bytes are found.
    pub const FOUND: [&str; 4] = ["descriptor", "executable", "path", "memory"];

    /// The hash of bytes that the capture should hold.
    pub fn content(&self) -> Option<&Sha256> {
        self.sha256.as_ref().filter(|_| self.left_out.is_empty())
    }

    /// Whether there was more than was kept.
    pub fn is_cut(&self) -> bool {
        self.kept < self.size
    }

    /// The same in a capture that it is copied into.
    #[must_use]
    pub fn placed(self, place: Place) -> Artifact {
        let time_ns = if self.time_ns == 0 { 0 } else { self.time_ns.wrapping_add(place.shift_ns) };
        Artifact { host: self.host.wrapping_add(place.host), time_ns, ..self }
    }
}

/// Why bytes are not in a capture.
pub mod reasons {
    pub const GONE: &str = "gone or changed before it could be read";
    pub const OTHERS_ANSWER: &str = "on a file system that others answer for";
    pub const NO_FILE: &str = "no regular file";
    pub const UNREADABLE: &str = "could not be read";
    pub const TOO_LARGE: &str = "too large to be hashed";
    pub const TOO_MANY_AT_ONCE: &str = "too many at once";
    pub const TOTAL: &str = "as many bytes as may be were kept already";
    pub const NUMBER: &str = "as many artifacts as may be were kept already";
    pub const NO_ROOM: &str = "the capture had no room for it";
    pub const ENDED: &str = "the recording ended first";
    pub const IN_MEMORY: &str = "only in the memory of its caller";
    pub const LATE: &str = "not known in time";
    pub const UNNAMED: &str = "the kernel did not say which file it was";
    /// Of artifacts whose bytes may be there.
    pub const MORE: &str = "more than are told one by one";
    pub const EARLIER: &str = "in an earlier part of the set";
    pub const HASH_ONLY: &str = "only its hash was asked for";
    pub const REDACTED: &str = "redacted";
    /// They were kept once.
    pub const MISSING: &str = "not in the capture that this one was made of";

    pub const ALL: [&str; 18] = [
        GONE,
        OTHERS_ANSWER,
        NO_FILE,
        UNREADABLE,
        TOO_LARGE,
        TOO_MANY_AT_ONCE,
        TOTAL,
        NUMBER,
        NO_ROOM,
        ENDED,
        IN_MEMORY,
        LATE,
        UNNAMED,
        MORE,
        EARLIER,
        HASH_ONLY,
        REDACTED,
        MISSING,
    ];
}

/// In hexadecimal digits.
pub fn hex(hash: &Sha256) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
