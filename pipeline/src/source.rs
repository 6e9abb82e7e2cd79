//! What is asked: captures, several files of one host or of many, their blocks in order of time; or one that is still being
//! written, whose blocks come from a [`Feed`].

mod boot_clocks;
mod file;
mod host;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use format::{Capture, Clock};

use crate::feed::Feed;
use crate::names::Names;
use crate::outline::Outline;
use crate::{Gap, Result};
pub use boot_clocks::BootClocks;
pub use file::File;
pub use host::Host;

/// Captures, read as one. Of each file little is kept: what is known of blocks and what stands beside the events is read
/// when somebody asks, and files are open only while they are read.
#[derive(Debug)]
pub struct Source {
    files: Vec<File>,
    /// In order of their first row, by the clock of [`File::key`].
    blocks: OnceLock<Vec<BlockRef>>,
    /// Gives the blocks of the one file, until somebody asks: they come once.
    feed: Option<Mutex<Option<Box<dyn Feed>>>>,
    /// What answers of DNS say, once somebody asked.
    names: OnceLock<Names>,
    /// Captures beside the files, of which is known that nothing of them is asked for.
    unopened: Vec<Outline>,
    /// Rows are ordered by the wall clock of each host: there are several boots.
    by_wall: bool,
}

/// One block of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct BlockRef {
    /// Time of the first row on the ordering clock.
    pub first: u64,
    /// [`Host::boot`] of its host.
    pub boot: usize,
    pub file: usize,
    pub block: usize,
    /// Time of the last row on the ordering clock.
    pub last: u64,
    pub rows: u64,
}

/// One row of one of the blocks, or something that is derived from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RowRef {
    pub file: u32,
    pub block: u32,
    pub row: u32,
    /// 0 is the row itself; others count what is derived from it.
    pub derived: u16,
}

impl Source {
    /// Files with the names that the user gave them. When all are of one boot, rows are ordered by the boot clock, which
    /// never jumps; else by the wall clock of each host.
    pub fn new(captures: Vec<(String, Capture)>) -> Source {
        Source::beside(captures, Vec::new())
    }

    /// The same, beside captures that are not opened since nothing of them is asked for: what is read has the order, the
    /// columns and the extent that it has among all of them.
    pub fn beside(captures: Vec<(String, Capture)>, unopened: Vec<Outline>) -> Source {
        let mut files: Vec<File> =
            captures.into_iter().map(|(name, capture)| File::new(name, capture)).collect();
        let one_boot = number_boots(&mut files, &unopened) <= 1;
        for host in files.iter_mut().flat_map(|file| &mut file.hosts).filter_map(Arc::get_mut) {
            host.by_wall = !one_boot;
        }
        let (blocks, names, by_wall) = (OnceLock::new(), OnceLock::new(), !one_boot);
        Source { files, blocks, feed: None, names, unopened, by_wall }
    }

    /// A capture that is still being written: its head, with what it says of the host when the recording began
    /// ([`Capture::growing`]), and what gives its blocks. It can be asked once.
    pub fn growing(name: String, head: Capture, feed: Box<dyn Feed>) -> Source {
        let source = Source::new(vec![(name, head)]);
        Source { feed: Some(Mutex::new(Some(feed))), ..source }
    }

    /// The names that all recorded answers of DNS gave, read once.
    pub fn names(&self, threads: usize) -> Result<&Names> {
        match self.names.get() {
            Some(names) => Ok(names),
            None => {
                let names = Names::of_source(self, threads)?;
                Ok(self.names.get_or_init(|| names))
            }
        }
    }

    /// Whether its blocks arrive while it is asked: then little is known of it before, and it can be asked once.
    pub fn is_growing(&self) -> bool {
        self.feed.is_some()
    }

    /// What gives the blocks; `None` when somebody has it.
    pub(crate) fn take_feed(&self) -> Option<Box<dyn Feed>> {
        self.feed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Captures of which nothing is asked for.
    pub fn unopened(&self) -> &[Outline] {
        &self.unopened
    }

    /// All blocks that have rows, in order of their first ones. This looks at all files, and holds all blocks in memory.
    pub fn blocks(&self) -> &[BlockRef] {
        self.blocks.get_or_init(|| {
            let mut blocks = Vec::new();
            for (number, file) in self.files.iter().enumerate() {
                for segment in 0..file.capture.segments().len() {
                    file.each_block(number, segment, &mut |reference, _| blocks.push(reference));
                }
            }
            blocks.sort_unstable();
            blocks
        })
    }

    /// The last block of each boot.
    pub(crate) fn last_blocks(&self) -> Vec<BlockRef> {
        let mut ends = BTreeMap::new();
        for block in self.blocks() {
            let end: &mut BlockRef = ends.entry(block.boot).or_insert(*block);
            if block.last > end.last {
                *end = *block;
            }
        }
        ends.into_values().collect()
    }

    pub fn file(&self, block: BlockRef) -> Option<&File> {
        self.files.get(block.file)
    }

    /// When the recordings of boots begin that somebody asks for: time on the ordering clock, file and host. What a boot's
    /// oldest recording knew holds from the beginning: its time is 0.
    pub fn beginnings(&self, is_asked: impl Fn(usize) -> bool) -> Vec<(u64, usize, u16)> {
        let mut beginnings = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            for (host_number, host) in (0u16..).zip(&file.hosts) {
                if is_asked(host.boot) {
                    beginnings.push((file.start(host_number), number, host_number));
                }
            }
        }
        beginnings.sort_by_key(|(time, ..)| *time);
        let mut begun = Vec::new();
        for (time, file, host) in &mut beginnings {
            let host = self.files.get(*file).and_then(|file| file.host(*host));
            if let Some(host) = host.filter(|host| !begun.contains(&host.boot)) {
                begun.push(host.boot);
                *time = 0;
            }
        }
        beginnings
    }

    /// A block that cannot be read, as part of an answer.
    pub fn gap(&self, reference: BlockRef, error: &format::Error) -> Gap {
        let file = self.file(reference);
        let info = file.and_then(|file| file.capture.block_info(reference.block).ok());
        let (host, first_ns, last_ns) = match &info {
            Some(info) => (info.host(), info.statistics.first_ns, info.statistics.last_ns),
            // One that arrived: where rows are of one host, they are ordered by its boot clock.
            None => (0, reference.first, reference.last),
        };
        let wall = |boot: u64| file.map_or(0, |file| file.wall(host, boot));
        Gap {
            file: file.map(|file| file.name.clone()).unwrap_or_default(),
            block: reference.block,
            rows: reference.rows,
            from_ns: wall(first_ns),
            to_ns: wall(last_ns),
            is_state: false,
            what: error.to_string(),
        }
    }

    /// Whether any event may have been in a container.
    pub fn has_containers(&self) -> bool {
        self.files.iter().any(|file| file.capture.has_containers())
            || self.unopened.iter().any(|outline| outline.has_containers)
    }

    /// Whether there are hosts of different names.
    pub fn has_hosts(&self) -> bool {
        let opened = self.files.iter().flat_map(|file| &file.hosts).map(|host| host.name.as_str());
        let mut names = opened.chain(self.unopened.iter().map(|outline| &*outline.host));
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// Wall clock of the earliest row, ns since the epoch.
    pub fn start_wall_ns(&self) -> Option<i64> {
        if self.is_growing() {
            return self.files.first().map(|file| file.capture.header().clock.wall_ns as i64);
        }
        let unopened = self.unopened.iter().filter_map(|outline| outline.extent(self.by_wall));
        let starts = self.files.iter().flat_map(File::extents).chain(unopened);
        starts.min_by_key(|(key, ..)| *key).map(|(_, start, _)| start)
    }

    /// Wall clock of the latest row, ns since the epoch.
    pub fn end_wall_ns(&self) -> Option<i64> {
        let unopened = self.unopened.iter().filter_map(|outline| outline.extent(self.by_wall));
        self.files.iter().flat_map(File::extents).chain(unopened).map(|(.., end)| end).max()
    }
}

impl BlockRef {
    /// No block of a file: what is told when the recording of a boot ends.
    pub fn is_end(self) -> bool {
        self.block == usize::MAX
    }

    /// No block: where the recording of a boot ends, of which this is the last block. `end`: on the ordering clock.
    pub(crate) fn end(self, end: u64) -> BlockRef {
        BlockRef { first: end, last: end, block: usize::MAX, rows: 0, ..self }
    }
}

/// Numbers the boots of all hosts, and returns how many there are. An unknown boot (an imported log, a capture whose hosts
/// were redacted) is the same as no other: two of them may be two machines.
fn number_boots(files: &mut [File], unopened: &[Outline]) -> usize {
    let mut boots = BTreeMap::new();
    let key = |at: (usize, usize), clock: Clock, host: &Host| {
        let alone = host.boot_id.is_empty().then_some(at);
        // In a merged capture the boot clock counts from 1970: its times have nothing to do with those of a recording.
        let is_shifted = clock.boot_ns == clock.wall_ns;
        (host.boot_id.clone(), is_shifted, alone)
    };
    for (number, file) in files.iter().enumerate() {
        let clock = file.capture.header().clock;
        boots.extend(file.hosts.iter().enumerate().map(|(at, host)| (key((number, at), clock, host), 0)));
    }
    boots.extend(unopened.iter().map(|outline| ((outline.boot_id.to_string(), false, None), 0)));
    (0..).zip(boots.values_mut()).for_each(|(number, boot)| *boot = number);
    for (number, file) in files.iter_mut().enumerate() {
        let clock = file.capture.header().clock;
        for (at, host) in file.hosts.iter_mut().enumerate() {
            let boot = boots.get(&key((number, at), clock, host)).copied().unwrap_or_default();
            if let Some(host) = Arc::get_mut(host) {
                host.boot = boot;
            }
        }
    }
    boots.len()
}
