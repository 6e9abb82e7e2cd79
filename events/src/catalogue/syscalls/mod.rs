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

use super::declare::{
    CREATED, arg, dirfd, fd, gid, int, mode, off, pid, signal, size, text as path, timespec, uid, uint, ulong,
};
use crate::{Arg, Event, EventId, Returns, Sets, Source, SyscallNumbers};

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
