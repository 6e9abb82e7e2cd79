//! Numbers of the kernel's interface that both sides compare with: kinds of files, families of addresses.

/// The bits of a mode that say what kind of file it is.
pub const S_IFMT: u16 = 0o170_000;
pub const S_IFIFO: u16 = 0o010_000;
pub const S_IFREG: u16 = 0o100_000;
pub const S_IFSOCK: u16 = 0o140_000;

pub const AF_UNIX: u16 = 1;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
