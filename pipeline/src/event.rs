//! One event as sinks see it: borrowed from the columns of a block, or from what was derived.

use events::{Context, Event, Marks, Raw};
use format::ColumnView;

use crate::containers::Container;
use crate::derive::DerivedRows;
use crate::source::{Host, RowRef};

/// An event that matched, with everything that printing it needs. Borrowed: valid during one call only.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// Where it stands.
    pub at: RowRef,
    /// Boot clock, ns.
    pub time_ns: u64,
    /// Wall clock, ns since the epoch; `time_ns` and the offset of its block's clocks.
    pub wall_ns: i64,
    pub event: &'static Event,
    /// The host that it happened on.
    pub host: &'a Host,
    pub context: &'a Context<'a>,
    /// Which context of the block it is: equal numbers are equal contexts until the next block begins.
    pub context_index: u32,
    /// The container of the context's cgroup.
    pub container: Option<&'a Container>,
    pub cpu: u16,
    pub ret: i64,
    /// How long the call took, where that was recorded; of one that has not returned, how long it had been under way.
    pub duration_ns: Option<u64>,
    /// Scopes that it matches: scope N is bit N-1.
    pub scopes: u64,
    /// Scopes that it matched when it was recorded. Zero for derived events: those are not recorded.
    pub recorded: u64,
    pub marks: Marks,
    pub args: Args<'a>,
    /// Of a derived event: what it was derived from, with its arguments.
    pub base: Option<(&'static Event, &'a Args<'a>)>,
}

/// The arguments of an event, by position.
#[derive(Clone, Copy, Debug)]
pub enum Args<'a> {
    /// Values put together for this event.
    List(&'a [Raw<'a>]),
    /// A row of a block: its event's columns, and which of that event's rows it is.
    Row { columns: &'a [ColumnView<'a>], ordinal: usize },
    /// A derived row: its event's table, and which row of that.
    Derived { rows: &'a DerivedRows, table: u16, row: u32 },
}

impl<'a> Args<'a> {
    /// The value at a position of the event's declaration; missing beyond the last.
    pub fn get(&self, position: usize) -> Raw<'a> {
        match self {
            Args::List(values) => values.get(position).copied().unwrap_or(Raw::Missing),
            Args::Row { columns, ordinal } => {
                columns.get(position).map_or(Raw::Missing, |it| it.get(*ordinal))
            }
            Args::Derived { rows, table, row } => rows.value(*table, *row, position),
        }
    }
}

impl EventView<'_> {
    /// Wall clock of a time of the boot clock, by the clocks of this event's block.
    pub fn wall_of(&self, boot_ns: u64) -> i64 {
        let offset = self.wall_ns.wrapping_sub(self.time_ns as i64);
        (boot_ns as i64).wrapping_add(offset)
    }

    /// The container's entry point had started by the time of this event.
    pub fn container_started(&self) -> bool {
        self.container.is_some_and(|container| container.started_by(self.time_ns))
    }
}
