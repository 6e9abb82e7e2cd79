//! What of a rotated set stays on the disk: so many bytes of it, or so long.
//!
//! ```text
//! s.0003.trz  s.0004.trz  s.0005.trz  s.0006.trz      the room for one part more
//! the oldest goes first                (open)          is free before that part begins
//! |<------------------------------- --max-disk ------------------------------------->|
//! ```
//! Nothing is written that the limit does not hold: room is asked of it before it is asked of the file system, and the
//! bytes that the file system was asked for ahead of the writing count like those that were written. A seal says which part
//! is the oldest that stays, and it is on the disk before the others go: what was removed on purpose is not missing.
//!
//! Of a set that is uploaded, number and age take only what the store has said that it has ([`format::acknowledged`]). The
//! limit of the disk takes the oldest all the same, for nothing could be written otherwise; how many of them the store did not
//! have is counted, and parts that begin later say so.

use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use format::SetId;

use crate::file::output::ClosedFile;

/// The least that `--max-disk` may be. A block of what does not compress has 16 MiB, and a part of a quarter of the limit
/// shall hold one.
pub const LEAST_DISK_BYTES: u64 = 64 << 20;

/// Which files of a set stay.
#[derive(Debug, Default)]
pub struct Retention {
    /// All files of the set's name together take no more of the disk.
    pub max_disk_bytes: Option<u64>,
    /// A file goes so long after it was finished.
    pub keep_for: Option<Duration>,
    /// The number in the name of the first part: those below are of earlier recordings.
    pub first_number: u32,
    /// Files of earlier recordings of this name, oldest first. They go before those of this one.
    pub earlier: Vec<EarlierPart>,
    /// Somebody uploads the files: until the store has said that it has one, neither its age nor its number removes it.
    pub is_uploaded: bool,
}

/// A file that an earlier recording has left under the set's name.
#[derive(Debug)]
pub struct EarlierPart {
    pub file: ClosedFile,
    /// Which part of which set it is, where somebody is to be told of its end.
    pub of: Option<(SetId, u32)>,
    /// When it was written last.
    pub finished: SystemTime,
    /// The head that its last seal holds; `None` of one that is not sealed to its end, which nobody uploads.
    pub head: Option<[u8; 32]>,
}

impl EarlierPart {
    /// A file that is there.
    pub fn at(path: &Path) -> io::Result<EarlierPart> {
        let finished = std::fs::symlink_metadata(path)?.modified()?;
        let head = format::acknowledged::sealed_file(path).ok().flatten().map(|it| it.head);
        Ok(EarlierPart { file: ClosedFile::at(path)?, of: None, finished, head })
    }
}

impl Retention {
    /// A part ends at this size, whatever `--rotate` says: a limit that holds only one part would keep nothing while the next
    /// is written.
    pub fn part_bytes(&self) -> Option<u64> {
        self.max_disk_bytes.map(|max| max / 4)
    }

    /// How much the file system is asked for at once, at most.
    pub fn step_bytes(&self) -> Option<u64> {
        self.max_disk_bytes.map(|max| max / 64)
    }
}
