//! System calls: a table entry each and nothing else.

use crate::{Arg, ArgKind::*, Event, EventId, Set, Sets, Source, SyscallNumbers};

pub(super) const EVENTS: &[Event] = &[Event {
    id: EventId(257),
    name: "openat",
    source: Source::Syscall(SyscallNumbers { x86_64: Some(257), i386: Some(295), aarch64: Some(56) }),
    sets: Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFileOps]),
    args: &[
        Arg { name: "dirfd", ctype: "int", kind: Fd },
        Arg { name: "pathname", ctype: "const char*", kind: Str },
        Arg { name: "flags", ctype: "int", kind: I32 },
        Arg { name: "mode", ctype: "mode_t", kind: U32 },
    ],
}];
