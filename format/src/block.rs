//! One block, decoded column by column when asked.

use events::{Context, EventId};

use crate::{ArgTable, Clock, Result};

/// Buffers that blocks decode into, reused from block to block. One for each thread, and for each block held at once.
#[derive(Debug, Default)]
pub struct Scratch {}

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

/// A block of a capture. Columns are decompressed and decoded when they are first asked for; damage shows then, as an
/// error. Rows are in time order.
#[derive(Debug)]
pub struct Block<'a> {
    #[expect(dead_code)]
    scratch: &'a mut Scratch,
}

/// The distinct contexts of a block; [`Block::context_codes`] index it.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    #[expect(dead_code)]
    block: &'a (),
}

impl<'a> Contexts<'a> {
    pub fn len(&self) -> usize {
        0
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, _code: u16) -> Option<Context<'a>> {
        None
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = Context<'a>> {
        let contexts = *self;
        (0..self.len()).filter_map(move |code| contexts.get(code as u16))
    }
}

impl Block<'_> {
    pub fn rows(&self) -> usize {
        0
    }

    pub fn clock(&self) -> Clock {
        Clock::default()
    }

    /// Index of the host: 0 unless the capture was merged.
    pub fn host(&self) -> u16 {
        0
    }

    /// The block's distinct events; event codes index it.
    pub fn event_list(&self) -> &[EventId] {
        &[]
    }

    /// Rows of the event with this code.
    pub fn rows_of(&self, _event_code: u16) -> usize {
        0
    }

    pub fn contexts(&self) -> Result<Contexts<'_>> {
        Ok(Contexts { block: &() })
    }

    pub fn event_codes(&self) -> Result<&[u16]> {
        Ok(&[])
    }

    pub fn context_codes(&self) -> Result<&[u16]> {
        Ok(&[])
    }

    /// Boot clock, ns.
    pub fn times(&self) -> Result<&[u64]> {
        Ok(&[])
    }

    pub fn rets(&self) -> Result<&[i64]> {
        Ok(&[])
    }

    /// Recorded scopes.
    pub fn scopes(&self) -> Result<&[u64]> {
        Ok(&[])
    }

    /// [`events::Marks`].
    pub fn marks(&self) -> Result<&[u32]> {
        Ok(&[])
    }

    pub fn cpus(&self) -> Result<&[u16]> {
        Ok(&[])
    }

    /// The arguments of the event with this code.
    pub fn args(&self, event_code: u16) -> ArgTable<'_> {
        ArgTable { block: self, event: EventId(0), rows: self.rows_of(event_code) }
    }

    /// Bytes that were decompressed for this block up to now.
    pub fn decompressed(&self) -> u64 {
        0
    }
}
