//! Names of the Elastic Common Schema, by kind of event: their field, and ours.

use super::kind::Kind;
use crate::account::AccountPart;
use crate::form::ProcessFact::{
    ActingGid, ActingUid, ArgAt, ArgCount, Args, AuditSession, Capabilities, CommandLine, Entity, EntryType,
    Env, Exe, Gid, Interactive, LeadsEntry, LeadsGroup, LeadsSession, LoginName, LoginUid, Name, Pid, Sgid,
    Suid, TerminalName, Uid, UserName, WorkingDirectory,
};
use crate::form::{
    CapabilitySet, ContainerFact, Field, FileFact, Leader, ProcessFact, SocketEnd, SocketFact, Who,
};
use crate::login::LoginPart;

/// What a name means for a kind of event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meaning {
    Field(Field),
    /// All events of the kind have one of these.
    Words(Vec<&'static str>),
    /// `success` or `failure` of the call.
    Outcome,
    /// The same as a message to audit says it.
    Result,
    /// Such events do not have it, others do; or Linux does not have it.
    Absent,
    /// Elastic's agents have it, and captures do not: why.
    Lacking(&'static str),
    Unknown,
}

/// Beginnings of names that are not to be had, and why.
const LACKING: &[(&str, &str)] = &[
    ("process.tty.", "of a terminal its device is known, and no more"),
    ("process.entry_leader.entry_meta.source.", "from which address somebody came in is not known"),
    ("process.entry_leader.", "of leaders of entries this is not known"),
    ("process.parent.entry_leader.", "of leaders of entries this is not known"),
    ("process.session_leader.", "of leaders of sessions this is not known"),
    ("process.parent.session_leader.", "of leaders of sessions this is not known"),
    ("process.group_leader.", "of leaders of process groups this is not known"),
    ("process.parent.group_leader.", "of leaders of process groups this is not known"),
    ("process.previous.", "what a process was before its last exec is not known"),
    ("group.name", "names of groups are not recorded"),
    ("process.group.name", "names of groups are not recorded"),
    ("process.parent.group.name", "names of groups are not recorded"),
    ("host.ip", "addresses of the host are not recorded"),
    ("related.", "this is gathered of other fields: those are asked by their names"),
    ("process.Ext.load_module.", "marks of a module are not recorded"),
    ("process.Ext.", "this is only Elastic's agent's"),
    ("process.parent.Ext.", "this is only Elastic's agent's"),
    ("process.io.", "what terminals show is not recorded"),
    ("process.hash.", "of executables only the SHA-256 is known, where they are executed"),
    ("process.parent.hash.", "the hash of a parent's executable is known of its own exec alone"),
    ("user.effective.", "names of effective users are not asked: user.effective.id is"),
    ("container.security_context.", "settings of containers are not recorded"),
    ("file.Ext.", "contents of files are not recorded"),
    ("file.size", "sizes of files are not recorded"),
    ("file.hash.", "hashes of files are not asked by rules yet"),
    ("file.mode", "modes of files are not asked by rules yet"),
    ("file.owner", "owners of files are not recorded"),
    ("auditd.data.socket.", "what auditd makes of addresses is not asked by these names"),
    ("auditd.data.class", "in which class auditd puts a call is not known"),
    ("auditd.", "this field of auditd is not known"),
    ("system.", "this is read out of logs"),
    ("message", "this is read out of logs"),
];

/// Beginnings of names that other products' events have, and no event of a kernel.
const OTHERS: &[&str] = &[
    "kubernetes.",
    "orchestrator.",
    "aws.",
    "azure.",
    "gcp.",
    "o365.",
    "okta.",
    "cloud.",
    "kibana.",
    "rule.",
    "threat.",
    "http.",
    "url.",
    "user_agent.",
    "email.",
    "suricata.",
    "panw.",
    "fortinet.",
    "zoom.",
    "github.",
    "google_workspace.",
    "vulnerability.",
    "observer.",
    "email.",
    "tls.",
    "client.",
    "server.",
    "organization.",
    "package.",
    "powershell.",
    "winlog.",
    "event.code",
    "event.severity",
    "event.reason",
    "event.risk_score",
    "crowdstrike.",
    "m365_defender.",
    "sentinel_one",
    "cyberarkpas.",
    "apache.",
    "nginx.",
    "event.provider",
    "network.application",
];

/// Beginnings of names that events of Linux do not have, and rules of several systems ask.
const NOT_OF_LINUX: &[&str] = &[
    "process.code_signature.",
    "process.parent.code_signature.",
    "process.pe.",
    "process.parent.pe.",
    "process.Ext.token.",
    "process.Ext.code_signature",
    "process.parent.Ext.real.",
    "process.Ext.effective_parent.",
    "file.code_signature.",
    "file.pe.",
    "file.Ext.windows.",
    "dll.",
    "registry.",
    "volume.",
    "user.domain",
    "effective_process.",
    "Effective_process.",
    "Persistence.",
    "Target.",
];

/// What users may have meant.
pub const KNOWN: &[&str] = &[
    "agent.id",
    "auditd.data.syscall",
    "auditd.result",
    "container.id",
    "container.image.name",
    "container.name",
    "data_stream.dataset",
    "destination.address",
    "destination.domain",
    "destination.ip",
    "destination.port",
    "dns.question.name",
    "dns.question.type",
    "event.action",
    "event.category",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.outcome",
    "event.type",
    "file.directory",
    "file.extension",
    "file.name",
    "file.Ext.original.extension",
    "file.Ext.original.name",
    "file.Ext.original.path",
    "file.path",
    "group.id",
    "host.hostname",
    "host.id",
    "host.name",
    "host.os.family",
    "host.os.type",
    "network.direction",
    "network.protocol",
    "network.transport",
    "orchestrator.namespace",
    "process.args",
    "process.args_count",
    "process.command_line",
    "process.entity_id",
    "process.entry_leader.entity_id",
    "process.entry_leader.entry_meta.type",
    "process.entry_leader.executable",
    "process.entry_leader.name",
    "process.env_vars",
    "process.executable",
    "process.exit_code",
    "process.Ext.memfd.name",
    "process.group_leader.executable",
    "process.group_leader.name",
    "process.hash.sha256",
    "process.interactive",
    "process.name",
    "process.parent.args",
    "process.parent.args_count",
    "process.parent.command_line",
    "process.parent.entity_id",
    "process.parent.executable",
    "process.parent.name",
    "process.parent.pid",
    "process.parent.working_directory",
    "process.pid",
    "process.session_leader.executable",
    "process.session_leader.name",
    "process.session_leader.same_as_process",
    "process.title",
    "process.tty",
    "process.working_directory",
    "source.ip",
    "source.port",
    "user.audit.id",
    "user.id",
    "user.name",
    "user.target.id",
    "user.target.name",
];

/// What a message to audit says that came of it.
pub fn result() -> Field {
    Field::Assigned("res".into())
}

pub fn meaning(kind: &Kind, name: &str) -> Meaning {
    if let Some(field) = account(kind, name) {
        return Meaning::Field(field);
    }
    if let Some(words) = words(kind, name) {
        return Meaning::Words(words);
    }
    match name {
        "event.outcome" | "auditd.result" => {
            return match kind {
                Kind::Calls(_) => Meaning::Outcome,
                Kind::AccountMessage(_) => Meaning::Result,
                Kind::Login => Meaning::Field(Field::Login(LoginPart::Outcome)),
                _ if name == "auditd.result" => Meaning::Absent,
                // Their events are those that succeeded.
                _ => Meaning::Words(vec!["success"]),
            };
        }
        "auditd.data.syscall" => {
            return if matches!(kind, Kind::Calls(_)) {
                Meaning::Field(Field::Call)
            } else {
                Meaning::Absent
            };
        }
        "auditd.summary.object.primary" | "auditd.paths" => return Meaning::Absent,
        _ => {}
    }
    if let Some(register) =
        name.strip_prefix("auditd.data.a").and_then(|it| it.parse::<u8>().ok()).filter(|n| *n < 4)
    {
        let is_call = matches!(kind, Kind::Calls(_));
        return if is_call { Meaning::Field(Field::Register(register)) } else { Meaning::Absent };
    }
    if let Some(field) = field(kind, name) {
        return Meaning::Field(field);
    }
    if KNOWN.contains(&name) || NOT_OF_LINUX.iter().any(|start| name.starts_with(start)) {
        return Meaning::Absent;
    }
    if let Some((_, why)) = LACKING.iter().find(|(start, _)| name.starts_with(start)) {
        return Meaning::Lacking(why);
    }
    if OTHERS.iter().any(|start| name.starts_with(start)) {
        return Meaning::Lacking("it belongs to events of another product");
    }
    Meaning::Unknown
}

fn words(kind: &Kind, name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "host.os.type" | "host.os.family" | "host.os.platform" | "os.type" => vec!["linux"],
        "event.kind" => vec!["event"],
        "event.category" => kind.words().categories.to_vec(),
        "event.type" => kind.words().types.to_vec(),
        "event.action" => kind.words().actions.to_vec(),
        "event.dataset" | "data_stream.dataset" => kind.words().datasets.to_vec(),
        "data_stream.type" => vec!["logs"],
        "data_stream.namespace" => vec!["default"],
        "event.module" if matches!(kind, Kind::Calls(_)) => vec!["auditd", "auditd_manager"],
        "event.module" => vec!["endpoint", "auditd", "auditd_manager"],
        "agent.type" => vec!["endpoint"],
        "network.direction" => match kind {
            Kind::Connect => vec!["egress", "outbound"],
            Kind::Accept => vec!["ingress", "inbound"],
            _ => return None,
        },
        "network.protocol" if matches!(kind, Kind::DnsRequest | Kind::DnsResponse) => vec!["dns"],
        "auditd.data.class" => return None,
        _ => return None,
    })
}

/// What changes of users and groups have. Whoever told audit of one is the process of the event.
fn account(kind: &Kind, name: &str) -> Option<Field> {
    Some(match (kind, name) {
        (Kind::Account, "event.type") => Field::Account(AccountPart::Types),
        (Kind::Account, "event.action") => Field::Account(AccountPart::Action),
        (Kind::Account, "event.outcome") => Field::Account(AccountPart::Outcome),
        (Kind::Account, "user.name" | "user.target.name") => Field::Account(AccountPart::User),
        (Kind::Account, "user.id" | "user.target.id") => Field::Account(AccountPart::UserId),
        (Kind::Account, "group.name") => Field::Account(AccountPart::Group),
        (Kind::Account, "group.id") => Field::Account(AccountPart::GroupId),
        (Kind::AccountMessage(_), "user.target.name") => Field::Assigned("acct".into()),
        (Kind::AccountMessage(message), "group.name") if message.types.contains(&"group") => {
            Field::Assigned("acct".into())
        }
        (Kind::AccountMessage(_), "group.name") => Field::Assigned("grp".into()),
        (Kind::AccountMessage(_), "user.target.id") => Field::Assigned("id".into()),
        (Kind::AccountMessage(_), "message") => Field::arg("text"),
        _ => return None,
    })
}

/// What lines of logs have.
fn logged(kind: &Kind, name: &str) -> Option<Field> {
    Some(match (kind, name) {
        (Kind::Login, "user.name" | "related.user") => Field::Login(LoginPart::User),
        (Kind::Login, "source.ip" | "source.address" | "related.ip") => Field::Login(LoginPart::Address),
        (Kind::Login, "source.port") => Field::Login(LoginPart::Port),
        (Kind::Login, "system.auth.ssh.method") => Field::Login(LoginPart::Method),
        (Kind::Login | Kind::SystemLog | Kind::Account, "process.name") => Field::arg("tag"),
        (Kind::Login | Kind::SystemLog | Kind::Account, "process.pid") => Field::arg("pid"),
        (Kind::Login | Kind::SystemLog | Kind::Account, "message") => Field::arg("text"),
        _ => return None,
    })
}

fn field(kind: &Kind, name: &str) -> Option<Field> {
    if let Some(field) = logged(kind, name) {
        return Some(field);
    }
    let field = match name {
        "host.id" | "agent.id" | "host.name" | "host.hostname" | "agent.name" => Field::Host,
        "@timestamp" => Field::Time,
        "container.id" => Field::Container(ContainerFact::Id),
        "container.security_context.privileged" => Field::Container(ContainerFact::Privileged),
        "container.name" => Field::Container(ContainerFact::Name),
        "container.image.name" => Field::Container(ContainerFact::Image),
        "orchestrator.namespace" => Field::Container(ContainerFact::PodNamespace),
        "user.audit.id" => Field::actor(LoginUid),
        "user.audit.name" => Field::actor(LoginName),
        "auditd.session" => Field::actor(AuditSession),
        "user.id" | "process.user.id" | "user.effective.id" => Field::actor(ActingUid),
        "process.real_user.id" | "user.Ext.real.id" => Field::actor(Uid),
        "process.saved_user.id" => Field::actor(Suid),
        "process.saved_group.id" => Field::actor(Sgid),
        "process.thread.capabilities.effective" => Field::actor(Capabilities(CapabilitySet::Effective)),
        "process.thread.capabilities.permitted" => Field::actor(Capabilities(CapabilitySet::Permitted)),
        "user.name" | "process.user.name" => Field::actor(UserName),
        "group.id" | "process.group.id" => Field::actor(ActingGid),
        "process.real_group.id" | "group.Ext.real.id" => Field::actor(Gid),
        "process.parent.user.id" => Field::parent(ActingUid),
        "process.parent.real_user.id" => Field::parent(Uid),
        "process.parent.saved_user.id" => Field::parent(Suid),
        "process.parent.saved_group.id" => Field::parent(Sgid),
        "process.parent.thread.capabilities.effective" => {
            Field::parent(Capabilities(CapabilitySet::Effective))
        }
        "process.parent.thread.capabilities.permitted" => {
            Field::parent(Capabilities(CapabilitySet::Permitted))
        }
        "process.parent.user.name" => Field::parent(UserName),
        "process.parent.group.id" => Field::parent(ActingGid),
        "process.parent.real_group.id" => Field::parent(Gid),
        "process.Ext.memfd.name" if *kind == Kind::Memfd => Field::arg("name"),
        "process.hash.sha256" if *kind == Kind::Exec => Field::arg("sha256"),
        "process.exit_code" if *kind == Kind::Exit => Field::arg("exit_code"),
        "process.Ext.ptrace.child_pid" if *kind == Kind::Ptrace => Field::arg("pid"),
        _ => return process(kind, name).or_else(|| file(kind, name)).or_else(|| network(kind, name)),
    };
    Some(field)
}

fn process(kind: &Kind, name: &str) -> Option<Field> {
    // One that was forked is what its parent is, but for its pid; nothing else of it happened yet.
    let is_fork = *kind == Kind::Fork;
    if is_fork && name == "process.pid" {
        return Some(Field::arg("child_pid"));
    }
    if is_fork && name == "process.entity_id" {
        return None;
    }
    let of = |who, name: &str| {
        let fact = fact(name)?;
        Some(Field::Process(who, fact))
    };
    let name = name.strip_prefix("process.")?;
    let (own, parent) = if is_fork { (Who::Actor, Who::Actor) } else { (Who::Actor, Who::PARENT) };
    let leader = |name: &str, who: fn(Leader) -> Who, whose: Who| {
        let (kind, name) = name.split_once('.')?;
        let (leader, same) = match kind {
            "session_leader" => (Leader::Session, LeadsSession),
            "group_leader" => (Leader::Group, LeadsGroup),
            "entry_leader" => (Leader::Entry, LeadsEntry),
            _ => return None,
        };
        match name {
            "same_as_process" => Some(Field::Process(whose, same)),
            "entry_meta.type" if leader == Leader::Entry => Some(Field::Process(who(leader), EntryType)),
            name => of(who(leader), name),
        }
    };
    if let Some(name) = name.strip_prefix("parent.") {
        let who = if is_fork { Who::Leader } else { Who::ParentsLeader };
        return leader(name, who, parent).or_else(|| of(parent, name));
    }
    // What is forked leads nothing yet.
    leader(name, Who::Leader, own)
        .filter(|_| !(is_fork && name.ends_with(".same_as_process")))
        .or_else(|| of(own, name))
}

fn fact(name: &str) -> Option<ProcessFact> {
    Some(match name {
        "name" => Name,
        "executable" => Exe,
        "args" => Args,
        "args_count" => ArgCount,
        "command_line" | "command_line.text" | "title" => CommandLine,
        "entity_id" => Entity,
        "pid" => Pid,
        "working_directory" => WorkingDirectory,
        "env_vars" => Env,
        "interactive" => Interactive,
        "tty" => TerminalName,
        "user.id" => ActingUid,
        "real_user.id" => Uid,
        "user.name" | "real_user.name" => UserName,
        "group.id" => ActingGid,
        "real_group.id" => Gid,
        _ => ArgAt(name.strip_prefix("args[")?.strip_suffix(']')?.parse().ok()?),
    })
}

fn file(kind: &Kind, name: &str) -> Option<Field> {
    let has_file = matches!(
        kind,
        Kind::Create
            | Kind::Open
            | Kind::Modify
            | Kind::Rename
            | Kind::Remove
            | Kind::Attributes
            | Kind::Library
            | Kind::Calls(_)
    );
    let is_rename = *kind == Kind::Rename;
    Some(Field::File(match name {
        "file.path" | "dll.path" if has_file => FileFact::Path,
        "file.name" | "dll.name" if has_file => FileFact::Name,
        "file.directory" if has_file => FileFact::Directory,
        "file.extension" if has_file => FileFact::Extension,
        "file.Ext.original.path" if is_rename => FileFact::OldPath,
        "file.Ext.original.name" if is_rename => FileFact::OldName,
        _ => return None,
    }))
}

fn network(kind: &Kind, name: &str) -> Option<Field> {
    match kind {
        Kind::DnsRequest | Kind::DnsResponse => {
            let question =
                if *kind == Kind::DnsRequest { "dns_questions" } else { "dns_response.query_data" };
            return Some(match name {
                "dns.question.name" => Field::arg(&format!("{question}.query")),
                "dns.question.type" => Field::arg(&format!("{question}.query_type")),
                _ => return None,
            });
        }
        Kind::Connect | Kind::Accept | Kind::Bind | Kind::Calls(_) => {}
        _ => return None,
    }
    let (end, fact) = match name {
        "destination.ip" | "destination.address" => (SocketEnd::Destination, SocketFact::Address),
        "destination.port" => (SocketEnd::Destination, SocketFact::Port),
        "destination.domain" => (SocketEnd::Destination, SocketFact::HostName),
        "source.ip" | "source.address" => (SocketEnd::Source, SocketFact::Address),
        "source.port" => (SocketEnd::Source, SocketFact::Port),
        "source.domain" => (SocketEnd::Source, SocketFact::HostName),
        "network.transport" => (SocketEnd::Remote, SocketFact::Protocol),
        _ => return None,
    };
    Some(Field::Socket(end, fact))
}
