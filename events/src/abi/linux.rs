//! Numbers of the kernel's interface that both sides compare with: kinds of files, families of addresses.

/// The bits of a mode that say what kind of file it is.
pub const S_IFMT: u16 = 0o170_000;
pub const S_IFIFO: u16 = 0o010_000;
pub const S_IFREG: u16 = 0o100_000;
pub const S_IFSOCK: u16 = 0o140_000;

/// `s_magic` of an overlay.
pub const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;

pub const AF_UNIX: u16 = 1;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
pub const AF_NETLINK: u16 = 16;

/// The protocol of netlink by which audit is spoken to.
pub const NETLINK_AUDIT: u16 = 9;
