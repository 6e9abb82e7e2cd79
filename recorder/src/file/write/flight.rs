//! The flight recorder: blocks wait in memory until something triggers, and the oldest go.

use std::{collections::VecDeque, sync::Arc};

use format::{EncodedBlock, Loss, Side};

use super::{Halt, Sink};
use crate::{amount::Stretch, host::process_table::Change, loss};

/// A block that the flight recorder holds.
#[derive(Debug)]
pub(super) struct HeldBlock {
    pub(super) block: Arc<EncodedBlock>,
    pub(super) changes: Vec<Change>,
    pub(super) goes_on: bool,
}

impl HeldBlock {
    fn bytes(&self) -> u64 {
        (self.block.bytes() + self.changes.iter().map(Change::bytes).sum::<usize>()) as u64
    }
}

/// A stretch of rows that a flight recorder had no memory for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evicted {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) rows: u64,
}

/// Stretches shorter than this are one: what is remembered of them stays small, however long the recording.
const LET_GO_NS: u64 = 100_000_000;

fn evict(stretches: &mut VecDeque<Evicted>, block: &EncodedBlock) {
    let (from_ns, to_ns, rows) = (block.first_ns(), block.last_ns(), u64::from(block.rows()));
    match stretches.back_mut().filter(|last| to_ns.saturating_sub(last.from_ns) < LET_GO_NS) {
        Some(last) => {
            last.to_ns = last.to_ns.max(to_ns);
            last.rows += rows;
        }
        None => stretches.push_back(Evicted { from_ns, to_ns, rows }),
    }
}

impl Sink {
    pub(super) fn hold(&mut self, held: HeldBlock) {
        if held.block.rows() == 0 {
            return;
        }
        let now_ns = held.block.last_ns();
        self.held_bytes += held.bytes();
        self.held.push_back(held);
        while self.held.len() > 1 {
            let Some(oldest) = self.held.front() else { break };
            let is_wanted = match self.destination.flight {
                Some(Stretch::Bytes(bytes)) => self.held_bytes <= bytes,
                Some(Stretch::Time(time)) => oldest.block.last_ns() + time.as_nanos() as u64 >= now_ns,
                None => true,
            };
            if is_wanted && self.held_bytes <= self.destination.flight_bytes {
                break;
            }
            let Some(oldest) = self.held.pop_front() else { break };
            self.held_bytes -= oldest.bytes();
            if is_wanted {
                evict(&mut self.evicted, &oldest.block);
            } else {
                self.result.left_out_rows += u64::from(oldest.block.rows());
            }
            if let Some(processes) = &mut self.processes {
                processes.begin();
                oldest.changes.into_iter().for_each(|change| processes.apply(change));
            }
        }
        // What would not be wanted by now is no loss any more.
        if let Some(Stretch::Time(time)) = self.destination.flight {
            let before_ns = now_ns.saturating_sub(time.as_nanos() as u64);
            while let Some(gone) = self.evicted.pop_front_if(|gone| gone.to_ns < before_ns) {
                self.result.left_out_rows += gone.rows;
            }
        }
    }

    /// Says in the file what it should hold and had to be let go before.
    pub(super) fn write_evicted(&mut self) -> Result<(), Halt> {
        let gone = std::mem::take(&mut self.evicted);
        let (Some(first), Some(last)) = (gone.front(), gone.back()) else { return Ok(()) };
        let count = gone.iter().map(|gone| gone.rows).sum();
        self.result.lost_rows += count;
        self.write_side(&Side::Losses(vec![Loss {
            host: 0,
            from_ns: first.from_ns,
            to_ns: last.to_ns,
            cpu: None,
            event: None,
            count,
            cause: loss::FLIGHT_FULL.to_owned(),
        }]))
    }

    pub(super) fn release(&mut self) -> Result<(), Halt> {
        self.holding = false;
        self.result.released = true;
        self.held_bytes = 0;
        self.begin()?;
        self.write_evicted()?;
        while let Some(HeldBlock { block, changes, goes_on }) = self.held.pop_front() {
            if let Err(halt) = self.block(&block, changes, goes_on) {
                for HeldBlock { block, .. } in std::mem::take(&mut self.held) {
                    self.lose(&block, &halt);
                }
                return Err(halt);
            }
        }
        Ok(())
    }
}
