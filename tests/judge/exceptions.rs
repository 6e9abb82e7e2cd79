//! What strace shows and the capture does not have: each with its reason. The aim is an empty table.

use crate::compare::{Finding, Kind};

/// One kind of finding that does not fail the test. Calls with one do not count as equal.
#[derive(Debug)]
pub struct Exception {
    /// The call; empty for all.
    pub call: &'static str,
    /// Start of the place; empty for all.
    pub place: &'static str,
    pub what: What,
    pub why: &'static str,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Before,
    AddressOnly,
    Missing,
}

pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        call: "",
        place: "",
        what: What::Before,
        why: "arguments are read once, at the exit of the call: what it changed in place is kept as it left it",
    },
    Exception {
        call: "rt_sigreturn",
        place: "argument 0",
        what: What::Missing,
        why: "the call has no argument: strace reads the mask from the frame of the signal handler on the stack",
    },
];

/// The exception that a finding falls under.
pub fn of(call: &str, finding: &Finding) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| {
        let is_kind = match finding.what {
            Kind::Before { .. } => exception.what == What::Before,
            Kind::AddressOnly => exception.what == What::AddressOnly,
            Kind::Missing { .. } => exception.what == What::Missing,
            Kind::Different { .. } | Kind::NoMembers => false,
        };
        is_kind
            && (exception.call.is_empty() || exception.call == call)
            && finding.place.starts_with(exception.place)
    })
}
