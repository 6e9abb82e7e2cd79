//! What was true once: names of hosts and descriptors are looked at again, or said to be remembered.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd as _;

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{check, name_self};
use crate::host::{act, count, ensure, marks, path, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("a_host_that_was_renamed_has_its_new_name", renamed_host),
    ("a_descriptor_that_was_given_anew_is_not_what_it_was", given_anew),
    ("times_of_files_are_times", times_of_files),
];

fn renamed_host() -> Result<(), Failed> {
    let dir = scratch()?;
    let mut command = vec!["unshare".to_owned(), "-u".to_owned()];
    command.extend(act("be-renamed", path(dir.path())?)?);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &command)?;
    let opened = |host: &str, name: &str| {
        count(
            &file,
            &[
                "-f",
                "comm=be-renamed",
                "-f",
                &format!("uts={host}"),
                "-f",
                &format!("openat.pathname=/etc/{name}"),
            ],
        )
    };
    for (host, name) in [("first-name", "passwd"), ("second-name", "group")] {
        same(name, opened(host, name)?, 1)?;
    }
    same("passwd", opened("second-name", "passwd")?, 0)
}

pub fn rename_host(_: &str) -> io::Result<()> {
    name_self("be-renamed")?;
    for (name, file) in [("first-name", "/etc/passwd"), ("second-name", "/etc/group")] {
        // SAFETY: bytes of that length.
        check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }.into())?;
        drop(File::open(file)?);
    }
    Ok(())
}

fn given_anew() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("reuse-descriptors", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    let closed = |fd: &str| count(&file, &["-f", "comm=reuses", "-f", &format!("close.fd={fd}")]);
    // Read, and closed by close; the others were closed otherwise.
    same("closes of passwd", closed("/etc/passwd")?, 1)?;
    for name in ["/etc/group", "/etc/hosts", "/etc/services"] {
        same(name, closed(name)?, 0)?;
    }
    let rows = marks(&file, "close", "reuses")?;
    ensure(rows.iter().any(|marks| marks.has(Marks::REMEMBERED)), || format!("close: {rows:?}"))?;
    ensure(!rows.iter().all(|marks| marks.has(Marks::REMEMBERED)), || format!("close: {rows:?}"))
}

/// Opens and reads a file at the lowest free number.
fn read(name: &str) -> io::Result<i32> {
    let file = File::open(name)?;
    let mut byte = [0];
    io::Read::read_exact(&mut &file, &mut byte)?;
    Ok(file.into_raw_fd())
}

pub fn reuse_descriptors(_: &str) -> io::Result<()> {
    name_self("reuses")?;
    // SAFETY: descriptors of our own.
    unsafe {
        libc::close(read("/etc/passwd")?);

        let fd = read("/etc/group")?;
        check(libc::syscall(libc::SYS_close_range, fd, fd, 0))?;
        let mut pair = [0; 2];
        check(libc::pipe(pair.as_mut_ptr()).into())?;
        assert_eq!(pair[0], fd);
        let _ = pair.map(|fd| libc::close(fd));

        // What a message passes, or another thread puts there, is found when it is used; a pair is given here and now.
        let fd = read("/etc/hosts")?;
        check(libc::syscall(libc::SYS_close_range, fd, fd, 0))?;
        check(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()).into())?;
        assert_eq!(pair[0], fd);
        let _ = pair.map(|fd| libc::close(fd));

        let fd = read("/etc/services")?;
        check(libc::dup2(0, fd).into())?;
        libc::close(fd);
    }
    Ok(())
}

/// Kernels from 6.13 on keep a flag beside the nanoseconds.
fn times_of_files() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["sh", "-c", "stat /bin/true /etc/passwd; cat /etc/passwd; true"])?;
    let rows = crate::host::events(&file, &["-f", "event=security_file_open,sched_process_exec"])?;
    let mut known = 0;
    for row in &rows {
        let arguments = row["args"].as_array().into_iter().flatten();
        let value = |name: &str| {
            let mut found = arguments.clone().filter(|one| one["name"] == name);
            found.next().map(|one| one["value"].clone()).unwrap_or_default()
        };
        let Some(name) = value("pathname").as_str().map(str::to_owned) else { continue };
        let (Some(told), Ok(now)) = (value("ctime").as_u64(), std::fs::metadata(&name)) else { continue };
        use std::os::unix::fs::MetadataExt as _;
        if name.starts_with("/etc/passwd") || name.starts_with("/usr/bin/") {
            same(&name, told, now.ctime() as u64 * 1_000_000_000 + now.ctime_nsec() as u64)?;
            known += 1;
        }
    }
    ensure(known > 3, || format!("only {known} files in {rows:#?}"))
}
