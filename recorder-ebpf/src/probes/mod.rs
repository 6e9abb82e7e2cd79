//! The programs, one family of hooks per file.

pub mod bpf;
pub mod cgroups;
pub mod credentials;
pub mod files;
pub mod io_uring;
pub mod kernel_parts;
pub mod memory;
pub mod modules;
pub mod multiplexed;
pub mod owners;
pub mod packets;
pub mod process;
pub mod raw;
pub mod security_files;
pub mod security_sockets;
pub mod security_tasks;
pub mod signals;
pub mod socket_list;
pub mod sockets;
pub mod stand_ins;
pub mod syscalls;
pub mod tasks;
pub mod vfs;
