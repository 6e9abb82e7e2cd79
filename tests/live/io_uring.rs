//! What is done by way of an io_uring has names, descriptors and results, and is told to the hooks like any other deed.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{count, ensure, events, path, record, same, scratch};

pub const TESTS: &[Test] = &[("what_an_io_uring_does_has_its_names_and_results", names_and_results)];

/// First argument: work in the folder that is the second one.
pub const RUN: &str = "--use-an-io-uring";

const NO_RING: i32 = 77;

fn names_and_results() -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("this test's path is not UTF-8")?;
    let dir = scratch()?;
    let (trial, folder) = (dir.path().join("trial"), dir.path().join("work"));
    std::fs::create_dir(&trial)?;
    std::fs::create_dir(&folder)?;
    let folder = path(&folder)?;
    if std::process::Command::new(program).args([RUN, path(&trial)?]).status()?.code() == Some(NO_RING) {
        println!("what_an_io_uring_does_has_its_names_and_results: this kernel gives no io_uring");
        return Ok(());
    }
    let file = record(dir.path(), &[], &[program, RUN, folder])?;
    let rows = events(&file, &["-f", &format!("binary={program}")])?;
    let argument = |row: &Value, name: &str| -> Value {
        let mut all = row["args"].as_array().into_iter().flatten();
        all.find(|one| one["name"] == name).map_or(Value::Null, |one| one["value"].clone())
    };
    let text = |row: &Value, name: &str| argument(row, name).as_str().unwrap_or_default().to_owned();
    let of = |event: &str| rows.iter().filter(|row| row["eventName"] == event).collect::<Vec<_>>();

    // Operation, name and other name as they were given, and whether it came to something.
    let told = |event: &str| -> Vec<_> {
        let rows = of(event);
        let named = rows
            .iter()
            .map(|row| (argument(row, "opcode").as_u64(), text(row, "pathname"), text(row, "new_pathname")));
        named.collect()
    };
    let name = |text: &str| text.to_owned();
    let made = vec![
        (Some(18), name("opened"), name("")),
        (Some(35), name("opened"), name("renamed")),
        (Some(36), name("renamed"), name("")),
        (Some(18), name("missing"), name("")),
        (Some(35), name("before"), name("after")),
        (Some(16), name(""), name("")),
    ];
    same("submissions", told("io_uring_submit_req"), made.clone())?;
    same("completions", told("io_uring_complete"), made)?;
    let results: Vec<_> = of("io_uring_complete").iter().map(|row| row["returnValue"].as_i64()).collect();
    ensure(results[0] >= Some(3), || format!("the open came to {results:?}"))?;
    same("results", &results[1..], &[Some(0), Some(0), Some(-2), Some(0), Some(-111)])?;
    same("where the name begins", argument(of("io_uring_submit_req")[0], "fd"), serde_json::json!(-100))?;
    // The unlink's directory, by its path; that of the others is none of their own.
    for event in ["io_uring_submit_req", "io_uring_complete"] {
        let of_folder = format!("{event}.fd={folder}");
        same("operations on the folder", count(&file, &["-f", &of_folder])?, 1)?;
    }

    let inside = |name: &str| format!("{folder}/{name}");
    let opens = of("security_file_open");
    ensure(opens.iter().any(|row| text(row, "pathname") == inside("opened")), || "no open".to_owned())?;
    let renames = of("security_inode_rename");
    let paths: Vec<_> = renames.iter().map(|row| (text(row, "old_path"), text(row, "new_path"))).collect();
    let renamed = [("opened", "renamed"), ("before", "after")];
    same("renames", paths, renamed.map(|(old, new)| (inside(old), inside(new))).to_vec())?;
    // A file of the folder that was renamed, which stayed open, has another path from then on.
    for name in ["before/kept", "after/kept"] {
        same(name, count(&file, &["-f", &format!("write.fd={}", inside(name))])?, 1)?;
    }
    let unlinks: Vec<_> = of("security_inode_unlink").iter().map(|row| text(row, "pathname")).collect();
    same("unlinks", unlinks, vec![inside("renamed")])?;
    let connects = of("security_socket_connect");
    ensure(connects.len() == 1, || format!("{} connects", connects.len()))?;
    let address = argument(connects[0], "remote_addr");
    ensure(address["sin_addr"] == "127.0.0.1", || format!("a connect to {address}"))
}

pub fn run(folder: &str) -> ! {
    let code = match work(Path::new(folder)) {
        Ok(()) => 0,
        Err(error) if error.raw_os_error().is_some_and(|e| e == libc::ENOSYS || e == libc::EPERM) => NO_RING,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    };
    std::process::exit(code)
}

/// One operation, as the kernel's `struct io_uring_sqe` has it.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Entry {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    op_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const AT_FDCWD: i32 = -100;

fn work(folder: &Path) -> std::io::Result<()> {
    use std::os::fd::AsRawFd as _;

    std::env::set_current_dir(folder)?;
    let directory = std::fs::File::open(".")?;
    let ring = Ring::new()?;
    let (opened, renamed, missing) = (c"opened", c"renamed", c"missing");
    let address = |text: &std::ffi::CStr| text.as_ptr() as u64;
    ring.run(Entry {
        opcode: 18,
        fd: AT_FDCWD,
        address: address(opened),
        length: 0o600,
        op_flags: (libc::O_RDWR | libc::O_CREAT) as u32,
        ..Entry::default()
    })?;
    ring.run(Entry {
        opcode: 35,
        fd: AT_FDCWD,
        address: address(opened),
        length: AT_FDCWD as u32,
        offset: address(renamed),
        ..Entry::default()
    })?;
    ring.run(Entry { opcode: 36, fd: directory.as_raw_fd(), address: address(renamed), ..Entry::default() })?;
    ring.run(Entry { opcode: 18, fd: AT_FDCWD, address: address(missing), ..Entry::default() })?;
    std::fs::create_dir("before")?;
    let mut kept = std::fs::File::create("before/kept")?;
    std::io::Write::write_all(&mut kept, b"x")?;
    ring.run(Entry {
        opcode: 35,
        fd: AT_FDCWD,
        address: address(c"before"),
        length: AT_FDCWD as u32,
        offset: address(c"after"),
        ..Entry::default()
    })?;
    std::io::Write::write_all(&mut kept, b"y")?;
    // SAFETY: a call without pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    // 127.0.0.1:1, where nobody listens.
    let peer: [u8; 16] = [2, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    ring.run(Entry { opcode: 16, fd: socket, address: peer.as_ptr() as u64, offset: 16, ..Entry::default() })
}

struct Ring {
    fd: i32,
    submissions: *mut u8,
    entries: *mut Entry,
    tail: usize,
    array: usize,
}

impl Ring {
    fn new() -> std::io::Result<Ring> {
        // `struct io_uring_params`: 120 bytes, the offsets of the submissions' ring from byte 40 on.
        let mut parameters = [0u32; 30];
        // SAFETY: room for all that the kernel writes.
        let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) } as i32;
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let (tail, array) = (parameters[11] as usize, parameters[16] as usize);
        let map = |length: usize, offset: i64| {
            let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
            // SAFETY: new memory.
            unsafe { libc::mmap(std::ptr::null_mut(), length, rights, kind, fd, offset) }.cast::<u8>()
        };
        let submissions = map(array + 4 * parameters[0] as usize, 0);
        let entries = map(64 * parameters[0] as usize, 0x1000_0000).cast();
        Ok(Ring { fd, submissions, entries, tail, array })
    }

    /// Submits one operation and waits for its end.
    fn run(&self, entry: Entry) -> std::io::Result<()> {
        // SAFETY: the rings are as large as the kernel said, and nobody else writes to them.
        unsafe {
            let tail = self.submissions.add(self.tail).cast::<std::sync::atomic::AtomicU32>();
            let now = (*tail).load(std::sync::atomic::Ordering::Relaxed);
            let at = now & 3;
            self.entries.add(at as usize).write(entry);
            self.submissions.add(self.array).cast::<u32>().add(at as usize).write(at);
            (*tail).store(now + 1, std::sync::atomic::Ordering::Release);
            const GET_EVENTS: u32 = 1;
            let no_mask = std::ptr::null::<u8>();
            // Nobody takes the ends of operations out of their ring: there are as many as there were operations.
            let ended = now + 1;
            if libc::syscall(libc::SYS_io_uring_enter, self.fd, 1, ended, GET_EVENTS, no_mask, 0usize) < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    }
}
