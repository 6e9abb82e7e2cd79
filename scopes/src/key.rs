//! Filter keys: their names, short forms, operators and what their values are.

use events::mark_names::{self, Mark};

use crate::syntax::Op;
use crate::thing::Thing;

/// What a filter without an event before its key is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    Event,
    Set,
    Follow,
    Global,
    Field(Field),
    /// What any argument names.
    Thing(Thing),
    /// What rows are marked with: `cut`, `blocked`.
    Mark(&'static Mark),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// One fact of a context (or of a row) that filters ask about.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Field { $($(#[$doc])* $name),* }

        impl Field {
            /// As it is called in messages.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$name => $text),* }
            }
        }
    };
}

fields! {
    Comm = "comm", Binary = "binary", Container = "container",
    /// The thread group on the host; a number that is a thread's id selects that thread too.
    Pid = "pid",
    Tid = "tid", Ppid = "ppid",
    /// The thread group on the host and nothing else.
    HostPid = "hostPid",
    NsPid = "nsPid", NsTid = "nsTid", NsPpid = "nsPpid",
    Uid = "uid", MntNs = "mntns", PidNs = "pidns", Uts = "uts", Tree = "tree",
    /// The name of the host that was recorded.
    HostName = "host",
    CgroupId = "cgroupId",
    /// Outside of any container.
    Host = "host",
    ContainerId = "containerId", ContainerImage = "containerImage", ContainerName = "containerName",
    PodName = "podName", PodNamespace = "podNamespace", PodUid = "podUid", PodSandbox = "podSandbox",
    /// The real group.
    Gid = "gid",
    Euid = "euid", Egid = "egid", Suid = "suid", Sgid = "sgid", Fsuid = "fsuid", Fsgid = "fsgid",
    /// A capability of the effective set; the others by their names.
    Cap = "cap", CapPermitted = "capPermitted", CapInheritable = "capInheritable",
    CapBounding = "capBounding", CapAmbient = "capAmbient",
    /// The working directory.
    Cwd = "cwd",
    /// By the leaders' pids on the host.
    Session = "session", Pgid = "pgid",
    /// The controlling terminal.
    Tty = "tty",
    /// Who logged in, and the number of that login.
    LoginUid = "loginuid", AuditSession = "auditSession",
    Timestamp = "timestamp", ProcessorId = "processorId",
    /// How long a call took.
    Duration = "duration",
    Syscall = "syscall",
}

/// What values a field takes, and so which operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    Text,
    Path,
    /// Within these bounds. Without order: `=` and `!=` only.
    Number {
        max: u64,
        ordered: bool,
    },
    /// A number, `new`, or `NUMBER@START`.
    Id {
        new: bool,
        pin: bool,
    },
    /// A number or a user's name.
    User,
    /// The same, or `unset`.
    Login,
    /// A capability's name or number; a task has several.
    Capability,
    /// An absolute path, of which nothing else is known.
    Directory,
    /// A terminal's name, or `none`.
    Terminal,
    Tree,
    Container,
    /// A time with its unit, kept in ns.
    Duration,
    /// Bare, or `=true`, `=false`.
    Flag,
}

const EQUALITY: &[Op] = &[Op::Equal, Op::NotEqual];
const ORDER: &[Op] = &[Op::Equal, Op::NotEqual, Op::Less, Op::Greater, Op::LessOrEqual, Op::GreaterOrEqual];

impl Class {
    pub fn operators(self) -> &'static [Op] {
        match self {
            Class::Number { ordered: true, .. }
            | Class::Id { .. }
            | Class::User
            | Class::Login
            | Class::Duration => ORDER,
            Class::Container => &[Op::Is, Op::IsNot, Op::Equal, Op::NotEqual],
            Class::Flag => &[Op::Is, Op::IsNot, Op::Equal, Op::NotEqual],
            Class::Text | Class::Path | Class::Tree | Class::Number { ordered: false, .. } => EQUALITY,
            Class::Capability | Class::Directory | Class::Terminal => EQUALITY,
        }
    }

    /// What a value may be, for messages.
    pub fn values(self) -> &'static str {
        match self {
            Class::Text => "a text, with * for any characters",
            Class::Path => "an absolute path or memfd:NAME, with host: or MNTNS: before it at will",
            Class::Number { max, .. } if max == u32::MAX as u64 => "a number from 0 to 4294967295",
            Class::Number { max, .. } if max == u16::MAX as u64 => "a number from 0 to 65535",
            Class::Number { .. } => "a number from 0 to 18446744073709551615",
            Class::Id { new: true, .. } => "a number from 0 to 4294967295, NUMBER@START, or new",
            Class::Id { pin: true, .. } => "a number from 0 to 4294967295, or NUMBER@START",
            Class::Id { .. } => "a number from 0 to 4294967295",
            Class::User => "a number from 0 to 4294967295, or a user's name",
            Class::Login => "a number from 0 to 4294967295, a user's name, or unset",
            Class::Capability => "a capability's name (CAP_SYS_ADMIN, sys_admin) or number, 0 to 63",
            Class::Directory => "an absolute path, with * for any characters",
            Class::Terminal => "a terminal's name (pts/0, tty1), with * for any characters, or none",
            Class::Tree => "a process id, or PID@START",
            Class::Container => "an id or its beginning, a name, new, or started",
            Class::Duration => "a time with its unit (ns, us, ms, s, m, h), such as 5ms or 1.5s",
            Class::Flag => "true or false",
        }
    }
}

const U32: Class = Class::Number { max: u32::MAX as u64, ordered: true };
const NAMESPACE: Class = Class::Number { max: u32::MAX as u64, ordered: false };
const U64: Class = Class::Number { max: u64::MAX, ordered: true };

impl Field {
    pub const fn class(self) -> Class {
        match self {
            Field::Comm
            | Field::Uts
            | Field::HostName
            | Field::ContainerId
            | Field::ContainerImage
            | Field::ContainerName
            | Field::PodName
            | Field::PodNamespace
            | Field::PodUid
            | Field::Syscall => Class::Text,
            Field::Binary => Class::Path,
            Field::Container => Class::Container,
            Field::Pid | Field::Tid | Field::HostPid => Class::Id { new: true, pin: true },
            Field::Ppid => Class::Id { new: false, pin: true },
            Field::Uid | Field::Euid | Field::Suid | Field::Fsuid => Class::User,
            Field::LoginUid => Class::Login,
            Field::Cap
            | Field::CapPermitted
            | Field::CapInheritable
            | Field::CapBounding
            | Field::CapAmbient => Class::Capability,
            Field::Cwd => Class::Directory,
            Field::Tty => Class::Terminal,
            Field::Gid
            | Field::Egid
            | Field::Sgid
            | Field::Fsgid
            | Field::Session
            | Field::Pgid
            | Field::AuditSession => U32,
            Field::MntNs | Field::PidNs => NAMESPACE,
            Field::Tree => Class::Tree,
            Field::NsPid | Field::NsTid | Field::NsPpid => U32,
            Field::CgroupId | Field::Timestamp => U64,
            Field::ProcessorId => Class::Number { max: u16::MAX as u64, ordered: true },
            Field::Duration => Class::Duration,
            Field::Host | Field::PodSandbox => Class::Flag,
        }
    }

    /// Whether only a container has it.
    pub const fn is_of_container(self) -> bool {
        matches!(
            self,
            Field::ContainerId
                | Field::ContainerImage
                | Field::ContainerName
                | Field::PodName
                | Field::PodNamespace
                | Field::PodUid
                | Field::PodSandbox
        )
    }

    /// Whether it belongs to a row, rather than to its context.
    pub const fn is_of_row(self) -> bool {
        matches!(self, Field::Timestamp | Field::ProcessorId | Field::Duration)
    }
}

/// How a key may be shortened.
enum Short {
    No,
    /// Any beginning of the name, from one letter on.
    AnyPrefix,
}

const KEYS: &[(&str, Short, Key)] = &[
    ("event", Short::AnyPrefix, Key::Event),
    ("set", Short::AnyPrefix, Key::Set),
    ("comm", Short::No, Key::Field(Field::Comm)),
    ("binary", Short::No, Key::Field(Field::Binary)),
    ("bin", Short::No, Key::Field(Field::Binary)),
    ("executable", Short::No, Key::Field(Field::Binary)),
    ("exec", Short::No, Key::Field(Field::Binary)),
    ("container", Short::AnyPrefix, Key::Field(Field::Container)),
    ("pid", Short::AnyPrefix, Key::Field(Field::Pid)),
    ("tid", Short::AnyPrefix, Key::Field(Field::Tid)),
    ("ppid", Short::No, Key::Field(Field::Ppid)),
    ("hostPid", Short::No, Key::Field(Field::Pid)),
    ("hostTid", Short::No, Key::Field(Field::Tid)),
    ("hostPpid", Short::No, Key::Field(Field::Ppid)),
    ("nsPid", Short::No, Key::Field(Field::NsPid)),
    ("nsTid", Short::No, Key::Field(Field::NsTid)),
    ("nsPpid", Short::No, Key::Field(Field::NsPpid)),
    ("uid", Short::AnyPrefix, Key::Field(Field::Uid)),
    ("mntns", Short::No, Key::Field(Field::MntNs)),
    ("pidns", Short::No, Key::Field(Field::PidNs)),
    ("uts", Short::No, Key::Field(Field::Uts)),
    ("host", Short::No, Key::Field(Field::HostName)),
    ("gid", Short::No, Key::Field(Field::Gid)),
    ("euid", Short::No, Key::Field(Field::Euid)),
    ("egid", Short::No, Key::Field(Field::Egid)),
    ("suid", Short::No, Key::Field(Field::Suid)),
    ("sgid", Short::No, Key::Field(Field::Sgid)),
    ("fsuid", Short::No, Key::Field(Field::Fsuid)),
    ("fsgid", Short::No, Key::Field(Field::Fsgid)),
    ("cap", Short::No, Key::Field(Field::Cap)),
    ("capPermitted", Short::No, Key::Field(Field::CapPermitted)),
    ("capInheritable", Short::No, Key::Field(Field::CapInheritable)),
    ("capBounding", Short::No, Key::Field(Field::CapBounding)),
    ("capAmbient", Short::No, Key::Field(Field::CapAmbient)),
    ("cwd", Short::No, Key::Field(Field::Cwd)),
    ("session", Short::No, Key::Field(Field::Session)),
    ("pgid", Short::No, Key::Field(Field::Pgid)),
    ("tty", Short::No, Key::Field(Field::Tty)),
    ("loginuid", Short::No, Key::Field(Field::LoginUid)),
    ("auditSession", Short::No, Key::Field(Field::AuditSession)),
    ("duration", Short::No, Key::Field(Field::Duration)),
    ("tree", Short::No, Key::Field(Field::Tree)),
    ("follow", Short::AnyPrefix, Key::Follow),
    ("file", Short::No, Key::Thing(Thing::File)),
    ("peer", Short::No, Key::Thing(Thing::Peer)),
    ("global", Short::No, Key::Global),
];

/// `not-container` is spelled as a key of its own.
pub const NOT_CONTAINER: &str = "not-container";

/// The key of this name or short form.
pub fn key(text: &str) -> Option<Key> {
    if let Some(mark) = mark_names::by_name(text) {
        return Some(Key::Mark(mark));
    }
    let exact = KEYS.iter().find(|(name, ..)| *name == text);
    let prefix =
        || KEYS.iter().find(|(name, short, _)| matches!(short, Short::AnyPrefix) && name.starts_with(text));
    exact.or_else(prefix).filter(|_| !text.is_empty()).map(|(.., key)| *key)
}

/// All full names, for messages.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, ..)| *name).chain([NOT_CONTAINER]).chain(mark_names::ALL.iter().map(|it| it.name))
}

const CONTEXT_FIELDS: &[(&str, Field)] = &[
    ("timestamp", Field::Timestamp),
    ("processorId", Field::ProcessorId),
    ("duration", Field::Duration),
    ("p", Field::NsPid),
    ("pid", Field::NsPid),
    ("processId", Field::NsPid),
    ("tid", Field::NsTid),
    ("threadId", Field::NsTid),
    ("ppid", Field::NsPpid),
    ("parentProcessId", Field::NsPpid),
    ("hostPid", Field::HostPid),
    ("hostProcessId", Field::HostPid),
    ("hostTid", Field::Tid),
    ("hostThreadId", Field::Tid),
    ("hostPpid", Field::Ppid),
    ("hostParentProcessId", Field::Ppid),
    ("nsPid", Field::NsPid),
    ("nsTid", Field::NsTid),
    ("nsPpid", Field::NsPpid),
    ("uid", Field::Uid),
    ("userId", Field::Uid),
    ("gid", Field::Gid),
    ("euid", Field::Euid),
    ("egid", Field::Egid),
    ("suid", Field::Suid),
    ("sgid", Field::Sgid),
    ("fsuid", Field::Fsuid),
    ("fsgid", Field::Fsgid),
    ("cap", Field::Cap),
    ("capPermitted", Field::CapPermitted),
    ("capInheritable", Field::CapInheritable),
    ("capBounding", Field::CapBounding),
    ("capAmbient", Field::CapAmbient),
    ("cwd", Field::Cwd),
    ("session", Field::Session),
    ("pgid", Field::Pgid),
    ("tty", Field::Tty),
    ("loginuid", Field::LoginUid),
    ("auditSession", Field::AuditSession),
    ("mntns", Field::MntNs),
    ("mountNamespace", Field::MntNs),
    ("pidns", Field::PidNs),
    ("pidNamespace", Field::PidNs),
    ("comm", Field::Comm),
    ("processName", Field::Comm),
    ("binary", Field::Binary),
    ("executable", Field::Binary),
    ("uts", Field::Uts),
    ("hostName", Field::Uts),
    ("cgroupId", Field::CgroupId),
    ("host", Field::Host),
    ("container", Field::Container),
    ("containerId", Field::ContainerId),
    ("containerImage", Field::ContainerImage),
    ("containerName", Field::ContainerName),
    ("podName", Field::PodName),
    ("podNamespace", Field::PodNamespace),
    ("podUid", Field::PodUid),
    ("podUID", Field::PodUid),
    ("podSandbox", Field::PodSandbox),
    ("syscall", Field::Syscall),
];

/// The field behind `EVENT.context.`
pub fn context_field(name: &str) -> Option<Field> {
    CONTEXT_FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}

pub fn context_field_names() -> impl Iterator<Item = &'static str> {
    CONTEXT_FIELDS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_those_of_the_reference() {
        for text in ["e", "ev", "event"] {
            assert_eq!(key(text), Some(Key::Event));
        }
        assert_eq!(key("c"), Some(Key::Field(Field::Container)));
        assert_eq!(key("p"), Some(Key::Field(Field::Pid)));
        assert_eq!(key("u"), Some(Key::Field(Field::Uid)));
        assert_eq!(key("exec"), Some(Key::Field(Field::Binary)));
        assert_eq!(key("fol"), Some(Key::Follow));
        assert_eq!(key("s"), Some(Key::Set));
        assert_eq!(key("com"), None);
        assert_eq!(key("ut"), None);
        assert_eq!(key(""), None);
    }
}
