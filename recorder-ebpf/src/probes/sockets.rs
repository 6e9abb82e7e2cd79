//! States of TCP's sockets.

use aya_ebpf::{
    helpers::generated::{bpf_get_socket_cookie, bpf_probe_read_kernel},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use events::abi::{form, hooks::Hook, owners::state};

use super::{
    owners::{self, Known},
};
use events::abi::linux::{AF_INET, AF_INET6, AF_UNIX};
use crate::{
    record::header,
    emit::{Writer, config, preemption::Undisturbed},
    hook::{is_vital, wants},
    kernel::{Sock, UnixSock, probe},
};

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let typed: *const u8 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    let cookie = if config!(modern) != 0 {
        // Gives the socket one, if it has none: those that come of listening sockets.
        // SAFETY: a socket that the tracepoint vouches for.
        unsafe { bpf_get_socket_cookie(typed.cast_mut().cast()) }
    } else {
        Sock::<true>(typed).cookie()
    };
    changed(Sock::<true>(typed).untyped().0, cookie, old as u64, new as u64);
    0
}

#[inline(never)]
fn changed(sock: *const u8, cookie: u64, old: u64, new: u64) -> u32 {
    let sock = Sock::<false>(sock);
    if cookie != 0 {
        match (old, new) {
            (_, state::LISTEN) => owners::listens(cookie, sock),
            (state::LISTEN, state::SYN_RECV) => owners::arrives(cookie, sock),
            (state::LISTEN, _) => owners::listens_no_more(sock),
            (state::SYN_SENT, state::ESTABLISHED) => owners::connects(cookie),
            _ => {}
        }
    }
    if wants(Hook::InetSockSetState)
        && let Some(owner) = owners::of(cookie)
    {
        record(sock, cookie, old, new, owner);
    }
    0
}

#[inline(always)]
fn record(sock: Sock<false>, cookie: u64, old: u64, new: u64, owner: Known) -> Option<()> {
    // Also from interrupts, whatever task they interrupt.
    let mut writer = Writer::reserve_in_interrupt(Hook::InetSockSetState.slot(), is_vital(Hook::InetSockSetState as u64))?;
    let started = writer.start(Hook::InetSockSetState.words());
    writer.set_word(started, 0, old);
    writer.set_word(started, 1, new);
    writer.set_word(started, 2, sock.protocol() as u64);
    writer.set_word(started, 3, 0);
    writer.set_word(started, 4, 0);
    writer.set_word(started, 5, owner.flags as u64);
    writer.set_word(started, 6, cookie);
    let family = sock.family();
    address(&mut writer, 3, family, sock.num().to_be(), sock.rcv_saddr(), sock.v6_rcv_saddr());
    address(&mut writer, 4, family, sock.dport(), sock.daddr(), sock.v6_daddr());
    writer.end(started, header(Hook::InetSockSetState, owner.context, 0));
    writer.commit();
    Some(())
}

/// Appends the address that a socket has, or with `PEER` that which it is connected to.
#[inline(always)]
pub fn own_address<const PEER: bool>(writer: &mut Writer, arg: u8, sock: Sock<false>) {
    let family = sock.family();
    if family != AF_UNIX {
        if PEER {
            address(writer, arg, family, sock.dport(), sock.daddr(), sock.v6_daddr());
        } else {
            address(writer, arg, family, sock.num().to_be(), sock.rcv_saddr(), sock.v6_rcv_saddr());
        }
        return;
    }
    let unix = UnixSock::<false>(sock.0);
    let unix = if PEER { unix.peer() } else { unix };
    let known = unix.addr();
    if known.is_null() {
        // No name: a family and nothing else, as getsockname says it.
        // SAFETY: the write has room for a blob.
        unsafe { *writer.blob_bytes().cast::<u64>() = AF_UNIX as u64 };
        writer.end_blob(arg, form::PLAIN, 2);
    } else {
        given_address(writer, arg, known.name(), known.length() as u64);
    }
}

/// Appends a `struct sockaddr` of the kernel's memory.
#[inline(always)]
pub fn given_address(writer: &mut Writer, arg: u8, address: *const u8, length: u64) {
    const LONGEST: u64 = 128;
    let length = writer.opaque(if length > LONGEST { LONGEST } else { length }) & 0xff;
    // SAFETY: at most 255 bytes, which the slack holds.
    let failed = unsafe { bpf_probe_read_kernel(writer.blob_bytes().cast(), length as u32, address.cast()) != 0 };
    if !failed {
        writer.end_blob(arg, form::PLAIN, length as u32);
    }
}

/// Appends a `struct sockaddr_in` or `sockaddr_in6`. The port is in network byte order.
#[inline(always)]
pub fn address(writer: &mut Writer, arg: u8, family: u16, port: u16, v4: u32, v6: *const u8) {
    let bytes = writer.blob_bytes();
    if family == AF_INET {
        // SAFETY: the write has room for a blob.
        unsafe {
            *bytes.cast::<u64>() = AF_INET as u64 | (port as u64) << 16 | (v4 as u64) << 32;
            *bytes.add(8).cast::<u64>() = 0;
        }
        writer.end_blob(arg, form::PLAIN, 16);
    } else if family == AF_INET6 {
        let (first, second): (u64, u64) = (probe(v6), probe(v6.wrapping_add(8)));
        // SAFETY: as above.
        unsafe {
            *bytes.cast::<u64>() = AF_INET6 as u64 | (port as u64) << 16;
            *bytes.add(8).cast::<u64>() = first;
            *bytes.add(16).cast::<u64>() = second;
            *bytes.add(24).cast::<u32>() = 0;
        }
        writer.end_blob(arg, form::PLAIN, 28);
    }
}
