//! The events that have room while others are refused: what processes are made of, and what an attacker cannot do without.

use events::abi::{hooks::Hook, tables::SyscallEntry};

use super::tables::{STATE_HOOKS, Tables, slots_of};

/// Of system calls. `docs/recording.md` lists them.
pub const CALLS: &[&str] = &[
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "connect",
    "accept",
    "accept4",
    "bind",
    "listen",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "setns",
    "unshare",
    "chroot",
    "pivot_root",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
];

/// Of hooks, beside those of [`STATE_HOOKS`].
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

impl Tables {
    /// Marks the calls that are vital.
    pub(super) fn set_vital_calls(&mut self) {
        for slot in CALLS.iter().flat_map(|name| slots_of(name)) {
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
    use events::catalogue;

    use super::*;

    #[test]
    fn every_vital_call_is_in_the_catalogue() {
        let unknown: Vec<_> = CALLS.iter().filter(|name| catalogue::by_name(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
