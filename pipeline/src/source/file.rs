//! One file of a source: its blocks, and the times of its hosts.

use std::borrow::Cow;
use std::sync::Arc;

use format::{BlockInfo, Capture, SegmentSummary, WallClock, recorded};

use super::BlockRef;
use super::host::Host;

/// One of the files.
#[derive(Debug)]
pub struct File {
    /// As the user named it.
    pub name: String,
    pub capture: Arc<Capture>,
    /// By index of host: one, unless the capture was merged.
    pub hosts: Vec<Arc<Host>>,
}

impl File {
    pub(super) fn new(name: String, capture: Capture) -> File {
        let capture = Arc::new(capture);
        let hosts = Host::all(&capture).into_iter().map(Arc::new).collect();
        File { name, capture, hosts }
    }

    /// Calls `see` with each block of a segment that has rows. `number` is this file's among those of the source.
    pub(crate) fn each_block(
        &self,
        number: usize,
        segment: usize,
        see: &mut dyn FnMut(BlockRef, &BlockInfo),
    ) {
        let segment = self.capture.segment_or_unreadable(segment);
        for (at, info) in segment.blocks.iter().enumerate().filter(|(_, info)| info.statistics.rows > 0) {
            let it = &info.statistics;
            let reference = BlockRef {
                first: self.key(info.host(), it.first_ns),
                boot: self.host(info.host()).map_or(0, |host| host.boot),
                file: number,
                block: segment.first_block + at,
                last: self.key(info.host(), it.last_ns),
                rows: it.rows,
            };
            see(reference, info);
        }
    }

    /// Of each stretch of rows of one host: its beginning on the ordering clock, and beginning and end on the wall clock.
    pub(super) fn extents(&self) -> Vec<(u64, i64, i64)> {
        let mut extents = Vec::new();
        let mut add = |host: u16, first_ns: u64, last_ns: u64| {
            extents.push((self.key(host, first_ns), self.wall(host, first_ns), self.wall(host, last_ns)));
        };
        for (number, summary) in self.capture.segments().enumerate().filter(|(_, it)| it.rows > 0) {
            if self.hosts.len() <= 1 {
                add(0, summary.first_ns, summary.last_ns);
            } else {
                let segment = self.capture.segment_or_unreadable(number);
                let filled = segment.blocks.iter().filter(|info| info.statistics.rows > 0);
                filled.for_each(|it| add(it.host(), it.statistics.first_ns, it.statistics.last_ns));
            }
        }
        extents
    }

    pub fn host(&self, number: u16) -> Option<&Arc<Host>> {
        self.hosts.get(usize::from(number))
    }

    /// When this file's part of a host's recording began, on the ordering clock.
    pub fn start(&self, host: u16) -> u64 {
        self.key(host, self.first(host))
    }

    /// The same on the host's boot clock. The parts of a rotated set all say when the first of them began; where the rows of
    /// one begin is nearer.
    pub fn first(&self, host: u16) -> u64 {
        // A cut knows the processes of the start, which may be long before its first row.
        if let Some(began) = self.capture.header().recording_of(host).number(recorded::BEGAN_NS) {
            return began;
        }
        let mut rows = None;
        for (number, summary) in self.capture.segments().enumerate().filter(|(_, it)| it.rows > 0) {
            let first = if self.hosts.len() <= 1 {
                Some(summary.first_ns)
            } else {
                let segment = self.capture.segment_or_unreadable(number);
                let of_host = |info: &&BlockInfo| info.host() == host && info.statistics.rows > 0;
                segment.blocks.iter().filter(of_host).map(|info| info.statistics.first_ns).min()
            };
            rows = [rows, first].into_iter().flatten().min();
        }
        let recording = self.host(host).map_or(0, |host| host.start_ns);
        rows.unwrap_or_default().max(recording)
    }

    /// When the recording of a host ended as far as this file knows, on its boot clock: with its last row, or with that of
    /// what the file was cut from. `None` when more followed there.
    pub fn recording_end(&self, host: u16) -> Option<u64> {
        self.recorded_end(host, self.end(host))
    }

    /// The same, where the last row is known.
    pub(crate) fn recorded_end(&self, host: u16, last_ns: u64) -> Option<u64> {
        match self.capture.header().recording_of(host).number(recorded::ENDED_NS) {
            Some(recorded::GOES_ON) => None,
            Some(end) => Some(end.max(last_ns)),
            None => Some(last_ns),
        }
    }

    /// When this file's last row of a host happened, on its boot clock.
    pub fn end(&self, host: u16) -> u64 {
        let segments = self.capture.segments().enumerate().filter(|(_, it)| it.rows > 0);
        let last = |(number, summary): (usize, &SegmentSummary)| {
            if self.hosts.len() <= 1 {
                return summary.last_ns;
            }
            let segment = self.capture.segment_or_unreadable(number);
            let of_host = segment.blocks.iter().filter(|block| block.host() == host);
            of_host.map(|block| block.statistics.last_ns).max().unwrap_or_default()
        };
        segments.map(last).max().unwrap_or_default()
    }

    /// A boot-clock time of a host on the clock that orders rows of all files.
    pub fn key(&self, host: u16, boot_ns: u64) -> u64 {
        self.host(host).map_or(boot_ns, |host| host.key(boot_ns))
    }

    /// Wall clock of a boot-clock time of a host, ns since the epoch: the one that tables show, for those who look at
    /// no block.
    pub fn wall(&self, host: u16, boot_ns: u64) -> i64 {
        self.clock(host).wall(boot_ns)
    }

    /// The wall clock of a host over the time of this file.
    pub fn clock(&self, host: u16) -> Cow<'_, WallClock> {
        match self.host(host) {
            Some(known) => Cow::Borrowed(known.clock()),
            None => Cow::Owned(WallClock::constant(self.capture.header().clock)),
        }
    }
}
