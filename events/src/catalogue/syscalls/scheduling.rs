//! Scheduling, priorities and CPU affinity.

use super::{arg, call, int, pid, size, uint};
use crate::ArgKind::{Bits, Sized, Struct};
use crate::Len::{Arg, Inside, Return};
use crate::StructKind::{SchedAttr, SchedParam, Timespec};
use crate::{Event, Names, Set, Sets};

const PROC_PROC_SCHED: Sets = Sets::of(&[Set::Syscalls, Set::Proc, Set::ProcSched]);

pub(super) const EVENTS: &[Event] = &[
    call(24, "sched_yield", [158, 124], PROC_PROC_SCHED, &[]),
    call(
        140,
        "getpriority",
        [96, 141],
        PROC_PROC_SCHED,
        &[int("which").named(Names::PriorityWhich), int("who")],
    ),
    call(
        141,
        "setpriority",
        [97, 140],
        PROC_PROC_SCHED,
        &[int("which").named(Names::PriorityWhich), int("who"), int("prio")],
    ),
    call(
        142,
        "sched_setparam",
        [154, 118],
        PROC_PROC_SCHED,
        &[pid("pid"), arg("param", "struct sched_param*", Struct(SchedParam))],
    ),
    call(
        143,
        "sched_getparam",
        [155, 121],
        PROC_PROC_SCHED,
        &[pid("pid"), arg("param", "struct sched_param*", Struct(SchedParam)).out()],
    ),
    call(
        144,
        "sched_setscheduler",
        [156, 119],
        PROC_PROC_SCHED,
        &[
            pid("pid"),
            int("policy").named(Names::SchedPolicy),
            arg("param", "struct sched_param*", Struct(SchedParam)),
        ],
    ),
    call(145, "sched_getscheduler", [157, 120], PROC_PROC_SCHED, &[pid("pid")]),
    call(
        146,
        "sched_get_priority_max",
        [159, 125],
        PROC_PROC_SCHED,
        &[int("policy").named(Names::SchedPolicy)],
    ),
    call(
        147,
        "sched_get_priority_min",
        [160, 126],
        PROC_PROC_SCHED,
        &[int("policy").named(Names::SchedPolicy)],
    ),
    call(
        148,
        "sched_rr_get_interval",
        [423, 127],
        PROC_PROC_SCHED,
        &[pid("pid"), arg("tp", "struct timespec*", Struct(Timespec)).out()],
    ),
    call(
        203,
        "sched_setaffinity",
        [241, 122],
        PROC_PROC_SCHED,
        &[pid("pid"), size("cpusetsize"), arg("mask", "unsigned long*", Bits(Arg(1)))],
    ),
    call(
        204,
        "sched_getaffinity",
        [242, 123],
        PROC_PROC_SCHED,
        &[pid("pid"), size("cpusetsize"), arg("mask", "unsigned long*", Bits(Return)).out()],
    ),
    call(
        251,
        "ioprio_set",
        [289, 30],
        PROC_PROC_SCHED,
        &[int("which").named(Names::IoprioWhich), int("who"), int("ioprio")],
    ),
    call(
        252,
        "ioprio_get",
        [290, 31],
        PROC_PROC_SCHED,
        &[int("which").named(Names::IoprioWhich), int("who")],
    ),
    call(
        314,
        "sched_setattr",
        [351, 274],
        PROC_PROC_SCHED,
        &[pid("pid"), arg("attr", "struct sched_attr*", Sized(SchedAttr, Inside(0))), uint("flags")],
    ),
    call(
        315,
        "sched_getattr",
        [352, 275],
        PROC_PROC_SCHED,
        &[
            pid("pid"),
            arg("attr", "struct sched_attr*", Sized(SchedAttr, Arg(2))).out(),
            uint("size"),
            uint("flags"),
        ],
    ),
];
