//! Captures as one source: several files of one host or of many, their blocks in order of time.

use format::{BlockInfo, Capture};
use scopes::Recording;

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
    pub boot_id: String,
    pub containers: Containers,
    pub recording: Recording,
    /// From boot clock to the clock that orders rows of all files.
    to_key: u64,
}

/// One block of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BlockRef {
    /// Times of the first and last row on the ordering clock.
    pub first: u64,
    pub file: usize,
    pub block: usize,
    pub last: u64,
}

impl Source {
    /// Files with the names that the user gave them. When all are of one boot, rows are ordered by the boot clock, which
    /// never jumps; else by the wall clock that each host had when its recording began.
    pub fn new(captures: Vec<(String, Capture)>) -> Source {
        let mut files: Vec<File> =
            captures.into_iter().map(|(name, capture)| File::new(name, capture)).collect();
        let mut boots = files.iter().flat_map(|file| &file.hosts).map(|host| &host.boot_id);
        let first = boots.next();
        let one_boot = first.is_none_or(|first| boots.all(|boot| boot == first));
        for file in &mut files {
            let clock = file.capture.header().clock;
            for host in &mut file.hosts {
                host.to_key = if one_boot { 0 } else { clock.wall_ns.wrapping_sub(clock.boot_ns) };
            }
        }
        let mut blocks = Vec::new();
        for (number, file) in files.iter().enumerate() {
            for (block, info) in file.capture.blocks().iter().enumerate() {
                if info.statistics.rows > 0 {
                    let (first, last) = (
                        file.key(info.host(), info.statistics.first_ns),
                        file.key(info.host(), info.statistics.last_ns),
                    );
                    blocks.push(BlockRef { first, file: number, block, last });
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

    /// Wall clock of the earliest row, ns since the epoch.
    pub fn start_wall_ns(&self) -> Option<i64> {
        let first = self.blocks.first()?;
        let file = self.files.get(first.file)?;
        let info = file.capture.blocks().get(first.block)?;
        Some(file.capture.header().clock.wall(info.statistics.first_ns) as i64)
    }
}

impl File {
    fn new(name: String, capture: Capture) -> File {
        let header = capture.header();
        let hosts = std::iter::once(&header.host).chain(&header.more_hosts);
        let hosts = (0u16..).zip(hosts).map(|(number, host)| Host {
            boot_id: host.boot_id.clone(),
            containers: containers(&capture, number),
            recording: recording(&capture, number),
            to_key: 0,
        });
        let hosts = hosts.collect();
        File { name, capture, hosts }
    }

    pub fn host(&self, number: u16) -> Option<&Host> {
        self.hosts.get(usize::from(number))
    }

    /// A boot-clock time of a host on the clock that orders rows of all files.
    pub fn key(&self, host: u16, boot_ns: u64) -> u64 {
        boot_ns.wrapping_add(self.host(host).map_or(0, |host| host.to_key))
    }
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
    let start_ns = match header.recording.start_ns {
        0 => header.clock.boot_ns,
        start => start,
    };
    let processes = capture.processes().iter().filter(|process| process.host == host);
    let host_mnt_ns = Recording::host_mnt_ns(processes.map(|process| (process.pid, process.mnt_ns)));
    Recording { start_ns, host_mnt_ns }
}
