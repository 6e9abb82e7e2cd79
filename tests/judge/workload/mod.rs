//! A program that makes nearly every system call of x86_64, with arguments worth comparing.
//!
//! Deterministic, and safe for root on a real host: it works in a directory of its own, changes nothing that outlives
//! it, and makes the calls that would (mounting, clocks, modules, reboot) in a form that the kernel refuses.

mod files;
mod ids;
mod ipc;
mod memory;
mod processes;
mod raw;
mod signals;
mod sockets;
mod system;
mod tree;
mod waiting;

/// First argument: run in the directory that the second argument names.
pub const RUN: &str = "--make-every-call-in";
/// First argument: leave at once.
pub const LEAVE: &str = "--leave-at-once";

/// Makes the calls, in `directory`.
pub fn run(directory: &str) -> std::io::Result<()> {
    std::env::set_current_dir(directory)?;
    files::run();
    tree::run();
    memory::run();
    waiting::run();
    signals::run();
    sockets::run();
    ids::run();
    ipc::run();
    system::run();
    processes::run();
    Ok(())
}
