//! What other events add up to. More detections are rows here and a rule in the pipeline.

use super::declare::{arg, event, pid};
use crate::ArgKind::{I64, Pointer};
use crate::{Event, EventId, Names, Set, Source};

pub const ANTI_DEBUGGING: EventId = EventId(1700);

pub(super) const EVENTS: &[Event] = &[event(
    ANTI_DEBUGGING,
    "anti_debugging",
    Source::Derived { from: &["ptrace"] },
    &[Set::Default, Set::Derived, Set::Signatures, Set::SecurityAlert],
    &[
        arg("request", "long", I64).named(Names::PtraceRequest),
        pid("pid"),
        arg("addr", "void*", Pointer),
        arg("data", "void*", Pointer),
    ],
)];
