//! Memory: mappings, protections, advice, policies, other processes' memory.

use libc::*;

use super::raw::{NULL, call, numbered};

const PAGE: usize = 4096;

pub fn run() {
    mappings();
    locking();
    policies();
    other_processes();
    keys();
}

fn mappings() {
    call!(SYS_brk, 0);
    let place = call!(SYS_mmap, NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    let place = place as usize;
    call!(SYS_mmap, NULL, 0, PROT_READ, MAP_PRIVATE, -1, 0);
    let fd = call!(SYS_open, c"/etc/passwd", O_RDONLY);
    let mapped = call!(SYS_mmap, NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    call!(SYS_msync, mapped, PAGE, MS_ASYNC);
    call!(SYS_munmap, mapped, PAGE);
    call!(SYS_close, fd);
    call!(SYS_mprotect, place, PAGE, PROT_READ);
    call!(SYS_mprotect, place + 1, PAGE, PROT_READ);
    call!(SYS_madvise, place, PAGE, MADV_DONTNEED);
    let mut resident = [0u8; 4];
    call!(SYS_mincore, place, 4 * PAGE, resident.as_mut_ptr());
    let moved = call!(SYS_mremap, place, 4 * PAGE, 2 * PAGE, 0);
    call!(SYS_mremap, moved, 2 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
    call!(SYS_remap_file_pages, 0x1000, PAGE, 0, 0, 0);
    call!(SYS_munmap, 1, PAGE);
    numbered!(453, 0x1000_0000, PAGE, 0xff);
    numbered!(462, 1, PAGE, 0);
    let fd = call!(SYS_userfaultfd, O_CLOEXEC | 1);
    call!(SYS_close, fd);
    call!(SYS_membarrier, 0, 0, 0);
    call!(SYS_membarrier, 0x4000, 0, 0);
}

fn locking() {
    let buffer = vec![0u8; 2 * PAGE];
    let place = (buffer.as_ptr().addr() + PAGE - 1) & !(PAGE - 1);
    call!(SYS_mlock, place, PAGE);
    call!(SYS_munlock, place, PAGE);
    call!(SYS_mlock2, place, PAGE, 1);
    call!(SYS_munlock, place, PAGE);
    call!(SYS_mlockall, 0x100);
    call!(SYS_munlockall);
}

fn policies() {
    let (mut mode, mut nodes) = (0i32, [0u64; 16]);
    call!(SYS_get_mempolicy, &mut mode, &mut nodes, 1024, NULL, 0);
    call!(SYS_get_mempolicy, NULL, NULL, 0, NULL, 77);
    call!(SYS_set_mempolicy, 0, NULL, 0);
    call!(SYS_mbind, 0x1000_0000, PAGE, 0, NULL, 0, 0);
    call!(SYS_set_mempolicy_home_node, 1, PAGE, 0, 0);
    call!(SYS_migrate_pages, 999_999_999, 64, &[1u64], &[1u64]);
    let (page, status) = ([0x1000usize], [0i32]);
    call!(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
}

fn other_processes() {
    let (from, mut to) = (*b"copied between", [0u8; 14]);
    let source = [iovec { iov_base: from.as_ptr() as *mut c_void, iov_len: 14 }];
    let target = [iovec { iov_base: to.as_mut_ptr().cast(), iov_len: 14 }];
    let own = std::process::id();
    call!(SYS_process_vm_readv, own, &target, 1, &source, 1, 0);
    call!(SYS_process_vm_writev, own, &source, 1, &target, 1, 0);
    call!(SYS_process_vm_readv, 999_999_999, &target, 1, &source, 1, 0);
    call!(SYS_process_madvise, -1, &target, 1, MADV_COLD, 0);
    call!(SYS_process_mrelease, -1, 0);
}

fn keys() {
    let key = call!(SYS_pkey_alloc, 0, 0);
    call!(SYS_pkey_mprotect, 1, PAGE, PROT_READ, -1);
    call!(SYS_pkey_free, if key < 0 { 99 } else { key });
}
