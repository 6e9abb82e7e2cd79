//! Sockets: whose they are, and how TCP's change state.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::LruHashMap,
    programs::BtfTracePointContext,
};
use events::abi::{form, hooks::Hook};

use super::{files, process::record};
use crate::{
    emit::Writer,
    kernel::{Sock, Socket, probe},
};

/// The context of a socket's last user, by the address of its `struct sock`. Packets are seen where the current task is
/// anyone's, so this is written where it is the owner.
#[map]
pub static OWNERS: LruHashMap<u64, u64> = LruHashMap::with_max_entries(65_536, 0);

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// The socket behind a descriptor belongs to this context.
#[inline(always)]
pub fn note_owner(fd: u32, context: u64) -> u32 {
    let file = files::of_descriptor(fd);
    if file.is_null() || file.inode().mode() & S_IFMT != S_IFSOCK {
        return 0;
    }
    let sock = Socket::<false>(file.private_data()).sk().0 as u64;
    // SAFETY: read at once.
    let known = unsafe { OWNERS.get(&sock) }.copied();
    if sock != 0 && known != Some(context) {
        let _ = OWNERS.insert(&sock, &context, 0);
    }
    0
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    const TCP_CLOSE: u64 = 7;
    let sock: *const u8 = ctx.arg(0);
    let (old, new): (u64, u64) = (ctx.arg(1), ctx.arg(2));
    let sock = Sock::<true>(sock).untyped();
    let address = sock.0 as u64;
    // SAFETY: read at once.
    let owner = unsafe { OWNERS.get(&address) }.copied();
    record_for(owner, |writer, started| {
        writer.set_word(started, 0, old);
        writer.set_word(started, 1, new);
        writer.set_word(started, 2, sock.protocol() as u64);
        addresses(writer, sock);
        0
    });
    if new == TCP_CLOSE {
        let _ = OWNERS.remove(&address);
    }
    0
}

/// As `record`, with another context where that is known.
#[inline(always)]
fn record_for(owner: Option<u64>, fill: impl FnOnce(&mut Writer, crate::emit::Started) -> u32) {
    record(Hook::InetSockSetState, |writer, started| {
        let marks = fill(writer, started);
        if let Some(owner) = owner {
            writer.set_context(owner);
        }
        marks
    });
}

/// Appends `struct sockaddr_in` or `sockaddr_in6` of both ends.
#[inline(always)]
fn addresses(writer: &mut Writer, sock: Sock<false>) {
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    let family = sock.family();
    let (local_port, remote_port) = (sock.num().to_be(), sock.dport());
    for (arg, port) in [(3u8, local_port), (4u8, remote_port)] {
        let bytes = writer.blob_bytes();
        if family == AF_INET {
            let address = if arg == 3 { sock.rcv_saddr() } else { sock.daddr() };
            // SAFETY: the write has room for a blob.
            unsafe {
                *bytes.cast::<u64>() = AF_INET as u64 | (port as u64) << 16 | (address as u64) << 32;
                *bytes.add(8).cast::<u64>() = 0;
            }
            writer.end_blob(arg, form::PLAIN, 16);
        } else if family == AF_INET6 {
            let address: [u64; 2] = probe(if arg == 3 { sock.v6_rcv_saddr() } else { sock.v6_daddr() });
            // SAFETY: as above.
            unsafe {
                *bytes.cast::<u64>() = AF_INET6 as u64 | (port as u64) << 16;
                *bytes.add(8).cast::<u64>() = address[0];
                *bytes.add(16).cast::<u64>() = address[1];
                *bytes.add(24).cast::<u32>() = 0;
            }
            writer.end_blob(arg, form::PLAIN, 28);
        }
    }
}
