//! The kernel itself: modules, probes, bpf, devices, io_uring.

use super::declare::{CALL, CREATED, arg, dirfd, event, fd, hook, int, sockaddr, text, u32, u64, uint};
use crate::ArgKind::{Bool, Pointer, Str, StrArray, Tree, U8, U16};
use crate::{Event, EventId, Names, Returns, Set, Source};

pub const MODULE_LOAD: EventId = EventId(1500);
pub const MODULE_FREE: EventId = EventId(1501);
pub const DO_INIT_MODULE: EventId = EventId(1502);
pub const KPROBE_ATTACH: EventId = EventId(1503);
pub const BPF_ATTACH: EventId = EventId(1504);
pub const IO_URING_CREATE: EventId = EventId(1505);
pub const IO_URING_SUBMIT_REQ: EventId = EventId(1506);
pub const CALL_USERMODEHELPER: EventId = EventId(1507);
pub const PROC_CREATE: EventId = EventId(1508);
pub const DEBUGFS_CREATE_FILE: EventId = EventId(1509);
pub const DEBUGFS_CREATE_DIR: EventId = EventId(1510);
pub const DEVICE_ADD: EventId = EventId(1511);
pub const REGISTER_CHRDEV: EventId = EventId(1512);
pub const KALLSYMS_LOOKUP_NAME: EventId = EventId(1513);
pub const HOOKED_SYSCALLS: EventId = EventId(1514);
pub const HOOKED_PROC_FOPS: EventId = EventId(1515);
pub const HOOKED_SEQ_OPS: EventId = EventId(1516);
pub const IO_URING_COMPLETE: EventId = EventId(1517);

pub(super) const EVENTS: &[Event] = &[
    event(
        MODULE_LOAD,
        "module_load",
        Source::Tracepoint("module_load"),
        &[Set::System, Set::SystemModule],
        &[
            text("name"),
            text("version"),
            text("src_version"),
            text("pathname"),
            u32("dev"),
            u64("inode"),
            u64("ctime"),
            CALL,
        ],
    ),
    event(
        MODULE_FREE,
        "module_free",
        Source::Tracepoint("module_free"),
        &[Set::System, Set::SystemModule],
        &[text("name"), text("version"), text("src_version"), CALL],
    ),
    event(
        DO_INIT_MODULE,
        "do_init_module",
        hook("do_init_module", &["init_module", "finit_module"]),
        &[],
        &[
            text("name"),
            text("version"),
            text("src_version"),
            arg("prev", "void*", Pointer),
            arg("next", "void*", Pointer),
            arg("prev_next", "void*", Pointer),
            arg("next_prev", "void*", Pointer),
            CALL,
        ],
    ),
    event(
        KPROBE_ATTACH,
        "kprobe_attach",
        hook("arm_kprobe", &[]),
        &[],
        &[
            arg("symbol_name", "char*", Str),
            arg("pre_handler_addr", "void*", Pointer),
            arg("post_handler_addr", "void*", Pointer),
            CALL,
        ],
    ),
    event(
        BPF_ATTACH,
        "bpf_attach",
        hook("security_file_ioctl", &["bpf", "ioctl"]),
        &[],
        &[
            int("prog_type").named(Names::BpfProgType),
            text("prog_name"),
            text("perf_symbol"),
            u64("perf_addr"),
            int("prog_write_user"),
            int("perf_type").named(Names::BpfPerfType),
            CALL,
        ],
    ),
    event(
        IO_URING_CREATE,
        "io_uring_create",
        Source::Tracepoint("io_uring_create"),
        &[Set::Fs, Set::FsAsyncIo],
        &[fd("fd"), u32("sq_entries"), u32("cq_entries"), u32("flags"), CALL],
    ),
    event(
        IO_URING_SUBMIT_REQ,
        "io_uring_submit_req",
        Source::Tracepoint("io_uring_submit_req"),
        &[Set::Fs, Set::FsAsyncIo],
        &[
            arg("opcode", "u8", U8).named(Names::IoUringOp),
            u64("user_data"),
            u64("flags"),
            arg("sq_thread", "bool", Bool),
            dirfd("fd"),
            text("pathname"),
            dirfd("new_dirfd"),
            text("new_pathname"),
            u64("op_flags"),
            arg("mode", "mode_t", U16).named(Names::FileMode),
            sockaddr("addr"),
            arg("request", "struct io_kiocb*", Pointer),
            CALL,
        ],
    ),
    event(
        IO_URING_COMPLETE,
        "io_uring_complete",
        Source::Tracepoint("io_uring_complete"),
        &[Set::Fs, Set::FsAsyncIo],
        &[
            arg("opcode", "u8", U8).named(Names::IoUringOp),
            u64("user_data"),
            u64("flags"),
            dirfd("fd"),
            text("pathname"),
            dirfd("new_dirfd"),
            text("new_pathname"),
            u64("op_flags"),
            arg("mode", "mode_t", U16).named(Names::FileMode),
            sockaddr("addr"),
            text("opened"),
            u32("dev"),
            u64("inode"),
            u64("ctime"),
            CREATED,
            arg("request", "struct io_kiocb*", Pointer),
        ],
    )
    .returns(Returns::Number),
    event(
        CALL_USERMODEHELPER,
        "call_usermodehelper",
        hook("call_usermodehelper", &[]),
        &[],
        &[
            text("pathname"),
            arg("argv", "const char*const*", StrArray),
            arg("envp", "const char*const*", StrArray),
            int("wait"),
            CALL,
        ],
    ),
    event(
        PROC_CREATE,
        "proc_create",
        hook("proc_create", &[]),
        &[],
        &[arg("name", "char*", Str), arg("proc_ops_addr", "void*", Pointer), CALL],
    ),
    event(
        DEBUGFS_CREATE_FILE,
        "debugfs_create_file",
        hook("debugfs_create_file", &[]),
        &[],
        &[
            text("file_name"),
            text("path"),
            arg("mode", "mode_t", U16).named(Names::FileMode),
            arg("proc_ops_addr", "void*", Pointer),
            CALL,
        ],
    ),
    event(
        DEBUGFS_CREATE_DIR,
        "debugfs_create_dir",
        hook("debugfs_create_dir", &[]),
        &[],
        &[text("name"), text("path"), CALL],
    ),
    event(DEVICE_ADD, "device_add", hook("device_add", &[]), &[], &[text("name"), text("parent_name"), CALL]),
    event(
        REGISTER_CHRDEV,
        "register_chrdev",
        hook("__register_chrdev", &[]),
        &[],
        &[
            uint("requested_major_number"),
            uint("granted_major_number"),
            text("char_device_name"),
            arg("char_device_fops", "struct file_operations*", Pointer),
            CALL,
        ],
    ),
    event(
        KALLSYMS_LOOKUP_NAME,
        "kallsyms_lookup_name",
        hook("kallsyms_lookup_name", &[]),
        &[],
        &[text("symbol_name"), arg("symbol_address", "void*", Pointer), CALL],
    ),
    event(
        HOOKED_SYSCALLS,
        "hooked_syscalls",
        Source::Unsupported("needs a look through the kernel's own tables, which no probe does"),
        &[],
        &[arg("hooked_syscalls", "[]trace.HookedSymbolData", Tree)],
    ),
    event(
        HOOKED_PROC_FOPS,
        "hooked_proc_fops",
        Source::Unsupported("needs a look through the kernel's own tables, which no probe does"),
        &[],
        &[arg("hooked_fops_pointers", "[]trace.HookedSymbolData", Tree)],
    ),
    event(
        HOOKED_SEQ_OPS,
        "hooked_seq_ops",
        Source::Unsupported("needs a look through the kernel's own tables, which no probe does"),
        &[],
        &[arg("hooked_seq_ops", "map[string]trace.HookedSymbolData", Tree)],
    ),
];
