//! System V and POSIX queues, semaphores and shared memory, and keys.

use libc::*;

use super::raw::{NULL, call};

pub fn run() {
    shared_memory();
    semaphores();
    messages();
    queues();
    keys();
}

fn shared_memory() {
    let id = call!(SYS_shmget, IPC_PRIVATE, 8192, IPC_CREAT | 0o600);
    let place = call!(SYS_shmat, id, NULL, SHM_RDONLY);
    let mut state = [0u64; 14];
    call!(SYS_shmctl, id, IPC_STAT, &mut state);
    call!(SYS_shmdt, place);
    call!(SYS_shmdt, 0x1000);
    call!(SYS_shmctl, id, IPC_RMID, NULL);
    call!(SYS_shmat, -1, NULL, 0);
    call!(SYS_shmget, 0x1234_5678, 0, 0);
}

fn semaphores() {
    let id = call!(SYS_semget, IPC_PRIVATE, 3, IPC_CREAT | 0o600);
    // number, operation, flags
    let up = [0u16, 2, 0, 1, 1, 0x1000];
    call!(SYS_semop, id, &up, 2);
    let down = [0u16, (-5i16) as u16, IPC_NOWAIT as u16];
    call!(SYS_semop, id, &down, 1);
    call!(SYS_semtimedop, id, &[0u16, (-1i16) as u16, 0], 1, &[1u64, 0]);
    let mut state = [0u64; 13];
    call!(SYS_semctl, id, 0, IPC_STAT, &mut state);
    call!(SYS_semctl, id, 1, 16, 9);
    call!(SYS_semctl, id, 1, 12);
    call!(SYS_semctl, id, 0, IPC_RMID);
    call!(SYS_semget, 0x1234_5678, 0, 0);
}

fn messages() {
    let id = call!(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0o600);
    let mut message = [0u8; 8 + 16];
    message[0] = 42;
    message[8..16].copy_from_slice(b"text\x00\x01\"\\");
    call!(SYS_msgsnd, id, &message, 8, IPC_NOWAIT);
    let mut state = [0u64; 15];
    call!(SYS_msgctl, id, IPC_STAT, &mut state);
    let mut into = [0u8; 8 + 16];
    call!(SYS_msgrcv, id, &mut into, 8, 42, 0);
    call!(SYS_msgrcv, id, &mut into, 16, 0, IPC_NOWAIT);
    call!(SYS_msgctl, id, IPC_RMID, NULL);
    call!(SYS_msgsnd, -1, &message, 8, 0);
    call!(SYS_msgget, 0x1234_5678, 0);
}

fn queues() {
    let name = std::ffi::CString::new(format!("tracer-judge-{}", std::process::id())).unwrap_or_default();
    let name = name.as_c_str();
    let attributes = [0i64, 4, 64, 0, 0, 0, 0, 0];
    let queue = call!(SYS_mq_open, name, O_RDWR | O_CREAT | O_NONBLOCK, 0o600, &attributes);
    call!(SYS_mq_timedsend, queue, b"queued", 6, 3, &[2_000_000_000u64, 0]);
    let mut old = [0i64; 8];
    call!(SYS_mq_getsetattr, queue, NULL, &mut old);
    call!(SYS_mq_getsetattr, queue, &[0i64; 8], &mut old);
    let (mut into, mut priority) = ([0u8; 64], 0u32);
    call!(SYS_mq_timedreceive, queue, into.as_mut_ptr(), 64, &mut priority, NULL);
    let mut event = [0u32; 16];
    event[3] = SIGEV_NONE as u32;
    call!(SYS_mq_notify, queue, &event);
    call!(SYS_mq_notify, queue, NULL);
    call!(SYS_mq_unlink, name);
    call!(SYS_mq_unlink, c"absent-queue");
    call!(SYS_mq_open, c"absent-queue", O_RDONLY);
    call!(SYS_close, queue);
}

fn keys() {
    call!(SYS_add_key, c"user", c"tracer:judge", b"payload\x00\x01", 9, -2);
    call!(SYS_add_key, c"absent type", c"name", NULL, 0, -2);
    call!(SYS_request_key, c"user", c"tracer:absent", NULL, -2);
    call!(SYS_keyctl, 0, -2, 0);
    call!(SYS_keyctl, 9999, 1, 2, 3, 4);
}
