//! Whose sockets are: what the programs keep of each, and how the sockets that are older than a recording are told.

/// The owner of a socket, kept by the socket's cookie. Start times are those of the boot clock.
///
/// It names the thread and not its context, for that changes while the socket stays: who the owner is at the time of a
/// packet is looked up then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Owner {
    /// 0 where only `flags` are known.
    pub pid: u32,
    pub tid: u32,
    pub process_start_ns: u64,
    pub thread_start_ns: u64,
    /// What to refer to when nothing has been sent for the thread and its process since: a context that the recorder
    /// has read itself. 0 is none.
    pub context: u64,
    /// Bits of [`Owner::OUTGOING`] and its like.
    pub flags: u32,
    pub spare: u32,
}

impl Owner {
    /// The socket asked for its connection.
    pub const OUTGOING: u32 = 1;
    /// The socket came of a listening one.
    pub const INCOMING: u32 = 2;

    pub const BYTES: usize = 40;

    /// As the map holds it.
    pub fn to_bytes(&self) -> [u8; Owner::BYTES] {
        let mut bytes = [0; Owner::BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &self.pid.to_ne_bytes());
        put(4, &self.tid.to_ne_bytes());
        put(8, &self.process_start_ns.to_ne_bytes());
        put(16, &self.thread_start_ns.to_ne_bytes());
        put(24, &self.context.to_ne_bytes());
        put(32, &self.flags.to_ne_bytes());
        bytes
    }
}

const _: () = assert!(core::mem::size_of::<Owner>() == Owner::BYTES);

/// Where connections arrive: what the owners of listening sockets are kept by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Listening {
    /// Address of the `struct net`, which only has to be the same for the same namespace.
    pub net: u64,
    pub port: u32,
    pub spare: u32,
}

impl Listening {
    pub const BYTES: usize = 16;

    /// As the map holds it.
    pub fn to_bytes(&self) -> [u8; Listening::BYTES] {
        let mut bytes = [0; Listening::BYTES];
        bytes[..8].copy_from_slice(&self.net.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.port.to_ne_bytes());
        bytes
    }
}

const _: () = assert!(core::mem::size_of::<Listening>() == Listening::BYTES);

/// Starts a row of the listing of sockets: as long as a record's header, and followed by a `WireContext` like that.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct SocketRow {
    pub cookie: u64,
    pub net: u64,
    /// Local, in the machine's byte order.
    pub port: u32,
    /// `TCP_LISTEN` and its like.
    pub state: u32,
    pub spare: [u64; 2],
}

const _: () = assert!(core::mem::size_of::<SocketRow>() == super::HEADER_BYTES);

/// States of `struct sock` that matter here, from the kernel's `net/tcp_states.h`.
pub mod state {
    pub const ESTABLISHED: u64 = 1;
    pub const SYN_SENT: u64 = 2;
    pub const SYN_RECV: u64 = 3;
    pub const LISTEN: u64 = 10;
}
