//! What strace shows and the capture does not have: each with its reason. The aim is an empty table.

use crate::compare::{Finding, Kind};

/// One kind of finding that does not fail the test. Calls with one do not count as equal.
#[derive(Debug)]
pub struct Exception {
    /// The calls; empty for all.
    pub calls: &'static [&'static str],
    /// Start or end of the place; empty for all.
    pub place: &'static str,
    pub what: What,
    pub why: &'static str,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Before,
    AddressOnly,
    Missing,
    Different,
}

pub static EXCEPTIONS: &[Exception] = &[
    Exception {
        calls: &[],
        place: "",
        what: What::Before,
        why: "arguments are read once, at the exit of the call: what it changed in place is kept as it left it",
    },
    Exception {
        calls: &["capset"],
        place: "hdrp.version",
        what: What::Different,
        why: "strace shows the version before the call only; the kernel put the one that it knows in its place",
    },
    Exception {
        calls: &[],
        place: "",
        what: What::AddressOnly,
        why: "strace shows only the address, where the capture has what stands there (a call that it does not know, or \
              that failed)",
    },
    Exception {
        calls: &["clone", "clone3"],
        place: "parent_tid",
        what: What::Different,
        why: "strace reads it later, when a thread that ended meanwhile has had it cleared (CLONE_CHILD_CLEARTID)",
    },
    Exception {
        calls: &["rt_sigreturn"],
        place: "argument 0",
        what: What::Missing,
        why: "the call has no argument: strace reads the mask from the frame of the signal handler on the stack",
    },
    Exception {
        calls: &["getdents", "getdents64"],
        place: ".d_off",
        what: What::Missing,
        why: "a cursor of the file system, which means nothing to anybody else, and as a hash of 8 bytes was a third of the \
              capture of a program that walks a tree",
    },
    Exception {
        calls: &["getdents", "getdents64"],
        place: ".d_reclen",
        what: What::Missing,
        why: "bytes of the entry with its padding, which is not kept",
    },
    Exception {
        calls: &["io_submit"],
        place: ".aio_buf",
        what: What::Different,
        why: "strace follows the buffer of a request; the capture has the request as it stands, with the address",
    },
    Exception {
        calls: &["preadv2", "process_vm_readv", "recvmsg"],
        place: "",
        what: What::Different,
        why: "vectors that a failed call was to fill are not followed",
    },
    Exception {
        calls: &[
            "afs",
            "create_module",
            "epoll_ctl_old",
            "epoll_wait_old",
            "get_kernel_syms",
            "getpmsg",
            "nfsservctl",
            "putpmsg",
            "query_module",
            "security",
            "tuxcall",
            "vserver",
        ],
        place: "argument",
        what: What::Missing,
        why: "calls that Linux does not have any more have no arguments in the catalogue; strace shows registers",
    },
];

/// The exception that a finding falls under.
pub fn of(call: &str, finding: &Finding) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| {
        let is_kind = match finding.what {
            Kind::Before { .. } => exception.what == What::Before,
            Kind::AddressOnly => exception.what == What::AddressOnly,
            Kind::Missing { .. } => exception.what == What::Missing,
            Kind::Different { .. } | Kind::NoMembers => exception.what == What::Different,
        };
        is_kind
            && (exception.calls.is_empty() || exception.calls.contains(&call))
            && (finding.place.starts_with(exception.place) || finding.place.ends_with(exception.place))
    })
}
