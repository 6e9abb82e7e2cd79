//! Birth, change and death of processes.

use crate::{Arg, ArgKind::*, Event, EventId, Returns, Set, Sets, Source};

const fn arg(name: &'static str, ctype: &'static str, kind: crate::ArgKind) -> Arg {
    Arg::new(name, ctype, kind)
}

pub const SCHED_PROCESS_FORK: EventId = EventId(1000);
pub const SCHED_PROCESS_EXEC: EventId = EventId(1001);
pub const SCHED_PROCESS_EXIT: EventId = EventId(1002);

pub(super) const EVENTS: &[Event] = &[
    Event {
        id: SCHED_PROCESS_FORK,
        name: "sched_process_fork",
        source: Source::Tracepoint("sched_process_fork"),
        sets: Sets::of(&[]),
        args: &[arg("child_tid", "int", I32), arg("child_pid", "int", I32)],
        returns: Returns::Nothing,
    },
    Event {
        id: SCHED_PROCESS_EXEC,
        name: "sched_process_exec",
        source: Source::Tracepoint("sched_process_exec"),
        sets: Sets::of(&[Set::Default, Set::Proc]),
        args: &[arg("cmdpath", "const char*", Str), arg("pathname", "const char*", Str)],
        returns: Returns::Nothing,
    },
    Event {
        id: SCHED_PROCESS_EXIT,
        name: "sched_process_exit",
        source: Source::Tracepoint("sched_process_exit"),
        sets: Sets::of(&[Set::Proc, Set::ProcLife]),
        args: &[arg("exit_code", "long", I64), arg("process_group_exit", "bool", Bool)],
        returns: Returns::Nothing,
    },
];
