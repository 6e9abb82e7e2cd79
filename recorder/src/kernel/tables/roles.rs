//! What programs do at calls beside recording them: descriptors that come and go, hooks that a call's exit stands in for,
//! arguments that are compared.

use events::{
    abi::{
        hooks::Hook,
        tables::{SyscallEntry, compared, descriptor, role},
    },
    capture,
};

use super::{EXECS, Tables, slots_of};
use crate::kernel::{hook_table::KERNEL_STAND_INS, hooks::Plan};

impl Tables {
    /// What exits of system calls are looked at for, beside the calls themselves.
    pub(super) fn set_roles(&mut self, plan: &Plan) {
        const SOCKETS: [&str; 11] = [
            "socket", "accept", "accept4", "connect", "bind", "sendto", "recvfrom", "sendmsg", "recvmsg",
            "sendmmsg", "recvmmsg",
        ];
        for stand_in in KERNEL_STAND_INS {
            if self.wants(stand_in.hook) && plan.carrier(stand_in.hook).is_none() {
                for call in stand_in.calls {
                    self.set_role(call, stand_in_role(call));
                }
            }
        }
        if self.wants_owners() {
            for (i, name) in SOCKETS.into_iter().enumerate() {
                self.set_role(name, if i < 3 { role::GIVES_SOCKET } else { role::USES_SOCKET });
            }
        }
    }

    /// What calls do with descriptors, beside what the catalogue says of their arguments and results.
    pub(super) fn set_descriptors(&mut self) {
        const READDRESSED: [&str; 3] = ["bind", "connect", "listen"];
        // A name that changes in these ways changes the paths of open files without their knowing.
        const MOVES: [&str; 8] =
            ["rename", "renameat", "renameat2", "mount", "move_mount", "pivot_root", "umount", "umount2"];
        // What may go to a log, by a descriptor or by an address that the call has itself.
        const SENDS: [&str; 2] = ["write", "writev"];
        const ADDRESSES: [&str; 3] = ["sendto", "sendmsg", "sendmmsg"];
        self.set_descriptor("close", descriptor::CLOSED);
        for name in READDRESSED {
            self.set_descriptor(name, descriptor::READDRESSED);
        }
        for name in SENDS {
            self.set_descriptor(name, descriptor::LOGS);
        }
        for name in ADDRESSES {
            self.set_descriptor(name, descriptor::LOGS | descriptor::LOGS_BY_ADDRESS);
        }
        // The file that was opened is told to the hook as well as to the call.
        if self.wants(Hook::FileOpen) {
            for name in ["open", "creat", "openat", "openat2"] {
                self.set_descriptor(name, descriptor::RETURNED);
            }
        }
        if self.remembers() {
            self.set_role("close_range", role::CLOSES_RANGE);
            self.set_role("pipe", role::GIVES_PAIR_0);
            self.set_role("pipe2", role::GIVES_PAIR_0);
            self.set_role("socketpair", role::GIVES_PAIR_3);
        }
        if self.syscalls.iter().any(|entry| entry.first | entry.second | entry.descriptors != 0) {
            for name in MOVES {
                self.set_role(name, role::MOVES_NAMES);
            }
        }
    }

    /// The kernel says `execve` at the exit of an exec that succeeded, whichever of the execs it was, and the native or
    /// the 32-bit one by what the new program is: one that is wanted ends in any.
    pub(super) fn set_execs(&mut self) {
        if !self.wants_exec() {
            return;
        }
        for slot in EXECS.iter().flat_map(|name| slots_of(name)) {
            if let Some(entry) = self.syscalls.get_mut(slot) {
                entry.flags |= SyscallEntry::EXEC;
            }
        }
    }

    /// Whether the last file of each descriptor is wanted once it is closed.
    pub fn remembers(&self) -> bool {
        self.syscalls.iter().any(|entry| entry.descriptors & descriptor::CLOSED != 0)
    }

    /// What is compared at entry and exit: what the caller alone writes, and what descriptors stand for where the call
    /// itself leaves them.
    pub(super) fn set_compared(&mut self) {
        const GIVES_SECOND: [&str; 2] = ["dup2", "dup3"];
        for (slot, entry) in self.slots.iter().zip(&mut self.syscalls) {
            let Some(slot) = slot.as_ref().filter(|_| entry.flags & SyscallEntry::WANTED != 0) else {
                continue;
            };
            let event = slot.event;
            let alone = (0..capture::ARGUMENTS).filter(|position| event.is_callers_alone(*position));
            entry.compared = alone.fold(0, |bits, position| bits | 1 << position) & entry.followed;
            if entry.first != 0 && entry.descriptors & descriptor::CLOSED == 0 {
                entry.compared |= compared::FIRST;
            }
            if entry.second != 0 && !GIVES_SECOND.contains(&event.name) {
                entry.compared |= compared::SECOND;
            }
        }
    }

    /// Whether anything is compared.
    pub fn compares(&self) -> bool {
        self.syscalls.iter().any(|entry| entry.compared != 0)
    }

    /// Whether it is noted when calls begin.
    pub fn times(&self) -> bool {
        self.timing && self.wants_syscalls()
    }

    pub(super) fn set_descriptor(&mut self, name: &str, bit: u8) {
        for slot in slots_of(name) {
            if let Some(entry) = self.syscalls.get_mut(slot)
                && (entry.flags & SyscallEntry::WANTED != 0 || entry.role != role::NONE)
            {
                entry.descriptors |= bit;
            }
        }
    }

    pub(super) fn set_role(&mut self, name: &str, role: u8) {
        for slot in slots_of(name) {
            if let Some(entry) = self.syscalls.get_mut(slot) {
                entry.role = role;
            }
        }
    }
}

/// What the exit of a call is looked at for when it stands in for a hook.
fn stand_in_role(call: &str) -> u8 {
    match call {
        "open" | "creat" => role::OPENS_0,
        "openat" | "openat2" => role::OPENS_1,
        "setns" | "unshare" => role::SWITCHES_NAMESPACES,
        "mmap" | "mmap2" => role::MAPS,
        "execve" | "execveat" => role::EXECS,
        "dup" | "dup2" | "dup3" => role::DUPLICATES,
        "fcntl" => role::MAY_DUPLICATE,
        "chdir" | "fchdir" => role::CHANGES_DIRECTORY,
        "bpf" => role::BPF,
        "ioctl" => role::MAY_ATTACH,
        "finit_module" => role::READS_MODULE,
        "kexec_file_load" => role::READS_KERNEL,
        "write" => role::WRITES,
        "writev" => role::WRITES_VECTOR,
        "pwrite64" => role::WRITES_AT,
        _ => role::CHANGES_CREDENTIALS,
    }
}
