//! `record --strict`: what somebody changes between the entry and the exit of a call is marked, and nothing else is.

use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{c_string, check, name_self};
use crate::host::{act, ensure, events, marks, path, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("what_is_changed_while_a_call_waits_is_marked", changed_meanwhile),
    ("a_racing_thread_that_swaps_a_path_is_found_out", raced),
];

/// Long enough for both threads to run at once on a busy machine.
const RACE: Duration = Duration::from_secs(2);

fn changed_meanwhile() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("change-what-is-given", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &["--strict"], &program)?;
    // Each first as it should be, then with a thread that changes what was given.
    for (call, comm) in [("open", "opens"), ("write", "writes"), ("writev", "gathers"), ("read", "reads")] {
        let rows: Vec<(bool, bool)> = marks(&file, call, comm)?
            .iter()
            .map(|marks| (marks.has(Marks::CHANGED), marks.has(Marks::UNCOMPARED)))
            .collect();
        same(call, rows, vec![(false, false), (true, false)])?;
    }
    // People ask for it by its name.
    let rows = events(&file, &["-f", "comm=opens", "-f", "open.changed"])?;
    same("rows that are asked for", rows.len(), 1)?;
    // All that this program and others did untouched stays unmarked.
    let all = marks(&file, "openat", "")?;
    let changed = all.iter().filter(|marks| marks.has(Marks::CHANGED)).count();
    same("openat that nobody touched", changed, 0)?;
    let plain = record(dir.path(), &[], &program)?;
    let either = |marks: &Marks| marks.has(Marks::CHANGED | Marks::UNCOMPARED);
    same("without --strict", marks(&plain, "open", "opens")?.iter().filter(|it| either(it)).count(), 0)
}

fn raced() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("swap-a-path", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    for transport in ["region", "ringbuf"] {
        let options = ["--strict", "--transport", transport, "--only-matched", "-f", "comm=races"];
        let file = record(dir.path(), &options, &program)?;
        let rows = marks(&file, "access", "races")?;
        let changed = rows.iter().filter(|marks| marks.has(Marks::CHANGED)).count();
        let uncompared = rows.iter().filter(|marks| marks.has(Marks::UNCOMPARED)).count();
        ensure(changed > 0, || format!("{transport}: no swap in {} calls was found out", rows.len()))?;
        // Another thread of an equal number may have come between, or a write may have been under way at an entry.
        ensure(uncompared < rows.len() / 100, || format!("{transport}: {uncompared} were not compared"))?;
    }
    Ok(())
}

/// A place that two threads write, as a process may.
#[derive(Clone, Copy)]
struct Shared(*mut u8);
// SAFETY: that it is written while the kernel reads it is what is tested.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn put(self, bytes: &[u8]) {
        // SAFETY: a page, which is larger.
        unsafe { self.0.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
}

fn page() -> io::Result<Shared> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    check(if page == libc::MAP_FAILED { -1 } else { 0 })?;
    Ok(Shared(page.cast()))
}

/// Does `meanwhile` once the call of this thread waits.
fn waiting<T>(call: impl FnOnce() -> T, meanwhile: impl FnOnce() + Send) -> T {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            meanwhile();
        });
        call()
    })
}

pub fn change_what_is_given(folder: &str) -> io::Result<()> {
    let room = page()?;
    let fifo = c_string(&format!("{folder}/fifo"))?;
    // Of a recording before this one.
    // SAFETY: strings with their NULs.
    unsafe {
        libc::unlink(fifo.as_ptr());
        check(libc::mkfifo(fifo.as_ptr(), 0o600).into())?;
    }
    let innocent = c_string(&format!("{folder}/innocent"))?;
    for change in [false, true] {
        let (fifo, innocent) = (&fifo, &innocent);
        room.put(fifo.as_bytes_with_nul());
        name_self("opens")?;
        // SAFETY: a string in the page, one of this function, and a descriptor that was opened.
        let reader = waiting(
            || check(unsafe { libc::syscall(libc::SYS_open, room.0, libc::O_RDONLY) }),
            move || {
                let _ = name_self("meanwhile");
                if change {
                    room.put(innocent.as_bytes_with_nul());
                }
                // SAFETY: a string with its NUL, and a descriptor of ours.
                unsafe { libc::close(libc::open(fifo.as_ptr(), libc::O_WRONLY)) };
            },
        )?;
        name_self("between")?;
        // SAFETY: a descriptor of ours.
        unsafe { libc::close(reader as i32) };
    }
    const PIPE: usize = 65_536;
    let full = || -> io::Result<(std::io::PipeReader, std::io::PipeWriter)> {
        let (reader, mut writer) = std::io::pipe()?;
        io::Write::write_all(&mut writer, &[0; PIPE])?;
        Ok((reader, writer))
    };
    let vector = libc::iovec { iov_base: room.0.cast(), iov_len: 64 };
    for name in ["writes", "gathers"] {
        for change in [false, true] {
            let (mut reader, writer) = full()?;
            room.put(&[b'a'; 64]);
            name_self(name)?;
            // SAFETY: bytes of the page.
            let written = waiting(
                || unsafe {
                    if name == "writes" {
                        libc::write(writer.as_raw_fd(), room.0.cast(), 64)
                    } else {
                        libc::writev(writer.as_raw_fd(), &raw const vector, 1)
                    }
                },
                move || {
                    let _ = name_self("meanwhile");
                    if change {
                        room.put(b"another text");
                    }
                    let _ = io::Read::read_exact(&mut reader, &mut [0; PIPE]);
                    // Open until the writer has come to its end.
                    std::thread::sleep(Duration::from_millis(50));
                },
            );
            name_self("between")?;
            check(written as i64)?;
        }
    }
    // What its descriptor stands for: another file by the end of the call.
    let devnull = std::fs::File::open("/dev/null")?;
    for change in [false, true] {
        let (reader, mut writer) = std::io::pipe()?;
        let (number, other) = (reader.as_raw_fd(), devnull.as_raw_fd());
        let mut byte = [0u8; 1];
        name_self("reads")?;
        // SAFETY: descriptors of ours.
        let read = waiting(
            || unsafe { libc::read(number, byte.as_mut_ptr().cast(), 1) },
            move || {
                let _ = name_self("meanwhile");
                if change {
                    // SAFETY: descriptors of ours.
                    unsafe { libc::dup2(other, number) };
                }
                let _ = io::Write::write_all(&mut writer, b"x");
            },
        );
        name_self("between")?;
        check(read as i64)?;
    }
    Ok(())
}

/// Keeps this thread on one CPU; where there is no such CPU, it stays where it is.
fn run_on(cpu: usize) {
    // SAFETY: a set of this function.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

pub fn swap_a_path(_: &str) -> io::Result<()> {
    let room = page()?;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_done = &is_done;
        scope.spawn(move || {
            run_on(0);
            while !is_done.load(Ordering::Relaxed) {
                room.put(b"/etc/passwd\0");
                room.put(b"/etc/shadow\0");
            }
        });
        name_self("races")?;
        run_on(1);
        let begun = std::time::Instant::now();
        while begun.elapsed() < RACE {
            // SAFETY: a string in the page, which never lacks its NUL.
            unsafe { libc::syscall(libc::SYS_access, room.0, libc::F_OK) };
        }
        name_self("between")?;
        is_done.store(true, Ordering::Relaxed);
        Ok(())
    })
}
