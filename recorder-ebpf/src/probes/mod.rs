//! The programs, one family of hooks per file.

pub mod cgroups;
pub mod credentials;
pub mod files;
pub mod modules;
pub mod owners;
pub mod packets;
pub mod process;
pub mod signals;
pub mod socket_list;
pub mod sockets;
pub mod syscalls;
