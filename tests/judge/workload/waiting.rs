//! Waiting for descriptors, for memory, and for requests in flight.

use libc::*;

use super::raw::{NULL, call, numbered};

pub fn run() {
    polling();
    epoll();
    watching();
    futexes();
    requests();
}

fn polling() {
    let mut ends = [0i32; 2];
    call!(SYS_pipe, &mut ends);
    call!(SYS_write, ends[1], b"x", 1);
    let mut polled = [
        pollfd { fd: ends[0], events: POLLIN, revents: 0 },
        pollfd { fd: ends[1], events: POLLOUT | POLLIN, revents: 0 },
        pollfd { fd: -1, events: POLLIN, revents: 0 },
        pollfd { fd: 555, events: POLLIN, revents: 0 },
    ];
    call!(SYS_poll, &mut polled, 4, 0);
    call!(SYS_poll, &mut polled[2], 1, 1);
    call!(SYS_ppoll, &mut polled, 2, &[0u64, 1000], &0x4000u64, 8);
    let bit = |fd: i32| -> [u64; 16] {
        let mut set = [0; 16];
        set[fd as usize / 64] = 1 << (fd % 64);
        set
    };
    let (mut readable, mut writable) = (bit(ends[0]), bit(ends[1]));
    let mut timeout = [0u64; 2];
    call!(SYS_select, ends[1] + 1, &mut readable, &mut writable, NULL, &mut timeout);
    // Not ready to read: the call takes it out of the set.
    let mut both = bit(ends[0]);
    both[ends[1] as usize / 64] |= 1 << (ends[1] % 64);
    call!(SYS_select, ends[1] + 1, &mut both, NULL, NULL, &mut timeout);
    let argument = [NULL, 8];
    call!(SYS_pselect6, ends[1] + 1, &mut readable, NULL, NULL, &[0u64, 0], &argument);
    call!(SYS_select, 5, NULL, NULL, NULL, &[0i64, -1]);
    call!(SYS_close, ends[0]);
    call!(SYS_close, ends[1]);
}

fn epoll() {
    let old = call!(SYS_epoll_create, 10);
    call!(SYS_close, old);
    call!(SYS_epoll_create, 0);
    let epoll = call!(SYS_epoll_create1, EPOLL_CLOEXEC);
    let counter = call!(SYS_eventfd2, 3, EFD_NONBLOCK | EFD_CLOEXEC);
    let plain = call!(SYS_eventfd, 0);
    let mut event = epoll_event { events: (EPOLLIN | EPOLLET) as u32, u64: 0x1122_3344_5566_7788 };
    call!(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, counter, &mut event);
    call!(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, plain, NULL);
    event.events = (EPOLLIN | EPOLLOUT) as u32;
    call!(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, counter, &mut event);
    let mut ready = [event; 4];
    call!(SYS_epoll_wait, epoll, &mut ready, 4, 0);
    call!(SYS_epoll_pwait, epoll, &mut ready, 4, 0, NULL, 8);
    call!(SYS_epoll_pwait, epoll, &mut ready, 4, 0, &0x200u64, 8);
    call!(SYS_epoll_pwait2, epoll, &mut ready, 4, &[0u64, 1000], NULL, 8);
    call!(SYS_epoll_wait, -1, &mut ready, 4, 0);
    for fd in [epoll, counter, plain] {
        call!(SYS_close, fd);
    }
}

fn watching() {
    let old = call!(SYS_inotify_init);
    call!(SYS_close, old);
    let fd = call!(SYS_inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
    let watch = call!(SYS_inotify_add_watch, fd, c".", IN_CREATE | IN_DELETE);
    call!(SYS_inotify_add_watch, fd, c"absent", IN_ACCESS);
    call!(SYS_inotify_rm_watch, fd, watch);
    call!(SYS_inotify_rm_watch, fd, 12345);
    call!(SYS_close, fd);
    let fd = call!(SYS_fanotify_init, 0x1 | 0x2, O_RDONLY);
    call!(SYS_fanotify_mark, fd, 1, 0x20_u64, AT_FDCWD, c"absent");
    call!(SYS_close, fd);
}

fn futexes() {
    let word = 7u32;
    let other = 9u32;
    call!(SYS_futex, &word, 0x80, 8, NULL);
    call!(SYS_futex, &word, 0x80, 7, &[0u64, 1000]);
    call!(SYS_futex, &word, 0x81, 5);
    call!(SYS_futex, &word, 0x84, 1, 2, &other, 7);
    call!(SYS_futex, &word, 0x89, 7, &[1u64, 0], NULL, 0x55);
    let waiters = [[7u64, (&raw const word).expose_provenance() as u64, 0x82], [1, 2, 3]];
    call!(SYS_futex_waitv, &waiters, 1, 0, &[1u64, 0], CLOCK_MONOTONIC);
    numbered!(454, &word, 0xffu32, 1, 0x82);
    numbered!(455, &word, 8u32, 0xffff_ffffu32, 0x82, NULL, CLOCK_MONOTONIC);
    numbered!(456, &waiters, 0x77, 1, 1);
    let (mut head, mut length) = (0usize, 0usize);
    call!(SYS_get_robust_list, 0, &mut head, &mut length);
    call!(SYS_set_robust_list, 0x1000, 7);
}

/// `struct iocb`.
#[repr(C)]
#[derive(Default)]
struct Request {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: i16,
    descriptor: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    result_descriptor: u32,
}

fn requests() {
    let fd = call!(SYS_open, c"data", O_RDWR);
    let text = *b"asynchronous";
    let mut into = [0u8; 12];
    let write = Request {
        data: 0x11,
        opcode: 1,
        descriptor: fd as u32,
        buffer: text.as_ptr().addr() as u64,
        bytes: 12,
        offset: 20,
        ..Request::default()
    };
    let read = Request {
        data: 0x22,
        opcode: 0,
        descriptor: fd as u32,
        buffer: into.as_mut_ptr().addr() as u64,
        bytes: 12,
        offset: 0,
        ..Request::default()
    };
    let mut context = 0u64;
    call!(SYS_io_setup, 8, &mut context);
    let list = [&raw const write, &raw const read];
    call!(SYS_io_submit, context, 2, &list);
    let mut done = [[0u64; 4]; 2];
    call!(SYS_io_getevents, context, 1, 2, &mut done, &[0u64, 1_000_000]);
    numbered!(333, context, 0, 2, &mut done, &[0u64, 0], NULL);
    call!(SYS_io_cancel, context, &read, &mut done);
    call!(SYS_io_destroy, context);
    call!(SYS_io_destroy, 0x77);
    call!(SYS_io_submit, 0x77, 1, &list);
    call!(SYS_close, fd);
    let mut parameters = [0u32; 30];
    let ring = call!(SYS_io_uring_setup, 4, &mut parameters);
    call!(SYS_io_uring_enter, ring, 0, 0, 1, NULL, 8);
    call!(SYS_io_uring_register, ring, 1, NULL, 0);
    call!(SYS_close, ring);
    call!(SYS_io_uring_setup, 0, &mut parameters);
}
