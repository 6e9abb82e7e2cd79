//! Buffers that go from block to block.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::contexts::ContextColumns;
use crate::args::Dictionary;
use crate::columns::Column;
use crate::compress::Decompressor;

/// Buffers that blocks decode into, reused from block to block: a block takes them and gives them back at its end. One
/// for each thread; of several blocks that one thread holds at once, the later ones begin without.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) buffers: Arc<Mutex<Buffers>>,
}

#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) decompressor: Decompressor,
    pub(super) bytes: Vec<Vec<u8>>,
    pub(super) shorts: Vec<Vec<u16>>,
    pub(super) marks: Vec<Vec<u32>>,
    pub(super) longs: Vec<Vec<u64>>,
    pub(super) rets: Vec<Vec<i64>>,
    #[allow(clippy::vec_box)] // cells hold boxes, and get them back from here
    pub(super) columns: Vec<Box<Column>>,
    pub(super) contexts: Vec<ContextColumns>,
    pub(super) texts: Option<Dictionary>,
}

/// Buffers of one kind that are kept between blocks; more than a block usually takes only hold memory.
pub(super) const KEPT: usize = 64;
/// Bytes of a kind that are kept: buffers go from column to column, and in time each would be as large as the largest.
pub(super) const KEPT_BYTES: usize = 16 << 20;

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

impl Scratch {
    /// Calls `read` with the decompressor.
    pub(crate) fn decompress<T>(&mut self, read: impl FnOnce(&mut Decompressor) -> T) -> T {
        read(&mut lock(&self.buffers).decompressor)
    }
}

pub(super) fn keep<T>(pool: &mut Vec<Vec<T>>, buffer: Vec<T>) {
    let bytes = |buffer: &Vec<T>| buffer.capacity() * size_of::<T>();
    if pool.len() < KEPT && pool.iter().map(bytes).sum::<usize>() + bytes(&buffer) <= KEPT_BYTES {
        pool.push(buffer);
    }
}

/// A thread that panicked leaves buffers, and what is in them does not matter.
pub(super) fn lock(buffers: &Mutex<Buffers>) -> MutexGuard<'_, Buffers> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}
