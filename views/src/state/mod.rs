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
mod settings;
pub mod sockets;

use std::collections::BTreeMap;

use events::Context;
use format::facts::{self, Fact, FactSet, Facts, NsPids};
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
    /// Directories, sessions, terminals and logins.
    pub facts: bool,
    /// These of processes that have ended, too, as they were last.
    pub ended: bool,
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
    /// By pid and start in ticks, where somebody asks for them.
    ended: Option<HashMap<(u32, u64), Facts>>,
    /// The facts that can be followed: others are not known.
    followed: Option<FactSet>,
    ns_pids: NsPids,
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

    /// What is known of a process of a boot; of one that has ended as it was last.
    pub fn facts(&self, boot: usize, pid: u32, start_ns: u64) -> Option<Facts> {
        let boot = self.boots.get(&boot)?;
        let alive = boot.processes.get(&pid).filter(|it| process::same_start(it.start_ns, start_ns));
        let ended = || boot.ended.as_ref()?.get(&(pid, process::tick(start_ns)));
        alive.map(|it| &it.facts).or_else(ended).map(Facts::as_now)
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
        boot.asks_ended(self.deeds.wants);
        boot.of = (number, host_number);
        // Descriptors are looked at when a recording begins: a later part, a flight recorder's stretch and a cut repeat them.
        let recording = file.capture.header().recording_of(host_number);
        let is_fresh =
            recording.part == 0 && file.first(host_number).saturating_sub(host.start_ns) < FRESH_NS;
        let records = file.capture.records().unwrap_or_default();
        let processes: Vec<_> = records.processes.into_iter().filter(|it| it.host == host_number).collect();
        let followed = followed(file, host_number);
        boot.followed = Some(boot.followed.unwrap_or(FactSet::ALL).and(followed));
        boot.begin(processes, self.deeds.wants, is_fresh);
    }

    fn tell(&mut self, row: &Told<'_>) {
        if let Some(lineages) = &mut self.lineages {
            lineages.tell(row);
        }
        let deed = self.deeds.of(row.event);
        if deed.is_none() && !self.deeds.may_change_facts(row.event) {
            return;
        }
        let Some(context) = row.context() else { return };
        if row.marks().has(events::Marks::NO_CONTEXT) {
            return;
        }
        let (file, host) = (row.file(), row.host());
        let boot =
            self.boots.entry(row.boot()).or_insert_with(|| Boot { of: (file, host), ..Boot::default() });
        boot.asks_ended(self.deeds.wants);
        if self.deeds.may_change_facts(row.event) {
            boot.follow(row, &context);
        }
        if let Some((deed, event)) = deed {
            boot.apply(deed, event, row, &context);
        }
    }

    fn forget(&mut self, before: u64) {
        if let Some(lineages) = &mut self.lineages {
            lineages.forget(before);
        }
    }
}

/// The facts of processes that a file tells the changes of. Where nothing tells to which directory a call leads, the calls
/// still tell that there is another.
fn followed(file: &pipeline::File, host: u16) -> FactSet {
    let followed = file.followed(host);
    if followed.has(Fact::Directory) || !file.records(host, &["chdir", "fchdir"]) {
        return followed;
    }
    followed.with(Fact::Directory)
}

impl Boot {
    /// What a part of the recording knew when it began. One that is not the first says who is still there.
    fn begin(&mut self, mut known: Vec<format::Process>, wants: Wants, is_fresh: bool) {
        let followed = self.followed.unwrap_or(FactSet::ALL);
        for process in &mut known {
            process.facts.keep(followed);
            self.ns_pids.learn(process.pid_ns, process.ns_pid, process.pid);
        }
        self.processes.values_mut().for_each(|it| it.facts.keep(followed));
        facts::share_terminals(known.iter_mut());
        if self.has_begun && !known.is_empty() {
            let still: HashMap<u32, u64> = known.iter().map(|it| (it.pid, it.start_ns)).collect();
            let is_gone = |process: &Process| {
                still.get(&process.pid).is_none_or(|start| !process::same_start(*start, process.start_ns))
            };
            let gone: Vec<u32> = self.processes.values().filter(|it| is_gone(it)).map(|it| it.pid).collect();
            gone.into_iter().for_each(|pid| self.end(pid));
        }
        for process in known {
            let same = self
                .processes
                .get_mut(&process.pid)
                .filter(|it| process::same_start(it.start_ns, process.start_ns));
            if let Some(same) = same {
                same.facts.complete(&process.facts);
                continue;
            }
            if !self.has_room() {
                continue;
            }
            self.end(process.pid);
            let table = if wants.files { self.descriptors.take_snapshot(&process.fds, is_fresh) } else { 0 };
            self.processes.insert(process.pid, Process::from_snapshot(process, table));
        }
        self.has_begun = true;
    }

    fn asks_ended(&mut self, wants: Wants) {
        if wants.ended && self.ended.is_none() {
            self.ended = Some(HashMap::new());
        }
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
            if let Some(ended) = self.ended.as_mut().filter(|ended| ended.len() < MOST_PROCESSES) {
                ended.insert((pid, process::tick(process.start_ns)), process.facts.as_now());
            }
            // What is not followed stays unknown, also to those who share it.
            if self.followed.unwrap_or(FactSet::ALL).has(Fact::Terminal) {
                process.facts.end(pid);
            }
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
