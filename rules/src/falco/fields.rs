//! Falco's fields, and what they are here. `proc.*` and `fd.*` are those after the event, as there.

use crate::form::{
    Atom, CapabilitySet, Case, ContainerFact, DescriptorFact, Expr, Field, FileFact, Leader, Pattern,
    ProcessFact, SocketEnd, SocketFact, Test, Who,
};

/// What kind of row a type of event is asked of: some fields are known by it alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Exec,
    Opened,
    /// An open that failed.
    NotOpened,
    /// A hook of something that succeeded.
    Done,
    Fork,
    Exit,
    Call,
}

/// What a field is of a row of a kind.
#[derive(Clone, Debug)]
pub enum Meaning {
    Field(Field),
    /// The same for all rows.
    Text(&'static str),
    Number(i64),
    /// `true` or `false`.
    Holds(Expr),
    /// The first 12 digits of the container's id, or `host`.
    Container,
    /// Rows of the kind do not have it.
    Missing,
    /// Nothing here tells it.
    Refused(&'static str),
    Unknown,
}

fn atom(field: Field, test: Test, written: &str) -> Expr {
    Expr::Atom(Atom { field, test, written: written.into() })
}

fn process(who: Who, fact: ProcessFact) -> Meaning {
    Meaning::Field(Field::Process(who, fact))
}

fn holds(fact: ProcessFact, name: &str) -> Meaning {
    let is_true = Test::Fits(Case::Exact, vec![Pattern::Equals(b"true".to_vec())]);
    Meaning::Holds(atom(Field::actor(fact), is_true, name))
}

fn socket(end: SocketEnd, fact: SocketFact) -> Meaning {
    Meaning::Field(Field::Socket(end, fact))
}

/// Facts that processes and their ancestors have, by what stands behind `proc.`, `proc.p` and `proc.a`.
fn fact(name: &str) -> Option<ProcessFact> {
    Some(match name {
        "name" => ProcessFact::Comm,
        "exe" => ProcessFact::ArgAt(0),
        "exepath" => ProcessFact::Exe,
        "cmdline" => ProcessFact::CommAndArgs,
        "args" => ProcessFact::Arguments,
        "exeline" => ProcessFact::CommandLine,
        "pid" => ProcessFact::Pid,
        _ => return None,
    })
}

pub fn meaning(kind: Kind, name: &str, argument: Option<&str>) -> Meaning {
    let is_open = matches!(kind, Kind::Opened | Kind::NotOpened);
    let path = |fact| match kind {
        Kind::Exec | Kind::Fork | Kind::Exit => Meaning::Missing,
        Kind::NotOpened if fact == FileFact::Path => Meaning::Field(Field::File(FileFact::Passed)),
        _ => Meaning::Field(Field::File(fact)),
    };
    match name {
        "evt.dir" => Meaning::Text("<"),
        // Falco counts events from 1: rules only ask for what never or always holds.
        "evt.num" => Meaning::Number(1),
        "evt.res" => match kind {
            Kind::Call | Kind::NotOpened => Meaning::Field(Field::Outcome),
            _ => Meaning::Text("SUCCESS"),
        },
        "evt.rawres" | "evt.rawarg.res" => match kind {
            Kind::Call | Kind::NotOpened => Meaning::Field(Field::Ret),
            Kind::Opened => Meaning::Number(3),
            _ => Meaning::Number(0),
        },
        "evt.failed" => Meaning::Holds(match kind {
            Kind::Call => atom(Field::Ret, Test::Number(crate::form::Comparison::Less, 0.0), "evt.failed"),
            kind => Expr::Const(kind == Kind::NotOpened),
        }),
        "evt.is_open_write" if is_open => Meaning::Holds(atom(Field::arg("flags"), Test::AnyBit(3), name)),
        "evt.is_open_read" if is_open => {
            Meaning::Holds(atom(Field::arg("flags"), Test::AnyBit(1), name).negated())
        }
        "evt.is_open_create" if is_open => {
            let is_true = Test::Fits(Case::Exact, vec![Pattern::Equals(b"true".to_vec())]);
            Meaning::Holds(atom(Field::arg("created"), is_true, name))
        }
        "evt.is_open_exec" if is_open => {
            Meaning::Refused("the mode that an open makes a file with is not beside its path")
        }
        "evt.is_open_write" | "evt.is_open_read" | "evt.is_open_create" | "evt.is_open_exec" => {
            Meaning::Holds(Expr::Const(false))
        }
        "evt.hostname" => Meaning::Field(Field::Host),
        "evt.buffer" => Meaning::Field(Field::arg("buf")),
        "evt.arg" | "evt.rawarg" => match argument {
            Some(argument) => arg(kind, argument),
            None => Meaning::Unknown,
        },
        "proc.env" => match argument {
            Some(variable) => Meaning::Field(Field::Variable(variable.into())),
            None => process(Who::Actor, ProcessFact::Env),
        },
        "proc.vpid" => process(Who::Actor, ProcessFact::NsPid),
        "proc.ppid" => process(Who::PARENT, ProcessFact::Pid),
        "proc.cwd" => process(Who::Actor, ProcessFact::WorkingDirectory),
        "proc.pcwd" => process(Who::PARENT, ProcessFact::WorkingDirectory),
        "proc.duration" => process(Who::Actor, ProcessFact::Age),
        "proc.nargs" => Meaning::Refused("arguments are counted with the name of the program"),
        "proc.is_exe_from_memfd" => holds(ProcessFact::FromMemfd, name),
        "proc.tty" => process(Who::Actor, ProcessFact::Terminal),
        "proc.sid" => process(Who::Actor, ProcessFact::Session),
        "proc.pgid" => process(Who::Actor, ProcessFact::Group),
        "proc.vpgid" => process(Who::Actor, ProcessFact::NsGroup),
        "proc.is_sid_leader" => holds(ProcessFact::LeadsSession, name),
        "proc.is_pgid_leader" | "proc.is_vpgid_leader" => holds(ProcessFact::LeadsGroup, name),
        "proc.sname" => process(Who::Leader(Leader::EldestOfSession), ProcessFact::Comm),
        "thread.cap_effective" => process(Who::Actor, ProcessFact::Capabilities(CapabilitySet::Effective)),
        "thread.cap_permitted" => process(Who::Actor, ProcessFact::Capabilities(CapabilitySet::Permitted)),
        "thread.cap_inheritable" => {
            process(Who::Actor, ProcessFact::Capabilities(CapabilitySet::Inheritable))
        }
        "user.loginuid" => process(Who::Actor, ProcessFact::LoginUidOrMinus),
        "user.loginname" => process(Who::Actor, ProcessFact::LoginName),
        "proc.is_exe_upper_layer" => holds(ProcessFact::FromUpperLayer, name),
        "proc.is_exe_lower_layer" => holds(ProcessFact::FromLowerLayer, name),
        "container.privileged" => {
            let is_true = Test::Fits(Case::Exact, vec![Pattern::Equals(b"true".to_vec())]);
            Meaning::Holds(atom(Field::Container(ContainerFact::Privileged), is_true, name))
        }
        "container.mounts" => Meaning::Field(Field::Container(ContainerFact::Mounts)),
        "container.mount" | "container.mount.dest" | "container.mount.source" => {
            Meaning::Refused("one mount is not told apart from the others: container.mounts has all")
        }
        "user.name" => process(Who::Actor, ProcessFact::UserName),
        "user.uid" => process(Who::Actor, ProcessFact::ActingUid),
        "group.gid" => process(Who::Actor, ProcessFact::ActingGid),
        "container.id" => Meaning::Container,
        "container.full_id" => Meaning::Field(Field::Container(ContainerFact::Id)),
        "container.name" => Meaning::Field(Field::Container(ContainerFact::Name)),
        "container.image" => Meaning::Field(Field::Container(ContainerFact::Image)),
        "container.image.repository" => Meaning::Field(Field::Container(ContainerFact::Repository)),
        "k8s.ns.name" => Meaning::Field(Field::Container(ContainerFact::PodNamespace)),
        "k8s.pod.name" => Meaning::Field(Field::Container(ContainerFact::PodName)),
        "k8s.pod.uid" => Meaning::Field(Field::Container(ContainerFact::PodUid)),
        "container.type" => Meaning::Field(Field::Container(ContainerFact::Runtime)),
        "fd.num" => match kind {
            Kind::Opened => Meaning::Number(3),
            Kind::NotOpened => Meaning::Number(-1),
            Kind::Call => Meaning::Field(Field::Descriptor(DescriptorFact::Number)),
            _ => Meaning::Missing,
        },
        "fd.name" => match kind {
            Kind::Call => Meaning::Field(Field::Descriptor(DescriptorFact::Name)),
            _ => path(FileFact::Path),
        },
        "fd.directory" => match kind {
            Kind::Call => Meaning::Field(Field::Descriptor(DescriptorFact::Directory)),
            _ => path(FileFact::Directory),
        },
        "fd.filename" => match kind {
            Kind::Call => Meaning::Field(Field::Descriptor(DescriptorFact::FileName)),
            _ => path(FileFact::Name),
        },
        "fd.nameraw" => match kind {
            Kind::Opened | Kind::NotOpened => Meaning::Field(Field::File(FileFact::Passed)),
            _ => Meaning::Missing,
        },
        "fd.typechar" | "fd.type" => match kind {
            Kind::Opened | Kind::NotOpened => Meaning::Text(if name == "fd.type" { "file" } else { "f" }),
            Kind::Call if name == "fd.type" => Meaning::Field(Field::Descriptor(DescriptorFact::Type)),
            Kind::Call => Meaning::Field(Field::Descriptor(DescriptorFact::TypeLetter)),
            _ => Meaning::Missing,
        },
        "fd.l4proto" => socket(SocketEnd::Either, SocketFact::Protocol),
        "fd.sockfamily" => Meaning::Field(Field::Descriptor(DescriptorFact::SocketFamily)),
        "fd.connected" => match kind {
            Kind::Call => {
                Meaning::Holds(atom(Field::Socket(SocketEnd::Remote, SocketFact::Port), Test::Exists, name))
            }
            _ => Meaning::Holds(Expr::Const(false)),
        },
        // Which address a socket had before the call is not known: a call that gives one changes it.
        "fd.name_changed" => Meaning::Holds(Expr::Const(kind == Kind::Call)),
        "fd.ip" | "fd.net" => socket(SocketEnd::Either, SocketFact::Address),
        "fd.sip" | "fd.snet" => socket(SocketEnd::Server, SocketFact::Address),
        "fd.cip" | "fd.cnet" => socket(SocketEnd::Client, SocketFact::Address),
        "fd.lip" | "fd.lnet" => socket(SocketEnd::Local, SocketFact::Address),
        "fd.rip" | "fd.rnet" => socket(SocketEnd::Remote, SocketFact::Address),
        "fd.port" => socket(SocketEnd::Either, SocketFact::Port),
        "fd.sport" => socket(SocketEnd::Server, SocketFact::Port),
        "fd.cport" => socket(SocketEnd::Client, SocketFact::Port),
        "fd.lport" => socket(SocketEnd::Local, SocketFact::Port),
        "fd.rport" => socket(SocketEnd::Remote, SocketFact::Port),
        "fd.sip.name" => socket(SocketEnd::Server, SocketFact::HostName),
        "fd.cip.name" => socket(SocketEnd::Client, SocketFact::HostName),
        "fd.lip.name" => socket(SocketEnd::Local, SocketFact::HostName),
        "fd.rip.name" => socket(SocketEnd::Remote, SocketFact::HostName),
        name => {
            if let Some(argument) = name.strip_prefix("evt.arg.").or_else(|| name.strip_prefix("evt.rawarg."))
            {
                return arg(kind, argument);
            }
            let Some(rest) = name.strip_prefix("proc.") else { return Meaning::Unknown };
            let leaders = [
                ("sid.", Leader::EldestOfSession),
                ("pgid.", Leader::EldestOfGroup),
                ("vpgid.", Leader::EldestOfGroup),
            ];
            let of_leader =
                leaders.iter().find_map(|(prefix, leader)| Some((rest.strip_prefix(prefix)?, *leader)));
            if let Some((of, leader)) = of_leader {
                let known = fact(of).filter(|_| matches!(of, "name" | "exe" | "exepath"));
                return known.map_or(Meaning::Unknown, |fact| process(Who::Leader(leader), fact));
            }
            if let Some(fact) = fact(rest) {
                return process(Who::Actor, fact);
            }
            if let Some(fact) = rest.strip_prefix('p').and_then(fact) {
                return process(Who::PARENT, fact);
            }
            let Some(fact) = rest.strip_prefix('a').and_then(fact) else { return Meaning::Unknown };
            match argument.map(str::parse::<u8>) {
                None => process(Who::AnyAncestor, fact),
                Some(Ok(0)) => process(Who::Actor, fact),
                Some(Ok(n)) => process(Who::Ancestor(n), fact),
                Some(Err(_)) => Meaning::Unknown,
            }
        }
    }
}

/// Arguments that Falco calls otherwise.
fn arg(kind: Kind, name: &str) -> Meaning {
    match (name, kind) {
        (_, Kind::Exec | Kind::Fork | Kind::Exit)
            if !matches!(name, "filename" | "exe" | "flags" | "ret" | "sig" | "status") =>
        {
            Meaning::Missing
        }
        ("ret", Kind::Exit) => Meaning::Field(Field::arg("exit_code")),
        ("sig", Kind::Exit) => Meaning::Field(Field::arg("signal_code")),
        ("status", Kind::Exit) => Meaning::Refused("of the status of an exit, ret and sig are asked"),
        ("filename", Kind::Exec) => Meaning::Field(Field::actor(ProcessFact::Exe)),
        ("exe", Kind::Exec) => Meaning::Field(Field::actor(ProcessFact::ArgAt(0))),
        ("path" | "name" | "newpath" | "linkpath" | "filename", _) => {
            Meaning::Field(Field::File(FileFact::Path))
        }
        ("oldpath", _) => Meaning::Field(Field::File(FileFact::OldPath)),
        ("res" | "res_or_fd", Kind::Call | Kind::NotOpened) => Meaning::Field(Field::Ret),
        ("res" | "res_or_fd", _) => Meaning::Number(0),
        ("fd", Kind::Call) => Meaning::Field(Field::Descriptor(DescriptorFact::Number)),
        ("dev", _) => Meaning::Field(Field::arg("source")),
        (name, _) => Meaning::Field(Field::arg(name)),
    }
}

/// Fields that conditions may ask, for messages.
pub const KNOWN: [&str; 83] = [
    "evt.type",
    "evt.dir",
    "evt.num",
    "evt.res",
    "evt.rawres",
    "evt.failed",
    "evt.is_open_write",
    "evt.is_open_read",
    "evt.is_open_create",
    "evt.hostname",
    "evt.buffer",
    "evt.arg.NAME",
    "proc.name",
    "proc.exe",
    "proc.exepath",
    "proc.cmdline",
    "proc.args",
    "proc.exeline",
    "proc.pid",
    "proc.ppid",
    "proc.vpid",
    "proc.pname",
    "proc.pexe",
    "proc.pexepath",
    "proc.pcmdline",
    "proc.aname",
    "proc.aexe",
    "proc.aexepath",
    "proc.acmdline",
    "proc.apid",
    "proc.env",
    "proc.cwd",
    "proc.tty",
    "proc.sid",
    "proc.sid.exe",
    "proc.sid.exepath",
    "proc.sname",
    "proc.is_sid_leader",
    "proc.pgid",
    "proc.pgid.name",
    "proc.pgid.exe",
    "proc.pgid.exepath",
    "proc.is_pgid_leader",
    "proc.vpgid",
    "proc.vpgid.name",
    "proc.is_vpgid_leader",
    "user.loginuid",
    "user.loginname",
    "proc.duration",
    "proc.is_exe_from_memfd",
    "proc.is_exe_upper_layer",
    "proc.is_exe_lower_layer",
    "user.name",
    "user.uid",
    "group.gid",
    "container.id",
    "container.full_id",
    "container.name",
    "container.image",
    "container.image.repository",
    "k8s.ns.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "container.type",
    "fd.num",
    "fd.name",
    "fd.directory",
    "fd.filename",
    "fd.nameraw",
    "fd.type",
    "fd.typechar",
    "fd.l4proto",
    "fd.sockfamily",
    "fd.connected",
    "fd.ip",
    "fd.net",
    "fd.sip",
    "fd.cip",
    "fd.lip",
    "fd.rip",
    "fd.port",
    "fd.sport",
    "fd.rport",
];
