//! Files that changed, and programs that ran: what was written, renamed, removed, and executed, by whom.
//!
//! The same flows that stories follow, added up by file.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use hashbrown::HashMap;
use pipeline::stage::{Client, Told};

use crate::known::Who;
use crate::story::flow::Flow;
use crate::story::{Flows, How, Thing};

/// Files that are kept: about 300 bytes each, and their names.
const MOST_FILES: usize = 1 << 18;
/// Processes of a file that are kept for each deed.
const MOST_PROCESSES: usize = 4;

/// Some of the processes that did something.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct By {
    pub some: BTreeSet<Who>,
    /// There are others.
    pub more: bool,
}

impl By {
    fn add(&mut self, who: Option<Who>) {
        let Some(who) = who.filter(|who| !self.some.contains(who)) else { return };
        match self.some.len() < MOST_PROCESSES {
            true => drop(self.some.insert(who)),
            false => self.more = true,
        }
    }
}

/// What was done with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Bytes that went into it, and calls that wrote, truncated or opened it for that.
    pub bytes: u64,
    pub writes: u64,
    /// It got this name, or a link of it did.
    pub names: u64,
    pub removals: u64,
    /// Its mode or owner was changed.
    pub modes: u64,
    pub executions: u64,
    /// What it was called before.
    pub before: Option<Arc<[u8]>>,
    /// Who wrote it, who moved it, and who ran it.
    pub writers: By,
    pub movers: By,
    pub runners: By,
    /// Wall clock, ns since the epoch.
    pub first_ns: i64,
    pub last_ns: i64,
}

impl Change {
    pub fn is_written(&self) -> bool {
        self.writes > 0
    }

    pub fn is_moved(&self) -> bool {
        self.names + self.removals + self.modes > 0
    }
}

/// All files that changed or were executed.
#[derive(Debug)]
pub struct Changes<'a> {
    flows: &'a Flows<'a>,
    /// Only what these did; `None`: what anybody did.
    of: Option<&'a HashSet<Who>>,
    files: HashMap<Thing, Change>,
    /// What there was no room for.
    pub left_out: u64,
    buffer: Vec<Flow>,
    range: (i64, i64),
}

impl<'a> Changes<'a> {
    /// `range`: wall clock, ns since the epoch, without its end.
    pub fn new(flows: &'a Flows<'a>, of: Option<&'a HashSet<Who>>, range: (i64, i64)) -> Changes<'a> {
        Changes { flows, of, files: HashMap::new(), left_out: 0, buffer: Vec::new(), range }
    }

    /// The files in order of their first change.
    pub fn files(&self) -> Vec<(&Thing, &Change)> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|(a, x), (b, y)| (x.first_ns, a).cmp(&(y.first_ns, b)));
        files
    }

    fn flow(&mut self, flow: Flow, wall_ns: i64) {
        let (who, file) = match (flow.from, flow.to) {
            (Thing::Process(who), file @ Thing::File(..)) => (Some(who), file),
            (file @ Thing::File(..), Thing::Process(who)) if flow.how == How::Executes => (Some(who), file),
            // From its old name to the new one; who did it is a flow of its own.
            (Thing::File(_, before), file @ Thing::File(..)) if flow.how == How::Renamed => {
                if let Some(change) = self.files.get_mut(&file) {
                    change.before = Some(before);
                } else if let Some(change) = self.change(file, wall_ns) {
                    change.before = Some(before);
                }
                return;
            }
            _ => return,
        };
        if who.as_ref().zip(self.of).is_some_and(|(who, of)| !of.contains(who)) {
            return;
        }
        let is_told = matches!(
            flow.how,
            How::Writes
                | How::OpensToWrite
                | How::Renames
                | How::Links
                | How::Removes
                | How::ChangesMode
                | How::Executes
        );
        let Some(change) = (if is_told { self.change(file, wall_ns) } else { None }) else { return };
        match flow.how {
            How::Writes | How::OpensToWrite => {
                change.writes += 1;
                change.bytes = change.bytes.saturating_add(flow.bytes);
                change.writers.add(who);
            }
            How::Executes => {
                change.executions += 1;
                change.runners.add(who);
            }
            deed => {
                match deed {
                    How::Renames | How::Links => change.names += 1,
                    How::Removes => change.removals += 1,
                    _ => change.modes += 1,
                }
                change.movers.add(who);
            }
        }
    }

    fn change(&mut self, file: Thing, wall_ns: i64) -> Option<&mut Change> {
        if self.files.len() >= MOST_FILES && !self.files.contains_key(&file) {
            self.left_out += 1;
            return None;
        }
        let change = self.files.entry(file).or_insert_with(|| Change {
            bytes: 0,
            writes: 0,
            names: 0,
            removals: 0,
            modes: 0,
            executions: 0,
            before: None,
            writers: By::default(),
            movers: By::default(),
            runners: By::default(),
            first_ns: wall_ns,
            last_ns: wall_ns,
        });
        (change.first_ns, change.last_ns) = (change.first_ns.min(wall_ns), change.last_ns.max(wall_ns));
        Some(change)
    }
}

impl Client for Changes<'_> {
    fn tell(&mut self, row: &Told<'_>) {
        let wall_ns = row.wall_ns();
        if !(self.range.0..self.range.1).contains(&wall_ns) {
            return;
        }
        let mut flows = std::mem::take(&mut self.buffer);
        flows.clear();
        self.flows.of(row, &mut flows);
        flows.drain(..).for_each(|flow| self.flow(flow, wall_ns));
        self.buffer = flows;
    }

    fn forget(&mut self, _: u64) {}
}

/// Where programs lie that are installed.
const USUAL: &[&[u8]] = &[
    b"/usr/", b"/bin/", b"/sbin/", b"/lib/", b"/lib32/", b"/lib64/", b"/opt/", b"/nix/", b"/snap/", b"/gnu/",
];

/// Whether a program's path is one that installed programs seldom have.
pub fn is_unusual(path: &[u8]) -> bool {
    !USUAL.iter().any(|front| path.starts_with(front))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_from_elsewhere_are_unusual() {
        for path in ["/tmp/x", "/dev/shm/x", "memfd:x", "/home/a/x", "/usr2/bin/x", "/var/tmp/x"] {
            assert!(is_unusual(path.as_bytes()), "{path}");
        }
        assert!(!is_unusual(b"/usr/bin/ls") && !is_unusual(b"/bin/sh"));
    }
}
