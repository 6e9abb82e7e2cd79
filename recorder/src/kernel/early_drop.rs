//! What the programs drop because no scope can want it: their tables, filled from the plan and kept up to date.
//!
//! Whatever cannot be told, for a table is full or a fact is not known yet, is left out of the tables: the programs let it
//! pass, and the recorder judges it like everything else.

use std::collections::BTreeMap;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData},
};
use events::{
    EventId,
    abi::{
        Slot,
        hooks::Hook,
        lower::{
            CGROUPS, INTERVALS, LARGEST_NUMBER, NumberTable, PATH_BYTES, PROCESSES, START_UNIT_NS, Scopes,
            number, text,
        },
        tables::SyscallEntry,
    },
    catalogue,
};
use scopes::{
    LineageBits, Lowered,
    key::Field,
    lower::{Limits, LoweredNumber, LoweredText},
};

use super::{
    Error, clock,
    hook_table::KERNEL_STAND_INS,
    tables::{STATE_HOOKS, Tables, slots_of},
};

/// Sizes of the programs' tables.
pub const LIMITS: Limits = Limits {
    texts: 4096,
    comm_bytes: COMM_BYTES - 1,
    path_bytes: PATH_BYTES - 1,
    uts_bytes: UTS_BYTES - 1,
    intervals: INTERVALS,
    roots: 4096,
};

const COMM_BYTES: usize = 16;
const UTS_BYTES: usize = 64;

/// Hooks that user space needs whatever is asked for.
const KEPT_HOOKS: [Hook; 2] = [Hook::CgroupMkdir, Hook::CgroupRmdir];

/// So long after its last change, what is known of cgroups is told to the programs.
const SETTLED_NS: u64 = 1_000_000_000;

/// Replaces nothing that is there.
const NO_EXIST: u64 = 1;

/// Which slots are for which scopes.
pub fn apply(lowered: &Lowered, tables: &mut Tables) -> Scopes {
    let words: BTreeMap<EventId, u64> = lowered.events.iter().copied().collect();
    let word = |id: EventId| words.get(&id).copied().unwrap_or(0);
    let of_hook = |hook: Hook| catalogue::by_name(hook.name()).map(|event| event.id);
    let mut scopes = globals(lowered);
    scopes.sends_contexts = tables.wants_owners().into();
    let stood_in_for: Vec<(usize, EventId)> = KERNEL_STAND_INS
        .iter()
        .filter(|it| tables.wants(it.hook))
        .filter_map(|it| Some((of_hook(it.hook)?, it.calls)))
        .flat_map(|(id, calls)| calls.iter().flat_map(|call| slots_of(call)).map(move |slot| (slot, id)))
        .collect();
    for (slot, slot_event) in tables.slots.iter().enumerate() {
        let mut recorded: Vec<EventId> = Vec::new();
        if let Some(slot_event) = slot_event {
            recorded.push(slot_event.event.id);
            recorded.extend(slot_event.stand_ins.iter().map(|it| it.event.id));
        }
        // Also where the call itself is not recorded.
        recorded.extend(stood_in_for.iter().filter(|(stand_in, _)| *stand_in == slot).map(|(_, id)| *id));
        let wanted = recorded.iter().fold(0, |all, id| all | word(*id));
        let is_base = recorded.iter().any(|id| lowered.bases.contains(id));
        if let Some(entry) = tables.syscalls.get_mut(slot) {
            let is_unknown = entry.flags & SyscallEntry::UNKNOWN != 0;
            let unknown = of_hook(Hook::UnknownSyscall).filter(|_| is_unknown);
            entry.scopes = wanted | unknown.map_or(0, word);
            // What an exec was given has been sent ahead: its end has to come as well.
            if is_base || entry.flags & SyscallEntry::EXEC != 0 {
                entry.flags |= SyscallEntry::KEPT;
            }
        } else if let Some(place) = scopes.hooks.get_mut(slot - Slot::HOOK_BASE) {
            *place = wanted;
            if is_base {
                keep(&mut scopes, slot - Slot::HOOK_BASE);
            }
        }
    }
    // What is completed has its names from where it was submitted.
    let (submission, completion) = (Hook::IoUringSubmitReq as usize, Hook::IoUringComplete as usize);
    let words = scopes.hooks.get(completion).copied().unwrap_or(0);
    if let Some(place) = scopes.hooks.get_mut(submission) {
        *place |= words;
    }
    for hook in STATE_HOOKS.into_iter().chain(KEPT_HOOKS) {
        keep(&mut scopes, hook as usize);
    }
    scopes
}

/// Lets a hook pass whatever the task is.
fn keep(scopes: &mut Scopes, hook: usize) {
    if let Some(word) = scopes.kept_hooks.get_mut(hook / 64) {
        *word |= 1 << (hook % 64);
    }
}

fn globals(lowered: &Lowered) -> Scopes {
    let others = |text: &Option<LoweredText>| text.as_ref().map_or(0, |text| text.others);
    let asked = |text: &Option<LoweredText>, bit| if text.is_some() { bit } else { 0 };
    let numbers = lowered.numbers.iter().filter_map(|(field, _)| number_of(*field));
    let threads = lowered.threads.iter().map(|_| number::THREAD);
    Scopes {
        is_on: 1,
        sends_contexts: 0,
        numbers: numbers.chain(threads).fold(0, |all, number| all | 1 << number),
        texts: asked(&lowered.comm, text::COMM)
            | asked(&lowered.binary, text::BINARY)
            | asked(&lowered.uts, text::UTS),
        cgroups: lowered.containers.into(),
        lineage: lowered.needs_lineage().into(),
        all: lowered.scopes,
        comm_others: others(&lowered.comm),
        binary_others: others(&lowered.binary),
        uts_others: others(&lowered.uts),
        follow: lowered.follow,
        tree: lowered.tree.as_ref().map_or(0, |tree| tree.used),
        tree_default: lowered.tree.as_ref().map_or(0, |tree| tree.default),
        new_process: [lowered.new_process.equal, lowered.new_process.not],
        new_thread: [lowered.new_thread.equal, lowered.new_thread.not],
        ..Scopes::NONE
    }
}

const fn number_of(field: Field) -> Option<u32> {
    Some(match field {
        Field::Pid => number::PID,
        Field::Tid => number::TID,
        Field::Ppid => number::PPID,
        Field::Uid => number::UID,
        Field::NsPid => number::NS_PID,
        Field::NsTid => number::NS_TID,
        Field::NsPpid => number::NS_PPID,
        Field::MntNs => number::MNT_NS,
        Field::PidNs => number::PID_NS,
        Field::CgroupId => number::CGROUP_ID,
        _ => return None,
    })
}

/// Sets the sizes of the tables; those that are not asked for have one element.
pub fn size(loader: &mut EbpfLoader<'_>, lowered: Option<&Lowered>, cpus: u32) {
    let texts = |text: Option<&LoweredText>| text.map_or(1, |text| text.values.len().max(1) as u32);
    let roots = lowered.and_then(|it| it.tree.as_ref()).map_or(1, |tree| tree.roots.len().max(1) as u32);
    let has_lineage = lowered.is_some_and(Lowered::needs_lineage);
    loader
        .map_max_entries("COMMS", texts(lowered.and_then(|it| it.comm.as_ref())))
        .map_max_entries("HOSTS", texts(lowered.and_then(|it| it.uts.as_ref())))
        .map_max_entries("BINARIES", texts(lowered.and_then(|it| it.binary.as_ref())))
        .map_max_entries("CGROUPS", if lowered.is_some_and(|it| it.containers) { CGROUPS } else { 1 })
        .map_max_entries("LINEAGE", if has_lineage { PROCESSES } else { 1 })
        .map_max_entries("ROOTS", roots)
        .map_max_entries("PATHS", if lowered.is_some_and(|it| it.binary.is_some()) { cpus } else { 1 });
}

/// Fills what does not change while recording.
fn fill(ebpf: &mut Ebpf, lowered: &Lowered) -> Result<(), Error> {
    let comms = lowered.comm.iter().flat_map(|text| &text.values);
    let comms = comms.filter_map(|(comm, word)| Some((padded::<COMM_BYTES>(comm)?, *word)));
    insert_all(ebpf, "COMMS", comms)?;
    let hosts = lowered.uts.iter().flat_map(|text| &text.values);
    let hosts = hosts.filter_map(|(host, word)| Some((padded::<UTS_BYTES>(host)?, *word)));
    insert_all(ebpf, "HOSTS", hosts)?;
    let binaries = lowered.binary.iter().flat_map(|text| &text.values);
    insert_all(ebpf, "BINARIES", binaries.filter_map(|(path, word)| Some((by_components(path)?, *word))))?;
    let roots =
        lowered.tree.iter().flat_map(|tree| &tree.roots).map(|root| {
            (root.pid.to_ne_bytes(), joined::<24>(&[root.equal, root.not, root.is_unsure.into()]))
        });
    insert_all(ebpf, "ROOTS", roots)?;

    let map = ebpf.map_mut("NUMBERS").ok_or_else(|| missing("NUMBERS"))?;
    let mut numbers: Array<_, [u8; NumberTable::BYTES]> =
        Array::try_from(map).map_err(|_| missing("NUMBERS"))?;
    let known = lowered.numbers.iter().filter_map(|(field, key)| Some((number_of(*field)?, key)));
    let threads = lowered.threads.iter().map(|key| (number::THREAD, key));
    for (index, key) in known.chain(threads) {
        numbers.set(index, number_table(key), 0).map_err(|error| refused("NUMBERS", error))?;
    }
    Ok(())
}

fn insert_all<K: aya::Pod, V: aya::Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: impl Iterator<Item = (K, V)>,
) -> Result<(), Error> {
    let map = ebpf.map_mut(name).ok_or_else(|| missing(name))?;
    let mut map: HashMap<_, K, V> = HashMap::try_from(map).map_err(|_| missing(name))?;
    for (key, value) in entries {
        map.insert(key, value, 0).map_err(|error| refused(name, error))?;
    }
    Ok(())
}

fn missing(name: &str) -> Error {
    Error::Program {
        program: name.to_owned(),
        reason: "it is not in the object, or another kind of map".into(),
    }
}

fn refused(name: &str, error: aya::maps::MapError) -> Error {
    Error::Program { program: name.to_owned(), reason: super::load::chain(&error) }
}

/// A text with zeroes after it; `None` when it does not leave room for one.
fn padded<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    bytes.get_mut(..text.len()).filter(|_| text.len() < N)?.copy_from_slice(text);
    Some(bytes)
}

/// A path as the programs put it together: the last component first, each with a NUL. `None` for what no file is called.
fn by_components(path: &[u8]) -> Option<[u8; PATH_BYTES]> {
    let components: Vec<&[u8]> = path.strip_prefix(b"/")?.split(|byte| *byte == b'/').collect();
    if components.iter().any(|component| component.is_empty()) {
        return None;
    }
    let joined: Vec<u8> =
        components.iter().rev().flat_map(|component| component.iter().copied().chain([0])).collect();
    padded(&joined)
}

fn number_table(key: &LoweredNumber) -> [u8; NumberTable::BYTES] {
    let mut numbers = [NumberTable::UNUSED; 2 * INTERVALS];
    let reached = key.intervals.iter().filter(|(start, _)| *start < LARGEST_NUMBER);
    for (at, (start, word)) in reached.enumerate().take(INTERVALS) {
        (numbers[at], numbers[INTERVALS + at]) = (*start, *word);
    }
    joined(&numbers)
}

fn joined<const N: usize>(numbers: &[u64]) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

/// The tables that change while recording.
pub struct EarlyDrop {
    state: Array<MapData, [u8; 16]>,
    cgroups: HashMap<MapData, u64, u64>,
    lineage: HashMap<MapData, u32, [u8; 32]>,
    /// Whether cgroups are asked for, and what has been said of each.
    needs_cgroups: bool,
    told: BTreeMap<u64, u64>,
    sent_version: Option<u64>,
    /// The version last seen, and when it was first.
    version: Option<u64>,
    changed_ns: u64,
    /// Forks since then have been followed by the programs (boot clock).
    attached_ns: u64,
    epoch: u64,
    start_ns: u64,
}

impl std::fmt::Debug for EarlyDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EarlyDrop").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl EarlyDrop {
    /// Fills the tables and takes those that change. `attached_ns`: a time before the programs were attached.
    pub fn new(ebpf: &mut Ebpf, lowered: &Lowered, attached_ns: u64) -> Result<EarlyDrop, Error> {
        fill(ebpf, lowered)?;
        let mut take = |name: &'static str| ebpf.take_map(name).ok_or_else(|| missing(name));
        let (state, cgroups, lineage) = (take("STATE")?, take("CGROUPS")?, take("LINEAGE")?);
        Ok(EarlyDrop {
            state: Array::try_from(state).map_err(|_| missing("STATE"))?,
            cgroups: HashMap::try_from(cgroups).map_err(|_| missing("CGROUPS"))?,
            lineage: HashMap::try_from(lineage).map_err(|_| missing("LINEAGE"))?,
            needs_cgroups: lowered.containers,
            told: BTreeMap::new(),
            sent_version: None,
            version: None,
            changed_ns: 0,
            attached_ns,
            epoch: 0,
            start_ns: 0,
        })
    }

    /// The recording begins, with these processes: id, start and what each has of its ancestors.
    pub fn begin(&mut self, start_ns: u64, processes: impl Iterator<Item = (u32, u64, LineageBits)>) {
        // Those that began while the programs were being attached have forks that were seen by none, or by half.
        let seen_ns = self.attached_ns.saturating_sub(2 * START_UNIT_NS);
        for (pid, began_ns, bits) in processes.filter(|(_, began_ns, _)| *began_ns < seen_ns) {
            let value = joined(&[began_ns, bits.tree, bits.named, bits.follow]);
            // One without an entry passes.
            let _ = self.lineage.insert(pid, value, NO_EXIST);
        }
        self.start_ns = start_ns;
        self.next_epoch();
    }

    /// Says what the cgroups that are known pass, some time after the version of what is known has changed: that one was
    /// made while recording may be told after it was found.
    pub fn update_cgroups<I: Iterator<Item = (u64, u64)>>(
        &mut self,
        version: u64,
        words: impl FnOnce() -> I,
    ) {
        if !self.needs_cgroups || self.sent_version == Some(version) || self.epoch == 0 {
            return;
        }
        let now_ns = clock::boot_ns();
        if self.version != Some(version) {
            (self.version, self.changed_ns) = (Some(version), now_ns);
        }
        if now_ns.saturating_sub(self.changed_ns) < SETTLED_NS {
            return;
        }
        self.sent_version = Some(version);
        let now: BTreeMap<u64, u64> = words().collect();
        let mut has_changed = false;
        for (id, word) in &now {
            if self.told.get(id) != Some(word) {
                has_changed |= self.cgroups.insert(id, word, 0).is_ok();
            }
        }
        for id in self.told.keys().filter(|id| !now.contains_key(id)) {
            let _ = self.cgroups.remove(id);
        }
        self.told = now;
        if has_changed {
            self.next_epoch();
        }
    }

    /// Has every task judged again.
    fn next_epoch(&mut self) {
        self.epoch += 1;
        let _ = self.state.set(0, joined(&[self.epoch, self.start_ns]), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_by_its_components_from_the_last_one() {
        let ls = by_components(b"/usr/bin/ls").unwrap();
        assert!(ls.starts_with(b"ls\0bin\0usr\0\0"));
        assert_eq!(by_components(b"/usr//bin/ls"), None);
        assert_eq!(by_components(b"ls"), None);
        assert!(by_components(&[&b"/"[..], &[b'a'; 254]].concat()).is_some());
        assert_eq!(by_components(&[&b"/"[..], &[b'a'; 255]].concat()), None);
    }

    #[test]
    fn a_table_of_numbers_has_its_starts_before_its_words() {
        let key = LoweredNumber { intervals: vec![(0, 1), (7, 2), (u64::MAX, 4)] };
        let table = number_table(&key);
        let at = |index: usize| u64::from_ne_bytes(table[index * 8..][..8].try_into().unwrap());
        assert_eq!([at(0), at(1), at(2)], [0, 7, NumberTable::UNUSED]);
        assert_eq!([at(INTERVALS), at(INTERVALS + 1)], [1, 2]);
    }
}
