//! Files as the kernel itself reads and writes them.

use super::declare::{
    CALL, arg, dev, event, file_type_and_mode, hook, off, size, text, u32, u64, uint, ulong,
};
use crate::ArgKind::{Bytes, I64, Str};
use crate::{Event, EventId, Len};

pub const VFS_WRITE: EventId = EventId(1100);
pub const VFS_WRITEV: EventId = EventId(1101);
pub const VFS_READ: EventId = EventId(1102);
pub const VFS_READV: EventId = EventId(1103);
pub const KERNEL_WRITE: EventId = EventId(1104);
pub const MAGIC_WRITE: EventId = EventId(1105);
pub const VFS_UTIMES: EventId = EventId(1106);
pub const DO_TRUNCATE: EventId = EventId(1107);
pub const FILE_MODIFICATION: EventId = EventId(1108);
pub const INOTIFY_WATCH: EventId = EventId(1109);
pub const DIRTY_PIPE_SPLICE: EventId = EventId(1110);
pub const HIDDEN_INODES: EventId = EventId(1111);

pub(super) const EVENTS: &[Event] = &[
    event(
        VFS_WRITE,
        "vfs_write",
        hook("vfs_write", &["write", "pwrite64"]),
        &[],
        &[text("pathname"), dev("dev"), ulong("inode"), size("count"), off("pos"), CALL],
    ),
    event(
        VFS_WRITEV,
        "vfs_writev",
        hook("vfs_writev", &["writev", "pwritev", "pwritev2"]),
        &[],
        &[text("pathname"), dev("dev"), ulong("inode"), ulong("vlen"), off("pos"), CALL],
    ),
    event(
        VFS_READ,
        "vfs_read",
        hook("vfs_read", &["read", "pread64"]),
        &[],
        &[text("pathname"), dev("dev"), ulong("inode"), size("count"), off("pos"), CALL],
    ),
    event(
        VFS_READV,
        "vfs_readv",
        hook("vfs_readv", &["readv", "preadv", "preadv2"]),
        &[],
        &[text("pathname"), dev("dev"), ulong("inode"), ulong("vlen"), off("pos"), CALL],
    ),
    event(
        KERNEL_WRITE,
        "__kernel_write",
        hook("__kernel_write", &[]),
        &[],
        &[text("pathname"), dev("dev"), ulong("inode"), size("count"), off("pos"), CALL],
    ),
    event(
        MAGIC_WRITE,
        "magic_write",
        hook("vfs_write", &["write", "pwrite64", "writev", "pwritev", "pwritev2"]),
        &[],
        &[text("pathname"), arg("bytes", "bytes", Bytes(Len::Probe)), dev("dev"), ulong("inode"), CALL],
    ),
    event(
        VFS_UTIMES,
        "vfs_utimes",
        hook("vfs_utimes", &["utime", "utimes", "futimesat", "utimensat"]),
        &[],
        &[text("pathname"), u32("dev"), u64("inode"), u64("atime"), u64("mtime"), CALL],
    ),
    event(
        DO_TRUNCATE,
        "do_truncate",
        hook("do_truncate", &["truncate", "ftruncate"]),
        &[],
        &[text("pathname"), u64("inode"), u32("dev"), u64("length"), CALL],
    ),
    event(
        FILE_MODIFICATION,
        "file_modification",
        hook("file_update_time", &[]),
        &[],
        &[text("file_path"), u32("dev"), u64("inode"), u64("old_ctime"), u64("new_ctime"), CALL],
    ),
    event(
        INOTIFY_WATCH,
        "inotify_watch",
        hook("inotify_find_inode", &["inotify_add_watch"]),
        &[],
        &[text("pathname"), u64("inode"), u32("dev"), CALL],
    ),
    event(
        DIRTY_PIPE_SPLICE,
        "dirty_pipe_splice",
        hook("do_splice", &[]),
        &[],
        &[
            ulong("inode_in"),
            file_type_and_mode("in_file_type"),
            text("in_file_path"),
            arg("exposed_data_start_offset", "loff_t", I64),
            size("exposed_data_len"),
            ulong("inode_out"),
            uint("out_pipe_last_buffer_flags"),
            CALL,
        ],
    ),
    event(
        HIDDEN_INODES,
        "hidden_inodes",
        hook("filldir64", &[]),
        &[],
        &[arg("hidden_process", "char*", Str), CALL],
    ),
];
