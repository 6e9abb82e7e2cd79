//! One event as it goes into a block.

use events::{EventId, Marks, Raw};

/// One event, borrowed from whoever recorded it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// Boot clock, ns.
    pub time_ns: u64,
    /// By the writing program's catalogue.
    pub event: EventId,
    pub cpu: u16,
    /// What [`crate::BlockBuilder::intern`] gave for its context, in the same block.
    pub context: u32,
    /// The return value; 0 for events that are no calls.
    pub ret: i64,
    /// Scopes that matched while recording: bit N-1 for scope N.
    pub scopes: u64,
    pub marks: Marks,
    /// How long the call took, where that was recorded: ns. Of one that has not returned, how long it had been under way.
    pub duration_ns: Option<u64>,
    /// By declared argument; trailing ones may be left out and are then missing.
    pub args: &'a [Raw<'a>],
}
