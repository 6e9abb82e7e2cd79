//! Arguments that are a number or a pointer to something, as another argument says: `ioctl`, `fcntl`, `prctl`.
//!
//! Stored as the register's 8 bytes, then what it points to. The kernel programs find the capture in a map keyed by
//! [`VariantKey`](crate::abi::tables::VariantKey); printing finds the kind by [`kind`].

use crate::args::ArgKind::{Bytes, Str, Struct, Text};
use crate::args::{ArgKind, Dir, Len};
use crate::capture::Capture;
use crate::consts::Names;
use crate::event::EventId;
use crate::layout32::{self, Layout32};
use crate::structs::StructKind;

/// What one argument is when the selecting argument has one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    pub event: EventId,
    /// The argument that is meant.
    pub position: u8,
    /// The selecting argument's value (low 32 bits).
    pub value: u32,
    pub kind: ArgKind,
    pub dir: Dir,
}

impl Variant {
    pub const fn capture(&self) -> Capture {
        Capture::of_kind(self.kind, self.dir)
    }

    /// The capture in a 32-bit task that makes the call of this number.
    pub fn capture_in_compat(&self, number: u16) -> Capture {
        Capture::in_compat(self.kind, self.dir, |_| self.layout32(number))
    }

    /// How its structure lies in a 32-bit task that makes the call of this number, where that differs.
    pub fn layout32(&self, number: u16) -> Option<Layout32> {
        match self.kind {
            Struct(StructKind::Flock) if LONG_LOCKS.contains(&self.value) => Some(layout32::long_lock()),
            Struct(of) => layout32::layout(of, number),
            _ => None,
        }
    }

    /// Whether it is of this event, or of one that reads as the same.
    pub const fn is_of(&self, event: EventId) -> bool {
        self.event.0 == told_as(event).0
    }
}

/// The variant that the argument at `position` of `event` is, when its selecting argument is `value`.
pub fn find(event: EventId, position: usize, value: u32) -> Option<&'static Variant> {
    VARIANTS.iter().find(|v| v.is_of(event) && v.position as usize == position && v.value == value)
}

/// The event whose variants these are.
const fn told_as(event: EventId) -> EventId {
    if event.0 == FCNTL64 { EventId(FCNTL) } else { event }
}

/// What the argument at `position` of `event` is, when its selecting argument is `value`.
pub fn kind(event: EventId, position: usize, value: u32) -> Option<ArgKind> {
    find(event, position, value).map(|v| v.kind)
}

const IOCTL: u16 = 16;
const SEMCTL: u16 = 66;
const FCNTL: u16 = 72;
const PRCTL: u16 = 157;
const ARCH_PRCTL: u16 = 158;
const FUTEX: u16 = 202;
const KEYCTL: u16 = 250;
const SECCOMP: u16 = 317;
const FSCONFIG: u16 = 431;
const LANDLOCK_ADD_RULE: u16 = 445;
/// As `fcntl`, for 32-bit tasks.
const FCNTL64: u16 = 662;
/// Commands whose lock has offsets of 64 bits in 32-bit tasks too: F_GETLK64, F_SETLK64, F_SETLKW64, and those of open files.
const LONG_LOCKS: [u32; 6] = [12, 13, 14, 0x24, 0x25, 0x26];

/// How the number at `position` of `event` is named, when the selecting argument is `value`.
pub fn names(event: EventId, position: usize, value: u32) -> Names {
    let named = |known: &&(u16, u8, u32, Names)| {
        known.0 == told_as(event).0 && usize::from(known.1) == position && known.2 == value
    };
    NAMED.iter().find(named).map_or(Names::None, |known| known.3)
}

/// Event, position, the selecting argument's value, names.
const NAMED: &[(u16, u8, u32, Names)] = &[
    // F_SETFD, F_SETFL, F_SETSIG, F_SETLEASE, F_ADD_SEALS
    (FCNTL, 2, 2, Names::DescriptorFlags),
    (FCNTL, 2, 4, Names::OpenFlags),
    (FCNTL, 2, 10, Names::Signal),
    (FCNTL, 2, 1024, Names::LockType),
    (FCNTL, 2, 1033, Names::Seals),
    // PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_CAPBSET_DROP
    (PRCTL, 1, 1, Names::Signal),
    (PRCTL, 1, 23, Names::Capability),
    (PRCTL, 1, 24, Names::Capability),
    // PR_CAP_AMBIENT: arg2 says what is done, arg3 with which
    (PRCTL, 2, 47, Names::Capability),
];

/// All variants.
pub const VARIANTS: &[Variant] = &[
    // TCGETS
    given(IOCTL, 2, 0x5401, Struct(StructKind::Termios), Dir::Out),
    // TCSETS
    given(IOCTL, 2, 0x5402, Struct(StructKind::Termios), Dir::In),
    // TCSETSW
    given(IOCTL, 2, 0x5403, Struct(StructKind::Termios), Dir::In),
    // TCSETSF
    given(IOCTL, 2, 0x5404, Struct(StructKind::Termios), Dir::In),
    // TIOCGWINSZ
    given(IOCTL, 2, 0x5413, Struct(StructKind::Winsize), Dir::Out),
    // TIOCSWINSZ
    given(IOCTL, 2, 0x5414, Struct(StructKind::Winsize), Dir::In),
    // FIONREAD
    given(IOCTL, 2, 0x541b, Struct(StructKind::Int), Dir::Out),
    // TIOCGPGRP
    given(IOCTL, 2, 0x540f, Struct(StructKind::Int), Dir::Out),
    // TIOCGSID
    given(IOCTL, 2, 0x5429, Struct(StructKind::Int), Dir::Out),
    // TIOCGPTN
    given(IOCTL, 2, 0x80045430, Struct(StructKind::Int), Dir::Out),
    // FIONBIO
    given(IOCTL, 2, 0x5421, Struct(StructKind::Int), Dir::In),
    // FIOASYNC
    given(IOCTL, 2, 0x5452, Struct(StructKind::Int), Dir::In),
    // TIOCSPGRP
    given(IOCTL, 2, 0x5410, Struct(StructKind::Int), Dir::In),
    // TIOCSPTLCK
    given(IOCTL, 2, 0x40045431, Struct(StructKind::Int), Dir::In),
    // BLKGETSIZE64
    given(IOCTL, 2, 0x80081272, Struct(StructKind::U64), Dir::Out),
    // TUNSETIFF
    given(IOCTL, 2, 0x400454ca, Bytes(Len::Fixed(40)), Dir::In),
    // F_GETLK
    given(FCNTL, 2, 5, Struct(StructKind::Flock), Dir::In),
    // F_SETLK
    given(FCNTL, 2, 6, Struct(StructKind::Flock), Dir::In),
    // F_SETLKW
    given(FCNTL, 2, 7, Struct(StructKind::Flock), Dir::In),
    // F_GETLK64, F_SETLK64, F_SETLKW64
    given(FCNTL, 2, 12, Struct(StructKind::Flock), Dir::In),
    given(FCNTL, 2, 13, Struct(StructKind::Flock), Dir::In),
    given(FCNTL, 2, 14, Struct(StructKind::Flock), Dir::In),
    // F_OFD_GETLK
    given(FCNTL, 2, 0x24, Struct(StructKind::Flock), Dir::In),
    // F_OFD_SETLK
    given(FCNTL, 2, 0x25, Struct(StructKind::Flock), Dir::In),
    // F_OFD_SETLKW
    given(FCNTL, 2, 0x26, Struct(StructKind::Flock), Dir::In),
    // PR_SET_NAME
    given(PRCTL, 1, 0xf, Str, Dir::In),
    // PR_GET_NAME
    given(PRCTL, 1, 0x10, Str, Dir::Out),
    // PR_GET_PDEATHSIG
    given(PRCTL, 1, 2, Struct(StructKind::Int), Dir::Out),
    // PR_GET_TSC
    given(PRCTL, 1, 0x19, Struct(StructKind::Int), Dir::Out),
    // PR_GET_CHILD_SUBREAPER
    given(PRCTL, 1, 0x25, Struct(StructKind::Int), Dir::Out),
    // PR_GET_TID_ADDRESS
    given(PRCTL, 1, 0x28, Struct(StructKind::Pointer), Dir::Out),
    // PR_SET_SECCOMP
    given(PRCTL, 2, 0x16, Struct(StructKind::SockFprog), Dir::In),
    // PR_SET_VMA
    given(PRCTL, 4, 0x53564d41, Str, Dir::In),
    // ARCH_GET_FS
    given(ARCH_PRCTL, 1, 0x1003, Struct(StructKind::Pointer), Dir::Out),
    // ARCH_GET_GS
    given(ARCH_PRCTL, 1, 0x1004, Struct(StructKind::Pointer), Dir::Out),
    // ARCH_GET_XCOMP_SUPP
    given(ARCH_PRCTL, 1, 0x1021, Struct(StructKind::Pointer), Dir::Out),
    // ARCH_GET_XCOMP_PERM
    given(ARCH_PRCTL, 1, 0x1022, Struct(StructKind::Pointer), Dir::Out),
    // IPC_SET
    given(SEMCTL, 3, 1, Struct(StructKind::SemidDs), Dir::In),
    // IPC_STAT
    given(SEMCTL, 3, 2, Struct(StructKind::SemidDs), Dir::Out),
    // FUTEX_WAIT
    given(FUTEX, 3, 0, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT, private
    given(FUTEX, 3, 0x80, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT, real time
    given(FUTEX, 3, 0x100, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT, private, real time
    given(FUTEX, 3, 0x180, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI
    given(FUTEX, 3, 6, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI, private
    given(FUTEX, 3, 0x86, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI, real time
    given(FUTEX, 3, 0x106, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI, private, real time
    given(FUTEX, 3, 0x186, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_BITSET
    given(FUTEX, 3, 9, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_BITSET, private
    given(FUTEX, 3, 0x89, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_BITSET, real time
    given(FUTEX, 3, 0x109, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_BITSET, private, real time
    given(FUTEX, 3, 0x189, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_REQUEUE_PI
    given(FUTEX, 3, 0xb, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_REQUEUE_PI, private
    given(FUTEX, 3, 0x8b, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_REQUEUE_PI, real time
    given(FUTEX, 3, 0x10b, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_WAIT_REQUEUE_PI, private, real time
    given(FUTEX, 3, 0x18b, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI2
    given(FUTEX, 3, 0xd, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI2, private
    given(FUTEX, 3, 0x8d, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI2, real time
    given(FUTEX, 3, 0x10d, Struct(StructKind::Timespec), Dir::In),
    // FUTEX_LOCK_PI2, private, real time
    given(FUTEX, 3, 0x18d, Struct(StructKind::Timespec), Dir::In),
    // KEYCTL_JOIN_SESSION_KEYRING
    given(KEYCTL, 1, 1, Str, Dir::In),
    // KEYCTL_UPDATE
    given(KEYCTL, 2, 2, Bytes(Len::Arg(3)), Dir::In),
    // KEYCTL_DESCRIBE
    given(KEYCTL, 2, 6, Text(Len::ReturnWithin(3)), Dir::Out),
    // KEYCTL_SEARCH
    given(KEYCTL, 2, 0xa, Str, Dir::In),
    // KEYCTL_SEARCH
    given(KEYCTL, 3, 0xa, Str, Dir::In),
    // KEYCTL_READ
    given(KEYCTL, 2, 0xb, Bytes(Len::ReturnWithin(3)), Dir::Out),
    // SECCOMP_SET_MODE_FILTER
    given(SECCOMP, 2, 1, Struct(StructKind::SockFprog), Dir::In),
    // SECCOMP_GET_ACTION_AVAIL
    given(SECCOMP, 2, 2, Struct(StructKind::UInt), Dir::In),
    // FSCONFIG_SET_STRING
    given(FSCONFIG, 3, 1, Str, Dir::In),
    // FSCONFIG_SET_PATH
    given(FSCONFIG, 3, 3, Str, Dir::In),
    // FSCONFIG_SET_PATH_EMPTY
    given(FSCONFIG, 3, 4, Str, Dir::In),
    // FSCONFIG_SET_BINARY
    given(FSCONFIG, 3, 2, Bytes(Len::Arg(4)), Dir::In),
    // LANDLOCK_RULE_PATH_BENEATH
    given(LANDLOCK_ADD_RULE, 2, 1, Bytes(Len::Fixed(12)), Dir::In),
    // LANDLOCK_RULE_NET_PORT
    given(LANDLOCK_ADD_RULE, 2, 2, Bytes(Len::Fixed(16)), Dir::In),
];

const fn given(event: u16, position: u8, value: u32, kind: ArgKind, dir: Dir) -> Variant {
    Variant { event: EventId(event), position, value, kind, dir }
}
