//! Memory: rights that change, code that is loaded.

use super::declare::{CALL, arg, dev, event, hook, int, size, text, u32, u64, uint, ulong};
use crate::ArgKind::{Bytes, Pointer, Str, StrArray};
use crate::{Event, EventId, Len, Names, Set, Source};

pub const DO_MMAP: EventId = EventId(1150);
pub const MEM_PROT_ALERT: EventId = EventId(1151);
pub const SHARED_OBJECT_LOADED: EventId = EventId(1152);
pub const SYMBOLS_LOADED: EventId = EventId(1153);
pub const PRINT_MEM_DUMP: EventId = EventId(1154);

pub(super) const EVENTS: &[Event] = &[
    event(
        DO_MMAP,
        "do_mmap",
        hook("do_mmap", &["mmap"]),
        &[Set::Fs, Set::FsFileOps, Set::Proc, Set::ProcMem],
        &[
            arg("addr", "void*", Pointer),
            text("pathname"),
            uint("flags").named(Names::OpenFlags),
            dev("dev"),
            ulong("inode"),
            ulong("ctime"),
            ulong("pgoff"),
            ulong("len"),
            ulong("prot").named(Names::Prot),
            ulong("mmap_flags").named(Names::MapFlags),
            CALL,
        ],
    ),
    event(
        MEM_PROT_ALERT,
        "mem_prot_alert",
        hook("security_file_mprotect", &["mmap", "mprotect", "pkey_mprotect"]),
        &[],
        &[
            u32("alert").named(Names::MemProtAlert),
            arg("addr", "void*", Pointer),
            size("len"),
            int("prot").named(Names::Prot),
            int("prev_prot").named(Names::Prot),
            text("pathname"),
            dev("dev"),
            ulong("inode"),
            u64("ctime"),
            CALL,
        ],
    ),
    event(
        SHARED_OBJECT_LOADED,
        "shared_object_loaded",
        hook("security_mmap_file", &["mmap"]),
        &[Set::LsmHooks, Set::Fs, Set::FsFileOps, Set::Proc, Set::ProcMem],
        &[
            text("pathname"),
            int("flags").named(Names::OpenFlags),
            dev("dev"),
            ulong("inode"),
            ulong("ctime"),
            CALL,
        ],
    ),
    event(
        SYMBOLS_LOADED,
        "symbols_loaded",
        Source::Unsupported("needs the symbols of the loaded file, which no recording holds"),
        &[Set::Derived, Set::Fs, Set::SecurityAlert],
        &[text("library_path"), arg("symbols", "const char*const*", StrArray)],
    ),
    event(
        PRINT_MEM_DUMP,
        "print_mem_dump",
        Source::Unsupported("kernel memory is not dumped"),
        &[],
        &[
            arg("bytes", "bytes", Bytes(Len::Probe)),
            arg("address", "void*", Pointer),
            u64("length"),
            u64("caller_context_id"),
            arg("arch", "char*", Str),
            arg("symbol_name", "char*", Str),
            arg("symbol_owner", "char*", Str),
        ],
    ),
];
