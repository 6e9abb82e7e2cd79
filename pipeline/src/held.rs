//! Batches that wait for their turn, counted while they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;
use crate::batch::Batch;
use crate::order::Keyed;
use crate::slices::{Rest, Slicing};

/// A batch under way.
#[derive(Debug)]
pub(crate) struct Held<'q> {
    /// Its job's number, and that of its slice, from 1; 0 of a whole batch.
    pub of: (usize, usize),
    pub batch: Batch<'q>,
    /// What is behind it, of a batch that was cut.
    pub rest: Option<Rest<'q>>,
    /// That it takes decoded.
    pub bytes: usize,
    pub held: Arc<AtomicUsize>,
    pub slicing: Arc<Slicing>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
        self.slicing.end(self.bytes, self.of.1 == 0);
    }
}

impl<'q> Keyed for Held<'q> {
    fn len(&self) -> usize {
        self.batch.len()
    }

    fn key(&self, at: usize) -> Option<u64> {
        self.batch.key(at)
    }

    fn last(&self) -> u64 {
        self.batch.reference.last
    }

    fn boot(&self) -> usize {
        self.batch.reference.boot
    }

    fn events(&self, at: usize) -> u64 {
        self.batch.events_of(at)
    }

    fn rest(&self) -> Result<Option<Held<'q>>> {
        let Some(rest) = &self.rest else { return Ok(None) };
        let (job, slice) = self.of;
        let next = rest.open()?;
        Ok(next.map(|(batch, rest)| {
            let bytes = batch.memory();
            self.held.fetch_add(1, Ordering::Relaxed);
            self.slicing.begin(bytes, false);
            Held {
                of: (job, slice + 1),
                batch,
                rest: Some(rest),
                bytes,
                held: Arc::clone(&self.held),
                slicing: Arc::clone(&self.slicing),
            }
        }))
    }
}
