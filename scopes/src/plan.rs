//! Scopes compiled to shared predicates: the only evaluator there is.

use events::{EventId, Raw};

use crate::subject::Subject;

/// Everything that a set of scopes asks, ready to be asked of contexts, events, arguments and return values.
#[derive(Debug)]
pub struct Plan {
    scopes: u64,
}

/// What a plan needs to be told of a capture; the rest need not be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// `tree` or `follow`: [`Subject::lineage`] must be filled.
    pub lineage: bool,
    /// Containers: [`Subject::container`] must be filled.
    pub containers: bool,
    /// `container=started`: [`Subject::time_ns`] must be filled.
    pub started: bool,
}

/// Facts of a row that no dictionary holds; only `EVENT.context.timestamp` and `processorId` ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowFacts {
    /// ns since the epoch.
    pub wall_ns: u64,
    pub cpu: u16,
}

impl Plan {
    /// Scope 1 matches every recorded event.
    pub fn everything() -> Plan {
        Plan { scopes: 1 }
    }

    /// All scopes of the plan.
    pub fn scopes(&self) -> u64 {
        self.scopes
    }

    pub fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Scopes that print this event when everything else about it matches.
    pub fn event_mask(&self, _event: EventId) -> u64 {
        self.scopes
    }

    /// Scopes that print something derived from this event. Only visible rows need [`Plan::event_mask`].
    pub fn needed(&self, _event: EventId) -> u64 {
        0
    }

    /// Scopes that a context passes: all process keys, with `follow` over them. Once per distinct context.
    pub fn context_mask(&self, _subject: &Subject<'_>) -> u64 {
        self.scopes
    }

    /// Scopes that constrain arguments of this event.
    pub fn has_args(&self, _event: EventId) -> u64 {
        0
    }

    /// Positions of the arguments of this event that some scope constrains, rising.
    pub fn arg_positions(&self, _event: EventId) -> &[usize] {
        &[]
    }

    /// Scopes that an argument's value passes. Once per distinct value; all of them for an unconstrained argument.
    pub fn arg_mask(&self, _event: EventId, _position: usize, _value: Raw<'_>) -> u64 {
        u64::MAX
    }

    /// Scopes that constrain the return value of this event.
    pub fn has_ret(&self, _event: EventId) -> u64 {
        0
    }

    /// Scopes that a return value passes.
    pub fn ret_mask(&self, _event: EventId, _ret: i64) -> u64 {
        u64::MAX
    }

    /// Scopes that constrain the context of this event alone (`openat.context.comm=ls`).
    pub fn has_event_context(&self, _event: EventId) -> u64 {
        0
    }

    /// Scopes that a context passes for this event alone; to be ANDed with [`Plan::context_mask`].
    pub fn event_context_mask(&self, _event: EventId, _subject: &Subject<'_>) -> u64 {
        u64::MAX
    }

    /// Scopes that constrain this event's time or CPU.
    pub fn has_row(&self, _event: EventId) -> u64 {
        0
    }

    /// Scopes that a row's own facts pass.
    pub fn row_mask(&self, _event: EventId, _row: RowFacts) -> u64 {
        u64::MAX
    }
}
