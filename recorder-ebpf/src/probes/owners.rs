//! Whose a socket is, kept by its cookie. Packets and states of TCP are seen where the current task is anyone's, so
//! the owner is noted where it is the owner that runs: when it makes, takes, or uses the socket.

use aya_ebpf::{
    helpers::generated::bpf_get_socket_cookie,
    macros::{cgroup_sock, map},
    maps::LruHashMap,
    programs::SockContext,
};
use events::abi::owners::{Listening, Owner};

use super::files;
use events::abi::linux::{AF_INET, AF_INET6, S_IFMT, S_IFSOCK};
use crate::{
    context::{current, is_excluded, last_sent},
    kernel::{Sock, Socket},
};

/// The recorder sets the size of both.
#[map]
static OWNERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(1, 0);
#[map]
static LISTENERS: LruHashMap<Listening, Owner> = LruHashMap::with_max_entries(1, 0);

const PASS: i32 = 1;

/// A socket is made; from here on it has a cookie.
#[cgroup_sock(sock_create)]
pub fn socket_created(ctx: SockContext) -> i32 {
    // SAFETY: the context that the program got.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.sock.cast()) };
    claim(cookie);
    PASS
}

/// The socket behind a descriptor of the current task is used by it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn owners_note_user(fd: u32) -> u32 {
    let file = files::of_descriptor(fd);
    if file.is_null() || file.inode().mode() & S_IFMT != S_IFSOCK {
        return 0;
    }
    let sock = Socket::<false>(file.private_data()).sk();
    let family = sock.family();
    if family == AF_INET || family == AF_INET6 {
        claim(sock.cookie());
    }
    0
}

/// The current task's process owns the socket. Its threads are one owner: the first one that was seen stands for it.
#[inline(never)]
fn claim(cookie: u64) -> u32 {
    let task = current::<false>();
    let mut owner = Owner {
        pid: task.tgid(),
        tid: task.pid(),
        process_start_ns: task.group_leader().start_boottime(),
        thread_start_ns: task.start_boottime(),
        ..Owner::default()
    };
    if cookie == 0 {
        return 0;
    }
    if let Some(known) = get(cookie) {
        if known.pid == owner.pid && known.process_start_ns == owner.process_start_ns {
            return 0;
        }
        owner.flags = known.flags;
    }
    let _ = OWNERS.insert(&cookie, &owner, 0);
    0
}

#[inline(always)]
pub fn get(cookie: u64) -> Option<Owner> {
    // SAFETY: copied at once; a torn value names a thread that never was, which is no owner.
    unsafe { OWNERS.get(&cookie) }.copied()
}

/// What can be said of a socket's owner now.
#[derive(Clone, Copy)]
pub struct Known {
    /// 0 when unknown.
    pub context: u64,
    pub flags: u32,
}

/// The owner's context and what else is known of a socket; `None` when its owner is not to be recorded.
#[inline(always)]
pub fn of(cookie: u64) -> Option<Known> {
    let Some(owner) = get(cookie) else { return Some(Known { context: 0, flags: 0 }) };
    if owner.pid == 0 {
        return Some(Known { context: 0, flags: owner.flags });
    }
    if is_excluded(owner.pid) {
        return None;
    }
    let (by_thread, is_there) = last_sent(owner.tid, owner.thread_start_ns);
    let mut context = by_thread;
    if !is_there {
        // The thread is gone or has never been seen: its process stands for it.
        let (by_process, is_there) = last_sent(owner.pid, owner.process_start_ns);
        if is_there || context == 0 {
            context = by_process;
        }
    }
    if context == 0 {
        context = owner.context;
    }
    Some(Known { context, flags: owner.flags })
}

/// The socket begins to listen, by its owner's doing.
#[inline(always)]
pub fn listens(cookie: u64, sock: Sock<false>) {
    let Some(mut owner) = get(cookie) else { return };
    let key = place(sock);
    // SAFETY: read at once.
    if let Some(other) = unsafe { LISTENERS.get(&key) }
        && other.pid != owner.pid
    {
        // Processes that share a port: whose a connection will be is known when it is accepted.
        owner = Owner::default();
    }
    let _ = LISTENERS.insert(&key, &owner, 0);
}

#[inline(always)]
pub fn listens_no_more(sock: Sock<false>) {
    let _ = LISTENERS.remove(&place(sock));
}

/// A connection arrives: until somebody accepts it, it is the listener's.
#[inline(always)]
pub fn arrives(cookie: u64, sock: Sock<false>) {
    // SAFETY: copied at once.
    let mut owner = unsafe { LISTENERS.get(&place(sock)) }.copied().unwrap_or_default();
    owner.flags = Owner::INCOMING;
    let _ = OWNERS.insert(&cookie, &owner, 0);
}

/// The connection that the socket asked for stands.
#[inline(always)]
pub fn connects(cookie: u64) {
    let mut owner = get(cookie).unwrap_or_default();
    owner.flags = Owner::OUTGOING;
    let _ = OWNERS.insert(&cookie, &owner, 0);
}

#[inline(always)]
fn place(sock: Sock<false>) -> Listening {
    Listening { net: sock.net() as u64, port: sock.num() as u32, spare: 0 }
}
