//! Spares: second copies of the programs that matter most, on kernels that let a program on a tracepoint be preempted (7.0
//! and later).
//!
//! While a task is off the CPU in the middle of a program, the kernel leaves out every other task's run of that program on
//! that CPU: for a whole slice of time, in which another task may make thousands of calls. Preemption that came while the
//! program had it disabled happens at its very end, which is still within the program. So there is a second copy, which
//! the kernel runs after the first for each event. It goes away at once where the first has run, and does its work where it
//! has not. Who is preempted in the second as well leaves out those that are left out of the first; they are counted.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_task},
    macros::map,
    maps::Array,
};
use events::abi::region::spare;

use crate::emit::{config, count_taken_over};

/// By thread: the task whose event the first copy has seen, for each kind of program. The recorder sets the size where
/// there are spares.
#[map]
static RUNS: Array<[u64; spare::COUNT]> = Array::with_max_entries(1, 0);

#[inline(always)]
fn run_of(kind: usize) -> Option<*mut u64> {
    // SAFETY: a helper without arguments, and an element of the map.
    unsafe {
        let tid = bpf_get_current_pid_tgid() as u32;
        RUNS.get_ptr_mut(tid & (spare::TASKS - 1)).map(|runs| runs.cast::<u64>().add(kind & (spare::COUNT - 1)))
    }
}

/// What the first copy begins with.
#[inline(always)]
pub fn first_runs(kind: usize) {
    if config!(preempts_tracepoints) != 0
        && let Some(run) = run_of(kind)
    {
        // SAFETY: a map value, and a helper without arguments.
        unsafe { write_volatile(run, bpf_get_current_task()) };
    }
}

/// Whether the first copy has run for this event; if not, the spare takes it over.
#[inline(always)]
pub fn has_first_run(kind: usize) -> bool {
    let Some(run) = run_of(kind) else { return true };
    // SAFETY: as above.
    unsafe {
        if read_volatile(run) == bpf_get_current_task() {
            write_volatile(run, 0);
            return true;
        }
    }
    count_taken_over(kind);
    false
}
