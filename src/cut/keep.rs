//! What of a block and of the records beside the events stays.

use std::collections::HashSet;

use events::catalogue::network::NET_PACKET;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::{EventId, Raw};
use format::Process;
use format::rewrite::{Change, Copied, Edit, Fate};

use super::Rows;
use super::begun::Begun;
use super::columns::Columns;
use super::streams::{Part, Streams};

pub const STATE_EVENTS: [EventId; 3] = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT];

pub struct Keep<'a> {
    pub columns: &'a Columns,
    /// Wall clock, ns since the epoch: from the first on, not including the second.
    pub range: (i64, i64),
    /// Rows of the block that a filter matched; `None` without a filter.
    pub matched: Option<Rows>,
    /// Where names of processes that no filter matches do not leave.
    pub others: Option<&'a Others>,
    /// Whose packets stay.
    pub streams: Streams,
    /// And of those that began before the stretch of time.
    pub begun: Begun,
    /// Number of the block's host in its file, and of its boot in the source.
    pub host: (u16, usize),
    /// Of the row that was asked about last.
    pub fate: Fate,
    /// A message may be told with the process of that row, which is not seen.
    pub tells_process: bool,
}

/// Processes that no filter matches.
pub struct Others {
    /// The pids of those that one does.
    pub matched: HashSet<u32>,
    /// A scope asks what ancestors were, so that names and executables stay.
    pub follows: bool,
}

impl Edit for Keep<'_> {
    fn row(&mut self, row: &Copied<'_>) -> Fate {
        let matched =
            self.matched.as_ref().is_none_or(|rows| rows.has(row.event.id, row.ordinal, row.time_ns));
        let (wall_ns, (host, boot)) = (row.wall_ns as i64, self.host);
        self.tells_process = false;
        self.fate = if matched && (self.range.0..self.range.1).contains(&wall_ns) {
            Fate::Keep
        } else if wall_ns >= self.range.1 {
            Fate::Drop
        } else if STATE_EVENTS.contains(&row.event.id) {
            Fate::StateOnly
        } else {
            let part = self.streams.part(boot, row);
            self.tells_process = part == Part::OfUnended;
            let is_begun = wall_ns < self.range.0 && self.begun.has(host, row);
            if part != Part::No || is_begun { Fate::StateOnly } else { Fate::Drop }
        };
        self.fate
    }

    fn argument(&mut self, row: &Copied<'_>, position: usize, value: Raw<'_>) -> Change {
        let Some(arg) = row.event.args.get(position) else { return Change::Keep };
        let is_number = matches!(value, Raw::Number(_));
        // State is read from the numbers of these: pids, start times, exit codes.
        if STATE_EVENTS.contains(&row.event.id) && is_number {
            return Change::Keep;
        }
        let is_packet = row.event.id == NET_PACKET;
        let hides = self.fate == Fate::StateOnly && self.others.is_some() && !is_packet;
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
            }
        }
    }
}
