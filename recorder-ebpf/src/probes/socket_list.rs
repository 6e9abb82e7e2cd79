//! Lists the sockets that are open already, each with the context of who holds it (kernels from 5.15 on).

use aya_ebpf::{
    helpers::generated::{bpf_get_socket_cookie, bpf_seq_write, bpf_sock_from_file},
    macros::map,
    maps::Array,
};
use events::abi::{WireContext, owners::SocketRow};

use events::abi::linux::{AF_INET, AF_INET6};
use crate::{
    context::describe,
    kernel::{CssSet, Sock, Socket, Task, address_of},
};

/// What the kernel hands to a program of `iter/task_file`.
#[repr(C)]
pub struct TaskFile {
    meta: *const *mut u8,
    task: *const u8,
    fd: u64,
    file: *const u8,
}

#[repr(C)]
struct Row {
    socket: SocketRow,
    owner: WireContext,
}

/// The one row being made: only the recorder reads the listing, from one thread.
#[map]
static SOCKET_ROW: Array<Row> = Array::with_max_entries(1, 0);

/// # Safety
/// The kernel calls it.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub unsafe extern "C" fn list_sockets(ctx: *const TaskFile) -> i32 {
    // SAFETY: the context has these four, and the verifier knows the types of what they point to.
    unsafe {
        let (task, file) = ((*ctx).task, (*ctx).file);
        if task.is_null() || file.is_null() {
            return 0;
        }
        let socket = bpf_sock_from_file(file.cast_mut().cast());
        if socket.is_null() {
            return 0;
        }
        let sock = Socket::<true>(socket as *const u8).sk();
        if sock.is_null() {
            return 0;
        }
        let family = sock.family();
        if family != AF_INET && family != AF_INET6 {
            return 0;
        }
        let cookie = bpf_get_socket_cookie(sock.0.cast_mut().cast());
        let Some(row) = SOCKET_ROW.get_ptr_mut(0) else { return 0 };
        let sock = Sock::<false>(address_of(sock.0));
        (*row).socket = SocketRow {
            cookie,
            net: sock.net() as u64,
            port: sock.num() as u32,
            state: sock.state() as u32,
            spare: [0; 2],
        };
        let task = Task::<false>(address_of(task));
        let cgroup_id = CssSet::<false>(task.cgroups()).dfl_cgrp().kn().id();
        describe(task, cgroup_id, &raw mut (*row).owner);
        let seq = *(*ctx).meta;
        bpf_seq_write(seq.cast(), row.cast_const().cast(), size_of::<Row>() as u32);
    }
    0
}
