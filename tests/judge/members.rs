//! Members that strace and the capture name or nest differently.

use crate::held::Held;
use crate::shown::Shown;

/// Where a member that strace shows is.
#[derive(Debug)]
pub enum Found<'a> {
    Member(&'a Held),
    /// Put together from several.
    Made(Held),
    /// Its own members stand among these.
    Same,
    None,
}

/// strace's name, the capture's name.
const NAMES: &[(&str, &str)] =
    &[("sin6_scope_id", "sin6_scopeid"), ("sigmask", "ss"), ("sigsetsize", "ss_len")];

/// Flags of `struct perf_event_attr` that strace shows one by one, from the lowest bit on; one has two bits.
const PERF_FLAGS: &[(&str, u32)] = &[
    ("disabled", 1),
    ("inherit", 1),
    ("pinned", 1),
    ("exclusive", 1),
    ("exclude_user", 1),
    ("exclude_kernel", 1),
    ("exclude_hv", 1),
    ("exclude_idle", 1),
    ("mmap", 1),
    ("comm", 1),
    ("freq", 1),
    ("inherit_stat", 1),
    ("enable_on_exec", 1),
    ("task", 1),
    ("watermark", 1),
    ("precise_ip", 2),
    ("mmap_data", 1),
    ("sample_id_all", 1),
    ("exclude_host", 1),
    ("exclude_guest", 1),
    ("exclude_callchain_kernel", 1),
    ("exclude_callchain_user", 1),
    ("mmap2", 1),
    ("comm_exec", 1),
    ("use_clockid", 1),
    ("context_switch", 1),
    ("write_backward", 1),
    ("namespaces", 1),
    ("ksymbol", 1),
    ("bpf_event", 1),
    ("aux_output", 1),
    ("cgroup", 1),
    ("text_poke", 1),
    ("build_id", 1),
    ("inherit_thread", 1),
    ("remove_on_exec", 1),
    ("sigtrap", 1),
];

pub fn find<'a>(name: &str, shown: &Shown, held: &'a [(String, Held)]) -> Found<'a> {
    let member = |name: &str| held.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let number = |name: &str| match member(name) {
        Some(Held::Number(number)) => Some(*number),
        _ => None,
    };
    let alias = NAMES.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours);
    match (member(alias), shown) {
        // A time of statx, whose halves stand side by side.
        (Some(Held::Number(seconds)), Shown::Members(_)) => match number(&format!("{name}_nsec")) {
            Some(nanoseconds) => Found::Made(Held::Members(vec![
                ("tv_sec".to_owned(), Held::Number(*seconds)),
                ("tv_nsec".to_owned(), Held::Number(nanoseconds)),
            ])),
            // `f_fsid={val=[1, 2]}`, `data={u32=1, u64=1}`
            None => Found::Made(Held::Members(halves(*seconds))),
        },
        (Some(held), _) => Found::Member(held),
        (None, Shown::Members(_)) if name.ends_with("_perm") || name == "msg_hdr" => Found::Same,
        (None, _) => {
            let made = match name {
                "loads" => ["load1", "load5", "load15"]
                    .map(|name| member(name).cloned())
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Held::List),
                "si_int" => number("si_value").map(|value| Held::Number(value & 0xffff_ffff)),
                "si_ptr" => number("si_value").map(Held::Number),
                _ => perf_flag(name)
                    .zip(number("flags"))
                    .map(|((shift, bits), flags)| Held::Number(flags >> shift & ((1 << bits) - 1))),
            };
            made.map_or(Found::None, Found::Made)
        }
    }
}

/// A 64-bit number as strace takes it apart.
fn halves(number: i128) -> Vec<(String, Held)> {
    let (low, high) = (number & 0xffff_ffff, number >> 32 & 0xffff_ffff);
    vec![
        ("val".to_owned(), Held::List(vec![Held::Number(low), Held::Number(high)])),
        ("u32".to_owned(), Held::Number(low)),
        ("u64".to_owned(), Held::Number(number)),
    ]
}

/// Lowest bit and width.
fn perf_flag(name: &str) -> Option<(u32, u32)> {
    let mut shift = 0;
    for (known, bits) in PERF_FLAGS {
        if *known == name {
            return Some((shift, *bits));
        }
        shift += bits;
    }
    None
}
