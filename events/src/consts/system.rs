//! Names about the machine.

use super::Table;

/// Flags of `perf_event_open`.
pub(super) const PERF_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "PERF_FLAG_FD_NO_GROUP"),
        (2, "PERF_FLAG_FD_OUTPUT"),
        (4, "PERF_FLAG_PID_CGROUP"),
        (8, "PERF_FLAG_FD_CLOEXEC"),
    ],
);

/// Flags of `delete_module`.
pub(super) const DELETE_MODULE_FLAGS: Table =
    Table::flags(None, &[(0x800, "O_NONBLOCK"), (0x200, "O_TRUNC")]);

/// Flags of `finit_module`.
pub(super) const FINIT_MODULE_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "MODULE_INIT_IGNORE_MODVERSIONS"),
        (2, "MODULE_INIT_IGNORE_VERMAGIC"),
        (4, "MODULE_INIT_COMPRESSED_FILE"),
    ],
);

/// Flags of `getrandom`.
pub(super) const GETRANDOM_FLAGS: Table =
    Table::flags(None, &[(1, "GRND_NONBLOCK"), (2, "GRND_RANDOM"), (4, "GRND_INSECURE")]);

/// Flags of `kexec_load`; the high half is an architecture.
pub(super) const KEXEC_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "KEXEC_ON_CRASH"),
        (2, "KEXEC_PRESERVE_CONTEXT"),
        (4, "KEXEC_UPDATE_ELFCOREHDR"),
        (8, "KEXEC_CRASH_HOTPLUG_SUPPORT"),
    ],
);

/// Flags of `kexec_file_load`.
pub(super) const KEXEC_FILE_FLAGS: Table = Table::flags(
    None,
    &[
        (1, "KEXEC_FILE_UNLOAD"),
        (2, "KEXEC_FILE_ON_CRASH"),
        (4, "KEXEC_FILE_NO_INITRAMFS"),
        (8, "KEXEC_FILE_DEBUG"),
    ],
);

/// What the kernel reads a file for.
pub(super) const KERNEL_READ_TYPE: Table = Table::values(&[
    (0, "unknown"),
    (1, "firmware"),
    (2, "kernel-module"),
    (3, "kexec-image"),
    (4, "kexec-initramfs"),
    (5, "policy"),
    (6, "x509-certificate"),
]);

/// A keyring of the caller.
pub(super) const KEY_SPECIAL: Table = Table::values(&[
    (-1, "KEY_SPEC_THREAD_KEYRING"),
    (-2, "KEY_SPEC_PROCESS_KEYRING"),
    (-3, "KEY_SPEC_SESSION_KEYRING"),
    (-4, "KEY_SPEC_USER_KEYRING"),
    (-5, "KEY_SPEC_USER_SESSION_KEYRING"),
    (-6, "KEY_SPEC_GROUP_KEYRING"),
    (-7, "KEY_SPEC_REQKEY_AUTH_KEY"),
    (-8, "KEY_SPEC_REQUESTOR_KEYRING"),
]);

/// What `keyctl` does.
pub(super) const KEYCTL_OPERATION: Table = Table::values(&[
    (0, "KEYCTL_GET_KEYRING_ID"),
    (1, "KEYCTL_JOIN_SESSION_KEYRING"),
    (2, "KEYCTL_UPDATE"),
    (3, "KEYCTL_REVOKE"),
    (4, "KEYCTL_CHOWN"),
    (5, "KEYCTL_SETPERM"),
    (6, "KEYCTL_DESCRIBE"),
    (7, "KEYCTL_CLEAR"),
    (8, "KEYCTL_LINK"),
    (9, "KEYCTL_UNLINK"),
    (10, "KEYCTL_SEARCH"),
    (11, "KEYCTL_READ"),
    (12, "KEYCTL_INSTANTIATE"),
    (13, "KEYCTL_NEGATE"),
    (14, "KEYCTL_SET_REQKEY_KEYRING"),
    (15, "KEYCTL_SET_TIMEOUT"),
    (16, "KEYCTL_ASSUME_AUTHORITY"),
    (17, "KEYCTL_GET_SECURITY"),
    (18, "KEYCTL_SESSION_TO_PARENT"),
    (19, "KEYCTL_REJECT"),
    (20, "KEYCTL_INSTANTIATE_IOV"),
    (21, "KEYCTL_INVALIDATE"),
    (22, "KEYCTL_GET_PERSISTENT"),
    (23, "KEYCTL_DH_COMPUTE"),
    (24, "KEYCTL_PKEY_QUERY"),
    (25, "KEYCTL_PKEY_ENCRYPT"),
    (26, "KEYCTL_PKEY_DECRYPT"),
    (27, "KEYCTL_PKEY_SIGN"),
    (28, "KEYCTL_PKEY_VERIFY"),
    (29, "KEYCTL_RESTRICT_KEYRING"),
    (30, "KEYCTL_MOVE"),
    (31, "KEYCTL_CAPABILITIES"),
    (32, "KEYCTL_WATCH_KEY"),
]);

/// An attribute of a security module.
pub(super) const LSM_ATTR: Table = Table::values(&[
    (0, "LSM_ATTR_UNDEF"),
    (100, "LSM_ATTR_CURRENT"),
    (101, "LSM_ATTR_EXEC"),
    (102, "LSM_ATTR_FSCREATE"),
    (103, "LSM_ATTR_KEYCREATE"),
    (104, "LSM_ATTR_PREV"),
    (105, "LSM_ATTR_SOCKCREATE"),
]);

/// The magic numbers of `reboot`.
pub(super) const REBOOT_MAGIC: Table = Table::values(&[
    (0xfee1dead, "LINUX_REBOOT_MAGIC1"),
    (0x28121969, "LINUX_REBOOT_MAGIC2"),
    (0x5121996, "LINUX_REBOOT_MAGIC2A"),
    (0x16041998, "LINUX_REBOOT_MAGIC2B"),
    (0x20112000, "LINUX_REBOOT_MAGIC2C"),
]);

/// What `reboot` does.
pub(super) const REBOOT_COMMAND: Table = Table::values(&[
    (0, "LINUX_REBOOT_CMD_CAD_OFF"),
    (0x1234567, "LINUX_REBOOT_CMD_RESTART"),
    (0x45584543, "LINUX_REBOOT_CMD_KEXEC"),
    (0x4321fedc, "LINUX_REBOOT_CMD_POWER_OFF"),
    (0x89abcdef, "LINUX_REBOOT_CMD_CAD_ON"),
    (0xa1b2c3d4, "LINUX_REBOOT_CMD_RESTART2"),
    (0xcdef0123, "LINUX_REBOOT_CMD_HALT"),
    (0xd000fce2, "LINUX_REBOOT_CMD_SW_SUSPEND"),
]);

/// What `syslog` does.
pub(super) const SYSLOG_ACTION: Table = Table::values(&[
    (0, "SYSLOG_ACTION_CLOSE"),
    (1, "SYSLOG_ACTION_OPEN"),
    (2, "SYSLOG_ACTION_READ"),
    (3, "SYSLOG_ACTION_READ_ALL"),
    (4, "SYSLOG_ACTION_READ_CLEAR"),
    (5, "SYSLOG_ACTION_CLEAR"),
    (6, "SYSLOG_ACTION_CONSOLE_OFF"),
    (7, "SYSLOG_ACTION_CONSOLE_ON"),
    (8, "SYSLOG_ACTION_CONSOLE_LEVEL"),
    (9, "SYSLOG_ACTION_SIZE_UNREAD"),
    (10, "SYSLOG_ACTION_SIZE_BUFFER"),
]);

/// Flags of `userfaultfd`.
pub(super) const USERFAULTFD_FLAGS: Table =
    Table::flags(None, &[(1, "UFFD_USER_MODE_ONLY"), (0x800, "O_NONBLOCK"), (0x80000, "O_CLOEXEC")]);

/// What a perf event counts.
pub(super) const PERF_TYPE: Table = Table::values(&[
    (0, "PERF_TYPE_HARDWARE"),
    (1, "PERF_TYPE_SOFTWARE"),
    (2, "PERF_TYPE_TRACEPOINT"),
    (3, "PERF_TYPE_HW_CACHE"),
    (4, "PERF_TYPE_RAW"),
    (5, "PERF_TYPE_BREAKPOINT"),
]);
