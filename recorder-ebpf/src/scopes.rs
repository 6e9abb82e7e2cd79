//! Which scopes may want what a task does: asked when its context has changed, and kept beside that.
//!
//! The tables are the recorder's ([`events::abi::lower`]). They may say too much and never too little, and so does all
//! that is not known here: it passes.
//!
//! The functions that programs call are global ones: the verifier looks at them once for all calls.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_cgroup_id, bpf_get_smp_processor_id, bpf_probe_read_kernel_str},
    macros::map,
    maps::{Array, HashMap},
};
use events::abi::lower::{
    Inherited, LARGEST_NUMBER, NamedRoot, NumberTable, PATH_BYTES, START_UNIT_NS, Scopes, State, number, text,
};

use crate::{
    context::{current, level_of, number_at},
    emit::{claim, give_back},
    path::{Above, above},
    kernel::{Dentry, VfsMount},
};

#[unsafe(no_mangle)]
pub static SCOPES: Scopes = Scopes::NONE;

#[map]
static STATE: Array<State> = Array::with_max_entries(1, 0);
#[map]
static NUMBERS: Array<NumberTable> = Array::with_max_entries(number::COUNT, 0);
/// The recorder sets the sizes of what follows.
#[map]
static COMMS: HashMap<[u64; 2], u64> = HashMap::with_max_entries(1, 0);
#[map]
static HOSTS: HashMap<[u64; 8], u64> = HashMap::with_max_entries(1, 0);
#[map]
static BINARIES: HashMap<[u64; PATH_BYTES / 8], u64> = HashMap::with_max_entries(1, 0);
#[map]
static CGROUPS: HashMap<u64, u64> = HashMap::with_max_entries(1, 0);
#[map]
static LINEAGE: HashMap<u32, Inherited> = HashMap::with_max_entries(1, 0);
#[map]
static ROOTS: HashMap<u32, NamedRoot> = HashMap::with_max_entries(1, 0);
/// Where a CPU puts the path of an executable together.
#[map]
static PATHS: Array<PathRoom> = Array::with_max_entries(1, 0);

const COMPONENT_BYTES: usize = 256;

#[repr(C)]
struct PathRoom {
    /// How many programs of this CPU want it: see [`claim`].
    claims: u64,
    forgotten: u64,
    bytes: [u64; (PATH_BYTES + COMPONENT_BYTES) / 8],
}

macro_rules! scopes {
    ($field:ident) => {{
        // SAFETY: a static of this program.
        #[allow(unused_unsafe)]
        let value = unsafe { core::ptr::read_volatile(&raw const crate::scopes::SCOPES.$field) };
        value
    }};
}
pub(crate) use scopes;

/// Everything passes.
const ALL: u64 = u64::MAX;

/// The epoch that answers belong to.
#[inline(always)]
pub fn epoch() -> u64 {
    let Some(state) = STATE.get_ptr(0) else { return 0 };
    // SAFETY: a map value.
    unsafe { read_volatile(&raw const (*state).epoch) }
}

/// Whether what a hook records is never dropped, also of tasks that no scope wants anything of.
#[inline(always)]
pub fn is_kept(hook: u64) -> bool {
    let number = (hook & 127) as usize;
    // SAFETY: a static of this program, and there are fewer hooks than bits.
    let bits = unsafe { read_volatile((&raw const SCOPES.kept_hooks).cast::<u64>().add(number / 64)) };
    bits >> (number % 64) & 1 != 0
}

/// The scopes that want what a hook records.
#[inline(always)]
pub fn of_hook(hook: u64) -> u64 {
    // SAFETY: a static of this program, and there are fewer hooks than places.
    unsafe { read_volatile((&raw const SCOPES.hooks).cast::<u64>().add((hook & 127) as usize)) }
}

/// The scopes that may want what the current task does.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_of_task() -> u64 {
    let keys = scopes_by_keys();
    if scopes!(lineage) == 0 {
        return keys;
    }
    let leader = current::<false>().group_leader();
    match inherited(leader.tgid(), leader.start_boottime()) {
        Some(bits) => keys & by_tree(&bits) | scopes!(follow) & bits.follow,
        None => keys | scopes!(follow),
    }
}

/// Notes what a new process has of the current one. Of an unknown parent's child nothing is known either.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_inherit(child: u32, start_ns: u64) -> u64 {
    let leader = current::<false>().group_leader();
    if child == leader.tgid() {
        return 0;
    }
    let Some(above) = inherited(leader.tgid(), leader.start_boottime()) else {
        let _ = LINEAGE.remove(&child);
        return 0;
    };
    let seeds = scopes_by_keys() & by_tree(&above) & scopes!(follow);
    let (mut tree, mut named) = (above.tree, above.named);
    // SAFETY: copied at once.
    if let Some(root) = unsafe { ROOTS.get(&child) }.copied() {
        if root.unsure != 0 {
            let _ = LINEAGE.remove(&child);
            return 0;
        }
        let mentioned = root.equal | root.not;
        tree = tree & !mentioned | root.equal & !root.not;
        named |= mentioned;
    }
    let bits = Inherited { start_ns, tree, named, follow: above.follow | seeds };
    let _ = LINEAGE.insert(&child, &bits, 0);
    0
}

/// The current process has ended.
#[inline(always)]
pub fn disinherit(tgid: u32) {
    let _ = LINEAGE.remove(&tgid);
}

#[inline(always)]
fn inherited(tgid: u32, start_ns: u64) -> Option<Inherited> {
    // SAFETY: copied at once; entries are replaced as a whole.
    let bits = unsafe { LINEAGE.get(&tgid) }.copied()?;
    (bits.start_ns / START_UNIT_NS == start_ns / START_UNIT_NS).then_some(bits)
}

#[inline(always)]
fn by_tree(bits: &Inherited) -> u64 {
    bits.tree | scopes!(tree_default) & !bits.named | !scopes!(tree)
}

/// The scopes whose process keys the current task passes, but for what it has of its ancestors.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_by_keys() -> u64 {
    let task = current::<false>();
    let mut mask = scopes!(all);
    let numbers = scopes!(numbers);
    if numbers != 0 {
        mask &= scopes_by_numbers();
    }
    let texts = scopes!(texts);
    if texts & text::COMM != 0 {
        // SAFETY: read at once.
        mask &= unsafe { COMMS.get(&until_nul(task.comm_words())) }.copied().unwrap_or(scopes!(comm_others));
    }
    if texts & text::UTS != 0 {
        mask &= scopes_by_host();
    }
    if scopes!(cgroups) != 0 {
        // SAFETY: a helper without arguments; read at once.
        mask &= unsafe { CGROUPS.get(&bpf_get_current_cgroup_id()) }.copied().unwrap_or(ALL);
    }
    if texts & text::BINARY != 0 && mask != 0 {
        mask &= scopes_by_binary();
    }
    mask
}

/// Zeroes after the end: some kernels leave what was there before.
#[inline(always)]
fn until_nul(words: [u64; 2]) -> [u64; 2] {
    let [first, second] = words;
    let (first, is_ended) = until_nul_in(first);
    let (second, _) = until_nul_in(second);
    [first, if is_ended { 0 } else { second }]
}

#[inline(always)]
fn until_nul_in(word: u64) -> (u64, bool) {
    // The lowest bit that this leaves is that of the first zero byte.
    let zeroes = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
    let lowest = zeroes & zeroes.wrapping_neg();
    if zeroes == 0 { (word, false) } else { (word & (lowest >> 7).wrapping_sub(1), true) }
}

/// The scopes that the host's name passes. A global function for its stack: it has room for the name, and is on no way to
/// the numbers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_by_host() -> u64 {
    let nsproxy = current::<false>().nsproxy();
    if nsproxy.is_null() {
        return ALL;
    }
    let mut name = [0u64; 8];
    // SAFETY: at most the 64 bytes are written.
    let read = unsafe { bpf_probe_read_kernel_str((&raw mut name).cast(), 64, nsproxy.uts_ns().nodename().cast()) };
    if read <= 0 {
        return ALL;
    }
    // SAFETY: read at once.
    unsafe { HOSTS.get(&name) }.copied().unwrap_or(scopes!(uts_others))
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_by_numbers() -> u64 {
    let task = current::<false>();
    let numbers = scopes!(numbers);
    let has = |which: u32| numbers & 1 << which != 0;
    let leader = task.group_leader();
    let parent = task.real_parent().group_leader();
    let mut mask = ALL;
    if has(number::PID) {
        let mut passes = scopes_by_number(number::PID, task.tgid() as u64);
        if has(number::THREAD) {
            passes |= scopes_by_number(number::THREAD, task.pid() as u64);
        }
        mask &= by_age(passes, leader.start_boottime(), scopes!(new_process));
    }
    if has(number::TID) {
        let passes = scopes_by_number(number::TID, task.pid() as u64);
        mask &= by_age(passes, task.start_boottime(), scopes!(new_thread));
    }
    if has(number::PPID) {
        mask &= scopes_by_number(number::PPID, parent.tgid() as u64);
    }
    if has(number::UID) {
        mask &= scopes_by_number(number::UID, task.cred().uid() as u64);
    }
    let level = level_of(task.thread_pid());
    if has(number::NS_PID) {
        mask &= scopes_by_number(number::NS_PID, number_at(leader.thread_pid(), level) as u64);
    }
    if has(number::NS_TID) {
        mask &= scopes_by_number(number::NS_TID, number_at(task.thread_pid(), level) as u64);
    }
    if has(number::NS_PPID) {
        mask &= scopes_by_number(number::NS_PPID, number_at(parent.thread_pid(), level) as u64);
    }
    if has(number::MNT_NS) {
        let nsproxy = task.nsproxy();
        let inum = if nsproxy.is_null() { 0 } else { nsproxy.mnt_ns().inum() };
        mask &= scopes_by_number(number::MNT_NS, inum as u64);
    }
    if has(number::PID_NS) {
        mask &= scopes_by_number(number::PID_NS, task.thread_pid().at_level(level).ns().inum() as u64);
    }
    if has(number::CGROUP_ID) {
        // SAFETY: a helper without arguments.
        mask &= scopes_by_number(number::CGROUP_ID, unsafe { bpf_get_current_cgroup_id() });
    }
    mask
}

/// What a task passes by its number and by its age. Before it is known when the recording began, it may be new.
#[inline(always)]
fn by_age(passes: u64, start_ns: u64, [equal, not]: [u64; 2]) -> u64 {
    if equal | not == 0 {
        return passes;
    }
    let Some(state) = STATE.get_ptr(0) else { return ALL };
    // SAFETY: a map value.
    let began_ns = unsafe { read_volatile(&raw const (*state).start_ns) };
    if began_ns == 0 {
        passes | equal
    } else if start_ns >= began_ns {
        (passes | equal) & !not
    } else {
        passes
    }
}

/// The scopes that a number passes: a binary search without branches, of which the verifier would follow each.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_by_number(table: u32, number: u64) -> u64 {
    let Some(table) = NUMBERS.get_ptr(table) else { return ALL };
    if number >= LARGEST_NUMBER {
        return ALL;
    }
    let mut at = 0u64;
    let mut step = 64u64;
    while step != 0 {
        // SAFETY: the mask keeps it within the table.
        let start = unsafe { read_volatile((&raw const (*table).starts).cast::<u64>().add((at + step & 127) as usize)) };
        // All ones when the start is not above the number: both are below 2^63.
        let is_reached = ((start.wrapping_sub(number + 1) as i64) >> 63) as u64;
        at += step & is_reached;
        step >>= 1;
    }
    // SAFETY: as above.
    unsafe { read_volatile((&raw const (*table).words).cast::<u64>().add((at & 127) as usize)) }
}

/// The scopes that the path of the executable passes. What is too long to compare, or cannot be read, passes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scopes_by_binary() -> u64 {
    let task = current::<false>();
    if task.is_kernel_thread() {
        return scopes!(binary_others);
    }
    let file = task.mm().exe_file();
    if file.is_null() {
        return ALL;
    }
    // SAFETY: a helper without arguments, and a map value of this CPU.
    unsafe {
        let Some(room) = PATHS.get_ptr_mut(bpf_get_smp_processor_id()) else { return ALL };
        // A task that was preempted here, where programs can be, goes on with what it has.
        if !claim(&raw mut (*room).claims) {
            return ALL;
        }
        for word in 0..PATH_BYTES / 8 {
            (*room).bytes[word] = 0;
        }
        let mut passes = ALL;
        if walk(room, file.dentry(), file.mnt()) {
            let key = (&raw const (*room).bytes).cast::<[u64; PATH_BYTES / 8]>();
            passes = BINARIES.get(&*key).copied().unwrap_or(scopes!(binary_others));
        }
        give_back(&raw mut (*room).claims);
        passes
    }
}

/// Writes the components of a path, the last one first, each with its NUL. False when they do not fit, or do not end at
/// the root.
#[inline(always)]
unsafe fn walk(room: *mut PathRoom, mut dentry: Dentry<false>, mut vfsmount: VfsMount<false>) -> bool {
    const STEPS: u32 = 48;
    let mut length = 0u64;
    for _ in 0..STEPS {
        let parent = match above(dentry, vfsmount) {
            Above::Parent(parent) if parent.0 != dentry.0 => parent,
            Above::Mount(mountpoint, mount) => {
                (dentry, vfsmount) = (mountpoint, mount);
                continue;
            }
            Above::Nothing => return true,
            Above::Parent(_) | Above::Unknown => return false,
        };
        // SAFETY: the mask keeps it within the bytes compared, and there is room for a component more.
        let read = unsafe {
            let place = (&raw mut (*room).bytes).cast::<u8>().add((length & (PATH_BYTES as u64 - 1)) as usize);
            bpf_probe_read_kernel_str(place.cast(), COMPONENT_BYTES as u32, dentry.name().cast())
        };
        if read <= 0 || length + read as u64 > PATH_BYTES as u64 - 1 {
            return false;
        }
        // By way of memory, so that the verifier need not follow every length.
        // SAFETY: a map value.
        length = unsafe {
            write_volatile(&raw mut (*room).forgotten, length + read as u64);
            read_volatile(&raw const (*room).forgotten)
        } & (PATH_BYTES as u64 - 1);
        dentry = parent;
    }
    false
}
