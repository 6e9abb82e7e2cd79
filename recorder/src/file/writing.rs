//! What has been written so far, for those who look on while it goes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of the writing end. They are each right, and not all of one moment.
#[derive(Debug, Default)]
pub struct Writing {
    /// Rows in files, those that have been removed since included.
    pub rows: AtomicU64,
    /// Bytes written into all files, those that have been removed since included.
    pub bytes: AtomicU64,
    /// Files begun.
    pub files: AtomicU64,
    /// Files of this recording, and of earlier ones of its name, that were removed to keep to a limit.
    pub removed_files: AtomicU64,
    /// Of those, files that the store had not said that it has, where somebody uploads them.
    pub removed_unacknowledged_files: AtomicU64,
    /// Rows that were in removed files of this recording.
    pub removed_rows: AtomicU64,
    /// What the set's files take of the disk, with the room that was asked for ahead; those of earlier recordings included.
    pub disk_bytes: AtomicU64,
    /// Boot clock of the last row that is in a file, ns.
    pub last_ns: AtomicU64,
    /// Rows that could not be written: the disk was full, or failed.
    pub lost_rows: AtomicU64,
}

impl Writing {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
