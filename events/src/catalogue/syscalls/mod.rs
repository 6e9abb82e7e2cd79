//! System calls: a table entry each and nothing else. The probe captures arguments by the entry's kinds.
//!
//! Ids are the x86_64 numbers; calls that only 32-bit tasks can make have ids from 600 on. Numbers stand as
//! `[i386, aarch64]`, -1 where an architecture does not have the call. Argument names and types are Tracee's, those of
//! newer calls the kernel's own.

mod attributes;
mod compat;
mod descriptors;
mod files;
mod ids;
mod ipc;
mod memory;
mod mounts;
mod processes;
mod scheduling;
mod signals;
mod sockets;
mod system;
mod time;
mod waiting;
mod xattrs;

use crate::ArgKind::{Fd, I32, I64, Str, U16, U32, U64};
use crate::{Arg, ArgKind, Event, EventId, Names, Returns, Sets, Source, StructKind, SyscallNumbers};

/// The families of system calls, in the order in which they are listed.
pub(super) const FAMILIES: [&[Event]; 16] = [
    files::EVENTS,
    descriptors::EVENTS,
    attributes::EVENTS,
    xattrs::EVENTS,
    mounts::EVENTS,
    waiting::EVENTS,
    processes::EVENTS,
    ids::EVENTS,
    scheduling::EVENTS,
    memory::EVENTS,
    signals::EVENTS,
    ipc::EVENTS,
    sockets::EVENTS,
    time::EVENTS,
    system::EVENTS,
    compat::EVENTS,
];

const fn call(number: u16, name: &'static str, others: [i16; 2], sets: Sets, args: &'static [Arg]) -> Event {
    let numbers = SyscallNumbers { x86_64: Some(number), i386: known(others[0]), aarch64: known(others[1]) };
    Event {
        id: EventId(number),
        name,
        source: Source::Syscall(numbers),
        sets,
        args,
        returns: Returns::Number,
    }
}

const fn compat(id: u16, name: &'static str, i386: u16, sets: Sets, args: &'static [Arg]) -> Event {
    let numbers = SyscallNumbers { x86_64: None, i386: Some(i386), aarch64: None };
    Event { id: EventId(id), name, source: Source::Syscall(numbers), sets, args, returns: Returns::Number }
}

const fn known(number: i16) -> Option<u16> {
    if number < 0 { None } else { Some(number as u16) }
}

const fn arg(name: &'static str, ctype: &'static str, kind: ArgKind) -> Arg {
    Arg::new(name, ctype, kind)
}

const fn fd(name: &'static str) -> Arg {
    arg(name, "int", Fd)
}

const fn dirfd(name: &'static str) -> Arg {
    fd(name).named(Names::DirFd)
}

const fn int(name: &'static str) -> Arg {
    arg(name, "int", I32)
}

const fn uint(name: &'static str) -> Arg {
    arg(name, "unsigned int", U32)
}

const fn ulong(name: &'static str) -> Arg {
    arg(name, "unsigned long", U64)
}

const fn size(name: &'static str) -> Arg {
    arg(name, "size_t", U64)
}

const fn off(name: &'static str) -> Arg {
    arg(name, "off_t", I64)
}

const fn path(name: &'static str) -> Arg {
    arg(name, "const char*", Str)
}

const fn pid(name: &'static str) -> Arg {
    arg(name, "pid_t", I32)
}

const fn uid(name: &'static str) -> Arg {
    arg(name, "uid_t", U32)
}

const fn gid(name: &'static str) -> Arg {
    arg(name, "gid_t", U32)
}

/// Permission bits; the kernel takes 16 of them.
const fn mode(name: &'static str) -> Arg {
    arg(name, "mode_t", U16).named(Names::FileMode)
}

const fn signal(name: &'static str) -> Arg {
    int(name).named(Names::Signal)
}

const fn timespec(name: &'static str) -> Arg {
    arg(name, "const struct timespec*", ArgKind::Struct(StructKind::Timespec))
}
