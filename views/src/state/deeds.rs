//! Which events change the state, and where their arguments stand.

use events::catalogue;
use events::{ArgKind, Event, EventId, Returns};
use format::facts::FactChange;
use pipeline::stage::{DescriptorChange, Reads, Sieve};

use super::Wants;
use super::apply::{F_DUPFD, F_DUPFD_CLOEXEC, F_SETFD, FIOCLEX, FIONCLEX};

/// What an event does to the state, with the positions of the arguments that say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Fork {
        pid: usize,
        tid: usize,
        ns_pid: usize,
        start: usize,
        flags: usize,
    },
    Exec {
        argv: usize,
    },
    Exit {
        whole: usize,
    },
    /// Who does it is as its context says from here on: its user, its name, its namespaces.
    Refresh,
    Unshare {
        flags: usize,
    },
    /// Another working directory: that of a descriptor, or one that was told.
    Directory {
        fd: Option<usize>,
    },
    /// The path of what a call of this thread is about, as the kernel has it.
    Told {
        path: usize,
        call: usize,
    },
    Open {
        path: usize,
        flags: Option<usize>,
    },
    Close {
        fd: usize,
    },
    CloseRange {
        first: usize,
        last: usize,
        flags: usize,
    },
    Duplicate {
        old: usize,
        flags: Option<usize>,
    },
    Control {
        fd: usize,
        command: usize,
        value: usize,
    },
    Ioctl {
        fd: usize,
        request: usize,
    },
    Socket {
        domain: usize,
        kind: usize,
        protocol: usize,
    },
    Pair {
        at: usize,
        flags: Option<usize>,
    },
    Accept {
        fd: usize,
        peer: usize,
        flags: Option<usize>,
    },
    Listen {
        fd: usize,
    },
    /// Any other call that returns a descriptor.
    Gives {
        flags: Option<usize>,
        name: Option<usize>,
    },
    /// Nothing but the use of descriptors.
    Use,
    Connection {
        new: usize,
        local: usize,
        remote: usize,
        protocol: usize,
        cookie: usize,
    },
    Mount {
        source: usize,
        target: usize,
        kind: usize,
        flags: usize,
    },
    Unmount {
        target: usize,
    },
    MoveMount {
        to: usize,
    },
    PivotRoot,
}

/// What is done about each event, by its id.
#[derive(Debug)]
pub(crate) struct Deeds {
    pub wants: Wants,
    by_id: Vec<Option<(Deed, &'static Event)>>,
}

/// Calls after which who did them is another user, or has another name or other namespaces.
const REFRESHES: &[&str] =
    &["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "prctl", "task_rename", "setns"];

impl Deeds {
    pub fn new(wants: Wants) -> Deeds {
        let mut by_id = Vec::new();
        for event in catalogue::events() {
            let Some(deed) = deed(event, wants) else { continue };
            let at = usize::from(event.id.0);
            if by_id.len() <= at {
                by_id.resize(at + 1, None);
            }
            if let Some(slot) = by_id.get_mut(at) {
                *slot = Some((deed, event));
            }
        }
        Deeds { wants, by_id }
    }

    pub fn of(&self, event: EventId) -> Option<(Deed, &'static Event)> {
        *self.by_id.get(usize::from(event.0))?
    }

    /// Whether rows of an event are looked at for what they change of facts.
    pub fn may_change_facts(&self, event: EventId) -> bool {
        self.wants.facts && FactChange::may_be(event)
    }

    pub fn reads(&self) -> Vec<Reads> {
        let known = self.by_id.iter().flatten();
        let of_facts =
            catalogue::events().filter(|event| self.may_change_facts(event.id)).map(|event| Reads {
                event: event.id,
                args: FactChange::reads(event),
                contexts: true,
                results: true,
                only: FactChange::sieve(event.id).map(|(position, passes)| Sieve { position, passes }),
                descriptors: None,
            });
        known
            .map(|(deed, event)| Reads {
                event: event.id,
                args: deed.args(event),
                contexts: true,
                results: true,
                only: None,
                descriptors: deed.descriptor_change(),
            })
            .chain(of_facts)
            .collect()
    }
}

fn deed(event: &Event, wants: Wants) -> Option<Deed> {
    // A position that no event has: its value is missing.
    let at = |name: &str| event.arg(name).map_or(usize::MAX, |(position, _)| position);
    let maybe = |name: &str| event.arg(name).map(|(position, _)| position);
    let of_process = match event.name {
        "sched_process_fork" => Some(Deed::Fork {
            pid: at("child_pid"),
            tid: at("child_tid"),
            ns_pid: at("child_ns_pid"),
            start: at("start_time"),
            flags: at("clone_flags"),
        }),
        "sched_process_exec" => Some(Deed::Exec { argv: at("argv") }),
        "sched_process_exit" => Some(Deed::Exit { whole: at("process_group_exit") }),
        "unshare" => Some(Deed::Unshare { flags: at("flags") }),
        "set_fs_pwd" => Some(Deed::Told { path: at("resolved_path"), call: at(Event::CALLER) }),
        "chdir" => Some(Deed::Directory { fd: None }),
        "fchdir" => Some(Deed::Directory { fd: maybe("fd") }),
        name if REFRESHES.contains(&name) => Some(Deed::Refresh),
        _ => None,
    };
    let of_files = || match event.name {
        "security_file_open" => Some(Deed::Told { path: at("pathname"), call: at(Event::CALLER) }),
        "open" | "creat" | "openat" => Some(Deed::Open { path: at("pathname"), flags: maybe("flags") }),
        "openat2" => Some(Deed::Open { path: at("pathname"), flags: maybe("how") }),
        "close" => Some(Deed::Close { fd: at("fd") }),
        "close_range" => Some(Deed::CloseRange { first: at("first"), last: at("last"), flags: at("flags") }),
        "dup" | "dup2" => Some(Deed::Duplicate { old: at("oldfd"), flags: None }),
        "dup3" => Some(Deed::Duplicate { old: at("oldfd"), flags: maybe("flags") }),
        "fcntl" | "fcntl64" => Some(Deed::Control { fd: at("fd"), command: at("cmd"), value: at("arg") }),
        "ioctl" => Some(Deed::Ioctl { fd: at("fd"), request: at("request") }),
        "socket" => Some(Deed::Socket { domain: at("domain"), kind: at("type"), protocol: at("protocol") }),
        "pipe" | "pipe2" => Some(Deed::Pair { at: at("pipefd"), flags: maybe("flags") }),
        "socketpair" => Some(Deed::Pair { at: at("sv"), flags: maybe("type") }),
        "accept" | "accept4" => {
            Some(Deed::Accept { fd: at("sockfd"), peer: at("addr"), flags: maybe("flags") })
        }
        "listen" => Some(Deed::Listen { fd: at("sockfd") }),
        "inet_sock_set_state" => Some(Deed::Connection {
            new: at("new_state"),
            local: at("local_addr"),
            remote: at("remote_addr"),
            protocol: at("protocol"),
            cookie: at("cookie"),
        }),
        _ if !event.is_syscall() => None,
        _ if event.returns == Returns::Fd => Some(Deed::Gives { flags: maybe("flags"), name: maybe("name") }),
        _ if event.args.iter().any(|arg| arg.kind == ArgKind::Fd) => Some(Deed::Use),
        _ => None,
    };
    let of_mounts = || match event.name {
        "security_sb_mount" => Some(Deed::Told { path: at("path"), call: at(Event::CALLER) }),
        "security_sb_umount" => Some(Deed::Told { path: at("mountpoint"), call: at(Event::CALLER) }),
        "mount" => Some(Deed::Mount {
            source: at("source"),
            target: at("target"),
            kind: at("filesystemtype"),
            flags: at("mountflags"),
        }),
        "umount2" | "umount" => Some(Deed::Unmount { target: at("target") }),
        "move_mount" => Some(Deed::MoveMount { to: at("to_path") }),
        "pivot_root" => Some(Deed::PivotRoot),
        _ => None,
    };
    let of_files = || if wants.files { of_files() } else { None };
    let of_mounts = || if wants.mounts { of_mounts() } else { None };
    of_process.or_else(of_files).or_else(of_mounts)
}

impl Deed {
    /// `None` where it does more than that.
    fn descriptor_change(self) -> Option<DescriptorChange> {
        match self {
            Deed::Use => Some(DescriptorChange::None),
            Deed::Listen { .. } => Some(DescriptorChange::Sets),
            Deed::Control { fd, command, .. } => Some(DescriptorChange::Controls {
                fd,
                command,
                sets: &[F_SETFD],
                duplicates: &[F_DUPFD, F_DUPFD_CLOEXEC],
            }),
            Deed::Ioctl { fd, request } => Some(DescriptorChange::Controls {
                fd,
                command: request,
                sets: &[FIOCLEX, FIONCLEX],
                duplicates: &[],
            }),
            Deed::Open { .. } | Deed::Socket { .. } | Deed::Accept { .. } | Deed::Gives { .. } => {
                Some(DescriptorChange::Opens)
            }
            Deed::Duplicate { old, .. } => Some(DescriptorChange::Duplicates(old)),
            Deed::Close { fd } => Some(DescriptorChange::Closes(fd)),
            Deed::Told { .. } => Some(DescriptorChange::TellsOfCall),
            Deed::Connection { .. } => Some(DescriptorChange::Elsewhere),
            _ => None,
        }
    }

    /// Everything that is read of the event.
    fn args(self, event: &Event) -> Vec<usize> {
        let own = match self {
            Deed::Fork { pid, tid, ns_pid, start, flags } => vec![pid, tid, ns_pid, start, flags],
            Deed::Exec { argv: at } | Deed::Exit { whole: at } | Deed::Unshare { flags: at } => vec![at],
            Deed::Told { path, call } => vec![path, call],
            Deed::Close { fd: at } => vec![at],
            Deed::Directory { fd } => fd.into_iter().collect(),
            Deed::Refresh | Deed::PivotRoot | Deed::Use => Vec::new(),
            Deed::Open { path, flags } => [Some(path), flags].into_iter().flatten().collect(),
            Deed::CloseRange { first, last, flags } => vec![first, last, flags],
            Deed::Duplicate { flags, .. } => flags.into_iter().collect(),
            Deed::Control { fd, command, value } => vec![fd, command, value],
            Deed::Ioctl { fd, request } => vec![fd, request],
            Deed::Socket { domain, kind, protocol } => vec![domain, kind, protocol],
            Deed::Pair { at, flags } => [Some(at), flags].into_iter().flatten().collect(),
            Deed::Accept { peer, flags, .. } => [Some(peer), flags].into_iter().flatten().collect(),
            Deed::Listen { fd } => vec![fd],
            Deed::Gives { flags, name } => [flags, name].into_iter().flatten().collect(),
            Deed::Connection { new, local, remote, protocol, cookie } => {
                vec![new, local, remote, protocol, cookie]
            }
            Deed::Mount { source, target, kind, flags } => vec![source, target, kind, flags],
            Deed::Unmount { target: at } | Deed::MoveMount { to: at } => vec![at],
        };
        let descriptors = descriptors(event);
        let mut all: Vec<usize> =
            own.into_iter().chain(descriptors).filter(|at| *at < event.args.len()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The positions of an event's descriptors.
pub(crate) fn descriptors(event: &Event) -> impl Iterator<Item = usize> {
    event.args.iter().enumerate().filter(|(_, arg)| arg.kind == ArgKind::Fd).map(|(at, _)| at)
}
