//! The machine: modules, bpf, perf, keys, host name, reboot.

use super::{arg, call, fd, int, path, pid, size, uint, ulong};
use crate::ArgKind::{Any, Array, Bytes, I32, Pointer, Sized, Struct, Text, U32};
use crate::Len::{Arg, InsideAt4, PointedBy, Return, ReturnWithin};
use crate::StructKind::{BpfAttr, KexecSegment, PerfEventAttr, Sysinfo, UInt, Utsname};
use crate::{Event, Names, Returns, Set, Sets, StructKind};

const DEFAULT_SYSTEM_SYSTEM_MODULE: Sets =
    Sets::of(&[Set::Default, Set::Syscalls, Set::System, Set::SystemModule]);
const FS: Sets = Sets::of(&[Set::Syscalls, Set::Fs]);
const PLAIN: Sets = Sets::of(&[Set::Syscalls]);
const SYSTEM: Sets = Sets::of(&[Set::Syscalls, Set::System]);
const SYSTEM_SYSTEM_KEYS: Sets = Sets::of(&[Set::Syscalls, Set::System, Set::SystemKeys]);
const SYSTEM_SYSTEM_MODULE: Sets = Sets::of(&[Set::Syscalls, Set::System, Set::SystemModule]);

pub(super) const EVENTS: &[Event] = &[
    call(63, "uname", [122, 160], SYSTEM, &[arg("buf", "struct utsname*", Struct(Utsname)).out()]),
    call(99, "sysinfo", [116, 179], SYSTEM, &[arg("info", "struct sysinfo*", Struct(Sysinfo)).out()]),
    call(
        103,
        "syslog",
        [103, 116],
        SYSTEM,
        &[
            int("type").named(Names::SyslogAction),
            arg("bufp", "char*", Text(ReturnWithin(2))).out(),
            int("len"),
        ],
    ),
    call(135, "personality", [136, 92], SYSTEM, &[ulong("persona").named(Names::Personality)]),
    call(153, "vhangup", [111, 58], SYSTEM, &[]),
    call(156, "sysctl", [149, -1], SYSTEM, &[arg("args", "struct __sysctl_args*", Pointer)]),
    call(163, "acct", [51, 89], SYSTEM, &[path("filename")]),
    call(
        169,
        "reboot",
        [88, 142],
        SYSTEM,
        &[
            int("magic").named(Names::RebootMagic),
            int("magic2").named(Names::RebootMagic),
            int("cmd").named(Names::RebootCommand),
            arg("arg", "void*", Pointer),
        ],
    ),
    call(172, "iopl", [110, -1], SYSTEM, &[int("level")]),
    call(173, "ioperm", [101, -1], SYSTEM, &[ulong("from"), ulong("num"), int("turn_on")]),
    call(174, "create_module", [127, -1], SYSTEM_SYSTEM_MODULE, &[]),
    call(
        175,
        "init_module",
        [128, 105],
        DEFAULT_SYSTEM_SYSTEM_MODULE,
        &[arg("module_image", "void*", Pointer), ulong("len"), path("param_values")],
    ),
    call(
        176,
        "delete_module",
        [129, 106],
        SYSTEM_SYSTEM_MODULE,
        &[path("name"), int("flags").named(Names::DeleteModuleFlags)],
    ),
    call(177, "get_kernel_syms", [130, -1], SYSTEM_SYSTEM_MODULE, &[]),
    call(178, "query_module", [167, -1], SYSTEM_SYSTEM_MODULE, &[]),
    call(
        179,
        "quotactl",
        [131, 60],
        SYSTEM,
        &[int("cmd"), path("special"), int("id"), arg("addr", "void*", Pointer)],
    ),
    call(181, "getpmsg", [188, -1], PLAIN, &[]),
    call(182, "putpmsg", [189, -1], PLAIN, &[]),
    call(183, "afs", [-1, -1], PLAIN, &[]),
    call(184, "tuxcall", [-1, -1], PLAIN, &[]),
    call(185, "security", [-1, -1], PLAIN, &[]),
    call(236, "vserver", [273, -1], PLAIN, &[]),
    call(
        246,
        "kexec_load",
        [283, 104],
        SYSTEM,
        &[
            ulong("entry"),
            ulong("nr_segments"),
            arg("segments", "struct kexec_segment*", Array(KexecSegment, Arg(1))),
            ulong("flags").named(Names::KexecFlags),
        ],
    ),
    call(
        248,
        "add_key",
        [286, 217],
        SYSTEM_SYSTEM_KEYS,
        &[
            path("type"),
            path("description"),
            arg("payload", "const void*", Bytes(Arg(3))),
            size("plen"),
            arg("keyring", "key_serial_t", I32).named(Names::KeySpecial),
        ],
    ),
    call(
        249,
        "request_key",
        [287, 218],
        SYSTEM_SYSTEM_KEYS,
        &[
            path("type"),
            path("description"),
            path("callout_info"),
            arg("dest_keyring", "key_serial_t", I32).named(Names::KeySpecial),
        ],
    ),
    call(
        250,
        "keyctl",
        [288, 219],
        SYSTEM_SYSTEM_KEYS,
        &[
            int("operation").named(Names::KeyctlOperation),
            arg("arg2", "unsigned long", Any(0)),
            arg("arg3", "unsigned long", Any(0)),
            arg("arg4", "unsigned long", Any(0)),
            arg("arg5", "unsigned long", Any(0)),
        ],
    ),
    call(
        298,
        "perf_event_open",
        [336, 241],
        SYSTEM,
        &[
            arg("attr", "struct perf_event_attr*", Sized(PerfEventAttr, InsideAt4)),
            pid("pid"),
            int("cpu"),
            fd("group_fd"),
            ulong("flags").named(Names::PerfFlags),
        ],
    )
    .returns(Returns::Fd),
    call(
        313,
        "finit_module",
        [350, 273],
        DEFAULT_SYSTEM_SYSTEM_MODULE,
        &[fd("fd"), path("param_values"), int("flags").named(Names::FinitModuleFlags)],
    ),
    call(
        318,
        "getrandom",
        [355, 278],
        FS,
        &[
            arg("buf", "void*", Bytes(Return)).out(),
            size("buflen"),
            uint("flags").named(Names::GetrandomFlags),
        ],
    ),
    call(
        320,
        "kexec_file_load",
        [-1, 294],
        SYSTEM,
        &[
            fd("kernel_fd"),
            fd("initrd_fd"),
            ulong("cmdline_len"),
            path("cmdline"),
            ulong("flags").named(Names::KexecFileFlags),
        ],
    ),
    call(
        321,
        "bpf",
        [357, 280],
        SYSTEM,
        &[
            int("cmd").named(Names::BpfCommand),
            arg("attr", "union bpf_attr*", Sized(BpfAttr, Arg(2))),
            uint("size"),
        ],
    ),
    call(323, "userfaultfd", [374, 282], SYSTEM, &[int("flags").named(Names::UserfaultfdFlags)])
        .returns(Returns::Fd),
    call(335, "uretprobe", [-1, -1], PLAIN, &[]),
    call(336, "uprobe", [-1, -1], PLAIN, &[]),
    call(
        459,
        "lsm_get_self_attr",
        [459, 459],
        SYSTEM,
        &[
            uint("attr").named(Names::LsmAttr),
            arg("ctx", "struct lsm_ctx*", Bytes(PointedBy(2))).out(),
            arg("size", "u32*", Struct(UInt)).out(),
            arg("flags", "u32", U32),
        ],
    ),
    call(
        460,
        "lsm_set_self_attr",
        [460, 460],
        SYSTEM,
        &[
            uint("attr").named(Names::LsmAttr),
            arg("ctx", "struct lsm_ctx*", Bytes(Arg(2))),
            arg("size", "u32", U32),
            arg("flags", "u32", U32),
        ],
    ),
    call(
        461,
        "lsm_list_modules",
        [461, 461],
        SYSTEM,
        &[
            arg("ids", "u64*", Array(StructKind::U64, Return)).out(),
            arg("size", "u32*", Struct(UInt)).out(),
            arg("flags", "u32", U32),
        ],
    ),
];
