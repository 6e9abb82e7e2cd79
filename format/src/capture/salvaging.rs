//! Opening a file that was not finished, or is damaged: by going through it.

use super::segments::{SegmentPlace, SegmentRef, push_blocks, summary};
use super::{Capture, Completeness, contradiction};
use crate::archive;
use crate::frame::{self, Kind};
use crate::index::BlockInfo;
use crate::salvage::{self, Found};
use crate::segment::SegmentV5;
use crate::{Error, Result, limits};

impl Capture {
    /// Finds frames by going through the file.
    pub(super) fn salvage(&mut self, with_strays: bool) -> Result<()> {
        let mut records = Vec::new();
        let mut contents = Vec::new();
        let mut pending: Vec<BlockInfo> = Vec::new();
        let mut segments: Vec<SegmentRef> = Vec::new();
        let (mut undeclared_blocks, mut undeclared_rows) = (0u64, 0u64);
        let (mut beyond_blocks, mut beyond_rows) = (0u64, 0u64);
        let (mut count, mut unlisted) = (0usize, 0usize);
        let found = salvage::scan(&self.reader, with_strays, &mut |offset, found| {
            match found {
                Found::Records => records.push(offset),
                Found::Content => contents.push(offset),
                Found::Block { directory, bytes } => match self.info(&directory, offset, bytes) {
                    Some(info) if unlisted + pending.len() < limits::SALVAGED_BLOCKS => pending.push(info),
                    Some(info) => {
                        beyond_blocks += 1;
                        beyond_rows += info.statistics.rows;
                    }
                    None => {
                        undeclared_blocks += 1;
                        undeclared_rows += directory.rows as u64;
                    }
                },
                Found::Segment => {
                    let of = std::mem::take(&mut pending);
                    self.salvage_segment(offset, of, &mut count, &mut segments)?;
                }
                Found::Other => {}
            }
            // A file without segments must not grow one list without end either.
            if pending.len() >= limits::SEGMENT_BLOCKS && self.reader.version() < frame::SEGMENTS {
                push_blocks(&mut segments, &mut count, std::mem::take(&mut pending));
                unlisted = count;
            }
            Ok(())
        })?;
        push_blocks(&mut segments, &mut count, pending);
        self.segments = segments;
        contents.into_iter().for_each(|offset| self.take_content(offset));
        for offset in records {
            let kind = if self.reader.version() >= frame::SEGMENTS { Kind::Table } else { Kind::Side };
            // One that was whole may still say nothing that can be read.
            if let Err(error @ Error::Io { .. }) = self.take_records(offset, kind) {
                return Err(error);
            }
        }
        let mut what = found.what;
        if undeclared_blocks > 0 {
            what = format!(
                "{what}; {undeclared_blocks} blocks with {undeclared_rows} events are left out, since the header does not \
                 declare what is in them"
            );
        }
        if beyond_blocks > 0 {
            what = format!("{what}; {beyond_blocks} more blocks with {beyond_rows} events are left out");
        }
        self.strays = found.strays;
        self.completeness = Completeness::Salvaged { lost_bytes: found.lost_bytes, what };
        Ok(())
    }

    /// Takes what a whole segment says of the blocks before it. `of` are those that are whole themselves.
    fn salvage_segment(
        &self,
        at: u64,
        of: Vec<BlockInfo>,
        count: &mut usize,
        segments: &mut Vec<SegmentRef>,
    ) -> Result<()> {
        let read = self.head(at, Kind::Segment).and_then(|head| {
            let it: SegmentV5 = archive::read(&head.bytes, at)?;
            let segment = self.read_segment(&it, &head, at)?;
            Ok((it, segment))
        });
        let (it, segment) = match read {
            Ok(read) => read,
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(_) => {
                push_blocks(segments, count, of);
                return Ok(());
            }
        };
        let is_here = |known: &BlockInfo| {
            of.binary_search_by_key(&known.offset, |info| info.offset)
                .ok()
                .and_then(|at| of.get(at))
                .is_some_and(|info| contradiction(&known.statistics, &info.statistics).is_none())
        };
        let whole = segment.blocks.len() == of.len() && it.first_block == *count as u64;
        if whole && segment.blocks.iter().all(is_here) {
            *count += of.len();
            segments.push(SegmentRef { summary: summary(&it, at), place: SegmentPlace::File(at) });
            return Ok(());
        }
        // Some blocks are damaged, or are not those that it speaks of: of these, only what they say themselves counts.
        let better = |info: BlockInfo| {
            let known = segment.blocks.iter().find(|known| known.offset == info.offset);
            known.filter(|known| is_here(known)).cloned().unwrap_or(info)
        };
        let merged: Vec<BlockInfo> = of.iter().cloned().map(better).collect();
        push_blocks(segments, count, merged);
        Ok(())
    }
}
