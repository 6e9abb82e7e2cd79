//! What of a block and of the records beside the events stays.

use std::collections::HashSet;

use events::catalogue::network::NET_PACKET;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::{EventId, Raw};
use format::rewrite::{Change, Copied, Edit, Fate};
use format::{Artifact, Process, Sha256};

use super::Rows;
use super::answers::Answers;
use super::artifacts::Artifacts;
use super::begun::Begun;
use super::columns::Columns;
use super::facts;
use super::streams::Streams;

pub const STATE_EVENTS: [EventId; 3] = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT];

pub struct Keep<'a> {
    pub columns: &'a Columns,
    /// Wall clock, ns since the epoch: from the first on, not including the second.
    pub range: (i64, i64),
    /// Which rows of the block are copied now: those before the stretch of time stand in a block of their own.
    pub half: Half,
    /// Rows of the block that a filter matched; `None` without a filter.
    pub matched: Option<Rows>,
    /// Where names of processes that no filter matches do not leave.
    pub others: Option<&'a Others>,
    /// Whose packets stay.
    pub streams: Streams,
    /// And of those that began before the stretch of time.
    pub begun: Begun,
    /// Answers of DNS that names are known by.
    pub answers: Answers,
    /// Those whose events stay; `None` where all do.
    pub artifacts: Option<Artifacts>,
    /// Number of the block in its file.
    pub block: usize,
    /// Number of the block's host in its file, and of its boot in the source.
    pub host: (u16, usize),
    /// Of the row that was asked about last.
    pub fate: Fate,
    /// A message that nothing completes may be told with the process of that row, which is not seen.
    pub tells_process: bool,
}

/// A side of the beginning of the stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    Both,
    Before,
    From,
}

/// Processes that no filter matches.
pub struct Others {
    /// The pids of those that one does.
    pub matched: HashSet<u32>,
    /// A scope asks what ancestors were, so that names and executables stay.
    pub follows: bool,
}

impl<'a> Keep<'a> {
    /// All rows.
    pub fn all(columns: &'a Columns) -> Keep<'a> {
        Keep {
            columns,
            range: (i64::MIN, i64::MAX),
            half: Half::Both,
            matched: None,
            others: None,
            streams: Streams::default(),
            begun: Begun::default(),
            answers: Answers::default(),
            artifacts: None,
            block: 0,
            host: (0, 0),
            fate: Fate::Keep,
            tells_process: false,
        }
    }
}

impl Edit for Keep<'_> {
    fn row(&mut self, row: &Copied<'_>) -> Fate {
        let matched = self.matched.as_ref().is_none_or(|rows| rows.contains(&row.row));
        let (wall_ns, (host, boot)) = (row.wall_ns as i64, self.host);
        self.tells_process = false;
        let is_left_out = match self.half {
            Half::Both => false,
            Half::Before => wall_ns >= self.range.0,
            Half::From => wall_ns < self.range.0,
        };
        self.fate = if is_left_out {
            Fate::Drop
        } else if matched && (self.range.0..self.range.1).contains(&wall_ns) {
            Fate::Keep
        } else if wall_ns >= self.range.1 {
            Fate::Drop
        } else if STATE_EVENTS.contains(&row.event.id) || facts::may_change(row) {
            Fate::StateOnly
        } else {
            self.tells_process = self.streams.has(boot, row);
            let is_begun = wall_ns < self.range.0 && self.begun.has(host, row);
            if self.tells_process || is_begun || self.answers.has(self.block, row.row) {
                Fate::StateOnly
            } else {
                Fate::Drop
            }
        };
        if let Some(artifacts) = self.artifacts.as_mut().filter(|_| self.fate == Fate::Keep) {
            artifacts.row(self.host.0, row);
        }
        self.fate
    }

    fn artifact(&mut self, artifact: Artifact) -> Option<Artifact> {
        let stays = self.artifacts.as_ref().is_none_or(|artifacts| artifacts.stays(&artifact));
        stays.then_some(artifact)
    }

    fn keeps_content(&mut self, sha256: &Sha256) -> bool {
        self.artifacts.as_ref().is_none_or(|artifacts| artifacts.is_named(sha256))
    }

    fn argument(&mut self, row: &Copied<'_>, position: usize, value: Raw<'_>) -> Change {
        let Some(arg) = row.event.args.get(position) else { return Change::Keep };
        let is_number = matches!(value, Raw::Number(_));
        // State is read from the numbers of these: pids, start times, exit codes.
        if STATE_EVENTS.contains(&row.event.id) && is_number {
            return Change::Keep;
        }
        let is_packet = row.event.id == NET_PACKET;
        let hides = self.fate == Fate::StateOnly
            && self.others.is_some()
            && !is_packet
            && !facts::is_needed(row.event, value);
        if hides || !self.columns.keeps(row.event.name, arg.name) { Change::Missing } else { Change::Keep }
    }

    fn hides_context(&mut self) -> bool {
        self.fate == Fate::StateOnly
            && !self.tells_process
            && self.others.is_some_and(|others| !others.follows)
    }

    fn process(&mut self, process: &mut Process) {
        let exec = "sched_process_exec";
        if !self.columns.keeps(exec, "argv") {
            process.argv.clear();
        }
        if let Some(others) = self.others.filter(|others| !others.matched.contains(&process.pid)) {
            process.argv.clear();
            process.fds.clear();
            if !others.follows {
                process.comm.clear();
                process.exe.clear();
                process.facts.cwd = None;
            }
        }
    }
}
