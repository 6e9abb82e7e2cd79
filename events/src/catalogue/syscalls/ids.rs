//! User, group, process and session ids.

use super::{arg, call, gid, int, pid, uid};
use crate::ArgKind::{Array, Struct};
use crate::Len::{Arg, ReturnWithin};
use crate::StructKind::Id;
use crate::{Event, Returns, Set, Sets};

const DEFAULT_PROC_PROC_IDS: Sets = Sets::of(&[Set::Default, Set::Syscalls, Set::Proc, Set::ProcIds]);
const PROC_PROC_IDS: Sets = Sets::of(&[Set::Syscalls, Set::Proc, Set::ProcIds]);

pub(super) const EVENTS: &[Event] = &[
    call(39, "getpid", [20, 172], PROC_PROC_IDS, &[]).returns(Returns::Pid),
    call(102, "getuid", [199, 174], PROC_PROC_IDS, &[]).returns(Returns::Id),
    call(104, "getgid", [200, 176], PROC_PROC_IDS, &[]).returns(Returns::Id),
    call(105, "setuid", [213, 146], DEFAULT_PROC_PROC_IDS, &[uid("uid")]),
    call(106, "setgid", [214, 144], DEFAULT_PROC_PROC_IDS, &[gid("gid")]),
    call(107, "geteuid", [201, 175], PROC_PROC_IDS, &[]).returns(Returns::Id),
    call(108, "getegid", [202, 177], PROC_PROC_IDS, &[]).returns(Returns::Id),
    call(109, "setpgid", [57, 154], DEFAULT_PROC_PROC_IDS, &[pid("pid"), pid("pgid")]),
    call(110, "getppid", [64, 173], PROC_PROC_IDS, &[]).returns(Returns::Pid),
    call(111, "getpgrp", [65, -1], PROC_PROC_IDS, &[]).returns(Returns::Pid),
    call(112, "setsid", [66, 157], DEFAULT_PROC_PROC_IDS, &[]).returns(Returns::Pid),
    call(113, "setreuid", [203, 145], DEFAULT_PROC_PROC_IDS, &[uid("ruid"), uid("euid")]),
    call(114, "setregid", [204, 143], DEFAULT_PROC_PROC_IDS, &[gid("rgid"), gid("egid")]),
    call(
        115,
        "getgroups",
        [205, 158],
        PROC_PROC_IDS,
        &[int("size"), arg("list", "gid_t*", Array(Id, ReturnWithin(0))).out()],
    ),
    call(
        116,
        "setgroups",
        [206, 159],
        PROC_PROC_IDS,
        &[int("size"), arg("list", "gid_t*", Array(Id, Arg(0)))],
    ),
    call(117, "setresuid", [208, 147], DEFAULT_PROC_PROC_IDS, &[uid("ruid"), uid("euid"), uid("suid")]),
    call(
        118,
        "getresuid",
        [209, 148],
        PROC_PROC_IDS,
        &[
            arg("ruid", "uid_t*", Struct(Id)).out(),
            arg("euid", "uid_t*", Struct(Id)).out(),
            arg("suid", "uid_t*", Struct(Id)).out(),
        ],
    ),
    call(119, "setresgid", [210, 149], DEFAULT_PROC_PROC_IDS, &[gid("rgid"), gid("egid"), gid("sgid")]),
    call(
        120,
        "getresgid",
        [211, 150],
        PROC_PROC_IDS,
        &[
            arg("rgid", "gid_t*", Struct(Id)).out(),
            arg("egid", "gid_t*", Struct(Id)).out(),
            arg("sgid", "gid_t*", Struct(Id)).out(),
        ],
    ),
    call(121, "getpgid", [132, 155], PROC_PROC_IDS, &[pid("pid")]).returns(Returns::Pid),
    call(122, "setfsuid", [215, 151], DEFAULT_PROC_PROC_IDS, &[uid("fsuid")]).returns(Returns::Id),
    call(123, "setfsgid", [216, 152], DEFAULT_PROC_PROC_IDS, &[gid("fsgid")]).returns(Returns::Id),
    call(124, "getsid", [147, 156], PROC_PROC_IDS, &[pid("pid")]).returns(Returns::Pid),
    call(186, "gettid", [224, 178], PROC_PROC_IDS, &[]).returns(Returns::Pid),
];
