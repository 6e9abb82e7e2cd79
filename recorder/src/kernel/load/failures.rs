//! Why loading failed, in the recorder's words.

use aya::{EbpfError, programs::ProgramError};

use crate::kernel::{Error, refusals};

pub(super) fn broken_object(part: &str) -> Error {
    Error::Program {
        program: part.to_owned(),
        reason: "it is not in the object: rebuild it with `cargo xtask ebpf`".into(),
    }
}

pub(super) fn load_error(error: EbpfError, cpus: usize, bytes: usize) -> Error {
    let text = chain(&error);
    match errno(&error) {
        Some(1 | 13) => Error::Capability { capability: "CAP_BPF" },
        Some(12 | 7) => Error::Memory { cpus, bytes, reason: text },
        _ => Error::Feature { feature: "what the programs' maps need", reason: text },
    }
}

pub(super) fn program_error(program: &str, error: ProgramError) -> Error {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        let log = verifier_log.to_string();
        if io_error.raw_os_error() == Some(1) && log.trim().is_empty() {
            return Error::Capability { capability: "CAP_PERFMON" };
        }
        if refusals::is_by_lockdown(&log) {
            return Error::Lockdown;
        }
        let mut last: Vec<&str> = log.lines().rev().take(30).collect();
        last.reverse();
        return Error::Program {
            program: program.to_owned(),
            reason: format!("{io_error}\n{}", last.join("\n")),
        };
    }
    Error::Program { program: program.to_owned(), reason: chain(&error) }
}

/// The message with those of its causes.
pub(in crate::kernel) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error();
        }
        cause = error.source();
    }
    None
}
