//! The object made ready for this kernel and this recording: its maps in their sizes, its constants.

use aya::{Ebpf, EbpfLoader};
use events::abi::{
    Slot,
    hooks::Hook,
    region::{
        CAPTURE_RESERVE, KEPT_BACK, LIST_BYTES, LIST_STRINGS, region_bytes, room, room_bytes, rooms_offset,
        spare, write_bytes,
    },
    tables::{Begun, Config, compared},
};

use super::{
    RingBytes,
    failures::{broken_object, load_error},
};
use crate::{
    btf::Btf,
    kernel::{
        Error, KernelOptions, Lists, Transport,
        cast::Cast,
        cpus, early_drop,
        hooks::{Kind, Plan},
        object::Object,
        packets,
        plain::bytes_of,
        preemption::Preemption,
        spares,
        tables::Tables,
    },
};

/// What the object is made ready with.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub tables: &'a Tables,
    pub plan: &'a Plan,
    pub layout: &'a [u8],
    pub btf: &'a Btf,
    pub cpus: usize,
    pub has_prepare: bool,
}

/// How large the buffers were made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    /// Of each CPU: what it was made for, and what of it is in the region.
    pub buffer_bytes: usize,
    pub data_bytes: usize,
    /// The most that one program writes at once.
    pub write_bytes: usize,
    pub ring_bytes: RingBytes,
    pub lists: Lists,
}

/// Creates the maps with the buffers asked for, or the largest that this kernel takes: before 5.11 an element has at
/// most 4 MiB, and memory may be short.
pub(super) fn create_fitting(options: &KernelOptions, making: &Making<'_>) -> Result<(Ebpf, Made), Error> {
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
    let buffer_bytes =
        wanted.clamp(*cpus::BUFFER_BYTES.start(), *cpus::BUFFER_BYTES.end()).next_power_of_two();
    let data_bytes = if is_ringbuf { 4096 } else { buffer_bytes };
    let ring_buffer_bytes = if is_ringbuf {
        (buffer_bytes * cpus).next_power_of_two().min(1 << 30)
    } else if has_trampolines {
        cpus::hook_buffer_bytes(cpus)
    } else {
        256 << 10
    };
    let asked_bytes = options.lists.bytes.clamp(*LIST_BYTES.start(), *LIST_BYTES.end());
    let write_bytes = write_bytes(asked_bytes, buffer_bytes);
    let lists = Lists {
        strings: options.lists.strings.clamp(*LIST_STRINGS.start(), *LIST_STRINGS.end()),
        bytes: asked_bytes.min((write_bytes - CAPTURE_RESERVE) as u32),
    };
    let rooms_offset = rooms_offset(data_bytes, write_bytes);
    let cast = Cast::of(btf);
    let preemption = Preemption::of(btf);
    let mut config = Config {
        data_mask: data_bytes as u64 - 1,
        rooms_offset: rooms_offset as u64,
        room_bytes: room_bytes(write_bytes) as u64,
        last_room: (rooms_offset + (room::COUNT - 2) * room_bytes(write_bytes)) as u64,
        write_bytes: write_bytes as u64,
        capture_limit: (write_bytes - CAPTURE_RESERVE) as u64,
        quarter_bytes: ring_buffer_bytes as u64 / 4,
        kept_back: (data_bytes / KEPT_BACK) as u64,
        ring_limit: (ring_buffer_bytes - ring_buffer_bytes / KEPT_BACK) as u64,
        quarter_shift: (data_bytes / 4).ilog2(),
        ringbuf: is_ringbuf.into(),
        modern: btf.has_enumerator("BPF_FUNC_task_pt_regs").into(),
        string_bound: options.string_bound.clamp(8, 4096) as u32,
        buffer_bound: options.buffer_bound.min(4096) as u32,
        list_strings: lists.strings,
        list_bytes: lists.bytes,
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
        task_type: cast.map_or(0, |cast| cast.task_type),
        preempts_tracepoints: spares::are_needed().into(),
        disables_preemption: preemption.is_some().into(),
        strict: tables.compares().into(),
        timing: tables.times().into(),
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
    let write_mask = [write_bytes as u64 - 1];
    let slot_mask = [Slot::HOOK_BASE as u64 - 1];
    let config = [config];
    let scopes = [tables.scopes];
    let globals: [(&str, &[u8]); 7] = [
        ("LAYOUT", layout),
        ("CONFIG", bytes_of(&config)),
        ("SCOPES", bytes_of(&scopes)),
        ("WRITE_MASK", bytes_of(&write_mask)),
        ("SLOT_MASK", bytes_of(&slot_mask)),
        ("SYSCALLS", bytes_of(&tables.syscalls)),
        ("SAMPLES", bytes_of(&tables.samples)),
    ];
    let mut object = Object::as_built();
    if !options.as_built {
        object.specialize(&globals).map_err(|error| Error::Program {
            program: "the object".into(),
            reason: format!("{error}: rebuild it with `cargo xtask ebpf`"),
        })?;
    }
    if !object.set_region_bytes(region_bytes(data_bytes, write_bytes) as u32) {
        return Err(broken_object("REGIONS"));
    }
    if let Some(cast) = cast
        && !cast.put_into(&mut object)
    {
        return Err(broken_object("bpf_rdonly_cast"));
    }
    if let Some(preemption) = preemption
        && !preemption.put_into(&mut object)
    {
        return Err(broken_object("bpf_preempt_disable"));
    }
    plan.declare(&mut object);
    let cpu_entries = cpus as u32;
    let packet_bytes = if tables.wants(Hook::Packet) { packets::RING_BYTES } else { 4096 };
    let (sockets, listeners) = if tables.wants_owners() { packets::OWNERS } else { (64, 64) };
    let mut loader = EbpfLoader::new();
    early_drop::size(&mut loader, options.scopes.as_ref(), cpu_entries);
    for (name, value) in globals {
        loader.override_global(name, value, true);
    }
    let ebpf = loader
        .map_max_entries("REGIONS", cpu_entries)
        .map_max_entries("PACKETS", packet_bytes)
        .map_max_entries("OWNERS", sockets)
        .map_max_entries("LISTENERS", listeners)
        .map_max_entries("TAILS", cpu_entries)
        .map_max_entries("RING_BUFFER", ring_buffer_bytes as u32)
        .map_max_entries("GIVEN", if tables.compares() { compared::THREADS } else { 1 })
        .map_max_entries("BEGUN", if tables.times() { Begun::TASKS } else { 1 })
        .map_max_entries("RUNS", if spares::are_needed() { spare::TASKS } else { 1 })
        .load(object.bytes())
        .map_err(|error| load_error(error, cpus, buffer_bytes))?;
    let ring_bytes = RingBytes { records: ring_buffer_bytes, packets: packet_bytes as usize };
    Ok((ebpf, Made { buffer_bytes, data_bytes, write_bytes, ring_bytes, lists }))
}

const fn halves(bits: u128) -> [u64; 2] {
    [bits as u64, (bits >> 64) as u64]
}
