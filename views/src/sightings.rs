//! Contexts, and when rows had them: what a process was called, and who started it, are questions of time. Blocks are not
//! in order of time, nor are contexts in the order in which a block lists them.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use events::Context;
use format::Block;
use pipeline::Source;
use pipeline::source::File;

use crate::blocks;

/// A context of a block.
pub struct Sighting<'a> {
    pub file: &'a File,
    pub host: u16,
    pub context: Context<'a>,
    /// Of its first and its last row in the block, boot clock, ns.
    pub seen_ns: RangeInclusive<u64>,
}

impl Sighting<'_> {
    pub fn boot(&self) -> usize {
        self.file.host(self.host).map_or(0, |host| host.boot)
    }
}

/// Columns that sightings are read from.
pub fn touch(block: &Block) -> format::Result<()> {
    block.contexts()?;
    block.times()?;
    block.context_codes().map(|_| ())
}

/// Calls `tell` with each context that stands beside the rows: processes that were there when recordings began.
pub fn of_snapshots(source: &Source, tell: &mut dyn FnMut(&Sighting<'_>, &[u8])) {
    for file in source.files() {
        for process in file.capture.processes() {
            let began_ns = file.host(process.host).map_or(0, |host| host.start_ns);
            let context = process.context();
            let sighting = Sighting { file, host: process.host, context, seen_ns: began_ns..=began_ns };
            tell(&sighting, &process.argv);
        }
    }
}

/// Calls `tell` with each context of a block that rows have, in the order of their numbers.
pub fn of_block(file: &File, block: &Block, tell: &mut dyn FnMut(&Sighting<'_>)) -> format::Result<()> {
    let contexts = block.contexts()?;
    let mut seen = vec![(u64::MAX, 0); block.context_count()];
    for (code, time) in block.context_codes()?.iter().zip(block.times()?) {
        if let Some((first, last)) = seen.get_mut(usize::from(*code)) {
            (*first, *last) = ((*first).min(*time), (*last).max(*time));
        }
    }
    for (code, (first, last)) in (0u16..).zip(seen).filter(|(_, (first, last))| first <= last) {
        if let Some(context) = contexts.get(code) {
            tell(&Sighting { file, host: block.host(), context, seen_ns: first..=last });
        }
    }
    Ok(())
}

/// Calls `tell` with each sighting of a source. Blocks that cannot be read are told by whoever answers from them.
pub fn each(source: &Source, threads: usize, tell: &mut dyn FnMut(&Sighting<'_>)) -> format::Result<()> {
    of_snapshots(source, &mut |sighting, _| tell(sighting));
    blocks::each(source, threads, &touch, &mut |file, block| of_block(file, block, tell))
}

/// Takes a value if its rank is the highest so far. Of two of one rank the greater value is kept, so that it does not depend on
/// which was read first.
pub fn outrank<Rank: Ord, T: Ord>(
    known: &mut Option<Rank>,
    rank: Rank,
    value: &mut T,
    new: impl FnOnce() -> T,
) {
    match known.as_ref().map_or(Ordering::Greater, |known| rank.cmp(known)) {
        Ordering::Greater => (*known, *value) = (Some(rank), new()),
        Ordering::Equal => {
            let new = new();
            if new > *value {
                *value = new;
            }
        }
        Ordering::Less => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_values_are_offered_does_not_matter() {
        let offers = [(3, "a"), (7, "b"), (7, "c"), (5, "z")];
        for turn in 0..offers.len() {
            let (mut rank, mut value) = (None, "");
            for (new, of) in offers.iter().cycle().skip(turn).take(offers.len()) {
                outrank(&mut rank, *new, &mut value, || of);
            }
            assert_eq!((rank, value), (Some(7), "c"));
        }
    }
}
