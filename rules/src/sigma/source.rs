//! Log sources: which events a rule is about.

use std::collections::BTreeSet;

use crate::class::Class;
use crate::diagnostic::{Diagnostic, File};
use crate::yaml::Node;

/// What the fields of a rule mean, and which events it is asked of: one arm for each kind of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    pub arms: Vec<Kind>,
    /// As written, for filters: they go for rules of the same source.
    pub written: [Option<String>; 3],
}

/// One kind of record, and with it the meaning of names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    Process,
    ProcessEnd,
    File(Class),
    Network,
    Dns,
    /// What a question was answered.
    DnsAnswer,
    /// Requests that a server here got, or that a proxy or client here sent.
    Http,
    /// The status that a request was answered with.
    HttpStatus,
    Image,
    ProcessAccess,
    Module,
    /// Audit's records, by type.
    Execve,
    Path,
    Syscall,
    Message(&'static str),
    /// Lines of a log.
    Log(String),
    /// Command lines, for words without a field that describe what somebody typed.
    Words,
}

pub enum Read {
    Source(Source),
    /// The rule is about another system or product.
    Foreign(String),
}

/// Services whose lines programs write to the log themselves.
const SERVICES: &[&str] =
    &["auth", "clamav", "cron", "guacamole", "sshd", "sudo", "syslog", "vsftpd", "modsecurity"];

/// Types of messages that programs send to audit.
pub const MESSAGES: &[&str] = &[
    "ADD_USER",
    "ADD_GROUP",
    "DEL_USER",
    "DEL_GROUP",
    "SERVICE_START",
    "SERVICE_STOP",
    "USER_TTY",
    "TTY",
    "USER_AUTH",
    "USER_LOGIN",
    "USER_CMD",
];

pub fn read(file: &File<'_>, document: &Node) -> Result<Read, Diagnostic> {
    let Some(source) = document.get("logsource") else {
        return Err(document.error(file, "a rule says its logsource"));
    };
    if source.entries().is_none() {
        return Err(source.error(file, "logsource has category, product and service"));
    }
    let part = |key: &str| source.get(key).and_then(Node::text).map(str::to_ascii_lowercase);
    let (category, product, service) = (part("category"), part("product"), part("service"));
    let foreign =
        || Read::Foreign(product.clone().or(category.clone()).or(service.clone()).unwrap_or_default());
    if product.as_deref().is_some_and(|product| product != "linux") {
        return Ok(foreign());
    }
    let on_linux = product.is_some();
    let arms = match (category.as_deref(), service.as_deref()) {
        (Some("process_creation"), None) => vec![Kind::Process],
        (Some("process_termination"), None) => vec![Kind::ProcessEnd],
        (Some("file_event"), None) => vec![Kind::File(Class::Create)],
        (Some("file_access"), None) => vec![Kind::File(Class::Open)],
        (Some("file_change"), None) => vec![Kind::File(Class::Attributes)],
        (Some("file_delete"), None) => vec![Kind::File(Class::Remove)],
        (Some("file_rename"), None) => vec![Kind::File(Class::Rename)],
        (Some("network_connection"), None) => vec![Kind::Network],
        (Some("dns" | "dns_query"), None) => vec![Kind::Dns, Kind::DnsAnswer],
        (Some("webserver" | "proxy"), _) => vec![Kind::Http, Kind::HttpStatus],
        (Some("image_load"), None) => vec![Kind::Image],
        (Some("process_access"), None) => vec![Kind::ProcessAccess],
        (Some("driver_load"), None) => vec![Kind::Module],
        (None, Some("auditd")) => {
            let messages = MESSAGES.iter().copied().map(Kind::Message);
            [Kind::Execve, Kind::Path, Kind::Syscall].into_iter().chain(messages).collect()
        }
        (_, Some(service)) if SERVICES.contains(&service) => vec![Kind::Log(service.to_owned())],
        (None, None) if on_linux => vec![Kind::Log(String::new()), Kind::Words],
        (None, None) => {
            return Err(source.error(file, "logsource says neither category nor product nor service"));
        }
        _ if !on_linux => return Ok(foreign()),
        (Some(category), None) => {
            let message = format!("the category {category:?} of Linux is not known");
            let allowed = "process_creation, process_termination, file_event, file_access, file_change, file_delete, \
                           file_rename, network_connection, dns_query, image_load, process_access, driver_load";
            return Err(source.error(file, message).allowing(allowed));
        }
        (_, Some(service)) => {
            let message = format!("the service {service:?} of Linux is not known");
            return Err(source.error(file, message).allowing(format!("auditd, {}", SERVICES.join(", "))));
        }
    };
    Ok(Read::Source(Source { arms, written: [category, product, service] }))
}

impl Source {
    /// Whether a filter of this source goes for rules of another: what it does not say, it leaves open.
    pub fn covers(&self, other: &Source) -> bool {
        self.written.iter().zip(&other.written).all(|(own, other)| own.is_none() || own == other)
    }
}

impl Kind {
    /// The events that carry it. `calls`: those that a rule about system calls names.
    pub fn class(&self, calls: BTreeSet<String>) -> Class {
        match self {
            Kind::Process | Kind::Execve | Kind::Words => Class::Exec,
            Kind::ProcessEnd => Class::Exit,
            Kind::File(class) => class.clone(),
            Kind::Network => Class::Connect,
            Kind::Dns => Class::DnsRequest,
            Kind::DnsAnswer => Class::DnsResponse,
            Kind::Http => Class::HttpRequest,
            Kind::HttpStatus => Class::HttpResponse,
            Kind::Image => Class::ImageLoad,
            Kind::ProcessAccess => Class::ProcessAccess,
            Kind::Module => Class::ModuleLoad,
            Kind::Path => Class::Touch,
            // What audit makes records of without being told to by a rule of its own.
            Kind::Syscall if calls.is_empty() => Class::calls(["execve", "execveat"]),
            Kind::Syscall => Class::Calls(calls),
            Kind::Message(kind) => Class::AuditMessage((*kind).to_owned()),
            // All that is logged is said to syslog.
            Kind::Log(service) if service.is_empty() || service == "syslog" => Class::Log(BTreeSet::new()),
            Kind::Log(service) => Class::Log(BTreeSet::from([service.clone()])),
        }
    }
}
