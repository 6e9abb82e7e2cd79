//! Pipes, futexes, and the queues, semaphores and shared memory of System V and POSIX.

use super::{arg, call, fd, int, mode, path, size, timespec, uint, ulong};
use crate::ArgKind::{Any, Array, Bytes, Fd, I32, I64, Iovec, Pointer, Struct};
use crate::Len::{Arg, ArgPlus8, Fixed, Return, ReturnPlus8};
use crate::StructKind::{
    FdPair, FutexWaitv, Long, MqAttr, MsqidDs, Sembuf, ShmidDs, SigEvent, Timespec, UInt, ULong,
};
use crate::{Event, Names, Returns, Set, Sets, StructKind};

const IPC_IPC_FUTEX: Sets = Sets::of(&[Set::Syscalls, Set::Ipc, Set::IpcFutex]);
const IPC_IPC_MSGQ: Sets = Sets::of(&[Set::Syscalls, Set::Ipc, Set::IpcMsgq]);
const IPC_IPC_PIPE: Sets = Sets::of(&[Set::Syscalls, Set::Ipc, Set::IpcPipe]);
const IPC_IPC_SEM: Sets = Sets::of(&[Set::Syscalls, Set::Ipc, Set::IpcSem]);
const IPC_IPC_SHM: Sets = Sets::of(&[Set::Syscalls, Set::Ipc, Set::IpcShm]);

pub(super) const EVENTS: &[Event] = &[
    call(22, "pipe", [42, -1], IPC_IPC_PIPE, &[arg("pipefd", "int[2]", Struct(FdPair)).out()]),
    call(
        29,
        "shmget",
        [395, 194],
        IPC_IPC_SHM,
        &[arg("key", "key_t", I32), size("size"), int("shmflg").named(Names::ShmFlags)],
    ),
    call(
        30,
        "shmat",
        [397, 196],
        IPC_IPC_SHM,
        &[int("shmid"), arg("shmaddr", "const void*", Pointer), int("shmflg").named(Names::ShmatFlags)],
    )
    .returns(Returns::Pointer),
    call(
        31,
        "shmctl",
        [396, 195],
        IPC_IPC_SHM,
        &[int("shmid"), int("cmd").named(Names::IpcCommand), arg("buf", "struct shmid_ds*", Struct(ShmidDs))],
    ),
    call(
        64,
        "semget",
        [393, 190],
        IPC_IPC_SEM,
        &[arg("key", "key_t", I32), int("nsems"), int("semflg").named(Names::ShmFlags)],
    ),
    call(
        65,
        "semop",
        [-1, 193],
        IPC_IPC_SEM,
        &[int("semid"), arg("sops", "struct sembuf*", Array(Sembuf, Arg(2))), size("nsops")],
    ),
    call(
        66,
        "semctl",
        [394, 191],
        IPC_IPC_SEM,
        &[
            int("semid"),
            int("semnum"),
            int("cmd").named(Names::IpcCommand),
            arg("arg", "unsigned long", Any(2)),
        ],
    ),
    call(67, "shmdt", [398, 197], IPC_IPC_SHM, &[arg("shmaddr", "const void*", Pointer)]),
    call(
        68,
        "msgget",
        [399, 186],
        IPC_IPC_MSGQ,
        &[arg("key", "key_t", I32), int("msgflg").named(Names::ShmFlags)],
    ),
    call(
        69,
        "msgsnd",
        [400, 189],
        IPC_IPC_MSGQ,
        &[
            int("msqid"),
            arg("msgp", "struct msgbuf*", Bytes(ArgPlus8(2))),
            size("msgsz"),
            int("msgflg").named(Names::MsgQueueFlags),
        ],
    ),
    call(
        70,
        "msgrcv",
        [401, 188],
        IPC_IPC_MSGQ,
        &[
            int("msqid"),
            arg("msgp", "struct msgbuf*", Bytes(ReturnPlus8)).out(),
            size("msgsz"),
            arg("msgtyp", "long", I64),
            int("msgflg").named(Names::MsgQueueFlags),
        ],
    ),
    call(
        71,
        "msgctl",
        [402, 187],
        IPC_IPC_MSGQ,
        &[int("msqid"), int("cmd").named(Names::IpcCommand), arg("buf", "struct msqid_ds*", Struct(MsqidDs))],
    ),
    call(
        202,
        "futex",
        [422, 98],
        IPC_IPC_FUTEX,
        &[
            arg("uaddr", "int*", Pointer),
            int("futex_op").named(Names::FutexOp),
            int("val"),
            arg("timeout", "const struct timespec*", Any(1)),
            arg("uaddr2", "int*", Pointer),
            int("val3"),
        ],
    ),
    call(
        220,
        "semtimedop",
        [420, 192],
        IPC_IPC_SEM,
        &[
            int("semid"),
            arg("sops", "struct sembuf*", Array(Sembuf, Arg(2))),
            size("nsops"),
            timespec("timeout"),
        ],
    ),
    call(
        240,
        "mq_open",
        [277, 180],
        IPC_IPC_MSGQ,
        &[
            path("name"),
            int("oflag").named(Names::OpenFlags),
            mode("mode"),
            arg("attr", "struct mq_attr*", Struct(MqAttr)),
        ],
    )
    .returns(Returns::Fd),
    call(241, "mq_unlink", [278, 181], IPC_IPC_MSGQ, &[path("name")]),
    call(
        242,
        "mq_timedsend",
        [418, 182],
        IPC_IPC_MSGQ,
        &[
            arg("mqdes", "mqd_t", Fd),
            arg("msg_ptr", "const char*", Bytes(Arg(2))),
            size("msg_len"),
            uint("msg_prio"),
            timespec("abs_timeout"),
        ],
    ),
    call(
        243,
        "mq_timedreceive",
        [419, 183],
        IPC_IPC_MSGQ,
        &[
            arg("mqdes", "mqd_t", Fd),
            arg("msg_ptr", "char*", Bytes(Return)).out(),
            size("msg_len"),
            arg("msg_prio", "unsigned int*", Struct(UInt)).out(),
            timespec("abs_timeout"),
        ],
    ),
    call(
        244,
        "mq_notify",
        [281, 184],
        IPC_IPC_MSGQ,
        &[arg("mqdes", "mqd_t", Fd), arg("sevp", "const struct sigevent*", Struct(SigEvent))],
    ),
    call(
        245,
        "mq_getsetattr",
        [282, 185],
        IPC_IPC_MSGQ,
        &[
            arg("mqdes", "mqd_t", Fd),
            arg("newattr", "const struct mq_attr*", Struct(MqAttr)),
            arg("oldattr", "struct mq_attr*", Struct(MqAttr)).out(),
        ],
    ),
    call(
        273,
        "set_robust_list",
        [311, 99],
        IPC_IPC_FUTEX,
        &[arg("head", "struct robust_list_head*", Pointer), size("len")],
    ),
    call(
        274,
        "get_robust_list",
        [312, 100],
        IPC_IPC_FUTEX,
        &[
            int("pid"),
            arg("head_ptr", "struct robust_list_head**", Struct(StructKind::Pointer)).out(),
            arg("len_ptr", "size_t*", Struct(ULong)).out(),
        ],
    ),
    call(
        275,
        "splice",
        [313, 76],
        IPC_IPC_PIPE,
        &[
            fd("fd_in"),
            arg("off_in", "off_t*", Struct(Long)),
            fd("fd_out"),
            arg("off_out", "off_t*", Struct(Long)),
            size("len"),
            uint("flags").named(Names::SpliceFlags),
        ],
    ),
    call(
        276,
        "tee",
        [315, 77],
        IPC_IPC_PIPE,
        &[fd("fd_in"), fd("fd_out"), size("len"), uint("flags").named(Names::SpliceFlags)],
    ),
    call(
        278,
        "vmsplice",
        [316, 75],
        IPC_IPC_PIPE,
        &[
            fd("fd"),
            arg("iov", "const struct iovec*", Iovec(Arg(2))),
            ulong("nr_segs"),
            uint("flags").named(Names::SpliceFlags),
        ],
    ),
    call(
        293,
        "pipe2",
        [331, 59],
        IPC_IPC_PIPE,
        &[arg("pipefd", "int[2]", Struct(FdPair)).out(), int("flags").named(Names::PipeFlags)],
    ),
    call(
        449,
        "futex_waitv",
        [449, 449],
        IPC_IPC_FUTEX,
        &[
            arg("waiters", "struct futex_waitv*", Array(FutexWaitv, Arg(1))),
            uint("nr_futexes"),
            uint("flags"),
            arg("timeout", "struct __kernel_timespec*", Struct(Timespec)),
            arg("clockid", "clockid_t", I32).named(Names::ClockId),
        ],
    ),
    call(
        454,
        "futex_wake",
        [454, 454],
        IPC_IPC_FUTEX,
        &[arg("uaddr", "void*", Pointer), ulong("mask"), int("nr"), uint("flags").named(Names::Futex2Flags)],
    ),
    call(
        455,
        "futex_wait",
        [455, 455],
        IPC_IPC_FUTEX,
        &[
            arg("uaddr", "void*", Pointer),
            ulong("val"),
            ulong("mask"),
            uint("flags").named(Names::Futex2Flags),
            arg("timeout", "struct __kernel_timespec*", Struct(Timespec)),
            arg("clockid", "clockid_t", I32).named(Names::ClockId),
        ],
    ),
    call(
        456,
        "futex_requeue",
        [456, 456],
        IPC_IPC_FUTEX,
        &[
            arg("waiters", "struct futex_waitv*", Array(FutexWaitv, Fixed(2))),
            uint("flags"),
            int("nr_wake"),
            int("nr_requeue"),
        ],
    ),
];
