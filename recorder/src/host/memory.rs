//! What a recording takes of memory at most. Each bound is a constant of the module that keeps it; here they are added up,
//! so that the sum can be told before anything is recorded. `docs/security.md` has them in a table.

use crate::{
    assemble, containers::cgroup_table, file::lanes, file::write, held, host::process_table, host::standings,
    kernel,
};

/// The program with its stacks, its tables by event, and what its allocator holds beyond what was asked of it.
const PROGRAM_BYTES: u64 = 48 << 20;

/// What makes a recording hold more than others do.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    /// Processes and cgroups for the files of a set that come later.
    pub is_set: bool,
    /// Bytes of blocks that a flight recorder keeps.
    pub flight_bytes: Option<u64>,
    /// Bytes of blocks that wait for somebody who looks on.
    pub viewed_bytes: u64,
    /// Threads that drain.
    pub drains: usize,
    /// What a scope asks of ancestors is remembered of processes that ended.
    pub asks_ancestors: bool,
}

/// Bytes that a process which records holds at most, beside the maps of the kernel.
pub fn bound_bytes(kernel: kernel::Memory, holds: Holds) -> u64 {
    let buffers = kernel.buffer_bytes as u64 * kernel.cpus as u64;
    // What was read and is not in order yet: a look's worth, what the look before it left for slower CPUs, and as much again
    // before that is moved to the front.
    let in_order = 3 * buffers;
    let texts = if holds.is_set || holds.flight_bytes.is_some() { process_table::TEXTS_BOUND } else { 0 };
    let cgroups = if holds.is_set { write::CGROUPS_BOUND } else { 0 };
    let ended = if holds.asks_ancestors { scopes::lineage::REMEMBERED_BYTES } else { 0 };
    let own = [
        kernel::OWN_BOUND,
        assemble::BLOCK_BYTES * lanes::blocks(holds.drains),
        held::BYTES_BOUND,
        cgroup_table::BYTES_BOUND,
        standings::BYTES_BOUND,
        texts,
        cgroups,
        ended,
    ];
    PROGRAM_BYTES
        + in_order
        + own.iter().sum::<usize>() as u64
        + holds.flight_bytes.unwrap_or(0)
        + holds.viewed_bytes
}

/// Makes the allocator give large pieces back as soon as they are free. By itself it takes each large piece that was freed as
/// a sign that more will be wanted, up to 32 MiB, and keeps as much again; and each thread gets a heap of its own, so that
/// what one thread takes and another frees lies about in all of them.
pub fn keep_little() {
    const LARGE_BYTES: i32 = 1 << 20;
    const HEAPS: i32 = 2;
    // SAFETY: settings of the allocator, which it takes at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * LARGE_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives pages back that the allocator keeps: what loading took, the kernel's types above all, is not needed again.
pub fn give_back() {
    // SAFETY: no memory that is in use is touched.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_for_later_is_in_the_sum() {
        let kernel = kernel::Memory { cpus: 2, buffer_bytes: 1 << 20, map_bytes: 0 };
        let nothing =
            Holds { is_set: false, flight_bytes: None, viewed_bytes: 0, drains: 1, asks_ancestors: false };
        let plain = bound_bytes(kernel, nothing);
        let flight = bound_bytes(kernel, Holds { flight_bytes: Some(512 << 20), ..nothing });
        let set = bound_bytes(kernel, Holds { is_set: true, ..nothing });
        assert!(bound_bytes(kernel, Holds { asks_ancestors: true, ..nothing }) > plain);
        assert_eq!(flight - plain, (512 + 64) << 20);
        assert_eq!(set - plain, (64 + 32) << 20);
        let larger = kernel::Memory { buffer_bytes: 2 << 20, ..kernel };
        assert_eq!(bound_bytes(larger, Holds { is_set: true, ..nothing }) - set, 6 << 20);
    }
}
