//! The recorder about the recording, and every system call as one event.

use super::declare::{event, int, text, u64};
use crate::{Event, EventId, Names, Source};

pub const SYS_ENTER: EventId = EventId(1900);
pub const SYS_EXIT: EventId = EventId(1901);
pub const LOST_EVENTS: EventId = EventId(1902);

pub(super) const EVENTS: &[Event] = &[
    event(
        SYS_ENTER,
        "sys_enter",
        Source::Tracepoint("sys_enter"),
        &[],
        &[int("syscall").named(Names::Syscall)],
    ),
    event(SYS_EXIT, "sys_exit", Source::Tracepoint("sys_exit"), &[], &[int("syscall").named(Names::Syscall)]),
    event(
        LOST_EVENTS,
        "lost_events",
        Source::Recorder,
        &[],
        &[int("cpu"), text("event"), u64("count"), u64("from"), u64("to"), text("cause")],
    ),
];
