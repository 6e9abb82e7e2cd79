//! Names about futexes and System V objects.

use super::Table;

/// What `futex` does, then its flags.
pub(super) const FUTEX_OP: Table = Table::mixed(
    0x7f,
    &[
        (0, "FUTEX_WAIT"),
        (1, "FUTEX_WAKE"),
        (2, "FUTEX_FD"),
        (3, "FUTEX_REQUEUE"),
        (4, "FUTEX_CMP_REQUEUE"),
        (5, "FUTEX_WAKE_OP"),
        (6, "FUTEX_LOCK_PI"),
        (7, "FUTEX_UNLOCK_PI"),
        (8, "FUTEX_TRYLOCK_PI"),
        (9, "FUTEX_WAIT_BITSET"),
        (0xa, "FUTEX_WAKE_BITSET"),
        (0xb, "FUTEX_WAIT_REQUEUE_PI"),
        (0xc, "FUTEX_CMP_REQUEUE_PI"),
        (0xd, "FUTEX_LOCK_PI2"),
    ],
    &[(0x80, "FUTEX_PRIVATE_FLAG"), (0x100, "FUTEX_CLOCK_REALTIME")],
);

/// Size of a futex, then its flags.
pub(super) const FUTEX2_FLAGS: Table = Table::mixed(
    3,
    &[(0, "FUTEX2_SIZE_U8"), (1, "FUTEX2_SIZE_U16"), (2, "FUTEX2_SIZE_U32"), (3, "FUTEX2_SIZE_U64")],
    &[(4, "FUTEX2_NUMA"), (8, "FUTEX2_MPOL"), (0x80, "FUTEX2_PRIVATE")],
);

/// What `shmctl`, `semctl` and `msgctl` do.
pub(super) const IPC_COMMAND: Table =
    Table::values(&[(0, "IPC_RMID"), (1, "IPC_SET"), (2, "IPC_STAT"), (3, "IPC_INFO")]);

/// Flags of System V objects; the low nine bits are permissions.
pub(super) const SHM_FLAGS: Table =
    Table::flags(None, &[(0o1000, "IPC_CREAT"), (0o2000, "IPC_EXCL"), (0o4000, "IPC_NOWAIT")]);

/// Flags of `shmat`.
pub(super) const SHMAT_FLAGS: Table = Table::flags(
    None,
    &[(0o10000, "SHM_RDONLY"), (0o20000, "SHM_RND"), (0o40000, "SHM_REMAP"), (0o100000, "SHM_EXEC")],
);

/// Flags of `msgsnd` and `msgrcv`.
pub(super) const MSG_QUEUE_FLAGS: Table = Table::flags(
    None,
    &[(0o4000, "IPC_NOWAIT"), (0o10000, "MSG_NOERROR"), (0o20000, "MSG_EXCEPT"), (0o40000, "MSG_COPY")],
);
