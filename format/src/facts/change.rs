//! What one event changes of the facts of processes.

use std::sync::{Arc, LazyLock};

use events::{Context, Event, EventId, Marks, Raw, catalogue};

use super::terminal::named_device;
use super::{Directories, Facts, NsPids, Terminal, UNSET};

const CLONE_FS: u64 = 0x200;
const CLONE_NEWNS: u64 = 0x2_0000;
const CLONE_NEWUSER: u64 = 0x1000_0000;
const TIOCSCTTY: u32 = 0x540e;
const TIOCGPGRP: u32 = 0x540f;
const TIOCSPGRP: u32 = 0x5410;
const TIOCNOTTY: u32 = 0x5422;
const TIOCGSID: u32 = 0x5429;
const ENXIO: i64 = 6;
const O_WRONLY: u64 = 1;
const O_ACCMODE: u64 = 3;
const O_NOCTTY: u64 = 0o400;
const O_PATH: u64 = 0o1000_0000;

/// A kind of fact: which events tell how it changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fact {
    Directory,
    Session,
    Group,
    Terminal,
    Login,
}

impl Fact {
    pub const ALL: [Fact; 5] = [Fact::Directory, Fact::Session, Fact::Group, Fact::Terminal, Fact::Login];

    /// The events without which it cannot be followed, beside those of processes that begin and end.
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Fact::Directory => &["set_fs_pwd"],
            Fact::Session => &["setsid"],
            Fact::Group => &["setsid", "setpgid"],
            Fact::Terminal => &["setsid", "ioctl"],
            Fact::Login => &["write"],
        }
    }

    /// Events that tell more of it where they are recorded.
    pub const fn uses(self) -> &'static [&'static str] {
        match self {
            Fact::Directory => &["unshare"],
            Fact::Session | Fact::Group => &[],
            Fact::Terminal => &["vhangup", "open", "openat", "openat2"],
            Fact::Login => &["pwrite64"],
        }
    }

    /// What it is, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Fact::Directory => "working directories",
            Fact::Session => "sessions",
            Fact::Group => "groups of processes",
            Fact::Terminal => "terminals",
            Fact::Login => "ids of logins",
        }
    }
}

/// Who did what changes a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Actor {
    pub pid: u32,
    pub tid: u32,
    /// Its pid in its own namespace, and that namespace.
    pub ns_pid: u32,
    pub pid_ns: u32,
}

impl Actor {
    pub fn of(context: &Context<'_>) -> Actor {
        let Context { pid, tid, ns_pid, pid_ns, .. } = *context;
        Actor { pid, tid, ns_pid, pid_ns }
    }
}

/// What an event changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FactChange {
    /// The working directory, to this one or to one that is not known.
    Directory(Option<Arc<[u8]>>),
    /// Threads have working directories of their own from here on.
    OwnDirectories,
    /// A new session, and a new group in it.
    Session,
    /// This process comes into this group, by numbers in the actor's namespace; 0 is the actor, and the process itself.
    Group {
        of: u32,
        to: u32,
    },
    /// Somebody comes into some group: it is not told which.
    SomeGroup,
    /// The session's terminal is this device from here on.
    Takes(Option<u32>),
    /// It has no terminal any more; with the leader of a session nobody of it has.
    Leaves,
    /// It turned out to have this one.
    Has(Option<u32>),
    HasNone,
    /// A terminal was opened: it may be that of the session from here on.
    Opens,
    HangsUp,
    /// Something was done to terminals, and it is not told what.
    SomeTerminal,
    /// Who logged in; the number of the login is another.
    Login(Option<u32>),
}

/// What is read of an event, and where it stands.
#[derive(Clone, Copy, Debug)]
enum Told {
    Directory { path: usize },
    Unshare { flags: usize },
    Thread { pid: usize, tid: usize, flags: usize },
    Session,
    Group { pid: usize, group: usize },
    Terminal { fd: usize, request: usize },
    HangUp,
    Open { path: usize, flags: usize },
    Write { fd: usize, data: usize },
}

/// By event id.
static TOLD: LazyLock<Vec<Option<Told>>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for event in catalogue::events() {
        // A position that no event has: its value is missing.
        let at = |name: &str| event.arg(name).map_or(usize::MAX, |(position, _)| position);
        let told = match event.name {
            "set_fs_pwd" => Told::Directory { path: at("resolved_path") },
            "unshare" => Told::Unshare { flags: at("flags") },
            "sched_process_fork" => {
                Told::Thread { pid: at("child_pid"), tid: at("child_tid"), flags: at("clone_flags") }
            }
            "setsid" => Told::Session,
            "setpgid" => Told::Group { pid: at("pid"), group: at("pgid") },
            "ioctl" => Told::Terminal { fd: at("fd"), request: at("request") },
            "vhangup" => Told::HangUp,
            "open" | "openat" => Told::Open { path: at("pathname"), flags: at("flags") },
            "openat2" => Told::Open { path: at("pathname"), flags: at("how") },
            "write" | "pwrite64" => Told::Write { fd: at("fd"), data: at("buf") },
            _ => continue,
        };
        let id = usize::from(event.id.0);
        if all.len() <= id {
            all.resize(id + 1, None);
        }
        if let Some(slot) = all.get_mut(id) {
            *slot = Some(told);
        }
    }
    all
});

fn told(event: EventId) -> Option<Told> {
    *TOLD.get(usize::from(event.0))?
}

/// Whether a value may be one of a row that changes something.
pub type Passes = fn(Raw<'_>) -> bool;

/// Calls what it is given with the facts of a process, by its pid on the host, where they are kept.
pub type OfProcess<'a> = dyn FnMut(u32, &mut dyn FnMut(&mut Facts)) + 'a;

impl FactChange {
    /// Whether rows of an event may change facts.
    pub fn may_be(event: EventId) -> bool {
        told(event).is_some()
    }

    /// The positions of the arguments that are read of an event.
    pub fn reads(event: &Event) -> Vec<usize> {
        let all = match told(event.id) {
            None | Some(Told::Session | Told::HangUp) => Vec::new(),
            Some(Told::Directory { path: at } | Told::Unshare { flags: at }) => vec![at],
            Some(Told::Thread { pid, tid, flags }) => vec![pid, tid, flags],
            Some(Told::Group { pid: one, group: other }) => vec![one, other],
            Some(Told::Terminal { fd: one, request: other }) => vec![one, other],
            Some(Told::Open { path: one, flags: other }) => vec![one, other],
            Some(Told::Write { fd: one, data: other }) => vec![one, other],
        };
        all.into_iter().filter(|at| *at < event.args.len()).collect()
    }

    /// The argument by whose value most rows of an event are seen to change nothing, and which values may.
    pub fn sieve(event: EventId) -> Option<(usize, Passes)> {
        match told(event)? {
            Told::Terminal { request, .. } => {
                Some((request, |raw| number(raw).is_none_or(|request| is_of_terminals(request as u32))))
            }
            Told::Open { path, .. } => Some((path, |raw| match raw {
                Raw::Bytes(path) => path == b"/dev/tty" || named_device(path).is_some(),
                _ => false,
            })),
            Told::Write { fd, .. } => {
                Some((fd, |raw| raw.descriptor().is_some_and(|(_, text)| text.ends_with(b"/loginuid"))))
            }
            _ => None,
        }
    }

    /// What a row changes. `arg`: an argument by its position.
    pub fn of<'a>(
        event: EventId,
        ret: i64,
        marks: Marks,
        arg: &dyn Fn(usize) -> Raw<'a>,
    ) -> Option<FactChange> {
        let told = told(event)?;
        if marks.has(Marks::UNDONE) || marks.has(Marks::NO_CONTEXT) {
            return None;
        }
        let is_open = matches!(told, Told::Open { .. });
        let has_result = !matches!(told, Told::Directory { .. } | Told::Thread { .. });
        if has_result && ret < 0 && !is_open {
            return None;
        }
        Some(match told {
            Told::Directory { path } => FactChange::Directory(match arg(path) {
                Raw::Bytes(path) if path.first() == Some(&b'/') => Some(path.into()),
                _ => None,
            }),
            Told::Unshare { flags } => {
                let flags = number(arg(flags)).unwrap_or(u64::MAX);
                if flags & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER) == 0 {
                    return None;
                }
                FactChange::OwnDirectories
            }
            Told::Thread { pid, tid, flags } => {
                let flags = number(arg(flags))?;
                if number(arg(pid)) == number(arg(tid)) || flags & CLONE_FS != 0 {
                    return None;
                }
                FactChange::OwnDirectories
            }
            Told::Session => FactChange::Session,
            Told::Group { pid, group } => match (number(arg(pid)), number(arg(group))) {
                (Some(of), Some(to)) => FactChange::Group { of: of as u32, to: to as u32 },
                _ => FactChange::SomeGroup,
            },
            Told::Terminal { fd, request } => {
                let Some(request) = number(arg(request)) else { return Some(FactChange::SomeTerminal) };
                let path = arg(fd).descriptor().map(|(_, text)| text).unwrap_or_default();
                match request as u32 {
                    TIOCSCTTY => FactChange::Takes(named_device(path)),
                    TIOCNOTTY => FactChange::Leaves,
                    // These succeed on one's own terminal alone, and on the other end of any.
                    TIOCGPGRP | TIOCSPGRP | TIOCGSID => FactChange::Has(Some(named_device(path)?)),
                    _ => return None,
                }
            }
            Told::HangUp => FactChange::HangsUp,
            Told::Open { path, flags } => {
                let Raw::Bytes(path) = arg(path) else { return None };
                if path == b"/dev/tty" {
                    return match ret {
                        0.. => Some(FactChange::Has(None)),
                        ret if ret == -ENXIO => Some(FactChange::HasNone),
                        _ => None,
                    };
                }
                let flags = number(arg(flags)).unwrap_or_default();
                let may = flags & (O_NOCTTY | O_PATH) == 0 && flags & O_ACCMODE != O_WRONLY;
                if ret < 0 || !may || named_device(path).is_none() {
                    return None;
                }
                FactChange::Opens
            }
            Told::Write { fd, data } => {
                let (_, path) = arg(fd).descriptor()?;
                if ret <= 0 || !path.starts_with(b"/proc/") || !path.ends_with(b"/loginuid") {
                    return None;
                }
                FactChange::Login(match arg(data) {
                    Raw::Bytes(text) => login_uid(text),
                    _ => None,
                })
            }
        })
    }

    /// Brings the facts forward.
    pub fn apply(&self, actor: Actor, ns_pids: &NsPids, of: &mut OfProcess<'_>) {
        let own = actor.pid;
        match self {
            FactChange::Directory(path) => of(own, &mut |facts| {
                let is_its = match facts.directories {
                    Directories::One => true,
                    Directories::OfThreads => actor.tid == own,
                    Directories::Shared => false,
                };
                if is_its {
                    facts.cwd.clone_from(path);
                }
            }),
            FactChange::OwnDirectories => of(own, &mut |facts| {
                if facts.directories == Directories::One {
                    facts.directories = Directories::OfThreads;
                }
            }),
            FactChange::Session => of(own, &mut |facts| {
                (facts.session, facts.group, facts.terminal) = (Some(own), Some(own), Terminal::none());
            }),
            FactChange::Group { of: whose, to } => {
                let Some(whose) = ns_pids.of(actor, *whose) else { return };
                let to = if *to == 0 { Some(whose) } else { ns_pids.of(actor, *to) };
                of(whose, &mut |facts| facts.group = to);
            }
            // A process sets its own group, or that of a child: of that one nobody knows.
            FactChange::SomeGroup => of(own, &mut |facts| facts.group = None),
            FactChange::Takes(device) => {
                of(own, &mut |facts| facts.terminal = Terminal::of(*device));
            }
            FactChange::Leaves => of(own, &mut |facts| {
                if facts.session == Some(own) {
                    facts.terminal.hang_up();
                }
                facts.terminal = Terminal::none();
            }),
            FactChange::Has(Some(device)) => {
                of(own, &mut |facts| facts.terminal.learn(&Terminal::device(*device)));
            }
            FactChange::Has(None) => of(own, &mut |facts| {
                if facts.terminal.is_there() != Some(true) {
                    facts.terminal.learn(&Terminal::unnamed());
                }
            }),
            FactChange::HasNone => of(own, &mut |facts| facts.terminal.learn(&Terminal::none())),
            FactChange::Opens => of(own, &mut |facts| {
                // It is the session's if no other session has it, which nobody knows.
                if facts.session.is_none_or(|session| session == own)
                    && facts.terminal.is_there() == Some(false)
                {
                    facts.terminal = Terminal::default();
                }
            }),
            FactChange::HangsUp => of(own, &mut |facts| facts.terminal.hang_up()),
            FactChange::SomeTerminal => of(own, &mut |facts| facts.terminal = Terminal::default()),
            FactChange::Login(uid) => of(own, &mut |facts| {
                let is_unset = *uid == Some(UNSET);
                (facts.login_uid, facts.audit_session) = (*uid, is_unset.then_some(UNSET));
            }),
        }
    }
}

fn is_of_terminals(request: u32) -> bool {
    matches!(request, TIOCSCTTY | TIOCNOTTY | TIOCGPGRP | TIOCSPGRP | TIOCGSID)
}

/// A number, or what begins with one.
fn number(raw: Raw<'_>) -> Option<u64> {
    match raw {
        Raw::Number(number) => Some(number),
        Raw::Bytes(bytes) => bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        Raw::Missing => None,
    }
}

/// What was written into a `loginuid`: a number, -1 for none.
fn login_uid(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?.trim_matches(['\0', '\n', ' ']);
    match text.parse::<i64>().ok()? {
        -1 => Some(UNSET),
        number => u32::try_from(number).ok(),
    }
}

#[cfg(test)]
mod tests;
