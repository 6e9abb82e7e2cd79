//! What stands between two segments, worked out from its columns and compared with what the index says of it.

use super::{Stop, Walk};
use crate::archive::{self, ArchivedIndexV1};
use crate::block::Stored;
use crate::encode::HeadPlace;
use crate::frame::FrameHeader;
use crate::index::{BlockInfo, Index};
use crate::segment::{self, SegmentV5};
use crate::{Block, Error, limits};

/// What stands between two segments, and what the next one must therefore say. Before version 5, all of the file.
#[derive(Default)]
pub(super) struct Stretch {
    /// What the next segment must begin with.
    pub(super) expected: SegmentV5,
    /// The blocks with what is really in them.
    pub(super) blocks: Vec<BlockInfo>,
    pub(super) rows: u64,
    pub(super) others: Vec<(u64, u32)>,
    /// A segment was read, and its seal must follow.
    pub(super) is_closed: bool,
}

impl Walk<'_> {
    /// Works out what is in a block.
    pub(super) fn block(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        block: Option<u64>,
    ) -> Result<(), Stop> {
        if self.has_segments() && self.stretch.blocks.len() >= limits::SEGMENT_BLOCKS {
            return Err(self.fault(block, "more blocks stand before a segment than one may list"));
        }
        let place = HeadPlace {
            codec: header.head_codec,
            stored: header.head_stored,
            raw: header.head_raw,
            crc: header.head_crc,
        };
        let stored = Stored::Decrypted(payload.to_vec());
        let actual = Block::from_payload(stored, place, &self.schema, &mut self.scratch)
            .and_then(|block| block.actual_statistics());
        let statistics = match actual {
            Ok(statistics) => statistics,
            Err(Error::Block { what, .. } | Error::Damaged { what, .. }) => {
                return Err(self.fault(block, what));
            }
            Err(error) => return Err(error.into()),
        };
        self.verdict.rows += statistics.rows;
        self.stretch.rows += statistics.rows;
        self.clocks.block(&statistics);
        let (offset, bytes) = (self.offset, header.frame_bytes());
        self.stretch.blocks.push(BlockInfo { offset, bytes, statistics });
        Ok(())
    }

    /// Compares what a segment says with what stands before it.
    pub(super) fn segment(&mut self, raw: &[u8], rest: &[u8]) -> Result<(), Stop> {
        let at = self.offset;
        let schema = &self.schema;
        let event = |id| schema.by_file_id(id).map(|file| file.event.id);
        let read = archive::read::<SegmentV5>(raw, at).and_then(|head| {
            let body = segment::body(&head, rest, at)?;
            let segment = segment::read(&head, &body, at, event)?;
            Ok((head, segment))
        });
        let (head, segment) = match read {
            Ok(read) => read,
            Err(Error::Damaged { what, .. }) => return Err(self.fault(None, what)),
            Err(error) => return Err(error.into()),
        };
        let Stretch { expected, blocks, rows, others, .. } = &self.stretch;
        let filled = || blocks.iter().map(|block| &block.statistics).filter(|it| it.rows > 0);
        let expected = SegmentV5 {
            blocks: blocks.len() as u32,
            rows: *rows,
            first_ns: filled().map(|it| it.first_ns).min().unwrap_or_default(),
            last_ns: filled().map(|it| it.last_ns).max().unwrap_or_default(),
            tables: others.clone(),
            codec: head.codec,
            stored: head.stored,
            raw: head.raw,
            crc: head.crc,
            ..expected.clone()
        };
        if head != expected {
            return Err(self.fault(None, "an index segment does not say what stands before it"));
        }
        self.compare(&segment.blocks)?;
        let follows = |before: u64, more: u64| before + more;
        self.stretch.expected = SegmentV5 {
            previous: at,
            number: head.number.wrapping_add(1),
            first_block: follows(head.first_block, head.blocks.into()),
            first_row: follows(head.first_row, head.rows),
            ..SegmentV5::default()
        };
        Ok(())
    }

    /// Compares what an index says of the blocks with what is in them.
    pub(super) fn compare(&self, index: &[BlockInfo]) -> Result<(), Stop> {
        let first = self.verdict.blocks - self.stretch.blocks.len() as u64;
        if index.len() != self.stretch.blocks.len() {
            return Err(self.fault(None, "the index does not list all blocks, or some of them twice"));
        }
        for ((number, index), actual) in (first..).zip(index).zip(&self.stretch.blocks) {
            if (index.offset, index.bytes) != (actual.offset, actual.bytes) {
                return Err(self.fault(Some(number), "the index says that it stands elsewhere"));
            }
            if let Some(what) = index.statistics.contradicts(&actual.statistics) {
                return Err(self.fault(Some(number), what));
            }
        }
        Ok(())
    }

    /// The same of a file before version 5.
    pub(super) fn old_index(&self, raw: &[u8]) -> Result<(), Stop> {
        let event = |id| self.schema.by_file_id(id).map(|file| file.event.id);
        let read = archive::access::<ArchivedIndexV1>(raw, self.offset)
            .and_then(|index| Index::read(index, self.source.len(), event));
        let Ok(Index { blocks, sides }) = read else {
            return Err(self.fault(None, "the index is damaged"));
        };
        self.compare(&blocks)?;
        if !sides.iter().eq(self.stretch.others.iter().map(|(offset, _)| offset)) {
            return Err(self.fault(None, "the index does not list all records beside the events"));
        }
        Ok(())
    }
}
