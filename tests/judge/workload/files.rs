//! Files: opening, reading, writing, copying, locking.

use libc::*;

use super::raw::{NULL, call, numbered};

pub fn run() {
    opening();
    reading_and_writing();
    copying();
    holes_and_sizes();
    duplicating();
}

fn opening() {
    call!(SYS_open, c"absent", O_RDONLY);
    let fd = call!(SYS_open, c"opened", O_RDWR | O_CREAT | O_CLOEXEC, 0o640);
    call!(SYS_close, fd);
    let fd = call!(SYS_creat, c"created", 0o600);
    call!(SYS_close, fd);
    let fd = call!(SYS_openat, AT_FDCWD, c"/etc/hostname", O_RDONLY | O_NOFOLLOW);
    call!(SYS_close, fd);
    call!(SYS_openat, -1, c"relative", O_WRONLY | O_CREAT | O_EXCL, 0o7777);
    let how = [(O_RDWR | O_CREAT | O_CLOEXEC) as u64, 0o644, 0x08];
    let fd = call!(SYS_openat2, AT_FDCWD, c"opened2", &how, 24);
    call!(SYS_close, fd);
    call!(SYS_openat2, AT_FDCWD, c"/etc/passwd", &[0u64, 0, 0x10], 24);
    call!(SYS_close_range, 900, 1000, 4);
    call!(SYS_close_range, 1000, 900, 0);
    call!(SYS_close, 12345);
    let directory = call!(SYS_open, c".", O_RDONLY | O_DIRECTORY);
    let mut entries = [0u64; 512];
    call!(SYS_getdents64, directory, &mut entries, 4096);
    call!(SYS_lseek, directory, 0, SEEK_SET);
    call!(SYS_getdents, directory, &mut entries, 4096);
    call!(SYS_getdents, directory, &mut entries, 4096);
    call!(SYS_close, directory);
    let mut handle = [0u32; 34];
    handle[0] = 128;
    let mut mount = 0i32;
    call!(SYS_name_to_handle_at, AT_FDCWD, c"opened", &mut handle, &mut mount, 0);
    let fd = call!(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
    call!(SYS_close, fd);
    call!(SYS_lookup_dcookie, 0x1234_5678_9abc_u64, NULL, 0);
    let mut cached = [0u64; 5];
    let fd = call!(SYS_open, c"opened", O_RDWR);
    numbered!(451, fd, &[0u64, 4096], &mut cached, 0);
    call!(SYS_close, fd);
}

fn iovecs(parts: &[&[u8]]) -> Vec<iovec> {
    parts.iter().map(|p| iovec { iov_base: p.as_ptr() as *mut c_void, iov_len: p.len() }).collect()
}

fn reading_and_writing() {
    let fd = call!(SYS_open, c"data", O_RDWR | O_CREAT | O_TRUNC, 0o644);
    let text = b"one line\nanother, with \"quotes\", \\ and \x00\x01\xff bytes\n";
    call!(SYS_write, fd, text.as_ptr(), text.len());
    call!(SYS_pwrite64, fd, text.as_ptr(), 8, 100);
    let vectors = iovecs(&[b"first", b"", b"second part", b"third"]);
    call!(SYS_writev, fd, vectors.as_ptr(), 4);
    call!(SYS_pwritev, fd, vectors.as_ptr(), 3, 4096, 0);
    call!(SYS_pwritev2, fd, vectors.as_ptr(), 2, 8192, 0, 0);
    call!(SYS_lseek, fd, 0, SEEK_SET);
    call!(SYS_lseek, fd, -1, 77);
    let mut buffer = [0u8; 64];
    call!(SYS_read, fd, buffer.as_mut_ptr(), 64);
    call!(SYS_read, fd, buffer.as_mut_ptr(), 0);
    call!(SYS_read, -1, buffer.as_mut_ptr(), 64);
    call!(SYS_pread64, fd, buffer.as_mut_ptr(), 8, 100);
    call!(SYS_pread64, fd, buffer.as_mut_ptr(), 8, 1u64 << 40);
    let (mut a, mut b) = ([0u8; 5], [0u8; 20]);
    let into = [
        iovec { iov_base: a.as_mut_ptr().cast(), iov_len: 5 },
        iovec { iov_base: b.as_mut_ptr().cast(), iov_len: 20 },
    ];
    call!(SYS_lseek, fd, 0, SEEK_SET);
    call!(SYS_readv, fd, &into, 2);
    call!(SYS_preadv, fd, &into, 2, 4096, 0);
    call!(SYS_preadv2, fd, &into, 2, 8192, 0, 0);
    call!(SYS_preadv2, fd, &into, 2, 0, 0, 0x4000_0000);
    call!(SYS_write, fd, 0x10_usize, 4);
    call!(SYS_fsync, -1);
    call!(SYS_fdatasync, fd);
    call!(SYS_syncfs, -1);
    call!(SYS_sync_file_range, fd, 0, 4096, 2);
    call!(SYS_fadvise64, fd, 0, 4096, POSIX_FADV_SEQUENTIAL);
    call!(SYS_readahead, fd, 0, 4096);
    call!(SYS_close, fd);
    // Longer than a string or buffer that is kept whole.
    let long = call!(SYS_open, c"long", O_RDWR | O_CREAT, 0o600);
    let block: Vec<u8> = (0..9000u32).map(|i| (i % 251) as u8).collect();
    call!(SYS_write, long, block.as_ptr(), block.len());
    call!(SYS_close, long);
}

fn copying() {
    let from = call!(SYS_open, c"data", O_RDONLY);
    let to = call!(SYS_open, c"copy", O_RDWR | O_CREAT, 0o600);
    let mut offset = 3i64;
    call!(SYS_sendfile, to, from, &mut offset, 10);
    call!(SYS_sendfile, to, from, NULL, 10);
    let (mut at, mut into) = (0i64, 100i64);
    call!(SYS_copy_file_range, from, &mut at, to, &mut into, 16, 0);
    let mut ends = [0i32; 2];
    call!(SYS_pipe, &mut ends);
    let mut others = [0i32; 2];
    call!(SYS_pipe2, &mut others, O_CLOEXEC | O_NONBLOCK);
    call!(SYS_pipe2, &mut others as *mut _, 0x7);
    let vectors = iovecs(&[b"spliced ", b"bytes"]);
    call!(SYS_vmsplice, ends[1], vectors.as_ptr(), 2, 0);
    call!(SYS_tee, ends[0], others[1], 13, 2);
    let mut place = 4000i64;
    call!(SYS_splice, ends[0], NULL, to, &mut place, 13, 1);
    for fd in [ends[0], ends[1], others[0], others[1]] {
        call!(SYS_close, fd);
    }
    call!(SYS_close, from);
    call!(SYS_close, to);
}

fn holes_and_sizes() {
    let fd = call!(SYS_open, c"sized", O_RDWR | O_CREAT, 0o600);
    call!(SYS_ftruncate, fd, 8192);
    call!(SYS_truncate, c"sized", 16384);
    call!(SYS_truncate, c"absent", -1);
    call!(SYS_fallocate, fd, 0, 0, 4096);
    call!(SYS_fallocate, fd, 3, 4096, 4096);
    call!(SYS_flock, fd, LOCK_EX | LOCK_NB);
    call!(SYS_flock, fd, LOCK_UN);
    call!(SYS_close, fd);
    let fd = call!(SYS_memfd_create, c"in memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    call!(SYS_ftruncate, fd, 4096);
    call!(SYS_fcntl, fd, 1033, 2);
    call!(SYS_fcntl, fd, 1034);
    call!(SYS_close, fd);
    let fd = call!(SYS_memfd_secret, 0x8_0000);
    call!(SYS_close, fd);
}

fn duplicating() {
    let fd = call!(SYS_open, c"data", O_RDWR);
    let second = call!(SYS_dup, fd);
    call!(SYS_dup2, fd, 77);
    call!(SYS_dup3, fd, 78, O_CLOEXEC);
    call!(SYS_dup3, fd, fd, 0);
    call!(SYS_fcntl, fd, F_GETFL);
    call!(SYS_fcntl, fd, F_SETFL, O_APPEND | O_NONBLOCK);
    call!(SYS_fcntl, fd, F_GETFD);
    call!(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    call!(SYS_fcntl, fd, F_DUPFD, 90);
    call!(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 92);
    call!(SYS_fcntl, fd, 424242, 0x7777);
    for old in [second, 77, 78, 90, 92, fd] {
        call!(SYS_close, old);
    }
    let terminal = call!(SYS_open, c"/dev/ptmx", O_RDWR | O_NOCTTY);
    let mut size = [24u16, 80, 0, 0];
    call!(SYS_ioctl, terminal, TIOCSWINSZ, &size);
    call!(SYS_ioctl, terminal, TIOCGWINSZ, &mut size);
    let mut number = 0u32;
    call!(SYS_ioctl, terminal, TIOCGPTN, &mut number);
    let mut settings = [0u8; 60];
    call!(SYS_ioctl, terminal, TCGETS, &mut settings);
    call!(SYS_ioctl, terminal, FIONREAD, &mut number);
    let on = 1i32;
    call!(SYS_ioctl, terminal, FIONBIO, &on);
    call!(SYS_ioctl, -1, 0xdead_beef_u32, 0x1234_usize);
    call!(SYS_close, terminal);
}
