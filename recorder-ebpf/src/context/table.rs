//! The table of contexts: what was last sent for each task, and whether that is still so.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::{macros::map, maps::Array};

use super::{Actor, current};
use crate::kernel::Task;

/// What the last context sent for a task was made from. Values are compared where the kernel, or an exploit, changes them
/// in place (ids, the host's name); pointers elsewhere, whose reuse is caught by the start time and the rest.
///
/// Any CPU may write any entry, since tasks share places. So all that is believed of an entry is covered by `check`: two
/// that write it at once leave something that does not add up, and the context is sent once more.
#[repr(C)]
pub struct ContextEntry {
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
type Set = [ContextEntry; 2];

#[map]
static CONTEXTS: Array<Set> = Array::with_max_entries(SETS, 0);

/// The entry of a task among those that share its set: the one that has its number, else the one to take.
#[inline(always)]
pub fn entry_of(pid: u32) -> Option<*mut ContextEntry> {
    let first = CONTEXTS.get_ptr_mut(pid & (SETS - 1))?.cast::<ContextEntry>();
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
    Some(unsafe { first.byte_add(second as usize * size_of::<ContextEntry>()) })
}

macro_rules! field {
    ($entry:ident.$field:ident) => {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*$entry).$field) }
    };
}

/// What the entry says, and the sum of it.
#[inline(always)]
fn sum(entry: *const ContextEntry) -> u64 {
    let ([first, second], [before_first, before_second]) = (field!(entry.comm), field!(entry.before));
    let [uid, euid] = field!(entry.ids);
    field!(entry.pid)
        ^ field!(entry.task)
        ^ field!(entry.start)
        ^ field!(entry.cred)
        ^ uid
        ^ euid
        ^ field!(entry.nsproxy)
        ^ field!(entry.host)
        ^ field!(entry.cgroups)
        ^ field!(entry.parent)
        ^ field!(entry.mm)
        ^ first
        ^ second
        ^ before_first
        ^ before_second
        ^ field!(entry.id)
        ^ field!(entry.scopes)
        ^ field!(entry.epoch)
}

/// Whether the entry is the task's as it is now, and what it says then.
#[inline(always)]
pub fn look_up<const TYPED: bool>(entry: *mut ContextEntry, task: Task<TYPED>) -> (bool, Actor) {
    let (id, scopes, epoch) = (field!(entry.id), field!(entry.scopes), field!(entry.epoch));
    let found = Actor { entry, id, scopes, epoch };
    let unentry = Actor { entry, id: 0, scopes: 0, epoch: 0 };
    let [uid, euid] = field!(entry.ids);
    let pointers = task.untrusted();
    let cred = pointers.cred();
    let [now_uid, now_euid] = cred.ids();
    if field!(entry.task) != task.0 as u64
        || field!(entry.start) != task.start_boottime()
        || field!(entry.cred) != cred.0 as u64
        || uid != now_uid
        || euid != now_euid
        || field!(entry.cgroups) != pointers.cgroups() as u64
        || field!(entry.parent) != pointers.real_parent().0 as u64
    {
        return (false, unentry);
    }
    // A task that exits has given these back; what was sent still holds.
    let mm = pointers.mm().0 as u64;
    let nsproxy = pointers.nsproxy();
    let host = if nsproxy.is_null() { 0 } else { nsproxy.uts_ns().name_hash() };
    let nsproxy = nsproxy.0 as u64;
    if mm != field!(entry.mm) && mm != 0 || nsproxy != field!(entry.nsproxy) && nsproxy != 0 {
        return (false, unentry);
    }
    if nsproxy != 0 && host != field!(entry.host) {
        return (false, unentry);
    }
    let [first, second] = field!(entry.comm);
    let [now_first, now_second] = task.comm_words();
    let [before_first, before_second] = field!(entry.before);
    // What has been compared by now adds up if nobody else has written here meanwhile.
    let mut check = uid ^ euid ^ first ^ second;
    add_to(&mut check, before_first);
    add_to(&mut check, before_second);
    add_to(&mut check, id);
    add_to(&mut check, scopes);
    add_to(&mut check, epoch);
    macro_rules! add {
        ($($field:ident)*) => { $(add_to(&mut check, field!(entry.$field));)* };
    }
    add!(pid task start cred nsproxy host cgroups parent mm);
    let is_fresh = first == now_first && second == now_second && check == field!(entry.check);
    if is_fresh { (true, found) } else { (false, unentry) }
}

/// Adds a word to a sum by exclusive or, before anything that follows. Written out, for the compiler would load all words of
/// a sum first, and the stack of exits of calls has no room for them.
#[inline(always)]
pub fn add_to(sum: &mut u64, word: u64) {
    // SAFETY: arithmetic.
    unsafe { asm!("{0} ^= {1}", inout(reg) *sum, in(reg) word, options(nostack)) };
}

/// Notes what the current task's context is made from, with its id and scopes, and what the host's name comes to.
///
/// A global function, rare enough to read by probes: inlined, it would take more of the stack than programs have beside
/// the functions that they call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn context_note(id: u64, scopes: u64, epoch: u64, host: u64) -> u64 {
    let task = current::<false>();
    let Some(entry) = entry_of(task.pid()) else { return 0 };
    let mut check = 0;
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let value: u64 = $value;
            check ^= value;
            // SAFETY: a map value.
            unsafe { write_volatile(&raw mut (*entry).$field, value) };
        }};
        (both $field:ident, $value:expr) => {{
            let [first, second]: [u64; 2] = $value;
            check ^= first ^ second;
            // SAFETY: as above.
            unsafe { write_volatile(&raw mut (*entry).$field, [first, second]) };
        }};
    }
    let comm = task.comm_words();
    let start = task.start_boottime();
    let [first, second] = field!(entry.comm);
    let mut before = field!(entry.before);
    if field!(entry.task) != task.0 as u64 || field!(entry.start) != start {
        before = comm;
    } else if first != comm[0] || second != comm[1] {
        before = [first, second];
    }
    // SAFETY: as above. What makes it valid is written last, from what was meant rather than from what is there.
    unsafe { write_volatile(&raw mut (*entry).check, 0) };
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
        write_volatile(&raw mut (*entry).gone, 0);
        write_volatile(&raw mut (*entry).check, check);
    }
    0
}

/// A number that changes with the host's name; 0 where the task has no namespaces any more.
#[inline(always)]
pub fn host_of<const TYPED: bool>(task: Task<TYPED>) -> u64 {
    let nsproxy = task.nsproxy();
    if nsproxy.is_null() { 0 } else { nsproxy.uts_ns().name_hash() }
}

/// The name that a task had before the one that it has now, if its context is still in its place.
#[inline(always)]
pub fn previous_comm<const TYPED: bool>(task: Task<TYPED>) -> Option<[u64; 2]> {
    let entry = entry_of(task.pid())?;
    let [first, second] = field!(entry.comm);
    let before = field!(entry.before);
    if field!(entry.task) != task.0 as u64 || field!(entry.check) != sum(entry) {
        return None;
    }
    let [now_first, now_second] = task.comm_words();
    // Something has been recorded since it was renamed, or nothing has.
    let is_noted = first == now_first && second == now_second;
    Some(if is_noted { before } else { [first, second] })
}

/// The context last sent for a thread, 0 for none, and whether the thread is still there.
#[inline(always)]
pub fn last_sent(tid: u32, start_ns: u64) -> (u64, bool) {
    let Some(set) = CONTEXTS.get_ptr(tid & (SETS - 1)) else { return (0, false) };
    let mut entry = set.cast::<ContextEntry>();
    if field!(entry.start) != start_ns {
        // SAFETY: both are in the map value.
        entry = unsafe { entry.add(1) };
    }
    let (id, gone) = (field!(entry.id), field!(entry.gone));
    if start_ns == 0 || field!(entry.start) != start_ns || field!(entry.check) != sum(entry) {
        return (0, false);
    }
    (id, gone == 0)
}

/// What the entry says is not to be believed any more.
#[inline(always)]
pub fn invalidate(entry: *mut ContextEntry) {
    // SAFETY: a map value.
    unsafe { write_volatile(&raw mut (*entry).check, 0) };
}

/// The entry's thread goes, if it is this one.
#[inline(always)]
pub fn set_gone(entry: *mut ContextEntry, task: u64) {
    // SAFETY: a map value.
    unsafe {
        if read_volatile(&raw const (*entry).task) == task {
            write_volatile(&raw mut (*entry).gone, 1);
        }
    }
}
