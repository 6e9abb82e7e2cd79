//! The declaration of one event.

use crate::{Arg, ArgKind, Sets};

/// Number of an event inside this program. System calls have their x86_64 number; all others are above 1000.
/// Files and filters know events by name: a capture's schema maps its ids to names, and ids may shift between versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct EventId(pub u16);

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Event {
    pub id: EventId,
    /// As Tracee's users write it in a filter, such as `openat` or `sched_process_exec`.
    pub name: &'static str,
    pub source: Source,
    pub sets: Sets,
    /// In the order of Tracee's events, so that tables and JSON list them as its users know.
    pub args: &'static [Arg],
    /// What a return value is.
    pub returns: Returns,
}

/// What a call's return value is, when it is not a negated errno.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returns {
    /// A number, a count, or zero.
    Number,
    /// A new descriptor.
    Fd,
    /// An address (`mmap`, `brk`, `shmat`).
    Pointer,
    /// A process or thread id, as the caller's pid namespace sees it.
    Pid,
    /// The number of a user or group, unsigned (`getuid`).
    Id,
    /// Permission bits (`umask`).
    Mode,
    /// The call does not return when it succeeds (`exit`), or the event is no call.
    Nothing,
}

/// Where an event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The exit of a system call (its entry, for the few that may not return).
    Syscall(SyscallNumbers),
    /// A kernel tracepoint of this name, by BTF (`tp_btf`).
    Tracepoint(&'static str),
    /// A kernel function or LSM hook; where the kernel cannot carry the probe, the exit of `stand_in` calls emits it,
    /// marked with [`crate::Marks::STAND_IN`].
    Hook { hook: &'static str, stand_in: &'static [&'static str] },
    /// The exit of these system calls, when they did what the event says.
    Exit { of: &'static [&'static str] },
    /// A packet seen by the cgroup programs. Only `net_packet` itself is recorded; protocols are derived from it.
    Packet,
    /// Computed from other events, in replay and live alike; never in a file.
    Derived { from: &'static [&'static str] },
    /// Said by the recorder itself (a container that it resolved, events that were lost).
    Recorder,
    /// Known by name, so that filters and imported logs can speak of it, but no probe here gives it: why.
    Unsupported(&'static str),
}

/// The numbers of one system call; `None` where an architecture does not have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyscallNumbers {
    pub x86_64: Option<u16>,
    /// 32-bit x86, for compat calls on a 64-bit kernel.
    pub i386: Option<u16>,
    pub aarch64: Option<u16>,
}

impl Event {
    /// The same event, its result being of this kind.
    pub const fn returns(self, returns: Returns) -> Event {
        Event { returns, ..self }
    }

    /// The argument of this name, with its position.
    pub fn arg(&self, name: &str) -> Option<(usize, &'static Arg)> {
        self.args.iter().enumerate().find(|(_, arg)| arg.name == name)
    }

    /// The name of the last argument of what happens in a system call: that call's name.
    pub const CALLER: &str = "syscall";

    /// The name of the argument that the recorder works out itself, so that it is neither cut nor unreadable.
    pub const HASH: &str = "sha256";

    /// The position of the argument that names the system call that the event happens in.
    pub fn caller(&self) -> Option<usize> {
        let last = self.args.len().checked_sub(1)?;
        let arg = self.args.get(last)?;
        (arg.name == Self::CALLER && arg.kind == ArgKind::Str && !self.is_syscall()).then_some(last)
    }

    /// The arguments that are listed as such: all but [`Event::caller`], which has a place of its own.
    pub fn listed_args(&self) -> &'static [Arg] {
        self.caller().and_then(|position| self.args.get(..position)).unwrap_or(self.args)
    }

    pub fn is_syscall(&self) -> bool {
        matches!(self.source, Source::Syscall(_))
    }

    pub fn is_derived(&self) -> bool {
        matches!(self.source, Source::Derived { .. })
    }
}
