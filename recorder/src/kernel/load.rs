//! Loading and attaching: the object, with its tables filled for this kernel and this recording.

use std::path::PathBuf;

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Array, HashMap, Map, MapData, RingBuf},
    programs::{BtfTracePoint, Program, ProgramError},
};
use events::{
    abi::{
        Slot,
        hooks::Hook,
        region::{KEPT_BACK, LARGEST_WRITE, VALUE_SIZE_MARK, region_bytes, rooms_offset, spare},
        tables::{Config, compared},
    },
    capture::Capture,
    variants::VARIANTS,
};

use super::{
    Error, KernelOptions, Memory, Transport,
    cast::Cast,
    clock, cpus,
    early_drop::{self, EarlyDrop},
    hooks::{self, Kind, Loaded as LoadedHook, Plan},
    losses::Missed,
    map_memory, packets,
    plain::bytes_of,
    preemption::Preemption,
    refusals,
    region::Regions,
    socket_list::SocketOwner,
    spares,
    tables::Tables,
};
use crate::btf::{self, Btf};

/// The kernel programs, as `cargo xtask ebpf` built them for this architecture.
#[cfg(not(target_arch = "aarch64"))]
const OBJECT: &[u8] = include_bytes!("../../ebpf/tracer.bpf.o");
#[cfg(target_arch = "aarch64")]
const OBJECT: &[u8] = include_bytes!("../../ebpf/tracer.aarch64.bpf.o");

const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// The programs in the kernel. Dropping it detaches them.
pub struct Loaded {
    /// `None` once detached.
    ebpf: Option<Ebpf>,
    pub regions: Regions,
    /// Records of CPUs that have no region, by slot.
    pub without_region: Array<MapData, [u64; Slot::COUNT]>,
    pub memory: Memory,
    pub door: RingBuf<MapData>,
    pub packets: RingBuf<MapData>,
    pub ring_bytes: RingBytes,
    /// Who had sockets when the recording began.
    pub owners: Vec<SocketOwner>,
    pub tables: Tables,
    /// Where something is dropped for scopes, until it is taken.
    pub early_drop: Option<EarlyDrop>,
    hooks: Vec<LoadedHook>,
    tracepoints: Vec<Tracepoint>,
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
    pub door: usize,
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

pub fn load(options: &KernelOptions) -> Result<Loaded, Error> {
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
    let (mut ebpf, Made { buffer_bytes, data_bytes, ring_bytes }, mut tables, hooks) = loop {
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
    let door = ring_buffer(&mut ebpf, "DOOR")?;
    let packets = ring_buffer(&mut ebpf, "PACKETS")?;
    let regions = {
        let fd = |name| match ebpf.map(name) {
            Some(Map::Array(data)) => Ok(data.fd()),
            _ => Err(broken_object(name)),
        };
        use std::os::fd::AsFd as _;
        let (ring, tails) = (fd("RING")?, fd("TAILS")?);
        Regions::map(ring.as_fd(), tails.as_fd(), data_bytes, cpus).map_err(|error| Error::Memory {
            cpus,
            bytes: data_bytes,
            reason: error.to_string(),
        })?
    };

    let attached_ns = clock::boot_ns();
    let lowered = options.scopes.as_ref();
    let early_drop = lowered.map(|lowered| EarlyDrop::new(&mut ebpf, lowered, attached_ns)).transpose()?;
    let (owners, tracepoints) = attach(&mut ebpf, &mut tables, &probes, &kernel_btf, has_prepare)?;
    Ok(Loaded {
        ebpf: Some(ebpf),
        regions,
        without_region,
        memory: Memory { cpus, buffer_bytes, map_bytes },
        door,
        packets,
        ring_bytes,
        owners,
        tables,
        early_drop,
        hooks,
        tracepoints,
    })
}

/// What the object is made ready with.
#[derive(Clone, Copy)]
struct Making<'a> {
    tables: &'a Tables,
    plan: &'a Plan,
    layout: &'a [u8],
    btf: &'a Btf,
    cpus: usize,
    has_prepare: bool,
}

/// How large the buffers were made.
#[derive(Clone, Copy, Debug)]
struct Made {
    /// Of each CPU: what it was made for, and what of it is in the region.
    buffer_bytes: usize,
    data_bytes: usize,
    ring_bytes: RingBytes,
}

impl Loaded {
    /// Runs of programs that the kernel left out, since the start.
    pub fn misses(&self) -> Vec<Missed> {
        let Some(ebpf) = &self.ebpf else { return Vec::new() };
        let hooks = self.hooks.iter().map(|hook| (hook.program, hook.attachment.hooks.first().copied()));
        let all = self.tracepoints.iter().copied().chain(hooks);
        let missed = |program| {
            let left_out = hooks::misses(ebpf, program);
            // Of these a spare has recorded some.
            left_out
                .saturating_sub(spares::of(program).map_or(0, |spare| self.regions.taken_over(spare.kind)))
        };
        all.map(|(program, hook)| Missed { program, hook, count: missed(program) })
            .filter(|missed| missed.count > 0)
            .collect()
    }

    /// Detaches all programs; what they recorded stays.
    pub fn detach(&mut self) {
        self.ebpf = None;
    }
}

/// Loads every program before any is attached: the verifier takes its time, and nobody is to be seen by half of them.
fn attach(
    ebpf: &mut Ebpf,
    tables: &mut Tables,
    probes: &[Probe],
    btf: &aya::Btf,
    has_prepare: bool,
) -> Result<(Vec<SocketOwner>, Vec<Tracepoint>), Error> {
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
    if !tables.wants_owners() {
        return Ok((Vec::new(), loaded));
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
    Ok((owners, loaded))
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

/// Creates the maps with the buffers asked for, or the largest that this kernel takes: before 5.11 an element has at
/// most 4 MiB, and memory may be short.
fn create_fitting(options: &KernelOptions, making: &Making<'_>) -> Result<(Ebpf, Made), Error> {
    const LEAST: usize = 1 << 20;
    let mut options = options.clone();
    loop {
        match create(&options, making) {
            Err(Error::Memory { bytes, .. }) if bytes / 2 >= LEAST => options.buffer_bytes = Some(bytes / 2),
            result => return result,
        }
    }
}

fn create(options: &KernelOptions, making: &Making<'_>) -> Result<(Ebpf, Made), Error> {
    let Making { tables, plan, layout, btf, cpus, has_prepare } = *making;
    let has_trampolines = matches!(plan.kind(), Some(Kind::Trampoline | Kind::Lsm));
    let is_ringbuf = options.transport == Transport::Ringbuf;
    let wanted = options.buffer_bytes.unwrap_or_else(|| cpus::default_buffer_bytes(cpus));
    let buffer_bytes = wanted.clamp(256 << 10, 1 << 30).next_power_of_two();
    let data_bytes = if is_ringbuf { 4096 } else { buffer_bytes };
    let door_bytes = if is_ringbuf {
        (buffer_bytes * cpus).next_power_of_two().min(1 << 30)
    } else if has_trampolines {
        4 << 20
    } else {
        256 << 10
    };
    let cast = Cast::of(btf);
    let preemption = Preemption::of(btf);
    let mut config = Config {
        data_mask: data_bytes as u64 - 1,
        rooms_offset: rooms_offset(data_bytes) as u64,
        quarter_bytes: door_bytes as u64 / 4,
        kept_back: (data_bytes / KEPT_BACK) as u64,
        door_limit: (door_bytes - door_bytes / KEPT_BACK) as u64,
        quarter_shift: (data_bytes / 4).ilog2(),
        ringbuf: is_ringbuf.into(),
        modern: btf.has_enumerator("BPF_FUNC_task_pt_regs").into(),
        string_bound: options.string_bound.clamp(8, 4096) as u32,
        buffer_bound: options.buffer_bound.min(4096) as u32,
        snaplen: options.snaplen.min(packets::LARGEST_SNAPLEN) as u32,
        environment: options.environment.into(),
        exec_at_entry: (!has_prepare).into(),
        // x86_64 without FRED: 16 KiB of stack, and 21 registers at its end.
        regs_offset: 16_384 - 168,
        remembers: tables.remembers().into(),
        kprobes: (plan.kind() == Some(Kind::Kprobe)).into(),
        tells_last: (btf.tracepoint_arguments("sched_process_exit").map(|bytes| bytes.len()) == Some(2))
            .into(),
        files_type: cast.map_or(0, |cast| cast.files_type),
        spares: spares::are_needed().into(),
        disables_preemption: preemption.is_some().into(),
        strict: tables.compares().into(),
        hooks: halves(tables.hooks),
        vital_hooks: halves(tables.vital_hooks()),
        ..Config::EMPTY
    };
    let (asked, limit) = (options.exclude.len(), config.excluded.len() - 1);
    if asked > limit {
        return Err(Error::Excluded { asked, limit });
    }
    let excluded = std::iter::once(std::process::id()).chain(options.exclude.iter().copied());
    for (place, tgid) in config.excluded.iter_mut().zip(excluded) {
        *place = tgid;
    }
    let mut object = with_region_size(OBJECT, region_bytes(data_bytes))?;
    if let Some(cast) = cast
        && cast.put_into(&mut object) == 0
    {
        return Err(broken_object("bpf_rdonly_cast"));
    }
    if let Some(preemption) = preemption
        && !preemption.put_into(&mut object)
    {
        return Err(broken_object("bpf_preempt_disable"));
    }
    plan.declare(&mut object);
    let write_mask = [LARGEST_WRITE as u64 - 1];
    let slot_mask = [Slot::HOOK_BASE as u64 - 1];
    let cpu_entries = cpus as u32;
    let packet_bytes = if tables.wants(Hook::Packet) { packets::RING_BYTES } else { 4096 };
    let (sockets, listeners) = if tables.wants_owners() { packets::OWNERS } else { (64, 64) };
    let mut loader = EbpfLoader::new();
    early_drop::size(&mut loader, options.scopes.as_ref(), cpu_entries);
    let ebpf = loader
        .override_global("LAYOUT", layout, true)
        .override_global("CONFIG", bytes_of(&[config]), true)
        .override_global("SCOPES", bytes_of(&[tables.scopes]), true)
        .override_global("WRITE_MASK", bytes_of(&write_mask), true)
        .override_global("SLOT_MASK", bytes_of(&slot_mask), true)
        .override_global("SYSCALLS", bytes_of(&tables.syscalls), true)
        .override_global("SAMPLES", bytes_of(&tables.samples), true)
        .map_max_entries("RING", cpu_entries)
        .map_max_entries("PACKETS", packet_bytes)
        .map_max_entries("OWNERS", sockets)
        .map_max_entries("LISTENERS", listeners)
        .map_max_entries("TAILS", cpu_entries)
        .map_max_entries("DOOR", door_bytes as u32)
        .map_max_entries("GIVEN", if tables.compares() { compared::THREADS } else { 1 })
        .map_max_entries("RUNS", if spares::are_needed() { spare::TASKS } else { 1 })
        .load(&object)
        .map_err(|error| load_error(error, cpus, buffer_bytes))?;
    let ring_bytes = RingBytes { door: door_bytes, packets: packet_bytes as usize };
    Ok((ebpf, Made { buffer_bytes, data_bytes, ring_bytes }))
}

const fn halves(bits: u128) -> [u64; 2] {
    [bits as u64, (bits >> 64) as u64]
}

/// The object with the size of RING's values in its definition: the one place where the mark stands.
fn with_region_size(object: &[u8], bytes: usize) -> Result<Vec<u8>, Error> {
    const ARRAY: u32 = 2;
    let definition =
        |size: u32| -> Vec<u8> { [ARRAY, 4, size].iter().flat_map(|n| n.to_ne_bytes()).collect() };
    let (old, new) = (definition(VALUE_SIZE_MARK), definition(bytes as u32));
    let mut object = object.to_vec();
    let mut places =
        object.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at);
    let (Some(at), None) = (places.next(), places.next()) else { return Err(broken_object("RING")) };
    drop(places);
    if let Some(place) = object.get_mut(at..at + new.len()) {
        place.copy_from_slice(&new);
    }
    Ok(object)
}

fn fill_variants(ebpf: &mut Ebpf, tables: &Tables) -> Result<(), Error> {
    let map = ebpf.map_mut("VARIANTS").ok_or_else(|| broken_object("VARIANTS"))?;
    let mut map: HashMap<_, [u8; 8], [u8; 8]> =
        HashMap::try_from(map).map_err(|_| broken_object("VARIANTS"))?;
    for variant in VARIANTS {
        let slots = tables.slots.iter().enumerate().filter(|(_, slot)| {
            slot.as_ref().is_some_and(|slot| slot.event.id == variant.event && slot.positions.is_none())
        });
        for (slot, _) in slots {
            let mut key = [0; 8];
            key[..2].copy_from_slice(&(slot as u16).to_ne_bytes());
            key[2..4].copy_from_slice(&(variant.position as u16).to_ne_bytes());
            key[4..].copy_from_slice(&variant.value.to_ne_bytes());
            map.insert(key, capture_bytes(variant.capture()), 0)
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

fn broken_object(part: &str) -> Error {
    Error::Program {
        program: part.to_owned(),
        reason: "it is not in the object: rebuild it with `cargo xtask ebpf`".into(),
    }
}

fn load_error(error: EbpfError, cpus: usize, bytes: usize) -> Error {
    let text = chain(&error);
    match errno(&error) {
        Some(1 | 13) => Error::Capability { capability: "CAP_BPF" },
        Some(12 | 7) => Error::Memory { cpus, bytes, reason: text },
        _ => Error::Feature { feature: "what the programs' maps need", reason: text },
    }
}

fn program_error(program: &str, error: ProgramError) -> Error {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        let log = verifier_log.to_string();
        if io_error.raw_os_error() == Some(1) && log.trim().is_empty() {
            return Error::Capability { capability: "CAP_PERFMON" };
        }
        if refusals::is_by_lockdown(&log) {
            return Error::Lockdown;
        }
        let mut last: Vec<&str> = log.lines().rev().take(30).collect();
        last.reverse();
        return Error::Program {
            program: program.to_owned(),
            reason: format!("{io_error}\n{}", last.join("\n")),
        };
    }
    Error::Program { program: program.to_owned(), reason: chain(&error) }
}

/// The message with those of its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error();
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests;
