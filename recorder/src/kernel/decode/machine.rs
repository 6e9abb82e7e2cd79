//! What aarch64 lays out and numbers in another way than x86_64. A capture has x86_64's everywhere, so that one question
//! means one thing, whichever machine was recorded.

use std::cmp::min;

use events::{Arg, ArgKind, Names, StructKind};

/// `struct stat` of the kernel's `include/uapi/asm-generic/stat.h`, and of `arch/x86/include/uapi/asm/stat.h`: where each
/// member is in the first and in the second, and its bytes in both.
const STAT: [(usize, usize, usize, usize); 13] = [
    (0, 8, 0, 8),       // st_dev
    (8, 8, 8, 8),       // st_ino
    (20, 4, 16, 8),     // st_nlink
    (16, 4, 24, 4),     // st_mode
    (24, 4, 28, 4),     // st_uid
    (28, 4, 32, 4),     // st_gid
    (32, 8, 40, 8),     // st_rdev
    (48, 8, 48, 8),     // st_size
    (56, 4, 56, 8),     // st_blksize
    (64, 8, 64, 8),     // st_blocks
    (72, 16, 72, 16),   // st_atime, st_atime_nsec
    (88, 16, 88, 16),   // st_mtime, st_mtime_nsec
    (104, 16, 104, 16), // st_ctime, st_ctime_nsec
];

/// `struct epoll_event`: packed on x86_64 only.
const EPOLL_EVENT: [(usize, usize, usize, usize); 2] = [(0, 4, 0, 4), (8, 8, 4, 8)];

/// How the structures of an argument are laid out anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relayout {
    members: &'static [(usize, usize, usize, usize)],
    from_bytes: usize,
    to_bytes: usize,
}

impl Relayout {
    /// Of what an argument points to; `None` where both machines have it alike.
    pub fn of(arg: &Arg) -> Option<Relayout> {
        let (ArgKind::Struct(kind) | ArgKind::Array(kind, _)) = arg.kind else { return None };
        let members: &[_] = match kind {
            StructKind::Stat => &STAT,
            StructKind::EpollEvent => &EPOLL_EVENT,
            _ => return None,
        };
        Some(Relayout { members, from_bytes: kind.aarch64_size().into(), to_bytes: kind.size().into() })
    }

    /// Appends the structures that are whole.
    pub fn append(self, machine: &[u8], out: &mut Vec<u8>) {
        for structure in machine.chunks_exact(self.from_bytes) {
            let start = out.len();
            out.resize(start + self.to_bytes, 0);
            for &(from, from_bytes, to, to_bytes) in self.members {
                // Little endian: what is wider has zeroes behind.
                let bytes = min(from_bytes, to_bytes);
                let (Some(from), Some(to)) =
                    (structure.get(from..from + bytes), out.get_mut(start + to..start + to + bytes))
                else {
                    continue;
                };
                to.copy_from_slice(from);
            }
        }
    }
}

/// Whether a number is one of flags that the machines number differently.
pub fn are_open_flags(arg: &Arg) -> bool {
    arg.names == Names::OpenFlags
}

/// Flags of `open` as x86_64 has them: `O_DIRECTORY` and `O_NOFOLLOW` change places with `O_DIRECT` and `O_LARGEFILE`.
pub fn open_flags(flags: u64) -> u64 {
    const LOW: u64 = 0o140_000;
    const HIGH: u64 = 0o600_000;
    flags & !(LOW | HIGH) | (flags & LOW) << 2 | (flags & HIGH) >> 2
}

/// Which argument a word of `clone` is on aarch64, and for 32-bit tasks of x86: the thread's storage comes before the
/// place for the child's id.
pub fn clone_backwards(word: usize) -> usize {
    match word {
        3 => 4,
        4 => 3,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use events::catalogue;

    use super::*;

    #[test]
    fn a_stat_of_aarch64_is_laid_out_as_one_of_x86_64() {
        let fstat = catalogue::by_name("fstat").unwrap();
        let relayout = Relayout::of(fstat.args.iter().find(|arg| arg.name == "statbuf").unwrap()).unwrap();
        let mut machine = vec![0; 128];
        let mut put = |at: usize, bytes: &[u8]| machine[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &77u64.to_le_bytes());
        put(16, &0o100_644u32.to_le_bytes());
        put(20, &3u32.to_le_bytes());
        put(24, &1000u32.to_le_bytes());
        put(48, &4096u64.to_le_bytes());
        put(56, &512u32.to_le_bytes());
        put(112, &9u64.to_le_bytes());
        let mut out = b"before".to_vec();
        relayout.append(&machine, &mut out);
        let at = |at: usize| u64::from_le_bytes(out[6 + at..6 + at + 8].try_into().unwrap());
        assert_eq!(out.len(), 6 + 144);
        assert_eq!((at(8), at(16), at(24), at(48), at(56)), (77, 3, 1000 << 32 | 0o100_644, 4096, 512));
        assert_eq!((at(104), at(112)), (0, 9));
    }

    #[test]
    fn events_of_an_epoll_are_packed_as_on_x86_64() {
        let wait = catalogue::by_name("epoll_wait").unwrap();
        let relayout = Relayout::of(wait.args.iter().find(|arg| arg.name == "events").unwrap()).unwrap();
        let mut machine = vec![0; 40];
        machine[0] = 1;
        machine[8] = 2;
        machine[16] = 3;
        machine[24] = 4;
        let mut out = Vec::new();
        relayout.append(&machine, &mut out);
        assert_eq!(out.len(), 24, "what is not whole is left out");
        assert_eq!((out[0], out[4], out[12], out[16]), (1, 2, 3, 4));
    }

    #[test]
    fn flags_of_open_have_the_numbers_of_x86_64() {
        // O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY as an aarch64 kernel is given it.
        assert_eq!(open_flags(0o2_044_000), 0o2_204_000);
        assert_eq!(open_flags(0o100_000), 0o400_000, "O_NOFOLLOW");
        assert_eq!(open_flags(0o200_000), 0o40_000, "O_DIRECT");
        assert_eq!(open_flags(open_flags(0o7_777_777)), 0o7_777_777);
    }
}
