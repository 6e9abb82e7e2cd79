//! Structures of 32-bit calls: a program makes each call by both entries, with the same contents, and both rows say the
//! same.

use std::path::PathBuf;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::compat::{NO_ENTRY, RUN};
use crate::host::{ensure, events, record, same, scratch};

pub const TESTS: &[Test] = &[("structures_of_32_bit_calls_are_told_as_those_of_64_bit_ones", structures)];

/// What the program does: see [`program::run`].
pub const STRUCTURES: &str = "structures";

/// A call, and the position of its argument that points to something.
type Pointing = (&'static str, usize);

/// The 64-bit call and the 32-bit one.
const PAIRS: &[(Pointing, Pointing)] = &[
    (("nanosleep", 0), ("nanosleep", 0)),
    (("newfstatat", 2), ("newfstatat", 2)),
    (("newfstatat", 2), ("stat64", 1)),
    (("statfs", 1), ("statfs64", 2)),
    (("statfs", 1), ("statfs", 1)),
    (("getrlimit", 1), ("getrlimit", 1)),
    (("rt_sigaction", 1), ("rt_sigaction", 1)),
    (("sigaltstack", 0), ("sigaltstack", 0)),
    (("setitimer", 1), ("setitimer", 1)),
    (("fcntl", 2), ("fcntl64", 2)),
    (("writev", 1), ("writev", 1)),
    (("readv", 1), ("readv", 1)),
    (("sendmsg", 1), ("sendmsg", 1)),
    (("recvmsg", 1), ("recvmsg", 1)),
    (("sendmmsg", 1), ("sendmmsg", 1)),
    (("select", 1), ("select", 1)),
];

/// A recording of the program that makes the calls, and its rows; `None` where this kernel has no 32-bit entry.
pub fn recorded(what: &str, options: &[&str]) -> Result<Option<(Recorded, Vec<Value>)>, Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("a path that is not UTF-8")?;
    let said = std::process::Command::new(program).args([RUN, what]).output()?;
    if said.status.code() == Some(NO_ENTRY) {
        println!("this kernel has no 32-bit entry, nothing to see");
        return Ok(None);
    }
    ensure(said.status.success(), || {
        format!("{what}: {} {}", said.status, String::from_utf8_lossy(&said.stderr))
    })?;
    let dir = scratch()?;
    let file = record(dir.path(), options, &[program, RUN, what])?;
    let rows = events(&file, &["-f", &format!("binary={program}")])?;
    Ok(Some((Recorded { file, _dir: dir }, rows)))
}

/// A capture that lives as long as this.
pub struct Recorded {
    pub file: PathBuf,
    _dir: tempfile::TempDir,
}

fn is_compat(row: &Value) -> bool {
    row["contextFlags"]["isCompat"] == true
}

fn structures() -> Result<(), Failed> {
    let Some((_, rows)) = recorded(STRUCTURES, &[])? else { return Ok(()) };
    for ((native, at), (compat, compat_at)) in PAIRS.iter().copied() {
        // The last of each: libraries make such calls before.
        let value = |name: &str, at: usize, narrow: bool| -> Result<Value, Failed> {
            let row = rows.iter().rev().find(|row| row["eventName"] == name && is_compat(row) == narrow);
            let row = row.ok_or_else(|| format!("no {name} (32-bit: {narrow})"))?;
            same(
                &format!("result of {name}"),
                row["returnValue"].as_i64().is_some_and(|ret| ret >= 0),
                true,
            )?;
            Ok(row["args"][at]["value"].clone())
        };
        let wide = value(native, at, false)?;
        ensure(!wide.is_null() && !wide.is_number(), || format!("{native} shows nothing: {wide}"))?;
        same(compat, value(compat, compat_at, true)?, wide)?;
    }
    Ok(())
}

/// What the program does. All that is pointed to lies below 4 GiB.
#[cfg(target_arch = "x86_64")]
pub mod program {
    use crate::compat::call;

    /// A page below 4 GiB, and how much of it is taken.
    pub struct Page {
        start: *mut u8,
        taken: usize,
    }

    impl Page {
        pub fn new(start: *mut u8) -> Page {
            Page { start, taken: 0 }
        }

        /// The address of a copy of numbers that stand one after the other.
        pub fn put<T: Copy>(&mut self, values: &[T]) -> u32 {
            let at = self.taken;
            self.taken = (at + size_of_val(values)).next_multiple_of(16);
            // SAFETY: what is put here is far less than the pages; plain numbers.
            unsafe { self.start.add(at).cast::<T>().copy_from_nonoverlapping(values.as_ptr(), values.len()) };
            self.start as u32 + at as u32
        }

        pub fn room(&mut self, bytes: usize) -> u32 {
            self.put(&vec![0u8; bytes])
        }
    }

    fn native(number: i64, [a, b, c, d, e]: [u32; 5]) -> i64 {
        // SAFETY: the callers' pointers are to the page.
        unsafe { libc::syscall(number, u64::from(a), u64::from(b), u64::from(c), u64::from(d), u64::from(e)) }
    }

    pub fn structures(page: &mut Page) {
        let path = page.put(b"/proc/self/status\0");
        let (file, here) = (page.put(b"/etc/passwd\0"), -100i32 as u32);
        let both = |wide: (i64, [u32; 5]), narrow: (u32, [u32; 5])| {
            let results = (native(wide.0, wide.1), call(narrow.0, narrow.1));
            if results.0 < 0 || results.1 < 0 {
                eprintln!("{wide:?} {narrow:?} {results:?} {}", std::io::Error::last_os_error());
            }
        };
        let (wide, narrow) = (page.put(&[0u64, 1000]), page.put(&[0u32, 1000]));
        both((libc::SYS_nanosleep, [wide, 0, 0, 0, 0]), (162, [narrow, 0, 0, 0, 0]));
        let room = page.room(256);
        both((libc::SYS_newfstatat, [here, file, room, 0, 0]), (300, [here, file, room, 0, 0]));
        call(195, [file, room, 0, 0, 0]);
        both((libc::SYS_statfs, [path, room, 0, 0, 0]), (99, [path, room, 0, 0, 0]));
        call(268, [path, 84, room, 0, 0]);
        both((libc::SYS_getrlimit, [3, room, 0, 0, 0]), (191, [3, room, 0, 0, 0]));
        // SIGUSR2 is passed over, with SIGUSR1 and SIGTERM blocked meanwhile.
        let mask = 1u64 << 9 | 1 << 14;
        let wide = page.put(&[1u64, 0, 0, mask]);
        let narrow = page.put(&[1u32, 0, 0, mask as u32, (mask >> 32) as u32]);
        both((libc::SYS_rt_sigaction, [12, wide, 0, 8, 0]), (174, [12, narrow, 0, 8, 0]));
        let stack = page.room(64);
        // SS_DISABLE
        let wide = page.put(&[u64::from(stack), 2, 65_536]);
        let narrow = page.put(&[stack, 2, 65_536]);
        both((libc::SYS_sigaltstack, [wide, 0, 0, 0, 0]), (186, [narrow, 0, 0, 0, 0]));
        let wide = page.put(&[0u64, 0, 1000, 5]);
        let narrow = page.put(&[0u32, 0, 1000, 5]);
        both((libc::SYS_setitimer, [0, wide, 0, 0, 0]), (104, [0, narrow, 0, 0, 0]));
        let fd = call(5, [path, 0, 0, 0, 0]) as u32;
        // A shared lock of 9 bytes from the seventh on: F_SETLK, F_SETLK64.
        let wide = page.put(&[0u64, 7, 9, 0]);
        let narrow = page.put(&[0u32, 7, 0, 9, 0, 0]);
        let lock = call(295, [here, file, 0, 0, 0]) as u32;
        both((libc::SYS_fcntl, [lock, 6, wide, 0, 0]), (221, [lock, 13, narrow, 0, 0]));
        call(6, [fd, 0, 0, 0, 0]);

        let pair = page.room(8);
        native(libc::SYS_pipe, [pair, 0, 0, 0, 0]);
        let [reader, writer] = numbers(pair);
        let (hello, world) = (page.put(b"hello "), page.put(b"world"));
        let wide = page.put(&[u64::from(hello), 6, u64::from(world), 5]);
        let narrow = page.put(&[hello, 6, world, 5]);
        both((libc::SYS_writev, [writer, wide, 2, 0, 0]), (146, [writer, narrow, 2, 0, 0]));
        let (first, second) = (page.room(8), page.room(8));
        let wide = page.put(&[u64::from(first), 6, u64::from(second), 5]);
        let narrow = page.put(&[first, 6, second, 5]);
        both((libc::SYS_readv, [reader, wide, 2, 0, 0]), (145, [reader, narrow, 2, 0, 0]));

        native(libc::SYS_socketpair, [1, 2, 0, pair, 0]);
        let [one, other] = numbers(pair);
        let data = (page.put(&[u64::from(hello), 6, u64::from(world), 5]), page.put(&[hello, 6, world, 5]));
        let wide = page.put(&[0, 0, u64::from(data.0), 2, 0, 0, 0]);
        let narrow = page.put(&[0, 0, data.1, 2, 0, 0, 0]);
        both((libc::SYS_sendmsg, [one, wide, 0, 0, 0]), (370, [one, narrow, 0, 0, 0]));
        let room = (page.put(&[u64::from(first), 6, u64::from(second), 5]), page.put(&[first, 6, second, 5]));
        let wide = page.put(&[0, 0, u64::from(room.0), 2, 0, 0, 0]);
        let narrow = page.put(&[0, 0, room.1, 2, 0, 0, 0]);
        both((libc::SYS_recvmsg, [other, wide, 0, 0, 0]), (372, [other, narrow, 0, 0, 0]));
        let wide =
            page.put(&[0, 0, u64::from(data.0), 2, 0, 0, 0, 0, 0, 0, u64::from(data.0), 1, 0, 0, 0, 0]);
        let narrow = page.put(&[0, 0, data.1, 2, 0, 0, 0, 0, 0, 0, data.1, 1, 0, 0, 0, 0]);
        both((libc::SYS_sendmmsg, [one, wide, 2, 0, 0]), (345, [one, narrow, 2, 0, 0]));
        let sets = (page.put(&[1u64 << other]), page.put(&[1u32 << other]));
        let count = other + 1;
        both((libc::SYS_select, [count, sets.0, 0, 0, 0]), (142, [count, sets.1, 0, 0, 0]));
    }

    pub fn numbers(address: u32) -> [u32; 2] {
        // SAFETY: of the page.
        unsafe { *(address as usize as *const [u32; 2]) }
    }
}
