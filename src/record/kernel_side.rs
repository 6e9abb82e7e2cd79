//! What the kernel side is told of an order, and what is told of the kernel side.

use std::collections::{BTreeMap, BTreeSet};

use events::{EventId, catalogue};
use format::{Unavailable, recorded};
use recorder::kernel::{self, HookPrograms, Kernel, KernelOptions, Lists, NAMED_ONLY};
use scopes::Lowered;

use super::{Capturing, Hooks, Transport};
use crate::stderr;

pub fn kernel_options(
    options: &Capturing,
    wanted: Option<&BTreeSet<EventId>>,
    samples: BTreeMap<EventId, u32>,
    scopes: Option<Lowered>,
    exclude: Vec<u32>,
) -> KernelOptions {
    let mut events = wanted.cloned();
    if let Some(events) = &mut events {
        // Containers are known by them, whatever else is recorded.
        events.extend([catalogue::cgroups::CGROUP_MKDIR, catalogue::cgroups::CGROUP_RMDIR]);
    }
    KernelOptions {
        events: events.map(|events| events.into_iter().collect()),
        transport: match options.transport {
            Transport::Region => kernel::Transport::Region,
            Transport::Ringbuf => kernel::Transport::Ringbuf,
        },
        hooks: match options.hooks {
            Hooks::Auto => HookPrograms::Auto,
            Hooks::Fentry => HookPrograms::Fentry,
            Hooks::Kprobe => HookPrograms::Kprobe,
            Hooks::Lsm => HookPrograms::Lsm,
            Hooks::None => HookPrograms::None,
        },
        cpus: options.cpus.map(usize::from),
        buffer_bytes: options.buffer.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        string_bound: options.string_bound as usize,
        buffer_bound: options.buffer_bound as usize,
        lists: Lists { strings: options.list_strings, bytes: options.list_bytes },
        snaplen: options.snaplen as usize,
        environment: options.env,
        strict: options.strict,
        timing: options.timing,
        samples,
        scopes,
        exclude,
        ..KernelOptions::default()
    }
}

/// What the capture tells of memory and bounds, by name.
pub fn numbers_of_recording(
    memory: kernel::Memory,
    lists: Lists,
    bound_bytes: u64,
) -> BTreeMap<String, String> {
    let buffers = memory.buffer_bytes as u64 * memory.cpus as u64;
    [
        (recorded::BUFFER_CPUS, memory.cpus as u64),
        (recorded::BUFFER_BYTES, buffers),
        (recorded::KERNEL_BYTES, memory.map_bytes),
        (recorded::MEMORY_BOUND_BYTES, bound_bytes),
        (recorded::LIST_STRINGS, lists.strings.into()),
        (recorded::LIST_BYTES, lists.bytes.into()),
    ]
    .map(|(name, number)| (name.to_owned(), number.to_string()))
    .into()
}

pub const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Region => "region",
        Transport::Ringbuf => "ringbuf",
    }
}

pub fn unavailable(kernel: &Kernel) -> Vec<Unavailable> {
    let missing = kernel.unavailable().iter();
    missing.map(|it| Unavailable { event: name_of(it).to_owned(), reason: it.reason.clone() }).collect()
}

fn name_of(missing: &kernel::Unavailable) -> &'static str {
    catalogue::by_id(missing.event).map(|event| event.name).unwrap_or_default()
}

/// Said once: each with its reason when events were asked for, else a few names of them. The file's header has them all.
pub fn tell_unavailable(unavailable: &[kernel::Unavailable], asked_for: bool) {
    for missing in unavailable.iter().filter(|it| asked_for || it.in_part) {
        let is = if missing.in_part { "is" } else { "cannot be recorded here:" };
        stderr::note(format_args!("{} {is} {}", name_of(missing), missing.reason));
    }
    if asked_for {
        return;
    }
    const SHOWN: usize = 4;
    let lacking = unavailable.iter().filter(|it| !it.in_part && it.reason != NAMED_ONLY);
    let names: Vec<&str> = lacking.map(name_of).collect();
    if let Some(shown) = names.get(..names.len().min(SHOWN)).filter(|shown| !shown.is_empty()) {
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        stderr::note(format_args!(
            "{} events cannot be recorded on this kernel ({}{more}): `tracer events --available` says why",
            names.len(),
            shown.join(", "),
        ));
    }
}
