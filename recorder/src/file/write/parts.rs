//! The files of a rotated set: when one ends and the next begins.

use std::time::{Duration, SystemTime};

use format::{EncodedBlock, Ending, Finished, SetId};

use super::{BEGIN_BYTES, END_BYTES, Halt, OpenFile, Sink, halt};
use crate::{
    file::output::{ClosedFile, Output, OutputError},
    file::retention::EarlierPart,
};

/// A finished file of a rotated set.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) file: ClosedFile,
    /// `None`: it is of an earlier recording.
    pub(super) part: Option<u32>,
    /// Which part of which earlier set it is, where that is known.
    pub(super) of: Option<(SetId, u32)>,
    pub(super) blocks: u64,
    pub(super) rows: u64,
    pub(super) finished: SystemTime,
    /// See [`EarlierPart::head`].
    pub(super) head: Option<[u8; 32]>,
}

impl Closed {
    pub(super) fn earlier(part: EarlierPart) -> Closed {
        let EarlierPart { file, of, finished, head } = part;
        Closed { file, part: None, of, blocks: 0, rows: 0, finished, head }
    }
}

impl Sink {
    /// `is_within`: the block is of the time of those before it. Then only room makes another file begin.
    pub(super) fn rotate_if_due(&mut self, block: &EncodedBlock, is_within: bool) -> Result<(), Halt> {
        let (Some(rotation), Some(file)) = (&self.destination.rotation, &self.file) else { return Ok(()) };
        let Some(first_ns) = file.first_ns else { return Ok(()) };
        let bytes = file.output.with(|output| output.written()) + block.bytes() as u64;
        let time = Duration::from_nanos(block.last_ns().saturating_sub(first_ns));
        let is_large = self.destination.retention.part_bytes().is_some_and(|most| bytes > most);
        if !is_large && (is_within || !rotation.is_due(bytes, time)) {
            return Ok(());
        }
        // A file that may have no successor stays open, so that what is lost can be told in it.
        self.reserve(BEGIN_BYTES + block.bytes() as u64, 2 * END_BYTES)?;
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

    /// Ends the open file. Its last seal says which part is the oldest that stays, and then the others go.
    pub(super) fn close(&mut self, ending: Ending) -> Result<(), Halt> {
        self.write_pending_losses()?;
        self.write_unwritten_artifacts()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let surplus = self.surplus(&file, ending);
        let OpenFile { mut writer, output, part, blocks, rows, .. } = file;
        writer.set_oldest_part(self.oldest_part(surplus, part));
        let finished = writer.finish_as(ending).map_err(halt)?;
        let (_, Finished { head, .. }) = finished;
        self.previous_head = Some(head);
        let path = output.with(|output| output.path().to_owned());
        let file =
            output.with(Output::finalize).map_err(|source| Halt::Output(OutputError::Io { path, source }))?;
        let finished = SystemTime::now();
        let head = Some(head);
        self.closed.push_back(Closed { file, part: Some(part), of: None, blocks, rows, finished, head });
        self.remove_first(surplus);
        Ok(())
    }
}
