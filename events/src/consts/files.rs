//! Names about files and directories.

use super::Table;

/// How a file is opened. `O_SYNC` and `O_TMPFILE` hold a bit of another flag.
pub(super) const OPEN_FLAGS: Table = Table::mixed(
    3,
    &[(0, "O_RDONLY"), (1, "O_WRONLY"), (2, "O_RDWR"), (3, "O_ACCMODE")],
    &[
        (0o100, "O_CREAT"),
        (0o200, "O_EXCL"),
        (0o400, "O_NOCTTY"),
        (0o1000, "O_TRUNC"),
        (0o2000, "O_APPEND"),
        (0o4000, "O_NONBLOCK"),
        (0o4010000, "O_SYNC"),
        (0o10000, "O_DSYNC"),
        (0o20000, "O_FASYNC"),
        (0o100000, "O_LARGEFILE"),
        (0o200000, "O_DIRECTORY"),
        (0o400000, "O_NOFOLLOW"),
        (0o2000000, "O_CLOEXEC"),
        (0o40000, "O_DIRECT"),
        (0o1000000, "O_NOATIME"),
        (0o10000000, "O_PATH"),
        (0o20200000, "O_TMPFILE"),
    ],
);

/// Flags of `dup3` and its like.
pub(super) const OPEN_FLAGS_ONLY: Table =
    Table::flags(None, &[(0o2000000, "O_CLOEXEC"), (0o4000, "O_NONBLOCK")]);

/// Type of a file, then its permission bits.
pub(super) const FILE_MODE: Table = Table::mixed(
    0o170000,
    &[
        (0o10000, "S_IFIFO"),
        (0o20000, "S_IFCHR"),
        (0o40000, "S_IFDIR"),
        (0o60000, "S_IFBLK"),
        (0o100000, "S_IFREG"),
        (0o120000, "S_IFLNK"),
        (0o140000, "S_IFSOCK"),
    ],
    &[
        (0o4000, "S_ISUID"),
        (0o2000, "S_ISGID"),
        (0o1000, "S_ISVTX"),
        (0o400, "S_IRUSR"),
        (0o200, "S_IWUSR"),
        (0o100, "S_IXUSR"),
        (0o40, "S_IRGRP"),
        (0o20, "S_IWGRP"),
        (0o10, "S_IXGRP"),
        (4, "S_IROTH"),
        (2, "S_IWOTH"),
        (1, "S_IXOTH"),
    ],
);

/// What `access` asks for.
pub(super) const ACCESS_MODE: Table = Table::flags(Some("F_OK"), &[(4, "R_OK"), (2, "W_OK"), (1, "X_OK")]);

/// A directory descriptor that is none.
pub(super) const DIR_FD: Table = Table::values(&[(-100, "AT_FDCWD")]);

/// Flags of the `*at` calls.
pub(super) const AT_FLAGS: Table = Table::flags(
    None,
    &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x2000, "AT_STATX_FORCE_SYNC"),
        (0x4000, "AT_STATX_DONT_SYNC"),
        (0x8000, "AT_RECURSIVE"),
        (0x10000, "AT_EXECVE_CHECK"),
    ],
);

/// Flags of `faccessat2`.
pub(super) const ACCESS_FLAGS: Table =
    Table::flags(None, &[(0x100, "AT_SYMLINK_NOFOLLOW"), (0x200, "AT_EACCESS"), (0x1000, "AT_EMPTY_PATH")]);

/// Flags of `unlinkat`.
pub(super) const UNLINK_FLAGS: Table = Table::flags(None, &[(0x200, "AT_REMOVEDIR")]);

/// Where `lseek` counts from.
pub(super) const WHENCE: Table =
    Table::values(&[(0, "SEEK_SET"), (1, "SEEK_CUR"), (2, "SEEK_END"), (3, "SEEK_DATA"), (4, "SEEK_HOLE")]);

/// What `fallocate` does.
pub(super) const FALLOCATE_MODE: Table = Table::flags(
    None,
    &[
        (1, "FALLOC_FL_KEEP_SIZE"),
        (2, "FALLOC_FL_PUNCH_HOLE"),
        (4, "FALLOC_FL_NO_HIDE_STALE"),
        (8, "FALLOC_FL_COLLAPSE_RANGE"),
        (0x10, "FALLOC_FL_ZERO_RANGE"),
        (0x20, "FALLOC_FL_INSERT_RANGE"),
        (0x40, "FALLOC_FL_UNSHARE_RANGE"),
        (0x80, "FALLOC_FL_WRITE_ZEROES"),
    ],
);

/// Flags of `renameat2`.
pub(super) const RENAME_FLAGS: Table =
    Table::flags(None, &[(1, "RENAME_NOREPLACE"), (2, "RENAME_EXCHANGE"), (4, "RENAME_WHITEOUT")]);

/// `d_type` of a directory's entry.
pub(super) const DIRENT_TYPE: Table = Table::values(&[
    (0, "DT_UNKNOWN"),
    (1, "DT_FIFO"),
    (2, "DT_CHR"),
    (4, "DT_DIR"),
    (6, "DT_BLK"),
    (8, "DT_REG"),
    (10, "DT_LNK"),
    (12, "DT_SOCK"),
    (14, "DT_WHT"),
]);

/// Flags of `setxattr`.
pub(super) const XATTR_FLAGS: Table = Table::flags(None, &[(1, "XATTR_CREATE"), (2, "XATTR_REPLACE")]);

/// Flags of `preadv2` and `pwritev2`.
pub(super) const RW_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "RWF_HIPRI"),
        (2, "RWF_DSYNC"),
        (4, "RWF_SYNC"),
        (8, "RWF_NOWAIT"),
        (0x10, "RWF_APPEND"),
        (0x20, "RWF_NOAPPEND"),
        (0x40, "RWF_ATOMIC"),
        (0x80, "RWF_DONTCACHE"),
    ],
);

/// Flags of `splice`, `tee` and `vmsplice`.
pub(super) const SPLICE_FLAGS: Table = Table::flags(
    None,
    &[(1, "SPLICE_F_MOVE"), (2, "SPLICE_F_NONBLOCK"), (4, "SPLICE_F_MORE"), (8, "SPLICE_F_GIFT")],
);

/// Flags of `sync_file_range`.
pub(super) const SYNC_FILE_RANGE_FLAGS: Table = Table::flags(
    None,
    &[(1, "SYNC_FILE_RANGE_WAIT_BEFORE"), (2, "SYNC_FILE_RANGE_WRITE"), (4, "SYNC_FILE_RANGE_WAIT_AFTER")],
);

/// What `flock` does.
pub(super) const FLOCK_OPERATION: Table =
    Table::flags(None, &[(1, "LOCK_SH"), (2, "LOCK_EX"), (4, "LOCK_NB"), (8, "LOCK_UN")]);

/// Advice of `fadvise64`.
pub(super) const FADVISE_ADVICE: Table = Table::values(&[
    (0, "POSIX_FADV_NORMAL"),
    (1, "POSIX_FADV_RANDOM"),
    (2, "POSIX_FADV_SEQUENTIAL"),
    (3, "POSIX_FADV_WILLNEED"),
    (4, "POSIX_FADV_DONTNEED"),
    (5, "POSIX_FADV_NOREUSE"),
]);

/// What `statx` asks for.
pub(super) const STATX_MASK: Table = Table::flags(
    None,
    &[
        (0xfff, "STATX_ALL"),
        (0x7ff, "STATX_BASIC_STATS"),
        (1, "STATX_TYPE"),
        (2, "STATX_MODE"),
        (4, "STATX_NLINK"),
        (8, "STATX_UID"),
        (0x10, "STATX_GID"),
        (0x20, "STATX_ATIME"),
        (0x40, "STATX_MTIME"),
        (0x80, "STATX_CTIME"),
        (0x100, "STATX_INO"),
        (0x200, "STATX_SIZE"),
        (0x400, "STATX_BLOCKS"),
        (0x800, "STATX_BTIME"),
        (0x1000, "STATX_MNT_ID"),
        (0x2000, "STATX_DIOALIGN"),
        (0x4000, "STATX_MNT_ID_UNIQUE"),
        (0x8000, "STATX_SUBVOL"),
        (0x10000, "STATX_WRITE_ATOMIC"),
        (0x20000, "STATX_DIO_READ_ALIGN"),
    ],
);

/// What `fcntl` does.
pub(super) const FCNTL_COMMAND: Table = Table::values(&[
    (0, "F_DUPFD"),
    (1, "F_GETFD"),
    (2, "F_SETFD"),
    (3, "F_GETFL"),
    (4, "F_SETFL"),
    (5, "F_GETLK"),
    (6, "F_SETLK"),
    (7, "F_SETLKW"),
    (8, "F_SETOWN"),
    (9, "F_GETOWN"),
    (10, "F_SETSIG"),
    (11, "F_GETSIG"),
    (12, "F_GETLK64"),
    (13, "F_SETLK64"),
    (14, "F_SETLKW64"),
    (15, "F_SETOWN_EX"),
    (16, "F_GETOWN_EX"),
    (17, "F_GETOWNER_UIDS"),
    (36, "F_OFD_GETLK"),
    (37, "F_OFD_SETLK"),
    (38, "F_OFD_SETLKW"),
    (1024, "F_SETLEASE"),
    (1025, "F_GETLEASE"),
    (1026, "F_NOTIFY"),
    (1027, "F_DUPFD_QUERY"),
    (1028, "F_CREATED_QUERY"),
    (1029, "F_CANCELLK"),
    (1030, "F_DUPFD_CLOEXEC"),
    (1031, "F_SETPIPE_SZ"),
    (1032, "F_GETPIPE_SZ"),
    (1033, "F_ADD_SEALS"),
    (1034, "F_GET_SEALS"),
    (1035, "F_GET_RW_HINT"),
    (1036, "F_SET_RW_HINT"),
    (1037, "F_GET_FILE_RW_HINT"),
    (1038, "F_SET_FILE_RW_HINT"),
]);

/// Flags of `memfd_create`.
pub(super) const MEMFD_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "MFD_CLOEXEC"),
        (2, "MFD_ALLOW_SEALING"),
        (4, "MFD_HUGETLB"),
        (8, "MFD_NOEXEC_SEAL"),
        (0x10, "MFD_EXEC"),
    ],
);

/// Flags of `close_range`.
pub(super) const CLOSE_RANGE_FLAGS: Table =
    Table::flags(None, &[(2, "CLOSE_RANGE_UNSHARE"), (4, "CLOSE_RANGE_CLOEXEC")]);

/// Flags of `pipe2`.
pub(super) const PIPE_FLAGS: Table = Table::flags(
    None,
    &[(0o4000, "O_NONBLOCK"), (0o40000, "O_DIRECT"), (0o200, "O_EXCL"), (0o2000000, "O_CLOEXEC")],
);

/// How `openat2` walks a path.
pub(super) const RESOLVE_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "RESOLVE_NO_XDEV"),
        (2, "RESOLVE_NO_MAGICLINKS"),
        (4, "RESOLVE_NO_SYMLINKS"),
        (8, "RESOLVE_BENEATH"),
        (0x10, "RESOLVE_IN_ROOT"),
        (0x20, "RESOLVE_CACHED"),
    ],
);

/// A kind of record lock.
pub(super) const LOCK_TYPE: Table = Table::values(&[(0, "F_RDLCK"), (1, "F_WRLCK"), (2, "F_UNLCK")]);

/// Flags of a descriptor.
pub(super) const DESCRIPTOR_FLAGS: Table = Table::flags(None, &[(1, "FD_CLOEXEC")]);

/// What is sealed of a memory file.
pub(super) const SEALS: Table = Table::flags(
    None,
    &[
        (1, "F_SEAL_SEAL"),
        (2, "F_SEAL_SHRINK"),
        (4, "F_SEAL_GROW"),
        (8, "F_SEAL_WRITE"),
        (16, "F_SEAL_FUTURE_WRITE"),
        (32, "F_SEAL_EXEC"),
    ],
);
