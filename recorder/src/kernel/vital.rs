//! The events that have room while others are refused: what processes are made of, and what an attacker cannot do without.
//!
//! A hook is vital together with the system calls that tell of the same where it cannot be had, so these are not listed again.

use std::collections::BTreeSet;

use events::{
    Source,
    abi::{hooks::Hook, tables::SyscallEntry},
    catalogue,
};

use super::{
    hooks, stand_in,
    tables::{STATE_HOOKS, Tables, slots_of},
};

/// Hooks, beside those of [`STATE_HOOKS`].
const HOOKS: &[Hook] = &[
    Hook::SwitchNamespaces,
    Hook::CommitCreds,
    Hook::BprmCheck,
    Hook::SocketConnect,
    Hook::SocketAccept,
    Hook::SocketBind,
    Hook::SocketListen,
    Hook::SbMount,
    Hook::SbUmount,
    Hook::Bpf,
    Hook::BpfProg,
    Hook::BpfAttach,
    Hook::KernelReadFile,
    Hook::ModuleLoad,
    Hook::ModuleFree,
    Hook::DoInitModule,
    Hook::KprobeAttach,
    Hook::CallUsermodehelper,
    Hook::CgroupMkdir,
    Hook::CgroupRmdir,
    Hook::CgroupAttachTask,
];

/// System calls of the same kinds that stand in for none of them.
const MORE_CALLS: &[&str] = &[
    "clone",
    "clone3",
    "fork",
    "vfork",
    "exit",
    "exit_group",
    "chroot",
    "pivot_root",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
];

/// Calls that stand in for a vital hook and are made for a hundred other things as well, by everybody.
const TOO_COMMON: &[&str] = &["ioctl"];

/// The system calls that are vital. `docs/recording.md` lists them.
pub fn calls() -> BTreeSet<&'static str> {
    let of_hook = |hook: &Hook| {
        let by_rules = catalogue::by_name(hook.name()).map_or_else(Vec::new, stand_in::calls);
        hooks::stand_in_calls(*hook).iter().copied().chain(by_rules)
    };
    let is_call = |name: &&str| {
        catalogue::by_name(name).is_some_and(|event| matches!(event.source, Source::Syscall(_)))
    };
    let mut calls: BTreeSet<_> = STATE_HOOKS.iter().chain(HOOKS).flat_map(of_hook).filter(is_call).collect();
    calls.extend(MORE_CALLS);
    calls.retain(|call| !TOO_COMMON.contains(call));
    calls
}

impl Tables {
    /// Marks the calls that are vital.
    pub(super) fn set_vital_calls(&mut self) {
        for slot in calls().into_iter().flat_map(slots_of) {
            if let Some(entry) = self.syscalls.get_mut(slot) {
                entry.flags |= SyscallEntry::VITAL;
            }
        }
    }

    /// The hooks that are, a bit for each.
    pub fn vital_hooks(&self) -> u128 {
        STATE_HOOKS.iter().chain(HOOKS).fold(0, |bits, hook| bits | 1 << *hook as u128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vital_call_is_in_the_catalogue() {
        let unknown: Vec<_> = calls().into_iter().filter(|name| catalogue::by_name(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn the_page_lists_the_vital_calls() {
        let page = include_str!("../../../docs/recording.md");
        let (_, list) = page.split_once("- of system calls: ").unwrap();
        let (list, _) = list.split_once("\n\n").unwrap();
        let listed: BTreeSet<&str> = list
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        let missing: Vec<_> = calls().into_iter().filter(|call| !listed.contains(call)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
