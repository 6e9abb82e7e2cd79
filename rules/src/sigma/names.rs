//! Names of fields, by kind of record: their field, and ours.

use super::source::Kind;
use crate::form::ProcessFact::{
    ArgAt, AuditSession, AuditTerminal, Comm, CommandLine, Egid, Entity, Euid, Exe, Fsgid, Fsuid, Gid,
    LoginUid, Pid, Sgid, Suid, Uid, UserName, WorkingDirectory,
};
use crate::form::{ContainerFact, Field, FileFact, SocketEnd, SocketFact, UriPart};

/// What a name means for a kind of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meaning {
    Field(Field),
    /// Records of this kind do not have it, others of the source do; or Linux does not have it.
    Absent,
    Unknown,
}

/// Fields of Windows that rules of both systems ask for; nothing on Linux has them.
const NOT_OF_LINUX: &[&str] = &[
    "Company",
    "Description",
    "FileVersion",
    "Hashes",
    "Imphash",
    "IntegrityLevel",
    "OriginalFileName",
    "Product",
    "Signed",
    "SignatureStatus",
    "TerminalSessionId",
    "LogonGuid",
    "md5",
    "sha1",
    "sha256",
];

/// Names that records of audit have, of any type.
const OF_AUDIT: &[&str] = &[
    "type",
    "exe",
    "comm",
    "SYSCALL",
    "syscall",
    "success",
    "exit",
    "key",
    "uid",
    "auid",
    "euid",
    "gid",
    "egid",
    "suid",
    "sgid",
    "fsuid",
    "fsgid",
    "pid",
    "ppid",
    "tty",
    "ses",
    "name",
    "nametype",
    "cwd",
    "proctitle",
    "argc",
    "unit",
    "msg",
    "acct",
    "op",
    "res",
    "terminal",
    "addr",
    "hostname",
    "inode",
    "mode",
    "ouid",
    "ogid",
];

/// What messages of programs to audit say as `name=value`.
const OF_MESSAGES: &[&str] = &[
    "unit", "acct", "op", "res", "terminal", "addr", "hostname", "exe", "comm", "tty", "auid", "uid", "ses",
];

pub fn meaning(kind: &Kind, name: &str) -> Meaning {
    let field = match kind {
        Kind::Process | Kind::ProcessEnd | Kind::Words => process(name),
        Kind::File(class) => file(name, *class == crate::class::Class::Rename),
        Kind::Network => network(name),
        Kind::Dns | Kind::DnsAnswer => match dns(name, kind) {
            None if DNS.contains(&name) => return Meaning::Absent,
            field => field,
        },
        Kind::Http | Kind::HttpStatus => match http(name, kind) {
            None if HTTP.contains(&name) => return Meaning::Absent,
            field => field,
        },
        Kind::Image => image(name),
        Kind::ProcessAccess => access(name),
        Kind::Module => module(name),
        Kind::Execve | Kind::Path | Kind::Syscall | Kind::Message(_) => return audit(kind, name),
        Kind::Log(_) => log(name),
    };
    match field {
        Some(field) => Meaning::Field(field),
        None if NOT_OF_LINUX.contains(&name) => Meaning::Absent,
        None => Meaning::Unknown,
    }
}

/// Names of a kind, for who misspelled one.
pub fn known(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Process | Kind::ProcessEnd | Kind::Words => PROCESS,
        Kind::File(_) => &["TargetFilename", "SourceFilename", "Image", "User", "ProcessId", "ProcessGuid"],
        Kind::Network => &[
            "Image",
            "Initiated",
            "DestinationIp",
            "DestinationPort",
            "DestinationHostname",
            "SourceIp",
            "SourcePort",
            "Protocol",
            "User",
            "ProcessId",
            "ProcessGuid",
        ],
        Kind::Dns | Kind::DnsAnswer => DNS,
        Kind::Http | Kind::HttpStatus => HTTP,
        Kind::Image => &["Image", "ImageLoaded", "ProcessId", "User"],
        Kind::ProcessAccess => &["SourceImage", "SourceProcessId", "TargetProcessId", "GrantedAccess"],
        Kind::Module => &["ImageLoaded", "Image"],
        Kind::Execve | Kind::Path | Kind::Syscall | Kind::Message(_) => OF_AUDIT,
        Kind::Log(_) => &["USER", "message"],
    }
}

const DNS: &[&str] = &["query", "QueryName", "record_type", "answer", "QueryResults", "Image"];

const HTTP: &[&str] = &[
    "c-uri",
    "c-uri-extension",
    "c-uri-query",
    "c-uri-stem",
    "c-useragent",
    "cs-cookie",
    "cs-cookies",
    "cs-host",
    "cs-method",
    "cs-query",
    "cs-referer",
    "cs-referrer",
    "cs-uri",
    "cs-uri-query",
    "cs-uri-stem",
    "cs-user-agent",
    "dst_ip",
    "r-dns",
    "sc-status",
    "src_ip",
];

const PROCESS: &[&str] = &[
    "Image",
    "CommandLine",
    "CurrentDirectory",
    "User",
    "LogonId",
    "ParentImage",
    "ParentCommandLine",
    "ParentUser",
    "ProcessId",
    "ProcessGuid",
    "ParentProcessId",
    "ParentProcessGuid",
];

fn process(name: &str) -> Option<Field> {
    Some(match name {
        "Image" => Field::actor(Exe),
        "CommandLine" => Field::actor(CommandLine),
        "CurrentDirectory" => Field::actor(WorkingDirectory),
        "User" => Field::actor(UserName),
        // Sysmon for Linux writes the user's id there.
        "LogonId" => Field::actor(Uid),
        "ProcessId" => Field::actor(Pid),
        "ProcessGuid" => Field::actor(Entity),
        "ParentImage" => Field::parent(Exe),
        "ParentCommandLine" => Field::parent(CommandLine),
        "ParentUser" => Field::parent(UserName),
        "ParentProcessId" => Field::parent(Pid),
        "ParentProcessGuid" => Field::parent(Entity),
        "ContainerId" => Field::Container(ContainerFact::Id),
        "Computer" | "host" => Field::Host,
        _ => return None,
    })
}

fn file(name: &str, is_rename: bool) -> Option<Field> {
    Some(match name {
        "TargetFilename" => Field::File(FileFact::Path),
        "SourceFilename" if is_rename => Field::File(FileFact::OldPath),
        other => process(other)?,
    })
}

fn network(name: &str) -> Option<Field> {
    let socket = |end, fact| Some(Field::Socket(end, fact));
    match name {
        "Initiated" => socket(SocketEnd::Remote, SocketFact::Initiated),
        "Protocol" => socket(SocketEnd::Remote, SocketFact::Protocol),
        "DestinationIp" => socket(SocketEnd::Destination, SocketFact::Address),
        "DestinationPort" => socket(SocketEnd::Destination, SocketFact::Port),
        "DestinationHostname" => socket(SocketEnd::Destination, SocketFact::HostName),
        "SourceIp" => socket(SocketEnd::Source, SocketFact::Address),
        "SourcePort" => socket(SocketEnd::Source, SocketFact::Port),
        "SourceHostname" => socket(SocketEnd::Source, SocketFact::HostName),
        other => process(other),
    }
}

fn dns(name: &str, kind: &Kind) -> Option<Field> {
    let is_answer = *kind == Kind::DnsAnswer;
    Some(match name {
        "query" | "QueryName" if is_answer => Field::arg("dns_response.query_data.query"),
        "record_type" if is_answer => Field::arg("dns_response.query_data.query_type"),
        "answer" | "QueryResults" if is_answer => Field::arg("dns_response.dns_answer.answer"),
        "query" | "QueryName" => Field::arg("dns_questions.query"),
        "record_type" => Field::arg("dns_questions.query_type"),
        "Image" => Field::actor(Exe),
        _ => return None,
    })
}

fn http(name: &str, kind: &Kind) -> Option<Field> {
    Some(match name {
        // The other end is the one that asked.
        "src_ip" if *kind == Kind::HttpStatus => Field::arg("metadata.dst_ip"),
        "dst_ip" if *kind == Kind::HttpStatus => Field::arg("metadata.src_ip"),
        "sc-status" if *kind == Kind::HttpStatus => Field::arg("http_response.status_code"),
        _ if *kind == Kind::HttpStatus => return None,
        "c-uri" | "cs-uri" => Field::Uri(UriPart::Whole),
        "c-uri-extension" => Field::Uri(UriPart::Extension),
        "c-uri-query" | "cs-uri-query" | "cs-query" => Field::Uri(UriPart::Query),
        "c-uri-stem" | "cs-uri-stem" => Field::Uri(UriPart::Stem),
        "dst_ip" => Field::arg("metadata.dst_ip"),
        "src_ip" => Field::arg("metadata.src_ip"),
        "cs-method" => Field::arg("http_request.method"),
        "cs-host" | "r-dns" => Field::arg("http_request.host"),
        "c-useragent" | "cs-user-agent" => Field::Header("User-Agent".into()),
        "cs-referer" | "cs-referrer" => Field::Header("Referer".into()),
        "cs-cookie" | "cs-cookies" => Field::Header("Cookie".into()),
        _ => return None,
    })
}

fn image(name: &str) -> Option<Field> {
    match name {
        "ImageLoaded" => Some(Field::File(FileFact::Path)),
        other => process(other),
    }
}

fn access(name: &str) -> Option<Field> {
    Some(match name {
        "SourceImage" => Field::actor(Exe),
        "SourceProcessId" => Field::actor(Pid),
        "TargetProcessId" => Field::arg("pid"),
        "GrantedAccess" => Field::arg("request"),
        other => process(other)?,
    })
}

fn module(name: &str) -> Option<Field> {
    match name {
        "ImageLoaded" => Some(Field::File(FileFact::Path)),
        other => process(other),
    }
}

fn log(name: &str) -> Option<Field> {
    match name {
        // sudo writes them into its message: `USER=root`.
        "USER" => Some(Field::Assigned("USER".into())),
        "message" => Some(Field::arg("text")),
        _ => None,
    }
}

fn audit(kind: &Kind, name: &str) -> Meaning {
    let constant = |text: &str| Meaning::Field(Field::Constant(text.into()));
    let field = match (name, kind) {
        ("type", Kind::Execve) => return constant("EXECVE"),
        ("type", Kind::Path) => return constant("PATH"),
        ("type", Kind::Syscall) => return constant("SYSCALL"),
        ("type", Kind::Message(kind)) => return constant(kind),
        ("msg", Kind::Message(_)) => Field::arg("text"),
        (_, Kind::Message(_)) if OF_MESSAGES.contains(&name) => Field::Assigned(name.into()),
        ("exe", Kind::Syscall) => Field::actor(Exe),
        ("comm", Kind::Syscall) => Field::actor(Comm),
        ("uid", Kind::Syscall) => Field::actor(Uid),
        ("gid", Kind::Syscall) => Field::actor(Gid),
        ("euid", Kind::Syscall) => Field::actor(Euid),
        ("egid", Kind::Syscall) => Field::actor(Egid),
        ("suid", Kind::Syscall) => Field::actor(Suid),
        ("sgid", Kind::Syscall) => Field::actor(Sgid),
        ("fsuid", Kind::Syscall) => Field::actor(Fsuid),
        ("fsgid", Kind::Syscall) => Field::actor(Fsgid),
        ("pid", Kind::Syscall) => Field::actor(Pid),
        ("ppid", Kind::Syscall) => Field::parent(Pid),
        ("SYSCALL" | "syscall", Kind::Syscall) => Field::Call,
        ("exit", Kind::Syscall) => Field::Ret,
        ("success", Kind::Syscall) => Field::arg("audit.success"),
        ("name", Kind::Path) => Field::File(FileFact::Path),
        ("nametype", Kind::Path) => Field::arg("audit.nametype"),
        ("argc", Kind::Execve) => Field::actor(crate::form::ProcessFact::ArgCount),
        ("auid", Kind::Syscall) => Field::actor(LoginUid),
        ("ses", Kind::Syscall) => Field::actor(AuditSession),
        ("tty", Kind::Syscall) => Field::actor(AuditTerminal),
        ("cwd", Kind::Execve | Kind::Path | Kind::Syscall) => Field::actor(WorkingDirectory),
        ("proctitle", Kind::Execve | Kind::Syscall) => Field::actor(CommandLine),
        _ => match (argument(name), kind) {
            (Some(n), Kind::Execve) => Field::actor(ArgAt(n)),
            (Some(n), Kind::Syscall) if n < 4 => Field::Register(n as u8),
            (Some(_), _) => return Meaning::Absent,
            // The key of an audit rule: known when somebody tells what audit was told.
            (None, _) if OF_AUDIT.contains(&name) => return Meaning::Absent,
            (None, _) => return Meaning::Unknown,
        },
    };
    Meaning::Field(field)
}

/// `a0`, `a1`, ...
fn argument(name: &str) -> Option<u16> {
    let digits = name.strip_prefix('a')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
