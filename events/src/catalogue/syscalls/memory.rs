//! Memory: mapping, protection, advice, NUMA policy.

use super::{arg, call, fd, int, off, size, uint, ulong};
use crate::ArgKind::{Array, Bits, Bytes, Pointer, Struct};
use crate::Len::{Arg, BitsOf, PagesOf};
use crate::StructKind::{Int, UInt, Vector};
use crate::{Event, Names, Returns, Set, Sets, StructKind};

const PLAIN: Sets = Sets::of(&[Set::Syscalls]);
const PROC_PROC_MEM: Sets = Sets::of(&[Set::Syscalls, Set::Proc, Set::ProcMem]);
const SYSTEM_SYSTEM_NUMA: Sets = Sets::of(&[Set::Syscalls, Set::System, Set::SystemNuma]);

pub(super) const EVENTS: &[Event] = &[
    call(
        9,
        "mmap",
        [-1, 222],
        PROC_PROC_MEM,
        &[
            arg("addr", "void*", Pointer),
            size("length"),
            int("prot").named(Names::Prot),
            int("flags").named(Names::MapFlags),
            fd("fd"),
            off("off"),
        ],
    )
    .returns(Returns::Pointer),
    call(
        10,
        "mprotect",
        [125, 226],
        PROC_PROC_MEM,
        &[arg("addr", "void*", Pointer), size("len"), int("prot").named(Names::Prot)],
    ),
    call(11, "munmap", [91, 215], PROC_PROC_MEM, &[arg("addr", "void*", Pointer), size("length")]),
    call(12, "brk", [45, 214], PROC_PROC_MEM, &[arg("addr", "void*", Pointer)]).returns(Returns::Pointer),
    call(
        25,
        "mremap",
        [163, 216],
        PROC_PROC_MEM,
        &[
            arg("old_address", "void*", Pointer),
            size("old_size"),
            size("new_size"),
            int("flags").named(Names::MremapFlags),
            arg("new_address", "void*", Pointer),
        ],
    )
    .returns(Returns::Pointer),
    call(
        27,
        "mincore",
        [218, 232],
        PROC_PROC_MEM,
        &[
            arg("addr", "void*", Pointer),
            size("length"),
            arg("vec", "unsigned char*", Bytes(PagesOf(1))).out(),
        ],
    ),
    call(
        28,
        "madvise",
        [219, 233],
        PROC_PROC_MEM,
        &[arg("addr", "void*", Pointer), size("length"), int("advice").named(Names::MadviseAdvice)],
    ),
    call(149, "mlock", [150, 228], PROC_PROC_MEM, &[arg("addr", "const void*", Pointer), size("len")]),
    call(150, "munlock", [151, 229], PROC_PROC_MEM, &[arg("addr", "const void*", Pointer), size("len")]),
    call(151, "mlockall", [152, 230], PROC_PROC_MEM, &[int("flags").named(Names::MlockallFlags)]),
    call(152, "munlockall", [153, 231], PROC_PROC_MEM, &[]),
    call(
        154,
        "modify_ldt",
        [123, -1],
        PROC_PROC_MEM,
        &[int("func"), arg("ptr", "void*", Pointer), ulong("bytecount")],
    ),
    call(
        216,
        "remap_file_pages",
        [257, 234],
        PLAIN,
        &[
            arg("addr", "void*", Pointer),
            size("size"),
            int("prot").named(Names::Prot),
            size("pgoff"),
            int("flags").named(Names::MapFlags),
        ],
    ),
    call(
        237,
        "mbind",
        [274, 235],
        SYSTEM_SYSTEM_NUMA,
        &[
            arg("addr", "void*", Pointer),
            ulong("len"),
            int("mode").named(Names::MempolicyMode),
            arg("nodemask", "const unsigned long*", Bits(BitsOf(4))),
            ulong("maxnode"),
            uint("flags").named(Names::MbindFlags),
        ],
    ),
    call(
        238,
        "set_mempolicy",
        [276, 237],
        SYSTEM_SYSTEM_NUMA,
        &[
            int("mode").named(Names::MempolicyMode),
            arg("nodemask", "const unsigned long*", Bits(BitsOf(2))),
            ulong("maxnode"),
        ],
    ),
    call(
        239,
        "get_mempolicy",
        [275, 236],
        SYSTEM_SYSTEM_NUMA,
        &[
            arg("mode", "int*", Struct(Int)).out().named(Names::MempolicyMode),
            arg("nodemask", "unsigned long*", Bits(BitsOf(2))).out(),
            ulong("maxnode"),
            arg("addr", "void*", Pointer),
            ulong("flags").named(Names::GetMempolicyFlags),
        ],
    ),
    call(
        256,
        "migrate_pages",
        [294, 238],
        SYSTEM_SYSTEM_NUMA,
        &[
            int("pid"),
            ulong("maxnode"),
            arg("old_nodes", "const unsigned long*", Bits(BitsOf(1))),
            arg("new_nodes", "const unsigned long*", Bits(BitsOf(1))),
        ],
    ),
    call(
        279,
        "move_pages",
        [317, 239],
        SYSTEM_SYSTEM_NUMA,
        &[
            int("pid"),
            ulong("count"),
            arg("pages", "const void**", Array(StructKind::Pointer, Arg(1))),
            arg("nodes", "const int*", Array(Int, Arg(1))),
            arg("status", "int*", Array(Int, Arg(1))).out(),
            int("flags").named(Names::MbindFlags),
        ],
    ),
    call(
        309,
        "getcpu",
        [318, 168],
        SYSTEM_SYSTEM_NUMA,
        &[
            arg("cpu", "unsigned int*", Struct(UInt)).out(),
            arg("node", "unsigned int*", Struct(UInt)).out(),
            arg("tcache", "struct getcpu_cache*", Pointer),
        ],
    ),
    call(
        324,
        "membarrier",
        [375, 283],
        PROC_PROC_MEM,
        &[int("cmd").named(Names::MembarrierCommand), int("flags"), int("cpu_id")],
    ),
    call(
        325,
        "mlock2",
        [376, 284],
        PROC_PROC_MEM,
        &[arg("addr", "const void*", Pointer), size("len"), int("flags").named(Names::Mlock2Flags)],
    ),
    call(
        329,
        "pkey_mprotect",
        [380, 288],
        PROC_PROC_MEM,
        &[arg("addr", "void*", Pointer), size("len"), int("prot").named(Names::Prot), int("pkey")],
    ),
    call(
        330,
        "pkey_alloc",
        [381, 289],
        PROC_PROC_MEM,
        &[uint("flags"), ulong("access_rights").named(Names::PkeyRights)],
    ),
    call(331, "pkey_free", [382, 290], PROC_PROC_MEM, &[int("pkey")]),
    call(
        440,
        "process_madvise",
        [440, 440],
        PLAIN,
        &[
            fd("pidfd"),
            arg("addr", "void*", Array(Vector, Arg(2))),
            size("length"),
            int("advice").named(Names::MadviseAdvice),
            ulong("flags"),
        ],
    ),
    call(447, "memfd_secret", [447, 447], PLAIN, &[uint("flags").named(Names::OpenFlagsOnly)])
        .returns(Returns::Fd),
    call(448, "process_mrelease", [448, 448], PLAIN, &[fd("pidfd"), uint("flags")]),
    call(
        450,
        "set_mempolicy_home_node",
        [450, 450],
        SYSTEM_SYSTEM_NUMA,
        &[ulong("start"), ulong("len"), ulong("home_node"), ulong("flags")],
    ),
    call(453, "map_shadow_stack", [453, 453], PROC_PROC_MEM, &[ulong("addr"), ulong("size"), uint("flags")])
        .returns(Returns::Pointer),
    call(462, "mseal", [462, 462], PROC_PROC_MEM, &[ulong("start"), size("len"), ulong("flags")]),
];
