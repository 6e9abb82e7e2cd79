//! Calls that write over what they were given: the argument at the exit is not what the kernel acted on.

use std::io;

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{check, name_self};
use crate::host::{act, marks, path, record, same, scratch};

pub const TESTS: &[Test] = &[("a_call_that_writes_over_its_own_arguments_is_marked", written_over)];

fn written_over() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("write-over-arguments", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    for (call, of) in [("stat", 4), ("readlink", 2)] {
        let rows = marks(&file, call, "overlaps")?;
        let marked: Vec<bool> = rows.iter().map(|marks| marks.has(Marks::OVERLAP)).collect();
        // The first ones lie side by side to the byte.
        let mut expected = vec![false; of / 2];
        expected.extend(vec![true; of / 2]);
        same(call, marked, expected)?;
    }
    Ok(())
}

pub fn write_over_arguments(_: &str) -> io::Result<()> {
    const STAT_BYTES: usize = size_of::<libc::stat>();
    name_self("overlaps")?;
    let mut room = [0u8; 1024];
    let base = room.as_mut_ptr();
    let put = |at: usize, text: &[u8]| {
        // SAFETY: within the room.
        unsafe {
            base.add(at).write_bytes(0, 64);
            base.add(at).copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
    };
    // SAFETY: buffers within the room, which is large enough for each of these.
    unsafe {
        let stat =
            |path: usize, at: usize| check(libc::syscall(libc::SYS_stat, base.add(path), base.add(at)));
        // Before the path, behind it, on it, and in its middle.
        put(STAT_BYTES, b"/etc/passwd\0");
        stat(STAT_BYTES, 0)?;
        put(0, b"/etc/passwd\0");
        stat(0, 12)?;
        put(0, b"/etc/passwd\0");
        stat(0, 0)?;
        put(0, b"/etc/passwd\0");
        stat(0, 5)?;
        let read_link = |path: usize, at: usize| {
            check(libc::syscall(libc::SYS_readlink, base.add(path), base.add(at), 256))
        };
        put(0, b"/proc/self/exe\0");
        read_link(0, 15)?;
        put(0, b"/proc/self/exe\0");
        read_link(0, 0)?;
    }
    Ok(())
}
