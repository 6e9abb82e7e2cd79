//! System calls: a table entry each and nothing else.

use crate::{Arg, ArgKind::*, Event, EventId, Returns, Set, Sets, Source, SyscallNumbers};

pub(super) const EVENTS: &[Event] = &[Event {
    id: EventId(257),
    name: "openat",
    source: Source::Syscall(SyscallNumbers { x86_64: Some(257), i386: Some(295), aarch64: Some(56) }),
    sets: Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFileOps]),
    args: &[
        Arg::new("dirfd", "int", Fd),
        Arg::new("pathname", "const char*", Str),
        Arg::new("flags", "int", I32),
        Arg::new("mode", "mode_t", U32),
    ],
    returns: Returns::Fd,
}];
