//! Every hook has a program or a call that tells it, and nothing is listed that nothing tells.

use events::{Source, catalogue};

use super::*;
use crate::kernel::hook_table::{ATTACHMENTS, KERNEL_STAND_INS};

/// Hooks that are told by the exit of every system call, and by the programs on packets.
const BY_OTHERS: [Hook; 2] = [Hook::UnknownSyscall, Hook::Packet];

#[test]
fn every_hook_has_a_program_or_a_call_that_tells_it() {
    let by_requests = [Hook::IoUringSubmitReq, Hook::IoUringComplete];
    let without = Hook::ALL.iter().copied().filter(|hook| {
        !PROBES.iter().any(|probe| probe.hook == Some(*hook))
            && !ATTACHMENTS.iter().any(|it| it.hooks.contains(hook))
            && !KERNEL_STAND_INS.iter().any(|it| it.hook == *hook)
            && !BY_OTHERS.contains(hook)
            && !by_requests.contains(hook)
    });
    assert_eq!(without.collect::<Vec<_>>(), []);
}

#[test]
fn nothing_is_listed_that_nothing_tells() {
    for event in catalogue::events() {
        let has_hook = Hook::ALL.iter().any(|hook| hook.name() == event.name);
        let is_told = match event.source {
            Source::Syscall(numbers) => {
                numbers.x86_64.is_some() || numbers.i386.is_some() || numbers.aarch64.is_some()
            }
            Source::Tracepoint(_) | Source::Packet => has_hook,
            Source::Hook { .. } | Source::Exit { .. } => {
                has_hook || !crate::kernel::stand_in::calls(event).is_empty()
            }
            // The pipeline's rules are held to the catalogue there.
            Source::Derived { .. } => true,
            Source::Recorder => matches!(
                event.name,
                "container_create" | "container_remove" | "existing_container" | "lost_events"
            ),
            // Named so that imported logs can hold it; why nothing tells it is said where it is asked.
            Source::Unsupported(why) => !why.is_empty(),
        };
        assert!(is_told, "{}", event.name);
    }
}
