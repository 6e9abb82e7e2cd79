//! What kinds of happenings rules speak of, and which events carry them.
//!
//! One happening has one carrier: an open is an `openat` row and a `security_file_open` row, and a rule about opens is asked
//! of one of the two. Where a capture does not hold the first carrier, the next one stands in for it.

use std::collections::BTreeSet;

use crate::account::{AccountPart, PROGRAMS};
use crate::form::{Atom, Case, Expr, Field, Pattern, Test};
use crate::login::LoginPart;

/// A kind of happening.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// A program was executed.
    Exec,
    /// An exec that failed.
    ExecFailed,
    Fork,
    /// A process ended.
    Exit,
    /// A file was opened.
    Open,
    /// An open made a file.
    Create,
    Remove,
    Rename,
    /// Mode, owner or times of a file were set.
    Attributes,
    /// A file was opened for writing, made, renamed, linked, removed, cut, its attributes set, or executed: what a usual
    /// configuration of audit watches.
    Touch,
    /// This side opened a connection.
    Connect,
    /// The other side did.
    Accept,
    Bind,
    /// A DNS question.
    DnsRequest,
    DnsResponse,
    HttpRequest,
    HttpResponse,
    /// A module was loaded into the kernel.
    ModuleLoad,
    /// A program or library was mapped to be executed.
    ImageLoad,
    /// Another process was attached to, read or written.
    ProcessAccess,
    /// A line of a log, by its service (`sshd`) or facility (`auth`); any when empty.
    Log(BTreeSet<String>),
    /// A login over SSH, let in or not.
    Login,
    /// Users or groups were made, changed or removed, as a log tells.
    Account,
    /// A message that a program sent to audit, of this type.
    AuditMessage(String),
    /// These system calls.
    Calls(BTreeSet<String>),
    /// Events by name.
    Events(BTreeSet<String>),
}

/// An event that carries a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carrier {
    pub event: &'static str,
    /// What of its rows is meant.
    pub guard: Guard,
    /// What it says is not quite what the class means, and why.
    pub approximate: Option<&'static str>,
    /// The argument that makes it exact, where recordings have it.
    pub exact_by: Option<&'static str>,
}

/// Rows of a carrier that are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Guard {
    All,
    /// The call did not fail.
    Success,
    /// The process as a whole ended, or its main thread did.
    WholeProcess,
    /// An argument of flags has all of `bits` of a mask: `(flags & mask) == bits`.
    Flags {
        argument: &'static str,
        mask: u64,
        bits: u64,
        success: bool,
    },
    /// The open made the file; where that is not recorded, the open asked to make it, and the hook says that it changed
    /// within 100 ms before.
    Created,
    /// Opened for writing.
    ForWriting {
        argument: &'static str,
        success: bool,
    },
    /// A connection's state changed from one to another.
    State {
        old: u64,
        new: &'static [u64],
    },
}

const fn all(event: &'static str) -> Carrier {
    Carrier { event, guard: Guard::All, approximate: None, exact_by: None }
}

const fn success(event: &'static str) -> Carrier {
    Carrier { event, guard: Guard::Success, approximate: None, exact_by: None }
}

const fn approximate(carrier: Carrier, why: &'static str) -> Carrier {
    Carrier { approximate: Some(why), ..carrier }
}

/// An open that made its file, and why that is a guess where the kernel's word is not recorded.
const fn creating(event: &'static str, guess: &'static str) -> Carrier {
    Carrier { event, guard: Guard::Created, approximate: Some(guess), exact_by: Some("created") }
}

const GUESSED_BY_CHANGE: &str = "where a recording does not say that an open made its file, a file that changed within 100 ms \
     before an open with O_CREAT counts as made by it";
const GUESSED_BY_FLAGS: &str =
    "where a recording does not say that an open made its file, the file may have been there before";

const fn writing(event: &'static str, success: bool) -> Carrier {
    Carrier {
        event,
        guard: Guard::ForWriting { argument: "flags", success },
        approximate: None,
        exact_by: None,
    }
}

/// Alternatives, the best first: each is the set of events that carry the class together.
type Alternatives = &'static [&'static [Carrier]];

const EXEC: Alternatives = &[&[all("sched_process_exec")]];
const EXEC_FAILED: Alternatives = &[&[all("process_execute_failed")]];
const FORK: Alternatives = &[&[all("sched_process_fork")]];
const EXIT: Alternatives = &[&[Carrier {
    event: "sched_process_exit",
    guard: Guard::WholeProcess,
    approximate: None,
    exact_by: None,
}]];
const OPEN: Alternatives = &[
    &[all("security_file_open")],
    &[success("open"), success("openat"), success("openat2"), success("creat")],
];
const CREATE: Alternatives = &[
    &[creating("security_file_open", GUESSED_BY_CHANGE)],
    &[
        creating("open", GUESSED_BY_FLAGS),
        creating("openat", GUESSED_BY_FLAGS),
        creating("openat2", GUESSED_BY_FLAGS),
        creating("creat", GUESSED_BY_FLAGS),
    ],
];
const REMOVE: Alternatives = &[
    &[all("security_inode_unlink"), success("rmdir")],
    &[success("unlink"), success("unlinkat"), success("rmdir")],
];
const RENAME: Alternatives =
    &[&[all("security_inode_rename")], &[success("rename"), success("renameat"), success("renameat2")]];
const ATTRIBUTES: Alternatives = &[&[
    success("chmod"),
    success("fchmod"),
    success("fchmodat"),
    success("fchmodat2"),
    success("chown"),
    success("fchown"),
    success("lchown"),
    success("fchownat"),
    success("utime"),
    success("utimes"),
    success("futimesat"),
    success("utimensat"),
    success("setxattr"),
    success("lsetxattr"),
    success("fsetxattr"),
]];
const TOUCH: Alternatives = &[&[
    writing("security_file_open", false),
    all("security_inode_unlink"),
    all("security_inode_rename"),
    all("security_inode_symlink"),
    success("mkdir"),
    success("mkdirat"),
    success("rmdir"),
    success("mknod"),
    success("mknodat"),
    success("link"),
    success("linkat"),
    success("chmod"),
    success("fchmod"),
    success("fchmodat"),
    success("fchmodat2"),
    success("chown"),
    success("fchown"),
    success("lchown"),
    success("fchownat"),
    success("utime"),
    success("utimes"),
    success("futimesat"),
    success("utimensat"),
    success("truncate"),
    success("ftruncate"),
    all("sched_process_exec"),
]];
/// States of TCP, as the kernel numbers them.
const ESTABLISHED: u64 = 1;
const SYN_SENT: u64 = 2;
const SYN_RECV: u64 = 3;
const CONNECT: Alternatives = &[
    &[Carrier {
        event: "inet_sock_set_state",
        guard: Guard::State { old: SYN_SENT, new: &[ESTABLISHED] },
        approximate: None,
        exact_by: None,
    }],
    &[approximate(all("security_socket_connect"), "the connection may not have come about")],
    &[approximate(all("connect"), "the connection may not have come about")],
];
const ACCEPT: Alternatives = &[
    &[Carrier {
        event: "inet_sock_set_state",
        guard: Guard::State { old: SYN_RECV, new: &[ESTABLISHED] },
        approximate: None,
        exact_by: None,
    }],
    &[all("security_socket_accept")],
];
const BIND: Alternatives = &[&[all("security_socket_bind")], &[success("bind")]];
const DNS_REQUEST: Alternatives = &[&[all("net_packet_dns_request")]];
const DNS_RESPONSE: Alternatives = &[&[all("net_packet_dns_response")]];
const HTTP_REQUEST: Alternatives = &[&[all("net_packet_http_request")]];
const HTTP_RESPONSE: Alternatives = &[&[all("net_packet_http_response")]];
const LOG: Alternatives = &[&[all("log_message")]];
const AUDIT_MESSAGE: Alternatives = &[&[all("audit_user_message")]];
const MODULE_LOAD: Alternatives =
    &[&[all("module_load")], &[success("init_module"), success("finit_module")]];
const IMAGE_LOAD: Alternatives = &[&[all("shared_object_loaded")], &[all("security_mmap_file")]];
const PROCESS_ACCESS: Alternatives =
    &[&[success("ptrace"), success("process_vm_readv"), success("process_vm_writev")]];

impl Class {
    /// The events that carry it, in alternatives of which the first that a capture holds is asked. `None` where the class
    /// names its events itself, or nothing carries it.
    pub fn alternatives(&self) -> Option<Alternatives> {
        Some(match self {
            Class::Exec => EXEC,
            Class::ExecFailed => EXEC_FAILED,
            Class::Fork => FORK,
            Class::Exit => EXIT,
            Class::Open => OPEN,
            Class::Create => CREATE,
            Class::Remove => REMOVE,
            Class::Rename => RENAME,
            Class::Attributes => ATTRIBUTES,
            Class::Touch => TOUCH,
            Class::Connect => CONNECT,
            Class::Accept => ACCEPT,
            Class::Bind => BIND,
            Class::DnsRequest => DNS_REQUEST,
            Class::DnsResponse => DNS_RESPONSE,
            Class::HttpRequest => HTTP_REQUEST,
            Class::HttpResponse => HTTP_RESPONSE,
            Class::ModuleLoad => MODULE_LOAD,
            Class::ImageLoad => IMAGE_LOAD,
            Class::ProcessAccess => PROCESS_ACCESS,
            Class::Log(_) | Class::Login | Class::Account => LOG,
            Class::AuditMessage(_) => AUDIT_MESSAGE,
            Class::Calls(_) | Class::Events(_) => return None,
        })
    }

    /// What of its events is meant beside their guards.
    pub fn condition(&self) -> Expr {
        let any_of = |field: &str, patterns: Vec<Pattern>| {
            let test = Test::Fits(Case::Folded, patterns);
            Expr::Atom(Atom { field: Field::arg(field), test, written: field.into() })
        };
        let equals = |text: &str| Pattern::Equals(text.to_ascii_lowercase().into_bytes());
        match self {
            Class::AuditMessage(kind) => any_of("type", vec![equals(kind)]),
            Class::Login => {
                let is_sshd = any_of("tag", vec![equals("sshd"), Pattern::Prefix(b"sshd-".to_vec())]);
                let field = Field::Login(LoginPart::Outcome);
                let is_login = Expr::Atom(Atom { field, test: Test::Exists, written: "login".into() });
                Expr::all([is_sshd, is_login])
            }
            Class::Account => {
                let programs = PROGRAMS.iter().map(|name| equals(name)).collect();
                let field = Field::Account(AccountPart::Action);
                let is_change = Expr::Atom(Atom { field, test: Test::Exists, written: "account".into() });
                Expr::all([any_of("tag", programs), is_change])
            }
            Class::Log(services) if !services.is_empty() => {
                // Programs that have split (`sshd-session`), and the facility that is kept from others (`authpriv`).
                let tags = services.iter().flat_map(|it| {
                    [equals(it), Pattern::Prefix(format!("{}-", it.to_ascii_lowercase()).into_bytes())]
                });
                let facilities = services.iter().flat_map(|it| [equals(it), equals(&format!("{it}priv"))]);
                Expr::any([any_of("tag", tags.collect()), any_of("facility", facilities.collect())])
            }
            _ => Expr::Const(true),
        }
    }

    /// Events that it names itself.
    pub fn named(&self) -> Option<&BTreeSet<String>> {
        match self {
            Class::Calls(names) | Class::Events(names) => Some(names),
            _ => None,
        }
    }

    pub fn events<'a>(names: impl IntoIterator<Item = &'a str>) -> Class {
        Class::Events(names.into_iter().map(str::to_owned).collect())
    }

    pub fn calls<'a>(names: impl IntoIterator<Item = &'a str>) -> Class {
        Class::Calls(names.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_carrier_is_an_event_of_the_catalogue() {
        let classes = [
            EXEC,
            EXEC_FAILED,
            FORK,
            EXIT,
            OPEN,
            CREATE,
            REMOVE,
            RENAME,
            ATTRIBUTES,
            TOUCH,
            CONNECT,
            ACCEPT,
            BIND,
            DNS_REQUEST,
            DNS_RESPONSE,
            HTTP_REQUEST,
            HTTP_RESPONSE,
            LOG,
            AUDIT_MESSAGE,
            MODULE_LOAD,
            IMAGE_LOAD,
            PROCESS_ACCESS,
        ];
        for carrier in classes.into_iter().flatten().copied().flatten() {
            let event =
                events::catalogue::by_name(carrier.event).unwrap_or_else(|| panic!("{}", carrier.event));
            let argument = match carrier.guard {
                Guard::Flags { argument, .. } | Guard::ForWriting { argument, .. } => argument,
                _ => continue,
            };
            assert!(event.arg(argument).is_some(), "{} of {}", argument, carrier.event);
        }
    }
}
