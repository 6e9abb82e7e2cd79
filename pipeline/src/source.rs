//! What is asked: captures, several files of one host or of many, their blocks in order of time; or one that is still being
//! written, whose blocks come from a [`Feed`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use format::{BlockInfo, Capture, Cgroup, Clock, Records, SegmentSummary, recorded};
use scopes::Recording;

use crate::Gap;
use crate::clock::WallClock;
use crate::containers::Containers;
use crate::feed::Feed;

/// Captures, read as one. Of each file little is kept: what is known of blocks and what stands beside the events is read
/// when somebody asks, and files are open only while they are read.
#[derive(Debug)]
pub struct Source {
    files: Vec<File>,
    /// In order of their first row, by the clock of [`File::key`].
    blocks: OnceLock<Vec<BlockRef>>,
    /// Gives the blocks of the one file, until somebody asks: they come once.
    feed: Option<Mutex<Option<Box<dyn Feed>>>>,
}

/// One of the files.
#[derive(Debug)]
pub struct File {
    /// As the user named it.
    pub name: String,
    pub capture: Arc<Capture>,
    /// By index of host: one, unless the capture was merged.
    pub hosts: Vec<Arc<Host>>,
}

/// What is known of a host beside its events.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its node name when the recording began.
    pub name: String,
    pub boot_id: String,
    /// Which boot of which machine this is: hosts of several files that have the same number are the same. Their
    /// order is that of boot ids, so that rows of one time stand in an order that does not depend on how files are given.
    pub boot: usize,
    /// When its recording began, ns of the boot clock.
    pub start_ns: u64,
    pub(crate) number: u16,
    facts: Arc<Facts>,
    /// Asked for when it is needed: its points stand in the blocks.
    clock: OnceLock<WallClock>,
    /// Whether rows are ordered by the wall clock: those of several boots are.
    by_wall: bool,
}

/// What records beside the events say of the hosts of a file, once somebody asked.
#[derive(Debug, Default)]
struct Facts {
    capture: Option<Arc<Capture>>,
    of_hosts: OnceLock<Vec<HostFacts>>,
}

#[derive(Clone, Debug, Default)]
struct HostFacts {
    containers: Arc<Containers>,
    host_mnt_ns: Option<u32>,
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
        let mut files: Vec<File> =
            captures.into_iter().map(|(name, capture)| File::new(name, capture)).collect();
        let one_boot = number_boots(&mut files) <= 1;
        for host in files.iter_mut().flat_map(|file| &mut file.hosts).filter_map(Arc::get_mut) {
            host.by_wall = !one_boot;
        }
        Source { files, blocks: OnceLock::new(), feed: None }
    }

    /// A capture that is still being written: its head, with what it says of the host when the recording began
    /// ([`Capture::growing`]), and what gives its blocks. It can be asked once.
    pub fn growing(name: String, head: Capture, feed: Box<dyn Feed>) -> Source {
        let source = Source::new(vec![(name, head)]);
        Source { feed: Some(Mutex::new(Some(feed))), ..source }
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
    pub(crate) fn beginnings(&self, is_asked: impl Fn(usize) -> bool) -> Vec<(u64, usize, u16)> {
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
    }

    /// Whether there are hosts of different names.
    pub fn has_hosts(&self) -> bool {
        let mut names = self.files.iter().flat_map(|file| &file.hosts).map(|host| &host.name);
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// Wall clock of the earliest row, ns since the epoch.
    pub fn start_wall_ns(&self) -> Option<i64> {
        if self.is_growing() {
            return self.files.first().map(|file| file.capture.header().clock.wall_ns as i64);
        }
        let starts = self.files.iter().flat_map(File::extents);
        starts.min_by_key(|(key, ..)| *key).map(|(_, start, _)| start)
    }

    /// Wall clock of the latest row, ns since the epoch.
    pub fn end_wall_ns(&self) -> Option<i64> {
        self.files.iter().flat_map(File::extents).map(|(.., end)| end).max()
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

impl File {
    fn new(name: String, capture: Capture) -> File {
        let capture = Arc::new(capture);
        let facts = Arc::new(Facts { capture: Some(Arc::clone(&capture)), of_hosts: OnceLock::new() });
        let header = capture.header();
        let hosts = (0u16..).zip(header.hosts()).map(|(number, host)| Host {
            name: host.hostname.clone(),
            boot_id: host.boot_id.clone(),
            boot: 0,
            start_ns: match header.recording_of(number).start_ns {
                0 => header.clock.boot_ns,
                start => start,
            },
            number,
            facts: Arc::clone(&facts),
            clock: OnceLock::new(),
            by_wall: false,
        });
        let hosts = hosts.map(Arc::new).collect();
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
    fn extents(&self) -> Vec<(u64, i64, i64)> {
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

/// Numbers the boots of all hosts, and returns how many there are. An unknown boot (an imported log, a capture whose hosts
/// were redacted) is the same as no other: two of them may be two machines.
fn number_boots(files: &mut [File]) -> usize {
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

impl Host {
    /// The wall clock of the host over the time of its file.
    pub fn clock(&self) -> &WallClock {
        self.clock.get_or_init(|| match &self.facts.capture {
            Some(capture) => WallClock::of(capture, self.number),
            None => WallClock::constant(Clock::default()),
        })
    }

    /// A boot-clock time on the clock that orders rows of all files.
    pub fn key(&self, boot_ns: u64) -> u64 {
        if self.by_wall { self.clock().key(boot_ns) } else { boot_ns }
    }

    /// Wall clock of a boot-clock time, ns since the epoch: see [`File::wall`].
    pub fn wall(&self, boot_ns: u64) -> i64 {
        self.clock().wall(boot_ns)
    }

    /// The same host, once more is known of it: of cgroups, and what the wall clock was at a time.
    pub(crate) fn with(&self, cgroups: &[Cgroup], clock: Option<(u64, Clock)>) -> Host {
        let mut host = self.clone();
        if !cgroups.is_empty() {
            let mut facts = self.facts().clone();
            let containers = Arc::make_mut(&mut facts.containers);
            cgroups.iter().for_each(|cgroup| containers.learn(cgroup));
            let mut of_hosts = vec![HostFacts::default(); usize::from(self.number) + 1];
            if let Some(own) = of_hosts.last_mut() {
                *own = facts;
            }
            host.facts = Arc::new(Facts { capture: self.facts.capture.clone(), of_hosts: of_hosts.into() });
        }
        if let Some((boot_ns, clock)) = clock {
            host.clock = self.clock().with(boot_ns, clock).into();
        }
        host
    }

    pub fn containers(&self) -> &Containers {
        &self.facts().containers
    }

    pub fn recording(&self) -> Recording {
        Recording { start_ns: self.start_ns, host_mnt_ns: self.facts().host_mnt_ns }
    }

    fn facts(&self) -> &HostFacts {
        static NOTHING: OnceLock<HostFacts> = OnceLock::new();
        let known = self
            .facts
            .of_hosts
            .get_or_init(|| self.facts.capture.as_ref().map(|it| facts(it)).unwrap_or_default());
        known.get(usize::from(self.number)).unwrap_or_else(|| NOTHING.get_or_init(HostFacts::default))
    }
}

/// By index of host.
fn facts(capture: &Capture) -> Vec<HostFacts> {
    let Records { processes, cgroups, .. } = capture.records().unwrap_or_default();
    let mut facts: Vec<HostFacts> = capture.header().hosts().map(|_| HostFacts::default()).collect();
    for cgroup in cgroups {
        if let Some(of) = facts.get_mut(usize::from(cgroup.host)) {
            Arc::make_mut(&mut of.containers).learn(&cgroup);
        }
    }
    let mut mounts: Vec<Vec<(u32, u32)>> = vec![Vec::new(); facts.len()];
    for process in &processes {
        if let Some(of) = mounts.get_mut(usize::from(process.host)) {
            of.push((process.pid, process.mnt_ns));
        }
    }
    for (of, mounts) in facts.iter_mut().zip(mounts) {
        of.host_mnt_ns = Recording::host_mnt_ns(mounts.into_iter());
    }
    facts
}
