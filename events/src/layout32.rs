//! How the structures of 32-bit tasks lie in memory, and how they become those of 64-bit tasks, which is how they are
//! stored and shown: nothing behind the recorder has to know that a call was a 32-bit one.
//!
//! Only structures that differ are here; the others are [`StructKind::same_in_compat`].

use crate::structs::StructKind;

/// A structure of 32-bit tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout32 {
    /// Bytes of one.
    pub size: u16,
    /// Bytes of one as 64-bit tasks have it.
    wide: u16,
    parts: &'static [Part],
}

/// A number of the structure: where it is here, and where and how wide there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    from: u8,
    bytes: u8,
    to: u8,
    wide: u8,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Unsigned,
    Signed,
    /// All bits set is no limit.
    Limit,
}

const fn part(from: u8, bytes: u8, to: u8, wide: u8, how: How) -> Part {
    Part { from, bytes, to, wide, how }
}

/// A pointer, a size, or another unsigned number of the machine's width.
const fn unsigned(from: u8, to: u8) -> Part {
    part(from, 4, to, 8, How::Unsigned)
}

/// A `long`, such as a time.
const fn signed(from: u8, to: u8) -> Part {
    part(from, 4, to, 8, How::Signed)
}

/// What is the same, elsewhere.
const fn same(from: u8, to: u8, bytes: u8) -> Part {
    part(from, bytes, to, bytes, How::Unsigned)
}

macro_rules! layouts {
    ($($name:ident = $size:literal to $of:ident { $($part:expr),* $(,)? })*) => {
        $(const $name: Layout32 =
            Layout32 { size: $size, wide: StructKind::$of.size(), parts: &[$($part),*] };)*

        #[cfg(test)]
        const ALL: &[(&str, Layout32)] = &[$((stringify!($name), $name)),*];
    };
}

layouts! {
    LONG = 4 to Long { signed(0, 0) }
    ULONG = 4 to ULong { unsigned(0, 0) }
    POINTER = 4 to Pointer { unsigned(0, 0) }
    VECTOR = 8 to Vector { unsigned(0, 0), unsigned(4, 8) }
    TIMESPEC = 8 to Timespec { signed(0, 0), signed(4, 8) }
    ITIMERSPEC = 16 to Itimerspec { signed(0, 0), signed(4, 8), signed(8, 16), signed(12, 24) }
    // struct old_timex32
    TIMEX = 128 to Timex {
        same(0, 0, 4), signed(4, 8), signed(8, 16), signed(12, 24), signed(16, 32), same(20, 40, 4), signed(24, 48),
        signed(28, 56), signed(32, 64), signed(36, 72), signed(40, 80), signed(44, 88), signed(48, 96), signed(52, 104),
        same(56, 112, 4), signed(60, 120), signed(64, 128), signed(68, 136), signed(72, 144), signed(76, 152),
        same(80, 160, 4),
    }
    TMS = 16 to Tms { signed(0, 0), signed(4, 8), signed(8, 16), signed(12, 24) }
    UTIMBUF = 8 to Utimbuf { signed(0, 0), signed(4, 8) }
    // struct compat_stat: 16 bits of modes, links and owners
    STAT = 64 to Stat {
        unsigned(0, 0), unsigned(4, 8), part(8, 2, 24, 4, How::Unsigned), part(10, 2, 16, 8, How::Unsigned),
        part(12, 2, 28, 4, How::Unsigned), part(14, 2, 32, 4, How::Unsigned), unsigned(16, 40), unsigned(20, 48),
        unsigned(24, 56), unsigned(28, 64), signed(32, 72), unsigned(36, 80), signed(40, 88), unsigned(44, 96),
        signed(48, 104), unsigned(52, 112),
    }
    // struct stat64, packed
    STAT64 = 96 to Stat {
        same(0, 0, 8), same(88, 8, 8), same(16, 24, 4), unsigned(20, 16), same(24, 28, 4), same(28, 32, 4),
        same(32, 40, 8), same(44, 48, 8), unsigned(52, 56), same(56, 64, 8), signed(64, 72), unsigned(68, 80),
        signed(72, 88), unsigned(76, 96), signed(80, 104), unsigned(84, 112),
    }
    // struct __old_kernel_stat
    OLD_STAT = 32 to Stat {
        part(0, 2, 0, 8, How::Unsigned), part(2, 2, 8, 8, How::Unsigned), part(4, 2, 24, 4, How::Unsigned),
        part(6, 2, 16, 8, How::Unsigned), part(8, 2, 28, 4, How::Unsigned), part(10, 2, 32, 4, How::Unsigned),
        part(12, 2, 40, 8, How::Unsigned), unsigned(16, 48), signed(20, 72), signed(24, 88), signed(28, 104),
    }
    STATFS = 64 to Statfs {
        unsigned(0, 0), unsigned(4, 8), unsigned(8, 16), unsigned(12, 24), unsigned(16, 32), unsigned(20, 40),
        unsigned(24, 48), same(28, 56, 8), unsigned(36, 64), unsigned(40, 72), unsigned(44, 80),
    }
    // struct compat_statfs64, packed
    STATFS64 = 84 to Statfs {
        unsigned(0, 0), unsigned(4, 8), same(8, 16, 8), same(16, 24, 8), same(24, 32, 8), same(32, 40, 8),
        same(40, 48, 8), same(48, 56, 8), unsigned(56, 64), unsigned(60, 72), unsigned(64, 80),
    }
    USTAT = 20 to Ustat { same(0, 0, 4), unsigned(4, 8), same(8, 16, 6), same(14, 22, 6) }
    FLOCK = 16 to Flock { same(0, 0, 2), same(2, 2, 2), signed(4, 8), signed(8, 16), same(12, 24, 4) }
    // struct compat_flock64, packed
    FLOCK64 = 24 to Flock { same(0, 0, 2), same(2, 2, 2), same(4, 8, 8), same(12, 16, 8), same(20, 24, 4) }
    RLIMIT = 8 to Rlimit { part(0, 4, 0, 8, How::Limit), part(4, 4, 8, 8, How::Limit) }
    RUSAGE = 72 to Rusage {
        signed(0, 0), signed(4, 8), signed(8, 16), signed(12, 24), signed(16, 32), signed(20, 40), signed(24, 48),
        signed(28, 56), signed(32, 64), signed(36, 72), signed(40, 80), signed(44, 88), signed(48, 96), signed(52, 104),
        signed(56, 112), signed(60, 120), signed(64, 128), signed(68, 136),
    }
    ROBUST_LIST_HEAD = 12 to RobustListHead { unsigned(0, 0), signed(4, 8), unsigned(8, 16) }
    SIG_ACTION = 20 to SigAction { unsigned(0, 0), unsigned(4, 8), unsigned(8, 16), same(12, 24, 8) }
    // struct compat_old_sigaction
    OLD_SIG_ACTION = 16 to SigAction { unsigned(0, 0), unsigned(4, 24), unsigned(8, 8), unsigned(12, 16) }
    SIG_INFO = 128 to SigInfo { same(0, 0, 12) }
    SIG_STACK = 12 to SigStack { unsigned(0, 0), same(4, 8, 4), unsigned(8, 16) }
    SIG_EVENT = 64 to SigEvent { unsigned(0, 0), same(4, 8, 4), same(8, 12, 4), same(12, 16, 4) }
    SIG_SET_ARG = 8 to SigSetArg { unsigned(0, 0), unsigned(4, 8) }
    SHMID_DS = 84 to ShmidDs {
        same(0, 0, 20), same(20, 20, 2), same(24, 24, 2), unsigned(36, 48), same(40, 56, 8), same(48, 64, 8),
        same(56, 72, 8), same(64, 80, 4), same(68, 84, 4), unsigned(72, 88),
    }
    SEMID_DS = 64 to SemidDs {
        same(0, 0, 20), same(20, 20, 2), same(24, 24, 2), same(36, 48, 8), same(44, 64, 8), unsigned(52, 80),
    }
    MSQID_DS = 88 to MsqidDs {
        same(0, 0, 20), same(20, 20, 2), same(24, 24, 2), same(36, 48, 8), same(44, 56, 8), same(52, 64, 8),
        unsigned(60, 72), unsigned(64, 80), unsigned(68, 88), same(72, 96, 4), same(76, 100, 4),
    }
    MQ_ATTR = 32 to MqAttr { signed(0, 0), signed(4, 8), signed(8, 16), signed(12, 24) }
    SYSINFO = 64 to Sysinfo {
        signed(0, 0), unsigned(4, 8), unsigned(8, 16), unsigned(12, 24), unsigned(16, 32), unsigned(20, 40),
        unsigned(24, 48), unsigned(28, 56), unsigned(32, 64), unsigned(36, 72), same(40, 80, 2), unsigned(44, 88),
        unsigned(48, 96), same(52, 104, 4),
    }
    KEXEC_SEGMENT = 16 to KexecSegment { unsigned(0, 0), unsigned(4, 8), unsigned(8, 16), unsigned(12, 24) }
    SOCK_FPROG = 8 to SockFprog { same(0, 0, 2), unsigned(4, 8) }
}

/// From this number on, calls take times of 64 bits in 32-bit tasks too.
const FIRST_OF_LONG_TIMES: u16 = 403;
const OLD_STATS: [u16; 3] = [18, 28, 84];
const NEW_STATS: [u16; 3] = [106, 107, 108];
const STATFS_64: [u16; 2] = [268, 269];
const OLD_SIGACTION: u16 = 67;

/// How a structure lies in a 32-bit task that makes the call of this number; `None` where it is the same as in a 64-bit one.
pub fn layout(of: StructKind, number: u16) -> Option<Layout32> {
    let has_long_times = number >= FIRST_OF_LONG_TIMES;
    Some(match of {
        StructKind::Timespec | StructKind::Itimerspec | StructKind::Timex if has_long_times => return None,
        StructKind::Long => LONG,
        StructKind::ULong => ULONG,
        StructKind::Pointer => POINTER,
        StructKind::Vector => VECTOR,
        StructKind::Timespec | StructKind::Timeval => TIMESPEC,
        StructKind::Itimerspec | StructKind::Itimerval => ITIMERSPEC,
        StructKind::Timex => TIMEX,
        StructKind::Tms => TMS,
        StructKind::Utimbuf => UTIMBUF,
        StructKind::Stat if OLD_STATS.contains(&number) => OLD_STAT,
        StructKind::Stat if NEW_STATS.contains(&number) => STAT,
        StructKind::Stat => STAT64,
        StructKind::Statfs if STATFS_64.contains(&number) => STATFS64,
        StructKind::Statfs => STATFS,
        StructKind::Ustat => USTAT,
        StructKind::Flock => FLOCK,
        StructKind::Rlimit => RLIMIT,
        StructKind::Rusage => RUSAGE,
        StructKind::RobustListHead => ROBUST_LIST_HEAD,
        StructKind::SigAction if number == OLD_SIGACTION => OLD_SIG_ACTION,
        StructKind::SigAction => SIG_ACTION,
        StructKind::SigInfo => SIG_INFO,
        StructKind::SigStack => SIG_STACK,
        StructKind::SigEvent => SIG_EVENT,
        StructKind::SigSetArg => SIG_SET_ARG,
        StructKind::ShmidDs => SHMID_DS,
        StructKind::SemidDs => SEMID_DS,
        StructKind::MsqidDs => MSQID_DS,
        StructKind::MqAttr => MQ_ATTR,
        StructKind::Sysinfo => SYSINFO,
        StructKind::KexecSegment => KEXEC_SEGMENT,
        StructKind::SockFprog => SOCK_FPROG,
        _ => return None,
    })
}

/// The lock that `fcntl` is given where its command says that its offsets have 64 bits.
pub fn long_lock() -> Layout32 {
    FLOCK64
}

/// Bytes of the largest of them, `struct timex`.
const LARGEST: usize = StructKind::Timex.size() as usize;

impl Layout32 {
    /// Gives away the structures that stand in the bytes, one after the other, as a 64-bit task has them. What is cut off at
    /// the end is left out.
    pub fn widen(self, bytes: &[u8], mut append: impl FnMut(&[u8])) {
        for one in bytes.chunks_exact(usize::from(self.size)) {
            let mut room = [0; LARGEST];
            let Some(place) = room.get_mut(..usize::from(self.wide)) else { return };
            for part in self.parts {
                part.put(one, place);
            }
            if self == SIG_INFO {
                put_signal(one, place);
            }
            append(place);
        }
    }
}

impl Part {
    fn put(self, from: &[u8], to: &mut [u8]) {
        let (start, end) = (usize::from(self.from), usize::from(self.from) + usize::from(self.bytes));
        let wide = usize::from(self.to)..usize::from(self.to) + usize::from(self.wide);
        let (Some(bytes), Some(place)) = (from.get(start..end), to.get_mut(wide)) else { return };
        let is_filled = match self.how {
            How::Unsigned => false,
            How::Signed => bytes.last().is_some_and(|byte| byte & 0x80 != 0),
            How::Limit => bytes.iter().all(|byte| *byte == 0xff),
        };
        let (low, high) = place.split_at_mut(bytes.len().min(place.len()));
        low.copy_from_slice(bytes);
        high.fill(if is_filled { 0xff } else { 0 });
    }
}

/// What a `siginfo_t` holds behind its head depends on its signal and on who sent it.
fn put_signal(from: &[u8], to: &mut [u8]) {
    const CHILD: &[Part] =
        &[same(12, 16, 4), same(16, 20, 4), same(20, 24, 4), signed(24, 32), signed(28, 40)];
    const FAULT: &[Part] = &[unsigned(12, 16)];
    const SENT: &[Part] = &[same(12, 16, 4), same(16, 20, 4), unsigned(20, 24)];
    let number =
        |at: usize| from.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| i32::from_le_bytes(*b));
    let parts = match (number(0), number(8)) {
        (17, 1..) => CHILD,
        (4 | 5 | 7 | 8 | 11, 1..) => FAULT,
        _ => SENT,
    };
    for part in parts {
        part.put(from, to);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_structure_that_differs_has_a_layout() {
        for kind in StructKind::ALL {
            assert_eq!(layout(*kind, 1).is_none(), kind.same_in_compat(), "{kind:?}");
        }
    }

    #[test]
    fn parts_lie_within_both_and_over_no_other() {
        for (name, layout) in ALL.iter().copied() {
            assert!(usize::from(layout.wide) <= LARGEST, "{name}");
            let (mut here, mut there) = (vec![false; layout.size.into()], vec![false; layout.wide.into()]);
            for part in layout.parts {
                let ranges = [(&mut here, part.from, part.bytes), (&mut there, part.to, part.wide)];
                for (taken, from, bytes) in ranges {
                    for at in usize::from(from)..usize::from(from) + usize::from(bytes) {
                        let place =
                            taken.get_mut(at).unwrap_or_else(|| panic!("{name}: {part:?} is outside"));
                        assert!(!*place, "{name}: {part:?} lies over another");
                        *place = true;
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_keep_their_sign_and_limits_stay_none() {
        let mut out = Vec::new();
        let time = layout(StructKind::Timespec, 162).expect("32 bits");
        time.widen(&[0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 1, 0, 0, 0], |one| out.extend_from_slice(one));
        assert_eq!(out, [[0xff; 8], [5, 0, 0, 0, 0, 0, 0, 0]].concat(), "the second is cut off");
        out.clear();
        layout(StructKind::Rlimit, 191)
            .expect("32 bits")
            .widen(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x80], |one| out.extend_from_slice(one));
        assert_eq!(out, [[0xff; 8], [0, 0, 0, 0x80, 0, 0, 0, 0]].concat());
        assert!(layout(StructKind::Timespec, 407).is_none(), "clock_nanosleep_time64");
    }
}
