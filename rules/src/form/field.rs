//! What of an event a test looks at, by its meaning.

use std::fmt;

use format::facts::{Fact, FactSet};

use super::{Computed, Execution, Kin};
use crate::account::AccountPart;
use crate::login::LoginPart;

/// A value of an event, or of what is known at its time. A field that an event does not have is missing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Field {
    /// Name of the event.
    Event,
    /// Name of the system call that it is or happens in.
    Call,
    /// An argument by its name in the catalogue.
    Arg(Box<str>),
    /// The n-th argument of the system call as the register holds it, in hexadecimal without a prefix.
    Register(u8),
    /// Return value as a number.
    Ret,
    /// `SUCCESS`, or the name of the error.
    Outcome,
    /// Wall clock, ns since the epoch.
    Time,
    Process(Who, ProcessFact),
    File(FileFact),
    Socket(SocketEnd, SocketFact),
    /// Of the descriptor that a call is about.
    Descriptor(DescriptorFact),
    Container(ContainerFact),
    /// Name of the host.
    Host,
    /// A variable of the process's environment, by its name.
    Variable(Box<str>),
    /// All texts of the event: for words without a field.
    AnyText,
    /// The value behind `NAME=` in the text of a message.
    Assigned(Box<str>),
    /// Of a login, where the text of a message tells of one.
    Login(LoginPart),
    /// Of a change of users or groups, where the text of a message tells of one.
    Account(AccountPart),
    /// Of the address that a request of HTTP asks for.
    Uri(UriPart),
    /// A header of a request of HTTP, by its name.
    Header(Box<str>),
    /// Addresses that a recorded DNS answer gave for a name before.
    Resolved(Box<Field>),
    /// What every event of an arm has alike.
    Constant(Box<str>),
    /// What is made of other fields.
    Computed(Computed),
    /// The executable of such an execution of the process or of one before it.
    Executed(Kin, Execution),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum UriPart {
    Whole,
    /// What stands before the question mark.
    Stem,
    Query,
    Extension,
}

impl UriPart {
    /// The part of an address; `None` where it has none.
    pub fn of(self, uri: &[u8]) -> Option<&[u8]> {
        let mark = uri.iter().position(|byte| *byte == b'?');
        let stem = uri.get(..mark.unwrap_or(uri.len()))?;
        match self {
            UriPart::Whole => Some(uri),
            UriPart::Stem => Some(stem),
            UriPart::Query => uri.get(mark? + 1..),
            UriPart::Extension => {
                let name = stem.rsplit(|byte| *byte == b'/').next()?;
                name.get(name.iter().rposition(|byte| *byte == b'.')? + 1..)
            }
        }
    }
}

/// Whose fact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Who {
    /// The process that did it; of an exec, as it is after it.
    Actor,
    /// Parent is 1, its parent 2.
    Ancestor(u8),
    /// Parents and theirs, up to the first.
    AnyAncestor,
    /// Who leads what the process is in, and what its parent is in.
    Leader(Leader),
    ParentsLeader(Leader),
}

/// Whose pid names a session or a group of processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Leader {
    Session,
    Group,
    /// Where the leader is not there any more, the eldest ancestor in it.
    EldestOfSession,
    EldestOfGroup,
    /// By which somebody or something came in: of a login, of a container, of a service.
    Entry,
}

impl Leader {
    /// The kinds of facts that events are followed for, to know who it is.
    fn facts(self) -> FactSet {
        match self {
            Leader::Session | Leader::EldestOfSession => [Fact::Session].into_iter().collect(),
            Leader::Group | Leader::EldestOfGroup => [Fact::Group].into_iter().collect(),
            Leader::Entry => [Fact::Session, Fact::Group, Fact::Terminal].into_iter().collect(),
        }
    }
}

impl Who {
    pub const PARENT: Who = Who::Ancestor(1);
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ProcessFact {
    /// Path of the executable.
    Exe,
    /// Its last part.
    Name,
    /// The kernel's name of the task, at most 15 bytes.
    Comm,
    /// Arguments joined by one blank, as the last exec got them.
    CommandLine,
    /// Each of them.
    Args,
    /// The n-th.
    ArgAt(u16),
    ArgCount,
    /// `NAME=value`, each.
    Env,
    WorkingDirectory,
    Uid,
    Gid,
    /// Effective, saved and file-system ids; not known where a recording has no credentials.
    Euid,
    Egid,
    Suid,
    Sgid,
    Fsuid,
    Fsgid,
    /// The user and the group that it acts as: the effective ones, and the real ones where only these are known.
    ActingUid,
    ActingGid,
    /// Names of the capabilities in a set, each.
    Capabilities(CapabilitySet),
    UserName,
    Pid,
    /// Its pid in its own namespace.
    NsPid,
    /// Told apart from all that had or will have its pid.
    Entity,
    /// ns from its start to the event.
    Age,
    /// Its comm and all arguments but the first, joined by one blank.
    CommAndArgs,
    /// All arguments but the first, joined by one blank.
    Arguments,
    /// Its session and its group, as pids of the host.
    Session,
    Group,
    /// Its group as its own pid namespace numbers it.
    NsGroup,
    /// `true` or `false`.
    LeadsSession,
    LeadsGroup,
    LeadsEntry,
    /// Of a leader of an entry what it came by: `sshd`, `container`.
    EntryType,
    /// Whether it has a terminal: `true` or `false`.
    Interactive,
    /// The number of its terminal's device, 0 where it has none; that of `/dev/tty` where nobody saw which it is.
    Terminal,
    /// `pts/0`.
    TerminalName,
    /// As audit writes it: `pts0`, `(none)`.
    AuditTerminal,
    /// Who logged in; of nobody 4294967295, also as `unset`.
    LoginUid,
    /// The same, of nobody -1.
    LoginUidOrMinus,
    LoginName,
    /// Number of the login, by audit.
    AuditSession,
    /// Whether its program came from the upper layer of an overlay, or from a lower one; of one that is in no overlay neither
    /// is known. And whether it came from memory (`memfd_create`). `true` or `false`.
    FromUpperLayer,
    FromLowerLayer,
    FromMemfd,
}

/// A set of capabilities of a task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum CapabilitySet {
    Effective,
    Permitted,
    Inheritable,
}

impl ProcessFact {
    /// The kind of facts that events are followed for, to know it.
    pub const fn kind(self) -> Option<Fact> {
        Some(match self {
            ProcessFact::WorkingDirectory => Fact::Directory,
            ProcessFact::Session | ProcessFact::LeadsSession => Fact::Session,
            ProcessFact::Group | ProcessFact::NsGroup | ProcessFact::LeadsGroup => Fact::Group,
            ProcessFact::Interactive
            | ProcessFact::Terminal
            | ProcessFact::TerminalName
            | ProcessFact::AuditTerminal => Fact::Terminal,
            ProcessFact::LoginUid
            | ProcessFact::LoginUidOrMinus
            | ProcessFact::LoginName
            | ProcessFact::AuditSession => Fact::Login,
            _ => return None,
        })
    }
}

impl Who {
    /// The kinds of facts that events are followed for, to know who it is.
    pub fn facts(self) -> FactSet {
        match self {
            Who::Leader(leader) | Who::ParentsLeader(leader) => leader.facts(),
            Who::Actor | Who::Ancestor(_) | Who::AnyAncestor => FactSet::NONE,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FileFact {
    /// Absolute where the kernel resolved it.
    Path,
    /// Its last part.
    Name,
    /// What stands before that, without the slash.
    Directory,
    /// What follows the last dot of the name.
    Extension,
    /// Of what was renamed: as it was called before.
    OldPath,
    OldName,
    /// As the program passed it.
    Passed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum SocketEnd {
    Local,
    Remote,
    Source,
    Destination,
    /// The end that listened for the connection, and the one that opened it.
    Server,
    Client,
    /// Matches when one of the two does.
    Either,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DescriptorFact {
    Number,
    /// A path, or the ends of a socket.
    Name,
    Directory,
    FileName,
    /// `file`, `ipv4`, `ipv6`, `unix`, `pipe`, `event` and so on.
    Type,
    /// The same in a letter: `f`, `4`, `6`, `u`, `p`, `e`.
    TypeLetter,
    /// `ip` or `unix`.
    SocketFamily,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum SocketFact {
    Address,
    Port,
    /// `tcp`, `udp`.
    Protocol,
    /// `true` for a connection that this side opened, else `false`.
    Initiated,
    /// Name that a recorded DNS answer gave for the address.
    HostName,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ContainerFact {
    /// The full id; missing outside of containers.
    Id,
    Name,
    Image,
    PodName,
    PodNamespace,
    /// The image without its tag and digest.
    Repository,
    /// `true` from the start of the entry point on; missing before.
    Started,
    /// Of the pod that it belongs to.
    PodUid,
    /// What runs it: `docker`, `containerd`.
    Runtime,
    /// `true` or `false`; missing where it is not known.
    Privileged,
    /// What of the host is mounted in it, each `source:destination::writable:`, parted by blanks.
    Mounts,
}

impl Field {
    pub fn arg(name: &str) -> Field {
        Field::Arg(name.into())
    }

    pub const fn actor(fact: ProcessFact) -> Field {
        Field::Process(Who::Actor, fact)
    }

    pub const fn parent(fact: ProcessFact) -> Field {
        Field::Process(Who::PARENT, fact)
    }

    /// The facts of processes that it asks for.
    pub fn facts(&self) -> FactSet {
        match self {
            Field::Process(who, fact) => fact.kind().into_iter().chain(who.facts().iter()).collect(),
            Field::Computed(computed) => {
                computed.inputs().iter().flat_map(|input| input.facts().iter()).collect()
            }
            Field::Executed(_, execution) => execution.facts(),
            Field::Resolved(name) => name.facts(),
            _ => FactSet::NONE,
        }
    }

    /// Calls `see` with each execution that it asks for.
    pub fn each_execution(&self, see: &mut dyn FnMut(&Execution)) {
        match self {
            Field::Computed(computed) => computed.inputs().iter().for_each(|input| input.each_execution(see)),
            Field::Executed(_, execution) => see(execution),
            Field::Resolved(name) => name.each_execution(see),
            _ => {}
        }
    }
}

/// As findings name it.
impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Event => out.write_str("event"),
            Field::Call => out.write_str("syscall"),
            Field::Arg(name) | Field::Constant(name) => out.write_str(name),
            Field::Register(n) => write!(out, "a{n}"),
            Field::Variable(name) => write!(out, "env.{name}"),
            Field::Ret => out.write_str("retval"),
            Field::Outcome => out.write_str("outcome"),
            Field::Time => out.write_str("time"),
            Field::Process(who, fact) => {
                match who {
                    Who::Actor => {}
                    Who::Ancestor(1) => out.write_str("parent.")?,
                    Who::Ancestor(n) => write!(out, "ancestor[{n}].")?,
                    Who::AnyAncestor => out.write_str("ancestor.")?,
                    Who::Leader(leader) => write!(out, "{}.", leader.name())?,
                    Who::ParentsLeader(leader) => write!(out, "parent.{}.", leader.name())?,
                }
                match fact {
                    ProcessFact::ArgAt(n) => write!(out, "argv[{n}]"),
                    fact => out.write_str(fact.name()),
                }
            }
            Field::File(fact) => out.write_str(match fact {
                FileFact::Path => "path",
                FileFact::Name => "file name",
                FileFact::Directory => "directory",
                FileFact::Extension => "extension",
                FileFact::OldPath => "old path",
                FileFact::OldName => "old file name",
                FileFact::Passed => "path as passed",
            }),
            Field::Socket(end, fact) => {
                let end = match end {
                    SocketEnd::Local => "local ",
                    SocketEnd::Remote => "remote ",
                    SocketEnd::Server => "server's ",
                    SocketEnd::Client => "client's ",
                    SocketEnd::Source => "source ",
                    SocketEnd::Destination => "destination ",
                    SocketEnd::Either => "",
                };
                let fact = match fact {
                    SocketFact::Address => "address",
                    SocketFact::Port => "port",
                    SocketFact::Protocol => return out.write_str("protocol"),
                    SocketFact::Initiated => return out.write_str("initiated"),
                    SocketFact::HostName => "host name",
                };
                write!(out, "{end}{fact}")
            }
            Field::Descriptor(fact) => out.write_str(match fact {
                DescriptorFact::Number => "descriptor",
                DescriptorFact::Name => "descriptor's name",
                DescriptorFact::Directory => "directory",
                DescriptorFact::FileName => "file name",
                DescriptorFact::Type | DescriptorFact::TypeLetter => "descriptor's type",
                DescriptorFact::SocketFamily => "socket family",
            }),
            Field::Container(fact) => out.write_str(match fact {
                ContainerFact::Id => "container",
                ContainerFact::Name => "container name",
                ContainerFact::Image => "image",
                ContainerFact::PodName => "pod",
                ContainerFact::PodNamespace => "pod namespace",
                ContainerFact::Repository => "image repository",
                ContainerFact::Started => "container started",
                ContainerFact::PodUid => "pod uid",
                ContainerFact::Runtime => "container runtime",
                ContainerFact::Privileged => "container privileged",
                ContainerFact::Mounts => "container mounts",
            }),
            Field::Computed(computed) => out.write_str(computed.written()),
            Field::Resolved(name) => write!(out, "addresses of {name}"),
            Field::Executed(kin, _) => out.write_str(match kin {
                Kin::Own => "execution of the process",
                Kin::Parent => "execution of the parent",
                Kin::Ancestor => "execution of an ancestor",
            }),
            Field::Host => out.write_str("host"),
            Field::AnyText => out.write_str("text"),
            Field::Assigned(name) => write!(out, "{name}="),
            Field::Login(part) => out.write_str(part.name()),
            Field::Account(part) => out.write_str(part.name()),
            Field::Uri(part) => out.write_str(match part {
                UriPart::Whole => "uri",
                UriPart::Stem => "uri's path",
                UriPart::Query => "uri's query",
                UriPart::Extension => "uri's extension",
            }),
            Field::Header(name) => write!(out, "header {name}"),
        }
    }
}

impl Leader {
    const fn name(self) -> &'static str {
        match self {
            Leader::Session | Leader::EldestOfSession => "session leader",
            Leader::Group | Leader::EldestOfGroup => "group leader",
            Leader::Entry => "entry leader",
        }
    }
}

impl ProcessFact {
    fn name(self) -> &'static str {
        match self {
            ProcessFact::Exe => "exe",
            ProcessFact::Name => "name",
            ProcessFact::Comm => "comm",
            ProcessFact::CommandLine => "command line",
            ProcessFact::Args | ProcessFact::ArgAt(_) => "argv",
            ProcessFact::ArgCount => "argc",
            ProcessFact::Env => "env",
            ProcessFact::WorkingDirectory => "cwd",
            ProcessFact::Uid => "uid",
            ProcessFact::Gid => "gid",
            ProcessFact::Euid => "euid",
            ProcessFact::Egid => "egid",
            ProcessFact::Suid => "suid",
            ProcessFact::Sgid => "sgid",
            ProcessFact::Fsuid => "fsuid",
            ProcessFact::Fsgid => "fsgid",
            ProcessFact::ActingUid => "effective uid",
            ProcessFact::ActingGid => "effective gid",
            ProcessFact::Capabilities(CapabilitySet::Effective) => "cap",
            ProcessFact::Capabilities(CapabilitySet::Permitted) => "capPermitted",
            ProcessFact::Capabilities(CapabilitySet::Inheritable) => "capInheritable",
            ProcessFact::UserName => "user",
            ProcessFact::Pid => "pid",
            ProcessFact::NsPid => "pid in its namespace",
            ProcessFact::Entity => "process",
            ProcessFact::Age => "age",
            ProcessFact::CommAndArgs => "command line",
            ProcessFact::Arguments => "arguments",
            ProcessFact::Session => "session",
            ProcessFact::Group => "pgrp",
            ProcessFact::NsGroup => "pgrp in its namespace",
            ProcessFact::LeadsSession => "leads its session",
            ProcessFact::LeadsGroup => "leads its group",
            ProcessFact::LeadsEntry => "leads its entry",
            ProcessFact::EntryType => "entry type",
            ProcessFact::Interactive => "interactive",
            ProcessFact::Terminal | ProcessFact::TerminalName | ProcessFact::AuditTerminal => "tty",
            ProcessFact::LoginUid | ProcessFact::LoginUidOrMinus => "loginuid",
            ProcessFact::LoginName => "login",
            ProcessFact::AuditSession => "login session",
            ProcessFact::FromUpperLayer => "from the upper layer",
            ProcessFact::FromLowerLayer => "from a lower layer",
            ProcessFact::FromMemfd => "from a memfd",
        }
    }
}
