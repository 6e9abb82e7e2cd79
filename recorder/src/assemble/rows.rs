//! The block that is being filled.

use events::Marks;
use format::{BlockBuilder, Clock, Row};

use super::BLOCK_BYTES;
use crate::{
    contexts::ContextFacts,
    file::lanes::{Lanes, Work},
    host::process_table::Change,
    kernel::Record,
};

/// Rows between two looks at the bytes of a block.
const BYTES_EVERY: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Rows {
    builder: Option<Box<BlockBuilder>>,
    /// Number of the block being filled; contexts are interned anew in each.
    block: u64,
    /// The queue was full when a block was to be handed over.
    pub blocked: bool,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.builder.as_ref().map_or(0, |builder| builder.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the block that is there takes another row.
    pub fn is_open(&self) -> bool {
        // Adding the bytes up takes a look at every table: not for each row.
        let is_full = |builder: &BlockBuilder| {
            builder.is_full() || (builder.len().is_multiple_of(BYTES_EVERY) && builder.bytes() >= BLOCK_BYTES)
        };
        self.builder.as_deref().is_some_and(|builder| !is_full(builder))
    }

    /// Begins a block where there is none.
    pub fn open(&mut self, lanes: &Lanes) {
        if self.builder.is_none() {
            self.builder = Some(lanes.builder());
        }
    }

    /// Takes out the block, if it has rows.
    pub fn take(&mut self, clock: Clock) -> Option<Box<BlockBuilder>> {
        let mut builder = self.builder.take_if(|builder| !builder.is_empty())?;
        builder.set_clock(clock);
        self.block += 1;
        Some(builder)
    }

    /// Hands the block over, if it has rows; other blocks of its time follow. Without room in the queue nothing changes, and
    /// this is false.
    pub fn hand_over(&mut self, lanes: &Lanes, clock: Clock) -> bool {
        self.hand_over_with(lanes, clock, Vec::new(), true).is_ok()
    }

    /// The same, with what its events changed, which comes back without room.
    pub fn hand_over_with(
        &mut self,
        lanes: &Lanes,
        clock: Clock,
        changes: Vec<Change>,
        goes_on: bool,
    ) -> Result<(), Vec<Change>> {
        let Some(builder) = self.take(clock) else { return Ok(()) };
        match lanes.hand_over(Work::Block { builder, changes, goes_on }) {
            Err(Work::Block { builder, changes, .. }) => {
                self.builder = Some(builder);
                self.block -= 1;
                Err(changes)
            }
            _ => Ok(()),
        }
    }

    /// Adds a row to the block that is open.
    #[inline]
    pub fn push(
        &mut self,
        record: &Record<'_>,
        known: &mut ContextFacts,
        scopes: u64,
        marks: Marks,
    ) -> format::Result<()> {
        let Some(builder) = self.builder.as_deref_mut() else { return Ok(()) };
        let context = match known.local {
            Some((block, local)) if block == self.block => local,
            _ => {
                let local = builder.intern(&known.context.view());
                known.local = Some((self.block, local));
                local
            }
        };
        builder.push(&Row {
            time_ns: record.time_ns,
            event: record.event,
            cpu: record.cpu,
            context,
            ret: record.ret,
            scopes,
            marks,
            duration_ns: record.duration_ns,
            args: record.args,
        })
    }
}
