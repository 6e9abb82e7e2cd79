//! Who did it: found unchanged in a few nanoseconds, sent when it has changed.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
};

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

/// What the last context sent for a task was made from. Values are compared where the kernel, or an exploit, changes them
/// in place (ids, the host's name); pointers elsewhere, whose reuse is caught by the start time and the rest.
///
/// Any CPU may write any entry, since tasks share places. So all that is believed of an entry is covered by `check`: two
/// that write it at once leave something that does not add up, and the context is sent once more.
#[repr(C)]
pub struct Known {
    pid: u64,
    task: u64,
    start: u64,
    cred: u64,
    /// uid and gid, then euid and egid.
    ids: [u64; 2],
    nsproxy: u64,
    /// A hash of the host's name.
    host: u64,
    cgroups: u64,
    parent: u64,
    mm: u64,
    comm: [u64; 2],
    /// The name before that.
    before: [u64; 2],
    id: u64,
    /// The scopes that may want what the task does, and the epoch of that answer.
    scopes: u64,
    epoch: u64,
    /// The sum of all of the above, by exclusive or.
    check: u64,
    /// Not zero once the thread has gone.
    gone: u64,
}

const SETS: u32 = 32_768;

/// Tasks whose numbers are equal modulo [`SETS`] share a set, of which two have a place.
type Set = [Known; 2];

#[map]
static CONTEXTS: Array<Set> = Array::with_max_entries(SETS, 0);

/// The place of a task among those that share its set: the one that has its number, else the one to take.
#[inline(always)]
fn place_of(pid: u32) -> Option<*mut Known> {
    let first = CONTEXTS.get_ptr_mut(pid & (SETS - 1))?.cast::<Known>();
    let pid = pid as u64;
    // SAFETY: both are in the map value.
    let (of_first, of_second) =
        unsafe { (read_volatile(&raw const (*first).pid), read_volatile(&raw const (*first.add(1)).pid)) };
    let is_other = |of: u64| ((of ^ pid) | (of ^ pid).wrapping_neg()) >> 63;
    // Without a branch, of which the verifier would follow both: the half of the number that the set's index leaves out
    // decides between two tasks that take turns.
    let by_number = pid / SETS as u64 & 1;
    let second = is_other(of_first) & (1 - is_other(of_second) | by_number) & 1;
    // SAFETY: 0 or 1.
    Some(unsafe { first.byte_add(second as usize * size_of::<Known>()) })
}

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

/// The place of a task in the table of contexts, and what was found there.
#[derive(Clone, Copy)]
pub struct Place {
    known: *mut Known,
    /// Of the context that was sent for the task as it is; 0 when it is still to be sent.
    id: u64,
    /// What scopes may want of the task, as of the epoch; of account only where scopes are applied.
    scopes: u64,
    epoch: u64,
}

impl Place {
    /// Finds it, and the context that was sent for the task as it is now. `None`: not to be recorded.
    #[inline(always)]
    pub fn of<const TYPED: bool>(task: Task<TYPED>) -> Option<Place> {
        let known = place_of(task.pid())?;
        let (is_fresh, mut place) = look_up(known, task);
        if !is_fresh && is_excluded(task.tgid()) {
            return None;
        }
        if scopes!(is_on) != 0 {
            let epoch = scopes::epoch();
            if !is_fresh || place.epoch != epoch {
                place = Place { scopes: scopes::scopes_of_task(), epoch, ..place };
                place.note();
            }
        }
        Some(place)
    }

    /// Whether some scope of the word may want what the task does.
    #[inline(always)]
    pub fn may_match(self, word: u64) -> bool {
        self.scopes & word != 0
    }

    /// Whether the context has been sent.
    #[inline(always)]
    pub fn is_sent(self) -> bool {
        self.id != 0
    }

    /// The id to refer to it by; sends it first when it has changed. For the current task only.
    #[inline(always)]
    pub fn id(self, writer: &mut Writer) -> u64 {
        let (id, is_new) = self.id_to_send(writer);
        if is_new {
            writer.at = context_send(writer.room(), writer.at, id);
        }
        id
    }

    /// The same, and whether it is still to be sent, by [`context_send`].
    #[inline(always)]
    pub fn id_to_send(self, writer: &Writer) -> (u64, bool) {
        if self.id != 0 {
            return (self.id, false);
        }
        let id = writer.next_context_id();
        Place { id, ..self }.note();
        (id, true)
    }

    /// The id, when it needs no sending; 0 otherwise. For programs that interrupt others.
    #[inline(always)]
    pub fn id_if_fresh(self) -> u64 {
        self.id
    }

    /// Notes what the current task's context is made from, and what this says of it.
    #[inline(always)]
    fn note(self) {
        context_note(self.id, self.scopes, self.epoch, host_of(current::<false>()));
    }

    /// The context was not sent after all.
    #[inline(always)]
    pub fn forget(self) {
        // SAFETY: a map value.
        unsafe { write_volatile(&raw mut (*self.known).check, 0) };
    }

    /// The thread goes: what was sent for it stays true of what it did.
    #[inline(always)]
    pub fn set_gone<const TYPED: bool>(self, task: Task<TYPED>) {
        // SAFETY: a map value.
        unsafe {
            if read_volatile(&raw const (*self.known).task) == task.0 as u64 {
                write_volatile(&raw mut (*self.known).gone, 1);
            }
        }
    }
}

/// The context that a write sent, or may have, was not sent after all.
#[inline(always)]
pub fn forget_current() {
    let task = current::<false>();
    if let Some(known) = place_of(task.pid()) {
        Place { known, id: 0, scopes: 0, epoch: 0 }.forget();
    }
}

macro_rules! field {
    ($known:ident.$field:ident) => {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*$known).$field) }
    };
}

/// What the entry says, and the sum of it.
#[inline(always)]
fn sum(known: *const Known) -> u64 {
    let ([first, second], [before_first, before_second]) = (field!(known.comm), field!(known.before));
    let [uid, euid] = field!(known.ids);
    field!(known.pid)
        ^ field!(known.task)
        ^ field!(known.start)
        ^ field!(known.cred)
        ^ uid
        ^ euid
        ^ field!(known.nsproxy)
        ^ field!(known.host)
        ^ field!(known.cgroups)
        ^ field!(known.parent)
        ^ field!(known.mm)
        ^ first
        ^ second
        ^ before_first
        ^ before_second
        ^ field!(known.id)
        ^ field!(known.scopes)
        ^ field!(known.epoch)
}

/// The name that a task had before the one that it has now, if its context is still in its place.
#[inline(always)]
pub fn previous_comm<const TYPED: bool>(task: Task<TYPED>) -> Option<[u64; 2]> {
    let known = place_of(task.pid())?;
    let [first, second] = field!(known.comm);
    let before = field!(known.before);
    if field!(known.task) != task.0 as u64 || field!(known.check) != sum(known) {
        return None;
    }
    let [now_first, now_second] = task.comm_words();
    // Something has been recorded since it was renamed, or nothing has.
    let is_noted = first == now_first && second == now_second;
    Some(if is_noted { before } else { [first, second] })
}

/// Notes what the current task's context is made from, with its id and scopes, and what the host's name comes to.
///
/// A global function, rare enough to read by probes: inlined, it would take more of the stack than programs have beside
/// the functions that they call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn context_note(id: u64, scopes: u64, epoch: u64, host: u64) -> u64 {
    let task = current::<false>();
    let Some(known) = place_of(task.pid()) else { return 0 };
    let mut check = 0;
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let value: u64 = $value;
            check ^= value;
            // SAFETY: a map value.
            unsafe { write_volatile(&raw mut (*known).$field, value) };
        }};
        (both $field:ident, $value:expr) => {{
            let [first, second]: [u64; 2] = $value;
            check ^= first ^ second;
            // SAFETY: as above.
            unsafe { write_volatile(&raw mut (*known).$field, [first, second]) };
        }};
    }
    let comm = task.comm_words();
    let start = task.start_boottime();
    let [first, second] = field!(known.comm);
    let mut before = field!(known.before);
    if field!(known.task) != task.0 as u64 || field!(known.start) != start {
        before = comm;
    } else if first != comm[0] || second != comm[1] {
        before = [first, second];
    }
    // SAFETY: as above. What makes it valid is written last, from what was meant rather than from what is there.
    unsafe { write_volatile(&raw mut (*known).check, 0) };
    set!(pid, task.pid() as u64);
    set!(task, task.0 as u64);
    set!(start, start);
    set!(cred, task.cred().0 as u64);
    set!(both ids, task.cred().ids());
    set!(nsproxy, task.nsproxy().0 as u64);
    set!(host, host);
    set!(cgroups, task.cgroups() as u64);
    set!(parent, task.real_parent().0 as u64);
    set!(mm, task.mm().0 as u64);
    set!(both comm, comm);
    set!(both before, before);
    set!(id, id);
    set!(scopes, scopes);
    set!(epoch, epoch);
    // SAFETY: as above.
    unsafe {
        write_volatile(&raw mut (*known).gone, 0);
        write_volatile(&raw mut (*known).check, check);
    }
    0
}

/// A number that changes with the host's name; 0 where the task has no namespaces any more.
#[inline(always)]
fn host_of<const TYPED: bool>(task: Task<TYPED>) -> u64 {
    let nsproxy = task.nsproxy();
    if nsproxy.is_null() { 0 } else { nsproxy.uts_ns().name_hash() }
}

/// The context last sent for a thread, 0 for none, and whether the thread is still there.
#[inline(always)]
pub fn last_sent(tid: u32, start_ns: u64) -> (u64, bool) {
    let Some(set) = CONTEXTS.get_ptr(tid & (SETS - 1)) else { return (0, false) };
    let mut known = set.cast::<Known>();
    if field!(known.start) != start_ns {
        // SAFETY: both are in the map value.
        known = unsafe { known.add(1) };
    }
    let (id, gone) = (field!(known.id), field!(known.gone));
    if start_ns == 0 || field!(known.start) != start_ns || field!(known.check) != sum(known) {
        return (0, false);
    }
    (id, gone == 0)
}

/// Adds a word to a sum by exclusive or, before anything that follows. Written out, for the compiler would load all words of
/// a sum first, and the stack of exits of calls has no room for them.
#[inline(always)]
pub fn add_to(sum: &mut u64, word: u64) {
    // SAFETY: arithmetic.
    unsafe { asm!("{0} ^= {1}", inout(reg) *sum, in(reg) word, options(nostack)) };
}

/// Whether the entry is the task's as it is now, and what it says then.
#[inline(always)]
fn look_up<const TYPED: bool>(known: *mut Known, task: Task<TYPED>) -> (bool, Place) {
    let (id, scopes, epoch) = (field!(known.id), field!(known.scopes), field!(known.epoch));
    let found = Place { known, id, scopes, epoch };
    let unknown = Place { known, id: 0, scopes: 0, epoch: 0 };
    let [uid, euid] = field!(known.ids);
    let cred = task.cred();
    let [now_uid, now_euid] = cred.ids();
    if field!(known.task) != task.0 as u64
        || field!(known.start) != task.start_boottime()
        || field!(known.cred) != cred.0 as u64
        || uid != now_uid
        || euid != now_euid
        || field!(known.cgroups) != task.cgroups() as u64
        || field!(known.parent) != task.real_parent().0 as u64
    {
        return (false, unknown);
    }
    // A task that exits has given these back; what was sent still holds.
    let mm = task.mm().0 as u64;
    let nsproxy = task.nsproxy().0 as u64;
    if mm != field!(known.mm) && mm != 0 || nsproxy != field!(known.nsproxy) && nsproxy != 0 {
        return (false, unknown);
    }
    if nsproxy != 0 && host_of(task) != field!(known.host) {
        return (false, unknown);
    }
    let [first, second] = field!(known.comm);
    let [now_first, now_second] = task.comm_words();
    let [before_first, before_second] = field!(known.before);
    // What has been compared by now adds up if nobody else has written here meanwhile.
    let mut check = uid ^ euid ^ first ^ second;
    add_to(&mut check, before_first);
    add_to(&mut check, before_second);
    add_to(&mut check, id);
    add_to(&mut check, scopes);
    add_to(&mut check, epoch);
    macro_rules! add {
        ($($field:ident)*) => { $(add_to(&mut check, field!(known.$field));)* };
    }
    add!(pid task start cred nsproxy host cgroups parent mm);
    let is_fresh = first == now_first && second == now_second && check == field!(known.check);
    if is_fresh { (true, found) } else { (false, unknown) }
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
