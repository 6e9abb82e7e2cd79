//! The recorder about the recording, and every system call as one event.

use super::declare::{arg, event, int, text, u64};
use crate::ArgKind::Pointer;
use crate::{Arg, Event, EventId, Names, Returns, Set, Source};

pub const SYS_ENTER: EventId = EventId(1900);
pub const SYS_EXIT: EventId = EventId(1901);
pub const LOST_EVENTS: EventId = EventId(1902);
pub const UNKNOWN_SYSCALL: EventId = EventId(1903);

/// Which call it is, nothing where no call has the number; and the number as the task gave it.
const NUMBERED: &[Arg] = &[int("syscall").named(Names::Syscall), int("number")];

pub(super) const EVENTS: &[Event] = &[
    event(SYS_ENTER, "sys_enter", Source::Tracepoint("sys_enter"), &[], NUMBERED),
    event(SYS_EXIT, "sys_exit", Source::Tracepoint("sys_exit"), &[], NUMBERED).returns(Returns::Number),
    event(
        UNKNOWN_SYSCALL,
        "unknown_syscall",
        Source::Tracepoint("sys_exit"),
        &[Set::Syscalls],
        &[
            int("number"),
            arg("arg0", "unsigned long", Pointer),
            arg("arg1", "unsigned long", Pointer),
            arg("arg2", "unsigned long", Pointer),
            arg("arg3", "unsigned long", Pointer),
            arg("arg4", "unsigned long", Pointer),
            arg("arg5", "unsigned long", Pointer),
        ],
    )
    .returns(Returns::Number),
    event(
        LOST_EVENTS,
        "lost_events",
        Source::Recorder,
        &[],
        &[int("cpu"), text("event"), u64("count"), u64("from"), u64("to"), text("cause")],
    ),
];
