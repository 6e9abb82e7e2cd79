//! The record that says who a task is.

use core::ptr::write_volatile;

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_probe_read_kernel_str};
use events::abi::{CONTEXT_BYTES, RecordHeader, WireContext, bits, kind};

use super::current;
use crate::{
    emit::Writer,
    kernel::{Pid, Task, probe},
    path::{self, Outcome},
};

/// Appends the current task's context as a record. Returns where the write has come to.
///
/// A global function, of numbers only: the verifier looks at it once for all the programs that may send one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn context_send(room: u64, at: u64, id: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let task = current::<false>();
    let started = writer.start((CONTEXT_BYTES / 8) as u8);
    // SAFETY: a helper without arguments, and room that `start` made.
    let mut flags =
        unsafe { describe(task, bpf_get_current_cgroup_id(), writer.payload(started).cast::<WireContext>()) };
    if task.is_kernel_thread() {
        flags |= bits::CONTEXT_KERNEL_THREAD;
    } else {
        let mm = task.mm();
        let outcome = if mm.is_null() { Outcome::Lost } else { path::append(&mut writer, 0, mm.exe_file()) };
        match outcome {
            Outcome::Whole => {}
            Outcome::Cut => flags |= bits::CONTEXT_EXE_TRUNCATED,
            Outcome::Lost => flags |= bits::CONTEXT_EXE_UNKNOWN,
        }
    }
    // SAFETY: as above.
    unsafe { (*writer.payload(started).cast::<WireContext>()).flags = flags };
    writer.end(started, RecordHeader {
        kind: kind::CONTEXT,
        words: (CONTEXT_BYTES / 8) as u8,
        context: id,
        more: 1,
        ..RecordHeader::default()
    });
    writer.at
}

/// Writes what a context says, but for the executable and `flags`, which it returns.
///
/// # Safety
/// There is room for it.
#[inline(always)]
pub unsafe fn describe(task: Task<false>, cgroup_id: u64, payload: *mut WireContext) -> u32 {
    let leader = task.group_leader();
    let parent = task.real_parent().group_leader();
    let cred = task.cred();
    let thread_pid = task.thread_pid();
    let level = level_of(thread_pid);
    // One after the other to where they go: there is no room on the stack for all of them.
    macro_rules! set {
        ($field:ident, $value:expr) => {
            // SAFETY: by the caller's word.
            unsafe { write_volatile(&raw mut (*payload).$field, $value) }
        };
    }
    set!(pid, task.tgid());
    set!(tid, task.pid());
    set!(ppid, parent.tgid());
    set!(ns_pid, number_at(leader.thread_pid(), level));
    set!(ns_tid, number_at(thread_pid, level));
    set!(ns_ppid, number_at(parent.thread_pid(), level));
    set!(uid, cred.uid());
    set!(gid, cred.gid());
    set!(euid, cred.euid());
    set!(egid, cred.egid());
    set!(suid, cred.suid());
    set!(sgid, cred.sgid());
    set!(fsuid, cred.fsuid());
    set!(fsgid, cred.fsgid());
    // SAFETY: by the caller's word.
    let capabilities = unsafe { (&raw mut (*payload).capabilities).cast::<u64>() };
    macro_rules! set_capabilities {
        ($($at:literal $set:ident),*) => {
            // SAFETY: as above.
            $(unsafe { write_volatile(capabilities.add($at), probe(cred.$set())) };)*
        };
    }
    set_capabilities!(0 cap_effective, 1 cap_permitted, 2 cap_inheritable, 3 cap_bset, 4 cap_ambient);
    set!(pid_ns, thread_pid.at_level(level).ns().inum());
    set!(user_ns, cred.user_ns().inum());
    set!(cgroup_id, cgroup_id);
    set!(thread_start_ns, task.start_boottime());
    set!(process_start_ns, leader.start_boottime());
    set!(parent_start_ns, parent.start_boottime());
    set!(flags, 0);
    set!(spare, 0);
    set!(uts, [[0; 8]; 8]);
    let flags = if task.compat() { bits::CONTEXT_COMPAT } else { 0 };
    let nsproxy = task.nsproxy();
    let has_namespaces = !nsproxy.is_null();
    set!(mnt_ns, if has_namespaces { nsproxy.mnt_ns().inum() } else { 0 });
    set!(net_ns, if has_namespaces { nsproxy.net_ns().inum() } else { 0 });
    let [first, second] = task.comm_words();
    // SAFETY: by the caller's word.
    unsafe {
        let comm = (&raw mut (*payload).comm).cast::<u64>();
        *comm = first;
        *comm.add(1) = second;
        let uts = (&raw mut (*payload).uts).cast::<u8>();
        if has_namespaces {
            bpf_probe_read_kernel_str(uts.cast(), 64, nsproxy.uts_ns().nodename().cast());
        }
    }
    flags
}

/// The number of a task in its own pid namespace's view, at a level of namespaces; 0 when it is not seen there.
#[inline(always)]
pub fn number_at(pid: Pid<false>, level: u32) -> u32 {
    if pid.is_null() || pid.level() < level { 0 } else { pid.at_level(level).nr() }
}

/// The level of the namespace that a task sees itself in. Bounded, against what cannot be read.
#[inline(always)]
pub fn level_of(pid: Pid<false>) -> u32 {
    const MAX_LEVEL: u32 = 32;
    let level = pid.level();
    if level > MAX_LEVEL { 0 } else { level }
}
