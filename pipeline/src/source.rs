//! Captures as one source: several files of one host or of many, their blocks in order of time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use format::{BlockInfo, Capture, Clock};
use scopes::Recording;

use crate::clock::WallClock;
use crate::containers::{Container, Containers};

/// Opened captures, read as one.
#[derive(Debug)]
pub struct Source {
    files: Vec<File>,
    /// In order of their first row, by the clock of [`Source::key`].
    blocks: Vec<BlockRef>,
}

/// One of the files.
#[derive(Debug)]
pub struct File {
    /// As the user named it.
    pub name: String,
    pub capture: Capture,
    /// By index of host: one, unless the capture was merged.
    pub hosts: Vec<Host>,
}

/// What is known of a host beside its events.
#[derive(Debug, Default)]
pub struct Host {
    /// Its node name when the recording began.
    pub name: String,
    pub boot_id: String,
    /// Which boot of which machine this is: hosts of several files that have the same number are the same. Their
    /// order is that of boot ids, so that rows of one time stand in an order that does not depend on how files are given.
    pub boot: usize,
    pub containers: Containers,
    pub recording: Recording,
    /// Asked for when it is needed: its points stand in the blocks.
    clock: OnceLock<WallClock>,
    /// Whether rows are ordered by the wall clock: those of several boots are.
    by_wall: bool,
}

/// One block of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BlockRef {
    /// Time of the first row on the ordering clock.
    pub first: u64,
    /// [`Host::boot`] of its host.
    pub boot: usize,
    pub file: usize,
    pub block: usize,
    /// Time of the last row on the ordering clock.
    pub last: u64,
}

impl BlockRef {
    /// No block of a file: what is told when the recording of a boot ends.
    pub fn is_end(self) -> bool {
        self.block == usize::MAX
    }
}

impl Source {
    /// Files with the names that the user gave them. When all are of one boot, rows are ordered by the boot clock, which
    /// never jumps; else by the wall clock of each host.
    pub fn new(captures: Vec<(String, Capture)>) -> Source {
        let mut files: Vec<File> =
            captures.into_iter().map(|(name, capture)| File::new(name, capture)).collect();
        let one_boot = number_boots(&mut files) <= 1;
        for host in files.iter_mut().flat_map(|file| &mut file.hosts) {
            host.by_wall = !one_boot;
        }
        let mut blocks = Vec::new();
        for (number, file) in files.iter().enumerate() {
            for (block, info) in file.capture.blocks().iter().enumerate() {
                if info.statistics.rows > 0 {
                    let (first, last) = (
                        file.key(info.host(), info.statistics.first_ns),
                        file.key(info.host(), info.statistics.last_ns),
                    );
                    let boot = file.host(info.host()).map_or(0, |host| host.boot);
                    blocks.push(BlockRef { first, boot, file: number, block, last });
                }
            }
        }
        blocks.sort_unstable();
        Source { files, blocks }
    }

    pub fn files(&self) -> &[File] {
        &self.files
    }

    pub fn blocks(&self) -> &[BlockRef] {
        &self.blocks
    }

    /// Where the rows of each boot end, as blocks that no file has.
    pub(crate) fn ends(&self) -> Vec<BlockRef> {
        let mut ends = BTreeMap::new();
        for block in &self.blocks {
            let end: &mut BlockRef = ends.entry(block.boot).or_insert(*block);
            if block.last > end.last {
                *end = *block;
            }
        }
        let end = |block: BlockRef| BlockRef { first: block.last, block: usize::MAX, ..block };
        ends.into_values().map(end).collect()
    }

    pub fn file(&self, block: BlockRef) -> Option<&File> {
        self.files.get(block.file)
    }

    pub fn info(&self, block: BlockRef) -> Option<&BlockInfo> {
        self.files.get(block.file)?.capture.blocks().get(block.block)
    }

    /// Whether any event may have been in a container.
    pub fn has_containers(&self) -> bool {
        self.files.iter().flat_map(|file| &file.hosts).any(|host| !host.containers.is_empty())
    }

    /// Whether there are hosts of different names.
    pub fn has_hosts(&self) -> bool {
        let mut names = self.files.iter().flat_map(|file| &file.hosts).map(|host| &host.name);
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// Wall clock of the earliest row, ns since the epoch.
    pub fn start_wall_ns(&self) -> Option<i64> {
        let first = self.blocks.first()?;
        let file = self.files.get(first.file)?;
        let info = file.capture.blocks().get(first.block)?;
        Some(file.wall(info.host(), info.statistics.first_ns))
    }

    /// Wall clock of the latest row, ns since the epoch.
    pub fn end_wall_ns(&self) -> Option<i64> {
        let ends = self.blocks.iter().filter_map(|block| {
            let (file, info) = (self.files.get(block.file)?, self.info(*block)?);
            Some(file.wall(info.host(), info.statistics.last_ns))
        });
        ends.max()
    }
}

impl File {
    fn new(name: String, capture: Capture) -> File {
        let header = capture.header();
        let hosts = std::iter::once(&header.host).chain(&header.more_hosts);
        let hosts = (0u16..).zip(hosts).map(|(number, host)| Host {
            name: host.hostname.clone(),
            boot_id: host.boot_id.clone(),
            boot: 0,
            containers: containers(&capture, number),
            recording: recording(&capture, number),
            clock: OnceLock::new(),
            by_wall: false,
        });
        let hosts = hosts.collect();
        File { name, capture, hosts }
    }

    pub fn host(&self, number: u16) -> Option<&Host> {
        self.hosts.get(usize::from(number))
    }

    /// When this file's part of a host's recording began, on the ordering clock. The parts of a rotated set all say when
    /// the first of them did; where the rows of one begin is nearer.
    pub fn start(&self, host: u16) -> u64 {
        let blocks =
            self.capture.blocks().iter().filter(|block| block.host() == host && block.statistics.rows > 0);
        let rows = blocks.map(|block| block.statistics.first_ns).min().unwrap_or_default();
        let recording = self.host(host).map_or(0, |host| host.recording.start_ns);
        self.key(host, rows.max(recording))
    }

    /// When this file's last row of a host happened, on its boot clock.
    pub fn end(&self, host: u16) -> u64 {
        let blocks = self.capture.blocks().iter().filter(|block| block.host() == host);
        blocks.map(|block| block.statistics.last_ns).max().unwrap_or_default()
    }

    /// A boot-clock time of a host on the clock that orders rows of all files.
    pub fn key(&self, host: u16, boot_ns: u64) -> u64 {
        match self.host(host) {
            Some(known) if known.by_wall => self.clock(host).key(boot_ns),
            _ => boot_ns,
        }
    }

    /// Wall clock of a boot-clock time of a host, ns since the epoch: the one that tables show, for those who look at
    /// no block.
    pub fn wall(&self, host: u16, boot_ns: u64) -> i64 {
        self.clock(host).wall(boot_ns)
    }

    /// The wall clock of a host over the time of this file.
    pub fn clock(&self, host: u16) -> Cow<'_, WallClock> {
        match self.host(host) {
            Some(known) => Cow::Borrowed(known.clock.get_or_init(|| WallClock::of(&self.capture, host))),
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
            host.boot = boots.get(&key((number, at), clock, host)).copied().unwrap_or_default();
        }
    }
    boots.len()
}

fn containers(capture: &Capture, host: u16) -> Containers {
    let mut containers = Containers::default();
    for cgroup in capture.cgroups().iter().filter(|cgroup| cgroup.host == host) {
        if let Some(known) = &cgroup.container {
            let container = Container {
                id: known.id.clone(),
                runtime: known.runtime.clone(),
                name: known.name.clone(),
                image: known.image.clone(),
                pod_name: known.pod_name.clone(),
                pod_namespace: known.pod_namespace.clone(),
                pod_uid: known.pod_uid.clone(),
                pod_sandbox: known.pod_sandbox,
                created_ns: cgroup.created_ns,
                started_ns: known.started_ns,
            };
            containers.insert(cgroup.id, container);
        }
    }
    containers
}

fn recording(capture: &Capture, host: u16) -> Recording {
    let header = capture.header();
    let start_ns = match header.recording_of(host).start_ns {
        0 => header.clock.boot_ns,
        start => start,
    };
    let processes = capture.processes().iter().filter(|process| process.host == host);
    let host_mnt_ns = Recording::host_mnt_ns(processes.map(|process| (process.pid, process.mnt_ns)));
    Recording { start_ns, host_mnt_ns }
}
