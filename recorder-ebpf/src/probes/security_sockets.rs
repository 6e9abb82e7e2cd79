//! Security hooks on sockets.

use events::abi::hooks::Hook;

use super::sockets::{given_address, own_address};
use crate::{
    record::record_in_hook,
    hook::{Called, Caller, on_entry},
    kernel::Socket,
    registers::{Numbers, numbers},
};

on_entry!(security_socket_create, made);
on_entry!(security_socket_listen, listening);
on_entry!(security_socket_connect, connecting);
on_entry!(security_socket_accept, accepting);
on_entry!(security_socket_bind, binding);
on_entry!(security_socket_setsockopt, changed);

/// The descriptor that the caller means, where it is in such a call; -1 where it is not, as in an io_uring.
#[inline(always)]
fn descriptor(call: Numbers, other: Numbers) -> u64 {
    let caller = Caller::current();
    let is_known = caller.is_in(call) || caller.is_in(other);
    if is_known { caller.argument(0) } else { u64::MAX }
}

#[inline(always)]
fn made(call: Called) -> Option<()> {
    let (family, kind, protocol, by_kernel) =
        (call.number::<0>(), call.number::<1>(), call.number::<2>(), call.number::<3>());
    record_in_hook(Hook::SocketCreate, |writer, started| {
        writer.set_word(started, 0, family);
        writer.set_word(started, 1, kind);
        writer.set_word(started, 2, protocol);
        writer.set_word(started, 3, by_kernel);
        0
    })
}

#[inline(always)]
fn listening(call: Called) -> Option<()> {
    let (socket, backlog) = (Socket::<false>(call.pointer::<0>()), call.number::<1>());
    record_in_hook(Hook::SocketListen, |writer, started| {
        writer.set_word(started, 0, descriptor(numbers!("listen"), numbers!("listen")));
        writer.set_word(started, 2, backlog);
        own_address::<false>(writer, 1, socket.sk());
        0
    })
}

#[inline(always)]
fn connecting(call: Called) -> Option<()> {
    let (address, length) = (call.pointer::<1>(), call.number::<2>() as u32 as u64);
    record_in_hook(Hook::SocketConnect, |writer, started| {
        writer.set_word(started, 0, descriptor(numbers!("connect"), numbers!("connect")));
        given_address(writer, 1, address, length);
        0
    })
}

#[inline(always)]
fn accepting(call: Called) -> Option<()> {
    let socket = Socket::<false>(call.pointer::<0>());
    record_in_hook(Hook::SocketAccept, |writer, started| {
        writer.set_word(started, 0, descriptor(numbers!("accept"), numbers!("accept4")));
        own_address::<false>(writer, 1, socket.sk());
        0
    })
}

#[inline(always)]
fn binding(call: Called) -> Option<()> {
    let (address, length) = (call.pointer::<1>(), call.number::<2>() as u32 as u64);
    record_in_hook(Hook::SocketBind, |writer, started| {
        writer.set_word(started, 0, descriptor(numbers!("bind"), numbers!("bind")));
        given_address(writer, 1, address, length);
        0
    })
}

#[inline(always)]
fn changed(call: Called) -> Option<()> {
    let socket = Socket::<false>(call.pointer::<0>());
    let (level, option) = (call.number::<1>(), call.number::<2>());
    record_in_hook(Hook::SocketSetsockopt, |writer, started| {
        writer.set_word(started, 0, descriptor(numbers!("setsockopt"), numbers!("setsockopt")));
        writer.set_word(started, 1, level);
        writer.set_word(started, 2, option);
        own_address::<false>(writer, 3, socket.sk());
        0
    })
}
