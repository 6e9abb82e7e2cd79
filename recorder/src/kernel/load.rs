//! Loading and attaching: the object, with its tables filled for this kernel and this recording.

mod create;
mod failures;

use std::path::PathBuf;

use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, RingBuf},
    programs::{BtfTracePoint, Program, tp_btf::BtfTracePointLinkId},
};
use events::{
    abi::{Slot, hooks::Hook, tables::Begun},
    capture::Capture,
    variants::VARIANTS,
};

use super::{
    Error, KernelOptions, Lists, Memory, clock, cpus,
    early_drop::{self, EarlyDrop},
    hooks::{self, Kind, LoadedHook, Plan},
    link_misses::Links,
    losses::Missed,
    map_memory, packets, refusals,
    region::Regions,
    socket_list::SocketOwner,
    spares,
    tables::Tables,
};
use crate::btf::{self, Btf};
use create::{Made, Making, create_fitting};
pub(super) use failures::chain;
use failures::{broken_object, program_error};

const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// The programs in the kernel. Dropping it detaches them.
pub struct Loaded {
    /// `None` once detached.
    ebpf: Option<Ebpf>,
    pub regions: Regions,
    /// Records of CPUs that have no region, by slot.
    pub without_region: Array<MapData, [u64; Slot::COUNT]>,
    pub memory: Memory,
    pub lists: Lists,
    pub records: RingBuf<MapData>,
    pub packets: RingBuf<MapData>,
    pub ring_bytes: RingBytes,
    /// Who had sockets when the recording began.
    pub owners: Vec<SocketOwner>,
    pub tables: Tables,
    /// Where something is dropped for scopes, until it is taken.
    pub early_drop: Option<EarlyDrop>,
    hooks: Vec<LoadedHook>,
    /// Of hooks that are kprobes.
    links: Links,
    tracepoints: Vec<Tracepoint>,
    /// The calls that tasks are in, where they are timed.
    begun: Option<HashMap<MapData, u64, [u64; Begun::WORDS]>>,
    timing: Option<BtfTracePointLinkId>,
    /// What the kernel said to the programs as they are evaluated, where it took them as they were built.
    pub refused_evaluation: Option<String>,
}

/// A program that is in the kernel, and what it records where that is one event.
type Tracepoint = (&'static str, Option<Hook>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("regions", &self.regions).finish_non_exhaustive()
    }
}

/// Sizes of the ring buffers.
#[derive(Clone, Copy, Debug)]
pub struct RingBytes {
    pub records: usize,
    pub packets: usize,
}

/// A program: its name in the object, the tracepoint that it is attached to, and what it records.
#[derive(Clone, Copy)]
struct Probe {
    program: &'static str,
    tracepoint: &'static str,
    hook: Option<Hook>,
}

const fn hook(program: &'static str, hook: Hook) -> Probe {
    Probe { program, tracepoint: program, hook: Some(hook) }
}

const PROBES: &[Probe] = &[
    hook("sched_process_fork", Hook::ProcessFork),
    hook("sched_process_exec", Hook::ProcessExec),
    hook("sched_process_exit", Hook::ProcessExit),
    hook("task_rename", Hook::TaskRename),
    hook("signal_generate", Hook::SignalGenerate),
    hook("cgroup_mkdir", Hook::CgroupMkdir),
    hook("cgroup_rmdir", Hook::CgroupRmdir),
    hook("cgroup_attach_task", Hook::CgroupAttachTask),
    hook("inet_sock_set_state", Hook::InetSockSetState),
    hook("module_load", Hook::ModuleLoad),
    hook("module_free", Hook::ModuleFree),
    hook("sched_switch", Hook::SchedSwitch),
    Probe { program: "every_sys_enter", tracepoint: "sys_enter", hook: Some(Hook::SysEnter) },
    Probe { program: "every_sys_exit", tracepoint: "sys_exit", hook: Some(Hook::SysExit) },
    hook("io_uring_create", Hook::IoUringCreate),
];

/// What notes the arguments of calls at their entry, where they are compared.
const COMPARISON: &str = "strict_sys_enter";

/// What notes when calls begin, where they are timed.
const TIMING: &str = "timing_sys_enter";

/// What a submission to an io_uring is told by, the newest first: program, tracepoint, and the bytes of its arguments. As
/// 5.15 has it, kernels of the 5.10 line have it too.
const SUBMISSIONS: &[(&str, &str, Option<&[u32]>)] = &[
    ("io_uring_submit_req", "io_uring_submit_req", None),
    ("io_uring_submit_req", "io_uring_submit_sqe", Some(&[8, 1])),
    ("io_uring_submit_sqe_of_request", "io_uring_submit_sqe", Some(&[8, 8, 1, 8, 4, 1, 1])),
    ("io_uring_submit_sqe", "io_uring_submit_sqe", Some(&[8, 1, 8, 1, 1])),
];

/// The same of what an operation came to: program and the bytes of its arguments. Before 5.13 the first of them are those
/// of the newest, and mean something else.
const COMPLETIONS: &[(&str, &[u32])] = &[
    ("io_uring_complete", &[8, 8, 8]),
    ("io_uring_complete_by_members", &[8, 8, 8, 4, 4, 8, 8]),
    ("io_uring_complete_alone", &[8, 8, 4, 4]),
    ("io_uring_complete_alone", &[8, 8, 8]),
];

/// The probes that this kernel has tracepoints for, or that have none to look for.
fn probes(btf: &Btf) -> Vec<Probe> {
    let mut probes: Vec<Probe> = PROBES.to_vec();
    let is_there = |(_, tracepoint, arguments): &&(&str, &'static str, Option<&[u32]>)| {
        btf.has_tracepoint(tracepoint)
            && arguments.is_none_or(|bytes| btf.tracepoint_arguments(tracepoint).as_deref() == Some(bytes))
    };
    let (program, tracepoint, _) = SUBMISSIONS.iter().find(is_there).unwrap_or(&SUBMISSIONS[0]);
    probes.push(Probe { program, tracepoint, hook: Some(Hook::IoUringSubmitReq) });
    let has_requests = btf.has_tracepoint("io_uring_submit_req");
    let arguments = btf.tracepoint_arguments("io_uring_complete");
    let fits = |(program, bytes): &&(&str, &[u32])| {
        (has_requests || *program == "io_uring_complete_alone") && arguments.as_deref() == Some(*bytes)
    };
    let (program, _) = COMPLETIONS.iter().find(fits).unwrap_or(&COMPLETIONS[0]);
    let hook = Some(Hook::IoUringComplete);
    probes.push(Probe { program, tracepoint: "io_uring_complete", hook });
    probes
}

/// Loads the programs as they are evaluated for this kernel; where it refuses one of those as they were built.
pub fn load(options: &KernelOptions) -> Result<Loaded, Error> {
    match load_one_way(options) {
        Err(refused @ Error::Program { .. }) if !options.as_built => {
            let loaded = load_one_way(&KernelOptions { as_built: true, ..options.clone() })?;
            Ok(Loaded { refused_evaluation: Some(refused.to_string()), ..loaded })
        }
        loaded => loaded,
    }
}

fn load_one_way(options: &KernelOptions) -> Result<Loaded, Error> {
    refusals::refuse()?;
    let bytes = std::fs::read(BTF_PATH).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NoBtf { path: PathBuf::from(BTF_PATH) },
        _ => Error::Io { what: "cannot read /sys/kernel/btf/vmlinux", source },
    })?;
    let btf = Btf::parse(&bytes).map_err(|error| Error::Btf { reason: error.to_string() })?;
    let layout = btf::resolve(&btf).map_err(|error| Error::Btf { reason: error.to_string() })?;
    let kernel_btf = aya::Btf::from_sys_fs().map_err(|error| Error::Btf { reason: error.to_string() })?;
    let mut options = options.clone();
    options.scopes = options.scopes.map(|lowered| lowered.within(&early_drop::LIMITS));
    let options = &options;
    let probes = probes(&btf);
    let cpus = cpus::with_buffers(options.cpus)?;
    let has_prepare = btf.has_tracepoint("sched_prepare_exec");
    let mut plan = Plan::new(options.hooks, &btf);
    // What hooks this kernel takes is found by trying, and decides what else is recorded.
    let (mut ebpf, Made { buffer_bytes, data_bytes, write_bytes, ring_bytes, lists }, mut tables, hooks) = loop {
        let mut tables = Tables::build(options, &plan);
        for probe in &probes {
            if let Some(hook) = probe.hook
                && tables.wants(hook)
                && !btf.has_tracepoint(probe.tracepoint)
            {
                tables.refuse_hook(hook, format!("this kernel has no tracepoint `{}`", probe.tracepoint));
            }
        }
        let making =
            Making { tables: &tables, plan: &plan, layout: &layout.to_bytes(), btf: &btf, cpus, has_prepare };
        let (mut ebpf, made) = create_fitting(options, &making)?;
        if let Ok(hooks) = plan.load(&mut ebpf, &tables, &kernel_btf)
            && plan.attach(&mut ebpf, &hooks).is_ok()
        {
            break (ebpf, made, tables, hooks);
        }
    };
    fill_variants(&mut ebpf, &tables)?;

    let map_bytes = map_memory::bytes(&ebpf);
    let without_region = take_map(&mut ebpf, "WITHOUT_REGION")?;
    let without_region = Array::try_from(without_region).map_err(|_| broken_object("WITHOUT_REGION"))?;
    let records = ring_buffer(&mut ebpf, "RING_BUFFER")?;
    let packets = ring_buffer(&mut ebpf, "PACKETS")?;
    let begun = match tables.times() {
        true => Some(HashMap::try_from(take_map(&mut ebpf, "BEGUN")?).map_err(|_| broken_object("BEGUN"))?),
        false => None,
    };
    let regions = {
        let fd = |name| match ebpf.map(name) {
            Some(Map::Array(data)) => Ok(data.fd()),
            _ => Err(broken_object(name)),
        };
        use std::os::fd::AsFd as _;
        let (ring, tails) = (fd("REGIONS")?, fd("TAILS")?);
        Regions::map(ring.as_fd(), tails.as_fd(), (data_bytes, write_bytes), cpus)
            .map_err(|error| Error::Memory { cpus, bytes: data_bytes, reason: error.to_string() })?
    };

    let attached_ns = clock::boot_ns();
    let lowered = options.scopes.as_ref();
    let early_drop = lowered.map(|lowered| EarlyDrop::new(&mut ebpf, lowered, attached_ns)).transpose()?;
    let of_kprobes = plan.kind() == Some(Kind::Kprobe);
    let links = Links::of(&ebpf, hooks.iter().filter(|_| of_kprobes).map(|hook| hook.program));
    let Attached { owners, tracepoints, timing } =
        attach(&mut ebpf, &mut tables, &probes, &kernel_btf, has_prepare)?;
    Ok(Loaded {
        ebpf: Some(ebpf),
        regions,
        without_region,
        memory: Memory { cpus, buffer_bytes, map_bytes },
        lists,
        records,
        packets,
        ring_bytes,
        owners,
        tables,
        early_drop,
        hooks,
        links,
        tracepoints,
        begun,
        timing,
        refused_evaluation: None,
    })
}

impl Loaded {
    /// Runs of programs that the kernel left out, since the start.
    pub fn misses(&self) -> Vec<Missed> {
        let Some(ebpf) = &self.ebpf else { return Vec::new() };
        let hooks = self.hooks.iter().filter(|hook| !hook.is_counted_at_exit());
        let hooks = hooks.map(|hook| (hook.program, hook.attachment.hooks.first().copied()));
        let all = self.tracepoints.iter().copied().chain(hooks);
        let missed = |program| {
            let left_out = hooks::misses(ebpf, program) + self.links.missed(program);
            // Of these a spare has recorded some.
            left_out
                .saturating_sub(spares::of(program).map_or(0, |spare| self.regions.taken_over(spare.kind)))
        };
        all.map(|(program, hook)| Missed { program, hook, count: missed(program) })
            .filter(|missed| missed.count > 0)
            .collect()
    }

    /// The calls that tasks are in, of those that are timed.
    pub fn begun(&self) -> Vec<Begun> {
        let entries = self.begun.iter().flat_map(|map| map.iter()).filter_map(Result::ok);
        entries.map(|(_, words)| Begun::of_words(words)).filter(|begun| begun.time_ns != 0).collect()
    }

    /// Detaches all programs; what they recorded stays.
    pub fn detach(&mut self) {
        // Before all others: of a call that it sees begin, the end is to be seen as well.
        if let (Some(ebpf), Some(timing)) = (&mut self.ebpf, self.timing.take())
            && let Ok(program) = program(ebpf, TIMING)
        {
            let _ = program.detach(timing);
        }
        self.ebpf = None;
        self.links = Links::default();
    }
}

/// What came of attaching.
struct Attached {
    /// Who had sockets then.
    owners: Vec<SocketOwner>,
    tracepoints: Vec<Tracepoint>,
    timing: Option<BtfTracePointLinkId>,
}

/// Loads every program before any is attached: the verifier takes its time, and nobody is to be seen by half of them.
fn attach(
    ebpf: &mut Ebpf,
    tables: &mut Tables,
    probes: &[Probe],
    btf: &aya::Btf,
    has_prepare: bool,
) -> Result<Attached, Error> {
    let mut loaded = Vec::new();
    for probe in probes {
        let Some(hook) = probe.hook.filter(|hook| tables.needs(*hook)) else { continue };
        match load_one(ebpf, probe.program, probe.tracepoint, btf) {
            Ok(()) => loaded.push((probe.program, Some(hook))),
            Err(error) => tables.refuse_hook(hook, error.to_string()),
        }
    }
    if tables.wants_exec() {
        let program = if has_prepare { "sched_prepare_exec" } else { "sys_enter" };
        load_one(ebpf, program, program, btf)?;
        loaded.push((program, None));
    }
    if tables.wants_syscalls() {
        load_one(ebpf, "sys_exit", "sys_exit", btf)?;
        loaded.push(("sys_exit", None));
    }
    // Whose runs are left out loses nothing but its comparison, which is marked: not among those that are counted.
    if tables.compares() {
        load_one(ebpf, COMPARISON, "sys_enter", btf)?;
        attach_one(ebpf, COMPARISON)?;
    }
    // The same: whose run is left out has no duration.
    if tables.times() {
        load_one(ebpf, TIMING, "sys_enter", btf)?;
    }
    let has_spares = spares::are_needed();
    for spare in loaded.iter().filter_map(|(program, _)| spares::of(program)).filter(|_| has_spares) {
        load_one(ebpf, spare.copy, spare.program, btf)?;
    }
    if tables.wants(Hook::Packet)
        && let Err(reason) = packets::load(ebpf)
    {
        tables.refuse_hook(Hook::Packet, reason);
    }
    for (program, _) in &loaded {
        attach_one(ebpf, program)?;
        // After it, for it is to run after it.
        if let Some(spare) = spares::of(program).filter(|_| has_spares) {
            attach_one(ebpf, spare.copy)?;
        }
    }
    // After the program for exits, which is to see every call end that this one has seen begin.
    let timing = if tables.times() {
        Some(program(ebpf, TIMING)?.attach().map_err(|error| program_error(TIMING, error))?)
    } else {
        None
    };
    if !tables.wants_owners() {
        return Ok(Attached { owners: Vec::new(), tracepoints: loaded, timing });
    }
    // Owners before packets: new sockets by their making, older ones by a look at all processes.
    let owners = packets::know_owners(ebpf, btf).unwrap_or_else(|reason| {
        tables.limit(packets::EVENT, format!("recorded, but not always with its process: {reason}"));
        Vec::new()
    });
    if tables.wants(Hook::Packet)
        && let Err(reason) = packets::attach(ebpf)
    {
        tables.refuse_hook(Hook::Packet, reason);
    }
    Ok(Attached { owners, tracepoints: loaded, timing })
}

fn ring_buffer(ebpf: &mut Ebpf, name: &str) -> Result<RingBuf<MapData>, Error> {
    RingBuf::try_from(take_map(ebpf, name)?)
        .map_err(|error| Error::Feature { feature: "BPF ring buffers", reason: error.to_string() })
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut BtfTracePoint, Error> {
    match ebpf.program_mut(name) {
        Some(Program::BtfTracePoint(program)) => Ok(program),
        _ => Err(broken_object(name)),
    }
}

fn load_one(ebpf: &mut Ebpf, name: &str, tracepoint: &str, btf: &aya::Btf) -> Result<(), Error> {
    program(ebpf, name)?.load(tracepoint, btf).map_err(|error| program_error(name, error))?;
    Ok(())
}

fn attach_one(ebpf: &mut Ebpf, name: &str) -> Result<(), Error> {
    program(ebpf, name)?.attach().map(drop).map_err(|error| program_error(name, error))
}

fn fill_variants(ebpf: &mut Ebpf, tables: &Tables) -> Result<(), Error> {
    let map = ebpf.map_mut("VARIANTS").ok_or_else(|| broken_object("VARIANTS"))?;
    let mut map: HashMap<_, [u8; 8], [u8; 8]> =
        HashMap::try_from(map).map_err(|_| broken_object("VARIANTS"))?;
    for variant in VARIANTS {
        let slots = tables.slots.iter().enumerate().filter(|(_, slot)| {
            slot.as_ref().is_some_and(|slot| variant.is_of(slot.event.id) && slot.positions.is_none())
        });
        for (slot, event) in slots {
            let number = event.as_ref().and_then(|event| event.compat_number);
            let capture = number.map_or(variant.capture(), |number| variant.capture_in_compat(number));
            let mut key = [0; 8];
            key[..2].copy_from_slice(&(slot as u16).to_ne_bytes());
            key[2..4].copy_from_slice(&(variant.position as u16).to_ne_bytes());
            key[4..].copy_from_slice(&variant.value.to_ne_bytes());
            map.insert(key, capture_bytes(capture), 0)
                .map_err(|error| Error::Feature { feature: "hash maps", reason: error.to_string() })?;
        }
    }
    Ok(())
}

fn capture_bytes(capture: Capture) -> [u8; 8] {
    let [size_low, size_high] = capture.size.to_ne_bytes();
    let [max_low, max_high] = capture.max.to_ne_bytes();
    [capture.op, capture.dir, capture.len_from, capture.len_arg, size_low, size_high, max_low, max_high]
}

fn take_map(ebpf: &mut Ebpf, name: &str) -> Result<Map, Error> {
    ebpf.take_map(name).ok_or_else(|| broken_object(name))
}

#[cfg(test)]
mod tests;
