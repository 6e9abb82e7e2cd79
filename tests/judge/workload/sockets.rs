//! Sockets of every family, on the loopback only.

use std::mem::zeroed;

use libc::*;

use super::raw::{NULL, call};

pub fn run() {
    stream();
    six();
    unix();
    netlink();
    pairs();
    options();
    failing();
}

/// `struct sockaddr_in` of the loopback.
fn loopback(port: u16) -> [u16; 8] {
    [AF_INET as u16, port.to_be(), u16::from_ne_bytes([127, 0]), u16::from_ne_bytes([0, 1]), 0, 0, 0, 0]
}

fn stream() {
    let server = call!(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    call!(SYS_setsockopt, server, SOL_SOCKET, SO_REUSEADDR, &1i32, 4);
    call!(SYS_bind, server, &loopback(0), 16);
    call!(SYS_listen, server, 5);
    let (mut address, mut length) = ([0u16; 8], 16u32);
    call!(SYS_getsockname, server, &mut address, &mut length);
    let client = call!(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    call!(SYS_connect, client, &address, 16);
    let mut peer = [0u16; 8];
    let accepted = call!(SYS_accept, server, &mut peer, &mut length);
    let second = call!(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    call!(SYS_connect, second, &address, 16);
    let other = call!(SYS_accept4, server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    call!(SYS_getpeername, accepted, &mut peer, &mut length);
    call!(SYS_sendto, client, b"over tcp", 8, MSG_NOSIGNAL, NULL, 0);
    let mut into = [0u8; 32];
    call!(SYS_recvfrom, accepted, into.as_mut_ptr(), 32, 0, NULL, NULL);
    call!(SYS_shutdown, client, SHUT_RDWR);
    for fd in [client, accepted, second, other, server] {
        call!(SYS_close, fd);
    }
    let from = call!(SYS_socket, AF_INET, SOCK_DGRAM, 0);
    let to = call!(SYS_socket, AF_INET, SOCK_DGRAM, 0);
    call!(SYS_bind, to, &loopback(0), 16);
    length = 16;
    call!(SYS_getsockname, to, &mut address, &mut length);
    call!(SYS_sendto, from, b"datagram", 8, 0, &address, 16);
    call!(SYS_recvfrom, to, into.as_mut_ptr(), 32, MSG_DONTWAIT, &mut peer, &mut length);
    many(from, to, &address);
    call!(SYS_close, from);
    call!(SYS_close, to);
}

fn many(from: i64, to: i64, address: &[u16; 8]) {
    let parts: [&[u8]; 4] = [b"first ", b"message", b"second ", b"one"];
    let vectors = parts.map(|p| iovec { iov_base: p.as_ptr() as *mut c_void, iov_len: p.len() });
    // SAFETY: all bits zero are a `mmsghdr` without name, vectors and control data.
    let mut messages: [mmsghdr; 2] = unsafe { zeroed() };
    for (index, message) in messages.iter_mut().enumerate() {
        message.msg_hdr.msg_name = address.as_ptr() as *mut c_void;
        message.msg_hdr.msg_namelen = 16;
        message.msg_hdr.msg_iov = (&raw const vectors[2 * index]).cast_mut();
        message.msg_hdr.msg_iovlen = 2;
    }
    call!(SYS_sendmmsg, from, &mut messages, 2, 0);
    let (mut first, mut second) = ([0u8; 40], [0u8; 40]);
    let into = [&mut first, &mut second].map(|b| iovec { iov_base: b.as_mut_ptr().cast(), iov_len: 40 });
    let mut names = [[0u16; 8]; 2];
    // SAFETY: as above.
    let mut received: [mmsghdr; 2] = unsafe { zeroed() };
    for (index, message) in received.iter_mut().enumerate() {
        message.msg_hdr.msg_name = (&raw mut names[index]).cast();
        message.msg_hdr.msg_namelen = 16;
        message.msg_hdr.msg_iov = (&raw const into[index]).cast_mut();
        message.msg_hdr.msg_iovlen = 1;
    }
    call!(SYS_recvmmsg, to, &mut received, 2, MSG_DONTWAIT, NULL);
}

fn six() {
    let fd = call!(SYS_socket, AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    let mut address = [0u8; 28];
    address[0] = AF_INET6 as u8;
    address[23] = 1;
    call!(SYS_bind, fd, &address, 28);
    let mut length = 28u32;
    call!(SYS_getsockname, fd, &mut address, &mut length);
    call!(SYS_connect, fd, &address, 28);
    call!(SYS_write, fd, b"to myself", 9);
    let (mut into, mut from) = ([0u8; 16], [0u8; 28]);
    call!(SYS_recvfrom, fd, into.as_mut_ptr(), 16, MSG_DONTWAIT, &mut from, &mut length);
    call!(SYS_close, fd);
}

fn unix() {
    let mut address = [0u8; 110];
    address[0] = AF_UNIX as u8;
    address[2..13].copy_from_slice(b"socket.file");
    let server = call!(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    call!(SYS_bind, server, &address, 14);
    call!(SYS_listen, server, 1);
    let client = call!(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    call!(SYS_connect, client, &address, 110);
    let mut length = 110u32;
    let mut peer = [0u8; 110];
    call!(SYS_getpeername, client, &mut peer, &mut length);
    let accepted = call!(SYS_accept, server, NULL, NULL);
    let hidden = call!(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    let mut name = [0u8; 16];
    name[0] = AF_UNIX as u8;
    name[3..16].copy_from_slice(format!("judge{:08}", std::process::id()).as_bytes());
    call!(SYS_bind, hidden, &name, 16);
    for fd in [accepted, client, server, hidden] {
        call!(SYS_close, fd);
    }
}

fn netlink() {
    let fd = call!(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
    let mut address = [AF_NETLINK as u32, 0, 0];
    call!(SYS_bind, fd, &address, 12);
    let mut length = 12u32;
    call!(SYS_getsockname, fd, &mut address, &mut length);
    call!(SYS_close, fd);
    let fd = call!(SYS_socket, AF_PACKET, SOCK_DGRAM, 0);
    call!(SYS_close, fd);
    let fd = call!(SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
    call!(SYS_close, fd);
}

fn pairs() {
    let mut ends = [0i32; 2];
    call!(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, &mut ends);
    let parts: [&[u8]; 2] = [b"with a ", b"descriptor"];
    let vectors = parts.map(|p| iovec { iov_base: p.as_ptr() as *mut c_void, iov_len: p.len() });
    // SCM_RIGHTS with one descriptor.
    let control = [20u64, SOL_SOCKET as u64 | (SCM_RIGHTS as u64) << 32, ends[0] as u64];
    // SAFETY: all bits zero are a `msghdr` without name, vectors and control data.
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_iov = (&raw const vectors).cast_mut().cast();
    message.msg_iovlen = 2;
    message.msg_control = (&raw const control).cast_mut().cast();
    message.msg_controllen = 24;
    call!(SYS_sendmsg, ends[0], &message, MSG_NOSIGNAL);
    let (mut into, mut held) = ([0u8; 40], [0u64; 8]);
    let target = iovec { iov_base: into.as_mut_ptr().cast(), iov_len: 40 };
    // SAFETY: as above.
    let mut received: msghdr = unsafe { zeroed() };
    received.msg_iov = (&raw const target).cast_mut();
    received.msg_iovlen = 1;
    received.msg_control = (&raw mut held).cast();
    received.msg_controllen = 64;
    call!(SYS_recvmsg, ends[1], &mut received, MSG_CMSG_CLOEXEC);
    call!(SYS_close, held[2]);
    call!(SYS_recvmsg, -1, &mut received, 0);
    call!(SYS_close, ends[0]);
    call!(SYS_close, ends[1]);
    call!(SYS_socketpair, AF_INET, SOCK_STREAM, 0, &mut ends);
}

fn options() {
    let fd = call!(SYS_socket, AF_INET, SOCK_STREAM, 0);
    let (mut value, mut length) = (0i32, 4u32);
    call!(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &mut value, &mut length);
    call!(SYS_getsockopt, fd, SOL_SOCKET, SO_RCVBUF, &mut value, &mut length);
    call!(SYS_getsockopt, fd, IPPROTO_TCP, 4242, &mut value, &mut length);
    call!(SYS_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, &1i32, 4);
    call!(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &1i32, 4);
    let mut linger = [1i32, 5];
    call!(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, 8);
    length = 8;
    call!(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &mut linger, &mut length);
    call!(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &[3u64, 500], 16);
    call!(SYS_setsockopt, fd, SOL_SOCKET, 4242, &1i32, 4);
    call!(SYS_close, fd);
}

fn failing() {
    call!(SYS_socket, 999, SOCK_STREAM, 0);
    call!(SYS_bind, -1, &loopback(80), 16);
    call!(SYS_connect, -1, &loopback(80), 3);
    call!(SYS_accept, -1, NULL, NULL);
    call!(SYS_accept4, -1, NULL, NULL, 0);
    call!(SYS_shutdown, -1, SHUT_RD);
    call!(SYS_listen, -1, 1);
    call!(SYS_getpeername, -1, NULL, NULL);
}
