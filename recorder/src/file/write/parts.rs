//! The files of a rotated set: when one ends and the next begins, and which go.

use std::{sync::atomic::Ordering, time::Duration};

use format::{EncodedBlock, Ending, Finished, SetId, removed_line};

use super::{BEGIN_BYTES, END_BYTES, Halt, OpenFile, Sink, halt};
use crate::file::output::{ClosedFile, Output, OutputError};

/// A finished file of a rotated set.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) file: ClosedFile,
    pub(super) part: u32,
    pub(super) blocks: u64,
    pub(super) rows: u64,
}

impl Sink {
    pub(super) fn rotate_if_due(&mut self, block: &EncodedBlock) -> Result<(), Halt> {
        let (Some(rotation), Some(file)) = (&self.destination.rotation, &self.file) else { return Ok(()) };
        let Some(first_ns) = file.first_ns else { return Ok(()) };
        let bytes = file.output.with(|output| output.written()) + block.bytes() as u64;
        let time = Duration::from_nanos(block.last_ns().saturating_sub(first_ns));
        if !rotation.is_due(bytes, time) {
            return Ok(());
        }
        // A file that may have no successor stays open, so that what is lost can be told in it.
        let next = BEGIN_BYTES + block.bytes() as u64;
        file.output.with(|output| output.reserve(next, 2 * END_BYTES)).map_err(|_| Halt::DiskFull)?;
        self.part += 1;
        let opened = self.destination.place.output(&self.path());
        self.next = Some(opened.map_err(|error| {
            self.part -= 1;
            Halt::Output(error)
        })?);
        self.close(Ending::Part)?;
        self.begun = false;
        self.open()
    }

    /// Ends the open file.
    pub(super) fn close(&mut self, ending: Ending) -> Result<(), Halt> {
        self.write_pending_losses()?;
        self.write_unwritten_artifacts()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let OpenFile { mut writer, output, part, blocks, rows, .. } = file;
        writer.set_oldest_part(self.oldest_part(part + 1));
        let finished = writer.finish_as(ending).map_err(halt)?;
        let (_, Finished { head, .. }) = finished;
        self.previous_head = Some(head);
        let path = output.with(|output| output.path().to_owned());
        let file =
            output.with(Output::finalize).map_err(|source| Halt::Output(OutputError::Io { path, source }))?;
        self.closed.push_back(Closed { file, part, blocks, rows });
        self.remove_surplus();
        Ok(())
    }

    /// The oldest part that `--keep` leaves once so many parts are finished: what is older is missing on purpose, and the
    /// seals say so.
    pub(super) fn oldest_part(&self, finished: u32) -> u32 {
        match self.destination.rotation.as_ref().and_then(|rotation| rotation.keep) {
            Some(keep) => finished.saturating_sub(u32::try_from(keep.max(1)).unwrap_or(u32::MAX)),
            None => 0,
        }
    }

    /// Removes the oldest files beyond `--keep`. One that cannot be removed stays, and counts.
    pub(super) fn remove_surplus(&mut self) {
        let Some(keep) = self.destination.rotation.as_ref().and_then(|rotation| rotation.keep) else {
            return;
        };
        while self.closed.len() > keep.max(1) {
            let Some(oldest) = self.closed.pop_front() else { return };
            if self.destination.place.remove(&oldest.file).is_err() {
                self.unremoved.push(oldest);
                continue;
            }
            if let Some(witness) = &self.destination.witness {
                witness.send(&removed_line(SetId::of(&self.header), oldest.part));
            }
            self.gauge.bytes.fetch_sub(oldest.file.bytes, Ordering::Relaxed);
            self.result.rows -= oldest.rows;
            self.result.blocks -= oldest.blocks;
            self.result.removed_rows += oldest.rows;
            self.result.removed_files += 1;
        }
    }
}
