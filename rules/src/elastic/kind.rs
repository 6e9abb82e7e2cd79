//! Kinds of events that Elastic's agents send, and the words by which rules choose among them.
//!
//! Agents name the same thing differently, and a rule lists the names of all: an event here answers to each of them.

use std::collections::BTreeSet;

use crate::account::{AccountMessage, MESSAGES};
use crate::class::Class;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    Exec,
    Fork,
    Exit,
    Session,
    UserChange,
    GroupChange,
    Memfd,
    Ptrace,
    ModuleLoad,
    Create,
    Open,
    Modify,
    Rename,
    Remove,
    Attributes,
    Connect,
    Accept,
    Bind,
    DnsRequest,
    DnsResponse,
    Library,
    /// A login over SSH.
    Login,
    /// A line of the system's log.
    SystemLog,
    /// A change of users or groups, told to a log.
    Account,
    /// The same, told to audit.
    AccountMessage(AccountMessage),
    /// System calls that the rule names, as auditd writes them.
    Calls(BTreeSet<String>),
}

/// What all events of a kind have alike; each with every name that some agent gives it.
pub struct Words {
    pub categories: &'static [&'static str],
    pub types: &'static [&'static str],
    pub actions: &'static [&'static str],
    pub datasets: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind::Exec,
    Kind::Fork,
    Kind::Exit,
    Kind::Session,
    Kind::UserChange,
    Kind::GroupChange,
    Kind::Memfd,
    Kind::Ptrace,
    Kind::ModuleLoad,
    Kind::Create,
    Kind::Open,
    Kind::Modify,
    Kind::Rename,
    Kind::Remove,
    Kind::Attributes,
    Kind::Connect,
    Kind::Accept,
    Kind::Bind,
    Kind::DnsRequest,
    Kind::DnsResponse,
    Kind::Library,
    Kind::Login,
    Kind::SystemLog,
    Kind::Account,
];

/// All kinds but calls that a rule names.
pub fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.iter().cloned().chain(MESSAGES.iter().copied().map(Kind::AccountMessage))
}

/// Categories of which some kind is.
pub const CATEGORIES: &[&str] =
    &["process", "file", "network", "dns", "driver", "library", "authentication", "iam"];

/// Categories of ECS whose events other programs write, or other systems have.
pub const OTHERS: &[(&str, &str)] = &[
    ("session", "sessions are read out of logs, whose fields are not known"),
    ("registry", "Linux has no registry"),
    ("web", "requests to web servers are read out of their logs"),
    ("email", "mail is another product's"),
    ("api", "calls of interfaces are another product's"),
    ("configuration", "changes of configuration are another product's"),
    ("database", "databases are another product's"),
    ("intrusion_detection", "alerts are another product's"),
    ("malware", "alerts are another product's"),
    ("threat", "indicators are another product's"),
    ("vulnerability", "findings of scanners are another product's"),
    ("host", "no event of hosts is recorded"),
    ("package", "installed packages are another product's"),
    ("alert", "alerts are another product's"),
];

const PROCESS: &[&str] = &["process"];
const FILE: &[&str] = &["file"];
const NETWORK: &[&str] = &["network"];
const OF_PROCESSES: &[&str] = &["endpoint.events.process", "auditd_manager.auditd", "auditd.log"];
const OF_FILES: &[&str] = &["endpoint.events.file", "auditd_manager.auditd", "auditd.log"];
const OF_NETWORK: &[&str] = &["endpoint.events.network", "auditd_manager.auditd", "auditd.log"];

impl Kind {
    pub fn words(&self) -> Words {
        let words = |categories, types, actions, datasets| Words { categories, types, actions, datasets };
        let process = |types, actions| words(PROCESS, types, actions, OF_PROCESSES);
        let file = |types, actions| words(FILE, types, actions, OF_FILES);
        let network = |types, actions| words(NETWORK, types, actions, OF_NETWORK);
        match self {
            Kind::Exec => process(
                &["start", "process_started"],
                &[
                    "exec",
                    "exec_event",
                    "start",
                    "ProcessRollup2",
                    "executed",
                    "process_started",
                    "Process Create",
                ],
            ),
            Kind::Fork => process(&["start"], &["fork", "fork_event"]),
            Kind::Exit => process(&["end"], &["end", "exit", "process_stopped"]),
            Kind::Session => process(&["change"], &["session_id_change"]),
            Kind::UserChange => process(&["change"], &["uid_change", "changed-identity-of"]),
            Kind::GroupChange => process(&["change"], &["gid_change", "guid_change"]),
            Kind::Memfd => process(&["start"], &["memfd_create"]),
            Kind::Ptrace => process(&["access", "start"], &["ptrace"]),
            Kind::ModuleLoad => words(
                &["driver", "process"],
                &["start", "info"],
                &["load_module", "loaded-kernel-module"],
                &["endpoint.events.process", "auditd_manager.auditd", "auditd.log"],
            ),
            Kind::Create => file(&["creation"], &["creation", "file_create_event", "created", "create"]),
            Kind::Open => file(&["access", "change"], &["open", "opened-file"]),
            Kind::Modify => file(&["change"], &["modification", "overwrite", "wrote-to-file"]),
            Kind::Rename => file(&["change"], &["rename", "file_rename_event", "renamed"]),
            Kind::Remove => file(&["deletion"], &["deletion", "deleted"]),
            Kind::Attributes => file(
                &["change"],
                &[
                    "changed-file-permissions-of",
                    "changed-file-ownership-of",
                    "changed-file-attributes-of",
                    "extended_attributes_delete",
                ],
            ),
            Kind::Connect => network(
                &["start", "connection"],
                &["connection_attempted", "ipv4_connection_attempt_event", "connected-to", "network_flow"],
            ),
            Kind::Accept => network(
                &["start", "connection"],
                &["connection_accepted", "ipv4_connection_accept_event", "accepted-connection-from"],
            ),
            Kind::Bind => network(&["start"], &["bound-socket"]),
            Kind::DnsRequest => {
                words(&["network", "dns"], &["protocol", "info", "start"], &["lookup_requested"], OF_NETWORK)
            }
            Kind::DnsResponse => {
                words(&["network", "dns"], &["protocol", "info"], &["lookup_result"], OF_NETWORK)
            }
            Kind::Login => words(
                &["authentication"],
                &["start", "info"],
                &["ssh_login", "user_login"],
                &["system.auth", "auditd_manager.auditd"],
            ),
            Kind::SystemLog => words(&[], &[], &[], &["system.syslog", "system.auth"]),
            // What each of them is, its text says.
            Kind::Account => words(&["iam"], &[], &[], &["system.auth"]),
            Kind::AccountMessage(message) => {
                words(&["iam"], message.types, message.actions, &["auditd_manager.auditd", "auditd.log"])
            }
            Kind::Library => words(&["library"], &["start"], &["load"], &["endpoint.events.library"]),
            Kind::Calls(calls) => words(
                &["process", "network", "file", "driver"],
                &["start", "info", "access", "change"],
                action(calls),
                &["auditd_manager.auditd", "auditd.log"],
            ),
        }
    }

    pub fn class(&self) -> Class {
        match self {
            Kind::Exec => Class::Exec,
            Kind::Fork => Class::Fork,
            Kind::Exit => Class::Exit,
            Kind::Session => Class::calls(["setsid"]),
            Kind::UserChange => Class::calls(["setuid", "setreuid", "setresuid", "setfsuid"]),
            Kind::GroupChange => Class::calls(["setgid", "setregid", "setresgid", "setfsgid"]),
            Kind::Memfd => Class::calls(["memfd_create"]),
            Kind::Ptrace => Class::calls(["ptrace"]),
            Kind::ModuleLoad => Class::ModuleLoad,
            Kind::Create => Class::Create,
            Kind::Open => Class::Open,
            Kind::Modify => Class::events(["file_modification"]),
            Kind::Rename => Class::Rename,
            Kind::Remove => Class::Remove,
            Kind::Attributes => Class::Attributes,
            Kind::Connect => Class::Connect,
            Kind::Accept => Class::Accept,
            Kind::Bind => Class::Bind,
            Kind::DnsRequest => Class::DnsRequest,
            Kind::DnsResponse => Class::DnsResponse,
            Kind::Library => Class::ImageLoad,
            Kind::Login => Class::Login,
            Kind::SystemLog => Class::Log(BTreeSet::new()),
            Kind::Account => Class::Account,
            Kind::AccountMessage(message) => Class::AuditMessage(message.kind.to_owned()),
            Kind::Calls(calls) => Class::Calls(calls.clone()),
        }
    }

    /// It is meant only by rules that name its action: others speak of what starts, is made or is changed.
    pub fn wants_its_action(&self) -> bool {
        matches!(
            self,
            Kind::Fork
                | Kind::ModuleLoad
                | Kind::Session
                | Kind::UserChange
                | Kind::GroupChange
                | Kind::Memfd
                | Kind::Ptrace
                | Kind::Open
        )
    }

    /// What of it is not quite what Elastic's agents send.
    pub fn note(&self) -> Option<&'static str> {
        match self {
            Kind::UserChange | Kind::GroupChange => Some(
                "ids that change by an exec of a setuid file are not seen: only the calls that set them are",
            ),
            Kind::Login => Some("logins are those that sshd told to the log"),
            Kind::Ptrace => Some("the child is the pid that the call was given, in the caller's namespace"),
            Kind::Account => Some("users and groups change as the programs for it tell the log"),
            Kind::AccountMessage(_) => Some("users and groups change as the programs for it tell audit"),
            Kind::SystemLog => {
                Some("what the kernel itself logs is seen where a logger writes it into a file")
            }
            _ => None,
        }
    }
}

/// What auditd calls what these system calls do, where they are alike.
fn action(calls: &BTreeSet<String>) -> &'static [&'static str] {
    let all = |names: &[&str]| calls.iter().all(|call| names.contains(&call.as_str()));
    if all(&["connect"]) {
        &["connected-to"]
    } else if all(&["bind"]) {
        &["bound-socket"]
    } else if all(&["open", "openat", "openat2", "creat"]) {
        &["opened-file"]
    } else if all(&["kill", "tkill", "tgkill"]) {
        &["killed-pid"]
    } else if all(&["init_module", "finit_module"]) {
        &["loaded-kernel-module"]
    } else if all(&["chmod", "fchmod", "fchmodat", "fchmodat2"]) {
        &["changed-file-permissions-of"]
    } else if all(&["chown", "fchown", "lchown", "fchownat"]) {
        &["changed-file-ownership-of"]
    } else if all(&["execve", "execveat"]) {
        &["executed"]
    } else {
        &[]
    }
}
