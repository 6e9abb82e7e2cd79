//! A file that is being written, and when its segments end.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use format::{EncodedBlock, Writer};

use crate::file::output::Output;

/// A segment is ended at the latest this long after the one before: up to there a recorder that is killed leaves a file
/// that is vouched for, and whose blocks can be skipped.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// An open file, shared between the writer of its format and who watches over its room.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<Mutex<Output>>);

impl Shared {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Output) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(Output::flush)
    }
}

#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) writer: Writer<Shared>,
    pub(super) output: Shared,
    pub(super) part: u32,
    pub(super) blocks: u64,
    pub(super) rows: u64,
    pub(super) first_ns: Option<u64>,
    /// Boot clock of the last row when a segment was ended last.
    pub(super) checkpoint_ns: u64,
}

impl OpenFile {
    /// Appends a block, and ends the segment when it is time.
    pub(super) fn write(&mut self, block: &EncodedBlock) -> format::Result<()> {
        self.writer.block(block)?;
        let now_ns = block.last_ns();
        if self.checkpoint_ns == 0 {
            self.checkpoint_ns = now_ns;
        }
        if now_ns.saturating_sub(self.checkpoint_ns) >= CHECKPOINT.as_nanos() as u64 {
            self.checkpoint_ns = now_ns;
            if self.writer.checkpoint().is_err() {
                // The block is there; what comes next finds out by itself that nothing more can be written.
                let bytes = self.writer.bytes();
                self.output.with(|output| output.rewind(bytes));
            }
        }
        Ok(())
    }
}
