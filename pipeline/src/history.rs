//! State without a question: a client of the stage is told all that it declared, up to some moments, and shows what it has
//! come to at each of them.
//!
//! Blocks are scanned by threads that take turns and keep a few blocks ahead of the stage, so that memory holds those and
//! the client, however long the capture is. Rows whose time is that of a moment or later are not told before the moment.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use format::Scratch;

use crate::source::{BlockRef, Source};
use crate::stage::{self, Client, Reads, Row, Scanned, Stage, Told, copies};
use crate::{Cancellation, Error, Gap, Result};

/// Blocks that each thread scans ahead.
const AHEAD: usize = 2;

/// Brings a client forward over a source.
#[derive(Debug)]
pub struct History<'a> {
    pub source: &'a Source,
    /// What the client reads.
    pub reads: &'a [Reads],
    pub threads: usize,
    /// The first damaged block ends it; otherwise it is a gap.
    pub strict: bool,
    pub cancellation: Cancellation,
}

/// A block as a thread scanned it.
type Found = format::Result<(Arc<Scanned>, Vec<Row>)>;

impl<'a> History<'a> {
    pub fn new(source: &'a Source, reads: &'a [Reads]) -> History<'a> {
        History { source, reads, threads: 1, strict: false, cancellation: Cancellation::default() }
    }

    /// Calls `see` with the number of each moment and the client as it was then. Moments are times of the wall clock, ns
    /// since the epoch, rising. Returns the blocks that could not be read.
    pub fn at<C: Client>(
        &self,
        moments: &[i64],
        client: C,
        see: &mut dyn FnMut(usize, &mut C),
    ) -> Result<Vec<Gap>> {
        let Some(end) = moments.last().copied() else { return Ok(Vec::new()) };
        let mut blocks = self.blocks(end);
        blocks.sort_unstable();
        let beginnings = self.source.beginnings(|_| true);
        let oldest = beginnings.iter().filter(|(time, ..)| *time == 0).map(|(_, file, host)| (*file, *host));
        let looked_at = moments;
        let moments =
            Moments { source: self.source, oldest: oldest.collect(), client, moments, next: 0, see };
        let mut stage: Stage<_, ()> = Stage::new(moments);
        let mut begins = Vec::new();
        for (time, file, host) in beginnings {
            stage.begin(time, file, host);
            let of = self.source.files().get(file).and_then(|file| file.host(host));
            begins.extend(of.map(|of| (of.boot, time)));
        }
        let mut gaps = Vec::new();
        begins.sort_unstable();
        self.scanned(&blocks, &are_alone(&blocks, &begins), looked_at, &mut |at, found| {
            match found {
                Ok((scanned, rows)) => stage.rows(&scanned, rows),
                Err(error) => gaps.push(self.gap(&blocks, at, &error)?),
            }
            stage.advance(blocks.get(at + 1).map(|next| next.first), |_, ()| {});
            Ok(if stage.state().is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        stage.advance(None, |_, ()| {});
        stage.into_state().rest();
        Ok(gaps)
    }

    /// Calls `tell` with the rows that are declared, backwards in time, from a moment of the wall clock (with what happened
    /// then) until it says that it has seen enough. Returns the blocks that could not be read.
    pub fn backward(
        &self,
        from_ns: i64,
        tell: &mut dyn FnMut(&Told<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<Gap>> {
        let mut blocks = self.blocks(from_ns.saturating_add(1));
        blocks.sort_unstable_by_key(|block| (block.last, *block));
        blocks.reverse();
        let mut gaps = Vec::new();
        // Rows that may stand before others of a block that is still to come.
        let mut pending: Vec<(Row, Arc<Scanned>)> = Vec::new();
        self.scanned(&blocks, &[], &[], &mut |at, found| {
            match found {
                Ok((scanned, rows)) => {
                    pending.extend(rows.into_iter().map(|row| (row, Arc::clone(&scanned))))
                }
                Err(error) => gaps.push(self.gap(&blocks, at, &error)?),
            }
            pending.sort_by_key(|(row, _)| row.time());
            let next = blocks.get(at + 1).map(|block| block.last);
            let rest = pending.partition_point(|(row, _)| next.is_some_and(|next| row.time() <= next));
            let due = pending.split_off(rest);
            let copies = copies::of(due.iter().enumerate().map(|(at, (row, of))| (at, row, &**of)));
            for (at, (row, of)) in due.iter().enumerate().rev() {
                let told = row.told(of);
                if copies.binary_search(&at).is_err() && told.wall_ns() <= from_ns && tell(&told).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(gaps)
    }

    /// The blocks that have something to tell before a moment, in no order.
    fn blocks(&self, end: i64) -> Vec<BlockRef> {
        let mut blocks = Vec::new();
        for (number, file) in self.source.files().iter().enumerate() {
            for segment in 0..file.capture.segments().len() {
                file.each_block(number, segment, &mut |reference, info| {
                    let first = file.wall(info.host(), info.statistics.first_ns);
                    if first.saturating_sub(format::CLOCK_TOLERANCE_NS as i64) < end
                        && stage::has_rows(self.reads, info)
                    {
                        blocks.push(reference);
                    }
                });
            }
        }
        blocks
    }

    fn scan(
        &self,
        job: usize,
        reference: BlockRef,
        is_alone: bool,
        moments: &[i64],
        scratch: &mut Scratch,
    ) -> Found {
        let Some(file) = self.source.file(reference) else {
            return Err(format::Error::NoBlock { block: reference.block, blocks: 0 });
        };
        let block = Arc::new(file.capture.block(reference.block, scratch)?);
        let is_alone = is_alone && !is_looked_at(&block, moments)?;
        let rows = stage::scan(self.reads, |time| file.key(block.host(), time), &block, is_alone)?;
        let scanned = Scanned { job, file: reference.file, boot: reference.boot, is_chosen: false, block };
        Ok((Arc::new(scanned), rows))
    }

    /// A block that cannot be read, as part of the answer, or as its end.
    fn gap(&self, blocks: &[BlockRef], at: usize, error: &format::Error) -> Result<Gap> {
        let gap = self.source.gap(blocks.get(at).copied().unwrap_or_default(), error);
        if self.strict { Err(Error::Gap(Box::new(gap))) } else { Ok(gap) }
    }

    /// Calls `take` with the blocks as they were scanned, in their order, until it has enough. Of the blocks that are alone
    /// and within which there is no moment, only what changes the state at their end need be told.
    fn scanned(
        &self,
        blocks: &[BlockRef],
        are_alone: &[bool],
        moments: &[i64],
        take: &mut dyn FnMut(usize, Found) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let threads = self.threads.min(blocks.len());
        let is_alone = |at: usize| are_alone.get(at).copied().unwrap_or_default();
        if threads <= 1 {
            let mut scratch = Scratch::new();
            for (at, block) in blocks.iter().enumerate() {
                self.cancellation.check()?;
                if take(at, self.scan(at, *block, is_alone(at), moments, &mut scratch))?.is_break() {
                    break;
                }
            }
            return Ok(());
        }
        std::thread::scope(|scope| {
            let mut found: Vec<Receiver<Found>> = Vec::with_capacity(threads);
            for thread in 0..threads {
                let (give, taken) = sync_channel(AHEAD);
                found.push(taken);
                let scans = move || {
                    let mut scratch = Scratch::new();
                    for (at, block) in blocks.iter().enumerate().skip(thread).step_by(threads) {
                        // Nobody takes it any more once there is enough.
                        if give.send(self.scan(at, *block, is_alone(at), moments, &mut scratch)).is_err() {
                            return;
                        }
                    }
                };
                let named = std::thread::Builder::new().name(format!("scan-{thread}"));
                named.spawn_scoped(scope, scans).map_err(|source| Error::Thread { source })?;
            }
            for at in 0..blocks.len() {
                self.cancellation.check()?;
                let block = found.get(at % threads).and_then(|thread| thread.recv().ok());
                if take(at, block.ok_or(Error::Worker)?)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// Whether a moment lies between the first row of a block and its last one.
fn is_looked_at(block: &format::Block, moments: &[i64]) -> format::Result<bool> {
    let (times, clock) = (block.times()?, block.clock());
    let wall = |time: Option<&u64>| time.map(|time| clock.wall(*time) as i64);
    let Some((first, last)) = wall(times.first()).zip(wall(times.last())) else { return Ok(false) };
    let next = moments.get(moments.partition_point(|moment| *moment < first));
    Ok(next.is_some_and(|moment| *moment <= last))
}

/// Which blocks, sorted by their first rows, are the only ones of their boot that tell something between their first row and
/// their last one. `begins`: when recordings of boots begin, sorted.
fn are_alone(blocks: &[BlockRef], begins: &[(usize, u64)]) -> Vec<bool> {
    let mut are_alone = vec![true; blocks.len()];
    // By boot: the block that lasts longest so far.
    let mut longest: Vec<Option<(u64, usize)>> = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        if longest.len() <= block.boot {
            longest.resize(block.boot + 1, None);
        }
        let Some(longest) = longest.get_mut(block.boot) else { continue };
        let overlaps = longest.filter(|(last, _)| *last >= block.first);
        let next = begins.get(begins.partition_point(|begin| *begin < (block.boot, block.first)));
        let begins = next.is_some_and(|(boot, time)| *boot == block.boot && *time <= block.last);
        for at in
            overlaps.map(|(_, other)| other).into_iter().chain((overlaps.is_some() || begins).then_some(at))
        {
            if let Some(is_alone) = are_alone.get_mut(at) {
                *is_alone = false;
            }
        }
        if longest.is_none_or(|(last, _)| last < block.last) {
            *longest = Some((block.last, at));
        }
    }
    are_alone
}

/// A client, and the moments at which it is looked at.
struct Moments<'s, C> {
    source: &'s Source,
    /// The recordings that were the first of their boot.
    oldest: Vec<(usize, u16)>,
    client: C,
    moments: &'s [i64],
    next: usize,
    see: &'s mut dyn FnMut(usize, &mut C),
}

impl<C> Moments<'_, C> {
    fn is_over(&self) -> bool {
        self.next >= self.moments.len()
    }

    /// The time is this one now: what comes next is later than moments up to it.
    fn reach(&mut self, wall_ns: i64) {
        while self.moments.get(self.next).is_some_and(|moment| *moment <= wall_ns) {
            (self.see)(self.next, &mut self.client);
            self.next += 1;
        }
    }

    /// Nothing more is told: the moments that are left are at or behind the end.
    fn rest(&mut self) {
        self.reach(i64::MAX);
    }
}

impl<C: Client> Client for Moments<'_, C> {
    fn begin(&mut self, file: usize, number: u16) {
        // What the oldest recording of a boot knew holds from the beginning on: it belongs to every moment.
        let files = self.source.files();
        let known = files.get(file).and_then(|file| Some((file, file.host(number)?)));
        if let Some((of, host)) = known
            && !self.oldest.contains(&(file, number))
        {
            self.reach(host.wall(of.first(number)));
        }
        if !self.is_over() {
            self.client.begin(file, number);
        }
    }

    fn tell(&mut self, row: &Told<'_>) {
        self.reach(row.wall_ns());
        if !self.is_over() {
            self.client.tell(row);
        }
    }

    fn forget(&mut self, before: u64) {
        self.client.forget(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_alone_where_nothing_else_of_its_boot_is_told_meanwhile() {
        let block = |boot, first, last| BlockRef { first, last, boot, ..BlockRef::default() };
        let blocks = [
            block(0, 1, 9),
            block(1, 2, 3),
            block(0, 10, 20),
            block(0, 20, 21),
            block(0, 30, 50),
            block(0, 31, 32),
        ];
        assert_eq!(are_alone(&blocks, &[(0, 0), (1, 0)]), [true, true, false, false, false, false]);
        let later = [block(0, 1, 9), block(0, 10, 20), block(0, 21, 30), block(0, 22, 23), block(0, 29, 40)];
        assert_eq!(are_alone(&later, &[(0, 10), (1, 5)]), [true, false, false, false, false]);
        assert_eq!(are_alone(&later[..2], &[(1, 10)]), [true, true]);
    }
}
