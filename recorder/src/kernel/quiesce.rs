//! Waiting until programs that were detached have come to their end on every CPU.

use std::{thread, time::Duration};

use rustix::thread::{MembarrierCommand, membarrier};

/// Where the kernel cannot say it (`nohz_full`): longer than any program takes.
const LONG_ENOUGH: Duration = Duration::from_millis(10);

/// Returns after every task has left its critical sections of RCU: programs run in such.
pub fn wait_for_programs() {
    if membarrier(MembarrierCommand::Global).is_err() {
        thread::sleep(LONG_ENOUGH);
    }
}
