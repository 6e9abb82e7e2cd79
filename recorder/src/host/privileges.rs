//! What each thread of the recorder may still do once everything is attached.
//!
//! Loading programs needs nearly everything that root has; draining, encoding and writing need next to nothing, and
//! handle bytes that any process of the host chose. Each thread gives up what it has no use for:
//!
//! | thread | capabilities that stay | why |
//! |---|---|---|
//! | drain | `BPF`, `PERFMON`, `SYS_PTRACE`, `DAC_READ_SEARCH`, `KILL` | maps of the programs; `/proc` with `hidepid`; ending the command |
//! | encode | none | |
//! | write | `DAC_OVERRIDE` | the next file of a set, in somebody's directory |
//! | names | `DAC_READ_SEARCH` | the state of container runtimes |
//! | hashes | `SYS_PTRACE`, `DAC_READ_SEARCH` | the executables of processes |
//! | artifacts | `BPF`, `SYS_PTRACE`, `DAC_READ_SEARCH` | what processes have open; instructions of bpf programs |
//! | metrics | `DAC_OVERRIDE` | a file in the directory of whoever collects it |
//! | others | none | |
//!
//! None gains anything by executing a program (`no_new_privs`), and all but the others may make only the system calls of
//! their lists ([`super::seccomp`]). All threads share their memory, so this bounds what a fault does, and what code that
//! takes one over can do at once; it is no wall between them. What it rests on and what not is in `docs/security.md`.

use std::io;

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities, set_no_new_privs,
    },
};

use crate::host::seccomp;

/// A thread's part in a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Drain,
    Encode,
    Write,
    Names,
    Hashes,
    Artifacts,
    Metrics,
    /// Signals, the progress line, the wait for the command.
    Other,
}

impl Part {
    const fn keeps(self) -> CapabilitySet {
        match self {
            Part::Drain => CapabilitySet::BPF
                .union(CapabilitySet::PERFMON)
                .union(CapabilitySet::SYS_PTRACE)
                .union(CapabilitySet::DAC_READ_SEARCH)
                .union(CapabilitySet::KILL),
            Part::Write | Part::Metrics => CapabilitySet::DAC_OVERRIDE,
            Part::Names => CapabilitySet::DAC_READ_SEARCH,
            Part::Hashes => CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH),
            Part::Artifacts => {
                CapabilitySet::BPF.union(CapabilitySet::SYS_PTRACE).union(CapabilitySet::DAC_READ_SEARCH)
            }
            Part::Encode | Part::Other => CapabilitySet::empty(),
        }
    }
}

/// Makes the memory of this process nobody's: it holds what others wrote and read. No core is dumped either.
pub fn hide_memory() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Gives up all that this thread has no part in. A recorder that could not would record with more than it says, so the
/// error is one to end with, before anything is recorded.
pub fn confine(part: Part) -> io::Result<()> {
    let has = rustix::thread::capabilities(None)?;
    let keeps = part.keeps() & has.permitted;
    clear_ambient_capability_set()?;
    if has.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().difference(keeps).iter() {
            // Kernels have fewer than this list, and refuse what they do not have.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
    let sets = CapabilitySets { effective: keeps, permitted: keeps, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    set_no_new_privs(true)?;
    seccomp::allow_only(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `/proc` says of the calling thread.
    fn status(name: &str) -> String {
        let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    }

    #[test]
    fn a_thread_keeps_only_what_its_part_needs_and_others_keep_theirs() {
        let before = status("CapEff:");
        std::thread::spawn(|| {
            confine(Part::Other).unwrap();
            assert_eq!(status("CapEff:"), "0000000000000000");
            assert_eq!((status("NoNewPrivs:"), status("Seccomp:")), ("1".to_owned(), "0".to_owned()));
        })
        .join()
        .unwrap();
        assert_eq!(status("CapEff:"), before);
    }

    #[test]
    fn a_thread_that_encodes_can_work_and_do_nothing_else() {
        std::thread::spawn(|| {
            confine(Part::Encode).unwrap();
            let worked: Vec<u64> = (0..1 << 20).collect();
            let (tell, told) = crossbeam_channel::bounded(1);
            tell.send(worked.len()).unwrap();
            assert_eq!(told.recv(), Ok(1 << 20));
            let refused =
                |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::PermissionDenied;
            assert!(refused(std::fs::File::open("/etc/passwd").map(drop)));
            assert!(refused(std::net::TcpListener::bind("127.0.0.1:0").map(drop)));
            assert!(refused(std::process::Command::new("true").spawn().map(drop)));
        })
        .join()
        .unwrap();
    }
}
