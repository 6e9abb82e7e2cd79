//! Short ways to declare arguments and events, so that an entry is a line or two.

use crate::ArgKind::{Bool, Fd, I32, I64, Sockaddr, Str, U16, U32, U64};
use crate::{Arg, ArgKind, Event, EventId, Len, Names, Returns, Set, Sets, Source, StructKind};

/// An event that is no system call.
pub(super) const fn event(
    id: EventId,
    name: &'static str,
    source: Source,
    sets: &[Set],
    args: &'static [Arg],
) -> Event {
    Event { id, name, source, sets: Sets::of(sets), args, returns: Returns::Nothing }
}

/// A hook, and the calls whose exit speaks where the kernel does not carry it.
pub(super) const fn hook(hook: &'static str, stand_in: &'static [&'static str]) -> Source {
    Source::Hook { hook, stand_in }
}

/// The name of the system call that an event happens in, nothing where it happens in none. Its last argument, which is
/// shown beside the others: [`Event::caller`].
pub(super) const CALL: Arg = arg(Event::CALLER, "const char*", Str);

pub(super) const fn arg(name: &'static str, ctype: &'static str, kind: ArgKind) -> Arg {
    Arg::new(name, ctype, kind)
}

pub(super) const fn fd(name: &'static str) -> Arg {
    arg(name, "int", Fd)
}

pub(super) const fn dirfd(name: &'static str) -> Arg {
    fd(name).named(Names::DirFd)
}

pub(super) const fn int(name: &'static str) -> Arg {
    arg(name, "int", I32)
}

pub(super) const fn uint(name: &'static str) -> Arg {
    arg(name, "unsigned int", U32)
}

pub(super) const fn ulong(name: &'static str) -> Arg {
    arg(name, "unsigned long", U64)
}

pub(super) const fn size(name: &'static str) -> Arg {
    arg(name, "size_t", U64)
}

pub(super) const fn off(name: &'static str) -> Arg {
    arg(name, "off_t", I64)
}

pub(super) const fn text(name: &'static str) -> Arg {
    arg(name, "const char*", Str)
}

pub(super) const fn pid(name: &'static str) -> Arg {
    arg(name, "pid_t", I32)
}

pub(super) const fn uid(name: &'static str) -> Arg {
    arg(name, "uid_t", U32)
}

pub(super) const fn gid(name: &'static str) -> Arg {
    arg(name, "gid_t", U32)
}

/// Permission bits; the kernel takes 16 of them.
pub(super) const fn mode(name: &'static str) -> Arg {
    arg(name, "mode_t", U16).named(Names::FileMode)
}

pub(super) const fn signal(name: &'static str) -> Arg {
    int(name).named(Names::Signal)
}

pub(super) const fn timespec(name: &'static str) -> Arg {
    arg(name, "const struct timespec*", ArgKind::Struct(StructKind::Timespec))
}

pub(super) const fn u32(name: &'static str) -> Arg {
    arg(name, "u32", U32)
}

pub(super) const fn u64(name: &'static str) -> Arg {
    arg(name, "u64", U64)
}

pub(super) const fn dev(name: &'static str) -> Arg {
    arg(name, "dev_t", U32)
}

/// Whether the open made the file (`FMODE_CREATED`): the kernel's word, missing where nothing was opened.
pub(super) const CREATED: Arg = arg("created", "bool", Bool).out();

/// `st_mode` of a file: its type and its permission bits.
pub(super) const fn file_type_and_mode(name: &'static str) -> Arg {
    arg(name, "umode_t", U16).named(Names::FileMode)
}

pub(super) const fn sockaddr(name: &'static str) -> Arg {
    arg(name, "struct sockaddr*", Sockaddr(Len::Probe))
}
