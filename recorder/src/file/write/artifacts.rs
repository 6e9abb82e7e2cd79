//! Artifacts into the file: first the bytes, then what names them.

use std::sync::atomic::Ordering;

use format::{Artifact, Side, artifact::reasons};

use super::{END_BYTES, Halt, LAST_RECORDS, Sink, halt};
use crate::artifacts::Taken;

impl Sink {
    /// Writes artifacts; bytes for which there is no room are left out, and that is told: they do not end a recording.
    pub(super) fn artifacts(&mut self, taken: Taken) -> Result<(), Halt> {
        let Taken { mut artifacts, content } = taken;
        if let (Some(content), Some(file)) = (content, &self.file) {
            let bytes = content.stored_bytes() as u64;
            let end = END_BYTES + file.writer.end_bytes();
            let used = self.gauge.bytes.load(Ordering::Relaxed);
            let is_over =
                self.destination.max_bytes.is_some_and(|max| used + bytes + end.min(max / 16) > max);
            let has_room = !is_over && self.reserve(bytes, end).is_ok();
            let Some(file) = &mut self.file else { return Ok(()) };
            if has_room {
                if let Err(error) = file.writer.content(&content) {
                    file.output.with(|output| output.rewind(file.writer.bytes()));
                    return Err(halt(error));
                }
            } else {
                leave_out(&mut artifacts, reasons::NO_ROOM);
            }
        }
        let Some(file) = &self.file else { return Ok(()) };
        let is_missing = |it: &Artifact| it.content().is_some_and(|sha256| !file.writer.has_content(sha256));
        if artifacts.iter().any(is_missing) {
            leave_out(&mut artifacts, reasons::EARLIER);
        }
        if file.writer.side_room() < 2 * LAST_RECORDS {
            self.unwritten_artifacts += artifacts.iter().map(|it| it.count).sum::<u64>();
            return Ok(());
        }
        self.write_side(&Side::Artifacts(artifacts))
    }

    pub(super) fn write_unwritten_artifacts(&mut self) -> Result<(), Halt> {
        match std::mem::take(&mut self.unwritten_artifacts) {
            0 => Ok(()),
            count => {
                let left_out = reasons::NO_ROOM.to_owned();
                self.write_side(&Side::Artifacts(vec![Artifact { left_out, count, ..Artifact::default() }]))
            }
        }
    }
}

fn leave_out(artifacts: &mut [Artifact], reason: &str) {
    for artifact in artifacts.iter_mut().filter(|it| it.left_out.is_empty()) {
        artifact.left_out = reason.to_owned();
    }
}
