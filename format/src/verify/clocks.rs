//! What a capture tells of the wall clocks of its hosts against the clocks of its blocks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Stop, Walk};
use crate::{Side, Statistics, records};

/// By host: offsets of the wall clock.
type Offsets = BTreeMap<u16, BTreeSet<u64>>;

/// A clock that is told stands for those of the blocks, so each block's must be one of it.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    told: Offsets,
    of_blocks: Offsets,
}

impl Clocks {
    pub(super) fn block(&mut self, statistics: &Statistics) {
        if let Some(offset) = statistics.wall_offset_ns
            && statistics.rows > 0
        {
            let host = statistics.hosts.first().copied().unwrap_or_default();
            self.of_blocks.entry(host).or_default().insert(offset);
        }
    }

    /// The first host of which a block's clock is not one that was told.
    fn contradicted(&self) -> Option<u16> {
        let of_told =
            self.told.iter().filter_map(|(host, told)| Some((host, told, self.of_blocks.get(host)?)));
        of_told.into_iter().find(|(_, told, blocks)| !blocks.is_subset(told)).map(|(host, ..)| *host)
    }
}

impl Walk<'_> {
    /// Takes what a table says of clocks and artifacts. One that cannot be read says nothing.
    pub(super) fn table(&mut self, head: &[u8]) {
        let wanted = |name: &str| matches!(name, records::CLOCKS | records::ARTIFACTS);
        match records::read_wanted(head, &self.schema, self.offset, &wanted) {
            Ok(Some(Side::Clocks(all))) => {
                for offset in all {
                    self.clocks.told.entry(offset.host).or_default().insert(offset.wall_offset_ns);
                }
            }
            Ok(Some(Side::Artifacts(all))) => self.artifacts.take(all),
            _ => {}
        }
    }

    pub(super) fn check_clocks(&mut self) -> Result<(), Stop> {
        match self.clocks.contradicted() {
            Some(host) => {
                let what =
                    format!("blocks of host {host} have another wall clock than the capture tells of it");
                Err(self.fault(None, &what))
            }
            None => Ok(()),
        }
    }
}
