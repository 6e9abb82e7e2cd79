//! TRC-102: a process asks to be traced, so that no debugger can attach to it any more.

use super::{Base, Derived};

/// `PTRACE_TRACEME` of the kernel's `uapi/linux/ptrace.h`.
const TRACEME: u64 = 0;

pub fn derive(base: &Base<'_>, derived: &mut Derived) {
    if base.number("request") == Some(TRACEME) && derived.begin("anti_debugging") {
        for arg in base.event.args {
            derived.raw(arg.name, base.arg(arg.name));
        }
    }
}
