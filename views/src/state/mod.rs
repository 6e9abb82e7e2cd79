//! What a host was at one moment: processes, what they had open, sockets, mounts. A client of the stage with state: it begins
//! with what was known when the recording began, and is told what has changed it since.
//!
//! What was there before the recording is known as far as the recorder looked at it; what was opened unseen is known from its
//! first use on. Nothing is made up: each object says since when it is known, and what is not known of it is not said.
//!
//! Memory is what lives at the moment, whatever the length of the capture: of a process its texts, of a descriptor about 100
//! bytes and its name, which copies share. A hostile capture that claims more than [`MOST_PROCESSES`] and
//! [`MOST_DESCRIPTORS`] is held to those, and [`State::left_out`] counts the rest.

mod apply;
mod deeds;
pub mod files;
pub mod list;
pub mod mounts;
pub mod object;
pub mod process;
pub mod sockets;

use std::collections::BTreeMap;

use events::Context;
use hashbrown::HashMap;
use pipeline::stage::{Client, Reads, Told};
use pipeline::{Lineages, Source};

use deeds::Deeds;
use files::Descriptors;
use mounts::Mounts;
use process::Process;
use sockets::Connections;

pub use list::Listed;
pub use object::{Field, Object, Value};

/// Processes of one boot at one time: the greatest `pid_max` of Linux.
pub const MOST_PROCESSES: usize = 1 << 22;
/// Descriptors of all processes of a boot at one time.
pub const MOST_DESCRIPTORS: usize = 1 << 20;

/// Between the beginning of a recording and its first row, where none is missing.
const FRESH_NS: u64 = 1_000_000_000;

/// What is asked for; what is not is neither read nor kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Descriptors and sockets.
    pub files: bool,
    pub mounts: bool,
}

/// Since when something is known to be as it is. Times are of the wall clock, ns since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// It was there when the recording began.
    Before,
    /// It began then.
    At(i64),
    /// How it began was not seen; it was there by then.
    Seen(i64),
}

/// The state of all boots of a source.
#[derive(Debug)]
pub struct State<'a> {
    source: &'a Source,
    deeds: Deeds,
    lineages: Option<Lineages<'a>>,
    boots: BTreeMap<usize, Boot>,
}

/// What a hook said of the call that it happened in.
#[derive(Debug)]
pub(crate) struct PathTold {
    /// `None` where the hook does not say which call that is.
    pub call: Option<Vec<u8>>,
    pub path: Vec<u8>,
}

/// The state of one boot of one host.
#[derive(Debug, Default)]
pub struct Boot {
    /// Some file and host of the source by which times and containers of this boot are known.
    pub(crate) of: (usize, u16),
    pub processes: HashMap<u32, Process>,
    pub(crate) descriptors: Descriptors,
    pub(crate) connections: Connections,
    pub(crate) mounts: Mounts,
    /// By thread: what hooks said of a call that has not returned yet.
    pub(crate) told: HashMap<u32, PathTold>,
    left_out: u64,
    has_begun: bool,
}

impl<'a> State<'a> {
    /// `lineages`: where filters ask who descends from whom.
    pub fn new(source: &'a Source, wants: Wants, lineages: Option<Lineages<'a>>) -> State<'a> {
        State { source, deeds: Deeds::new(wants), lineages, boots: BTreeMap::new() }
    }

    /// What it is to be told.
    pub fn reads(&self) -> Vec<Reads> {
        let mut reads = self.deeds.reads();
        if self.lineages.is_some() {
            reads.extend(Lineages::reads());
        }
        reads
    }

    /// Boots by their number in the source.
    pub fn boots(&self) -> impl Iterator<Item = (usize, &Boot)> {
        self.boots.iter().map(|(number, boot)| (*number, boot))
    }

    /// Objects that were not kept, since there were more than there may be.
    pub fn left_out(&self) -> u64 {
        self.boots.values().map(|it| it.left_out + it.descriptors.left_out + it.mounts.left_out).sum()
    }

    pub(crate) fn source(&self) -> &'a Source {
        self.source
    }

    pub(crate) fn lineages(&self) -> Option<&Lineages<'a>> {
        self.lineages.as_ref()
    }
}

impl Client for State<'_> {
    fn begin(&mut self, number: usize, host_number: u16) {
        if let Some(lineages) = &mut self.lineages {
            lineages.begin(number, host_number);
        }
        let Some(file) = self.source.files().get(number) else { return };
        let Some(host) = file.host(host_number) else { return };
        let boot = self.boots.entry(host.boot).or_default();
        boot.of = (number, host_number);
        // Descriptors are looked at when a recording begins: a later part, a flight recorder's stretch and a cut repeat them.
        let recording = file.capture.header().recording_of(host_number);
        let is_fresh =
            recording.part == 0 && file.first(host_number).saturating_sub(host.start_ns) < FRESH_NS;
        let records = file.capture.records().unwrap_or_default();
        let processes: Vec<_> = records.processes.into_iter().filter(|it| it.host == host_number).collect();
        boot.begin(processes, self.deeds.wants, is_fresh);
    }

    fn tell(&mut self, row: &Told<'_>) {
        if let Some(lineages) = &mut self.lineages {
            lineages.tell(row);
        }
        let Some((deed, event)) = self.deeds.of(row.event) else { return };
        let Some(context) = row.context() else { return };
        if row.marks().has(events::Marks::NO_CONTEXT) {
            return;
        }
        let (file, host) = (row.file(), row.host());
        let boot =
            self.boots.entry(row.boot()).or_insert_with(|| Boot { of: (file, host), ..Boot::default() });
        boot.apply(deed, event, row, &context);
    }

    fn forget(&mut self, before: u64) {
        if let Some(lineages) = &mut self.lineages {
            lineages.forget(before);
        }
    }
}

impl Boot {
    /// What a part of the recording knew when it began. One that is not the first says who is still there.
    fn begin(&mut self, known: Vec<format::Process>, wants: Wants, is_fresh: bool) {
        if self.has_begun && !known.is_empty() {
            let still: HashMap<u32, u64> = known.iter().map(|it| (it.pid, it.start_ns)).collect();
            let is_gone = |process: &Process| {
                still.get(&process.pid).is_none_or(|start| !process::same_start(*start, process.start_ns))
            };
            let gone: Vec<u32> = self.processes.values().filter(|it| is_gone(it)).map(|it| it.pid).collect();
            gone.into_iter().for_each(|pid| self.end(pid));
        }
        for process in known {
            let is_known = self
                .processes
                .get(&process.pid)
                .is_some_and(|it| process::same_start(it.start_ns, process.start_ns));
            if is_known || !self.has_room() {
                continue;
            }
            self.end(process.pid);
            let table = if wants.files { self.descriptors.take_snapshot(&process.fds, is_fresh) } else { 0 };
            self.processes.insert(process.pid, Process::from_snapshot(process, table));
        }
        self.has_begun = true;
    }

    /// Whether one more process may be kept; it is counted if not.
    pub(crate) fn has_room(&mut self) -> bool {
        let has_room = self.processes.len() < MOST_PROCESSES;
        self.left_out += u64::from(!has_room);
        has_room
    }

    /// A process is there no more.
    pub(crate) fn end(&mut self, pid: u32) {
        if let Some(process) = self.processes.remove(&pid) {
            self.descriptors.release(process.table);
        }
    }

    /// The process of a context, as the context says it is. One that nobody saw begin is known from here on.
    pub(crate) fn process(&mut self, context: &Context<'_>, row: &Told<'_>) -> Option<&mut Process> {
        let pid = context.pid;
        if pid == 0 {
            return None;
        }
        let is_it = self
            .processes
            .get(&pid)
            .is_some_and(|it| process::same_start(it.start_ns, context.process_start_ns));
        if !is_it {
            if !self.has_room() {
                return None;
            }
            self.end(pid);
            let table = self.descriptors.empty();
            self.processes.insert(pid, Process::seen(context, row.wall_ns(), table));
        }
        let mounts = &mut self.mounts;
        let process = self.processes.get_mut(&pid)?;
        let name = row.context_name();
        if process.context_name != name || name.is_none() {
            process.context_name = name;
            if let Some(old) = process.refresh(context) {
                mounts.copy(old, context.mnt_ns);
                mounts.prune(|| self.processes.values().map(|it| it.mnt_ns).collect());
            }
        }
        self.processes.get_mut(&pid)
    }
}
