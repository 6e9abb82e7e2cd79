//! A program that makes nearly every system call of x86_64, with arguments worth comparing.
//!
//! Deterministic, and safe for root on a real host: it works in a directory of its own, changes nothing that outlives
//! it, and makes the calls that would (mounting, clocks, modules, reboot) in a form that the kernel refuses.

#[cfg(target_arch = "x86_64")]
mod files;
#[cfg(target_arch = "x86_64")]
mod ids;
#[cfg(target_arch = "x86_64")]
mod ipc;
#[cfg(target_arch = "x86_64")]
mod memory;
#[cfg(target_arch = "x86_64")]
mod processes;
#[cfg(target_arch = "x86_64")]
mod raw;
#[cfg(target_arch = "x86_64")]
mod signals;
#[cfg(target_arch = "x86_64")]
mod sockets;
#[cfg(target_arch = "x86_64")]
mod system;
#[cfg(target_arch = "x86_64")]
mod tree;
#[cfg(target_arch = "x86_64")]
mod waiting;

/// First argument: run in the directory that the second argument names.
pub const RUN: &str = "--make-every-call-in";
/// First argument: leave at once.
pub const LEAVE: &str = "--leave-at-once";

/// Makes the calls, in `directory`.
#[cfg(target_arch = "x86_64")]
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

#[cfg(not(target_arch = "x86_64"))]
pub fn run(_directory: &str) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
