//! Who did it: found unchanged in a few nanoseconds, sent when it has changed.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel_str,
    },
    macros::map,
    maps::Array,
};
use events::abi::{CONTEXT_BYTES, RecordHeader, WireContext, bits, kind};

use crate::{
    emit::Writer,
    kernel::{Pid, Task},
    path::{self, Outcome},
    scopes::{self, scopes},
};

/// What the last context sent for a task was made from. Pointers are compared, not followed: a change of what they
/// stand for changes them, and their reuse is caught by the start time and the rest.
#[repr(C)]
pub struct Known {
    task: u64,
    start: u64,
    cred: u64,
    nsproxy: u64,
    cgroups: u64,
    parent: u64,
    mm: u64,
    pub comm: [u64; 2],
    /// The name before that.
    before: [u64; 2],
    id: u64,
    /// Not zero once the thread has gone.
    gone: u64,
    /// The scopes that may want what the task does, and the epoch of that answer.
    scopes: u64,
    epoch: u64,
}

const KNOWN: u32 = 32_768;

#[map]
static CONTEXTS: Array<Known> = Array::with_max_entries(KNOWN, 0);

/// The current task, by its type where the kernel can give that.
#[inline(always)]
pub fn current<const TYPED: bool>() -> Task<TYPED> {
    // SAFETY: helpers without arguments.
    unsafe {
        if TYPED { Task(bpf_get_current_task_btf().cast()) } else { Task(bpf_get_current_task() as *const u8) }
    }
}

/// Whether this process is not to be recorded.
#[inline(always)]
pub fn is_excluded(tgid: u32) -> bool {
    for i in 0..16 {
        // SAFETY: a static of this program, and the index is within.
        let excluded = unsafe { read_volatile((&raw const crate::emit::CONFIG.excluded).cast::<u32>().add(i)) };
        if excluded == 0 {
            return false;
        }
        if excluded == tgid {
            return true;
        }
    }
    false
}

/// The place of a task in the table of contexts.
#[derive(Clone, Copy)]
pub struct Place {
    pub known: *mut Known,
    pub is_fresh: bool,
}

impl Place {
    /// Finds it, and whether the context that it holds is still the task's. `None`: not to be recorded.
    ///
    /// Where scopes are applied it is always made the task's; the context may still have to be sent, its id is 0 then.
    #[inline(always)]
    pub fn of<const TYPED: bool>(task: Task<TYPED>) -> Option<Place> {
        let known = CONTEXTS.get_ptr_mut(task.pid() & (KNOWN - 1))?;
        let is_fresh = is_fresh(known, task);
        if !is_fresh && is_excluded(task.tgid()) {
            return None;
        }
        if scopes!(is_on) == 0 {
            return Some(Place { known, is_fresh });
        }
        let epoch = scopes::epoch();
        // SAFETY: a map value.
        if !is_fresh || unsafe { read_volatile(&raw const (*known).epoch) } != epoch {
            let scopes = scopes::scopes_of_task();
            if !is_fresh {
                note(known, task, 0);
            }
            // SAFETY: as above.
            unsafe {
                write_volatile(&raw mut (*known).scopes, scopes);
                write_volatile(&raw mut (*known).epoch, epoch);
            }
        }
        Some(Place { known, is_fresh: true })
    }

    /// Whether some scope of the word may want what the task does.
    #[inline(always)]
    pub fn may_match(self, word: u64) -> bool {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*self.known).scopes) & word != 0 }
    }

    /// Whether the context has been sent.
    #[inline(always)]
    pub fn is_sent(self) -> bool {
        self.id_if_fresh() != 0
    }

    /// The id to refer to it by; sends it first when it has changed. For the current task only.
    #[inline(always)]
    pub fn id<const TYPED: bool>(self, writer: &mut Writer, task: Task<TYPED>) -> u64 {
        let (id, is_new) = self.id_to_send(writer, task);
        if is_new {
            writer.at = context_send(writer.room(), writer.at, id);
        }
        id
    }

    /// The same, and whether it is still to be sent, by [`context_send`].
    #[inline(always)]
    pub fn id_to_send<const TYPED: bool>(self, writer: &Writer, task: Task<TYPED>) -> (u64, bool) {
        if self.is_fresh {
            let id = self.id_if_fresh();
            if scopes!(is_on) == 0 || id != 0 {
                return (id, false);
            }
        }
        let id = writer.next_context_id();
        if self.is_fresh {
            // SAFETY: a map value.
            unsafe { write_volatile(&raw mut (*self.known).id, id) };
        } else {
            note(self.known, task, id);
        }
        (id, true)
    }

    /// The id, when it needs no sending; 0 otherwise. For programs that interrupt others.
    #[inline(always)]
    pub fn id_if_fresh(self) -> u64 {
        // SAFETY: a map value.
        if self.is_fresh { unsafe { read_volatile(&raw const (*self.known).id) } } else { 0 }
    }

    /// The context was not sent after all.
    #[inline(always)]
    pub fn forget(self) {
        // SAFETY: a map value.
        unsafe { write_volatile(&raw mut (*self.known).task, 0) };
    }

    /// The thread goes: what was sent for it stays true of what it did.
    #[inline(always)]
    pub fn set_gone(self) {
        // SAFETY: a map value.
        unsafe { write_volatile(&raw mut (*self.known).gone, 1) };
    }

}

/// The context that a write sent, or may have, was not sent after all.
#[inline(always)]
pub fn forget_current() {
    if let Some(known) = CONTEXTS.get_ptr_mut(current::<false>().pid() & (KNOWN - 1)) {
        Place { known, is_fresh: false }.forget();
    }
}

/// The name that a task had before the one that it has now, if its context is still in its place.
#[inline(always)]
pub fn previous_comm<const TYPED: bool>(task: Task<TYPED>) -> Option<[u64; 2]> {
    let known = CONTEXTS.get_ptr(task.pid() & (KNOWN - 1))?;
    // SAFETY: a map value.
    unsafe {
        if read_volatile(&raw const (*known).task) != task.0 as u64 {
            return None;
        }
        let [first, second] = read_volatile(&raw const (*known).comm);
        let [now_first, now_second] = task.comm_words();
        // Something has been recorded since it was renamed, or nothing has.
        let is_noted = first == now_first && second == now_second;
        Some(if is_noted { read_volatile(&raw const (*known).before) } else { [first, second] })
    }
}

/// Notes what a task's context is made from, and its id.
#[inline(always)]
fn note<const TYPED: bool>(known: *mut Known, task: Task<TYPED>, id: u64) {
    let comm = task.comm_words();
    let start = task.start_boottime();
    // SAFETY: a map value; the task is written last, so that a torn entry only causes another sending.
    unsafe {
        let is_same = read_volatile(&raw const (*known).start) == start;
        let [first, second] = read_volatile(&raw const (*known).comm);
        if !is_same {
            write_volatile(&raw mut (*known).before, comm);
        } else if first != comm[0] || second != comm[1] {
            write_volatile(&raw mut (*known).before, [first, second]);
        }
        write_volatile(&raw mut (*known).task, 0);
        write_volatile(&raw mut (*known).start, start);
        write_volatile(&raw mut (*known).cred, task.cred().0 as u64);
        write_volatile(&raw mut (*known).nsproxy, task.nsproxy().0 as u64);
        write_volatile(&raw mut (*known).cgroups, task.cgroups() as u64);
        write_volatile(&raw mut (*known).parent, task.real_parent().0 as u64);
        write_volatile(&raw mut (*known).mm, task.mm().0 as u64);
        write_volatile(&raw mut (*known).comm, comm);
        write_volatile(&raw mut (*known).id, id);
        write_volatile(&raw mut (*known).gone, 0);
        write_volatile(&raw mut (*known).task, task.0 as u64);
    }
}

/// The context last sent for a thread, 0 for none, and whether the thread is still there.
#[inline(always)]
pub fn last_sent(tid: u32, start_ns: u64) -> (u64, bool) {
    let Some(known) = CONTEXTS.get_ptr(tid & (KNOWN - 1)) else { return (0, false) };
    // SAFETY: a map value.
    unsafe {
        if start_ns == 0 || read_volatile(&raw const (*known).start) != start_ns {
            return (0, false);
        }
        (read_volatile(&raw const (*known).id), read_volatile(&raw const (*known).gone) == 0)
    }
}

#[inline(always)]
fn is_fresh<const TYPED: bool>(known: *const Known, task: Task<TYPED>) -> bool {
    macro_rules! field {
        ($field:ident) => {
            // SAFETY: a map value.
            unsafe { read_volatile(&raw const (*known).$field) }
        };
    }
    if field!(task) != task.0 as u64
        || field!(start) != task.start_boottime()
        || field!(cred) != task.cred().0 as u64
        || field!(cgroups) != task.cgroups() as u64
        || field!(parent) != task.real_parent().0 as u64
    {
        return false;
    }
    // A task that exits has given these back; what was sent still holds.
    let mm = task.mm().0 as u64;
    let nsproxy = task.nsproxy().0 as u64;
    if mm != field!(mm) && mm != 0 || nsproxy != field!(nsproxy) && nsproxy != 0 {
        return false;
    }
    // SAFETY: a map value.
    let [first, second] = unsafe {
        let comm = (&raw const (*known).comm).cast::<u64>();
        [read_volatile(comm), read_volatile(comm.add(1))]
    };
    let [now_first, now_second] = task.comm_words();
    first == now_first && second == now_second
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
