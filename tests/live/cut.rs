//! What was cut says so: nothing ends where the recorder stopped reading without a mark.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{c_string, check, name_self};
use crate::host::{TRACER, act, count, ensure, events, info, marks, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("an_argument_that_was_cut_is_marked_as_cut", padded_command_line),
    ("every_kind_of_cut_is_told_everywhere", every_kind),
    ("lists_are_kept_as_far_as_is_asked_for", bounds_of_lists),
];

fn padded_command_line() -> Result<(), Failed> {
    let dir = scratch()?;
    let padding = "A".repeat(100_000);
    let file = record(dir.path(), &[], &["true", &padding, "--evil"])?;
    let cut =
        |file: &Path, event: &str| count(file, &["-f", "comm=true", "-f", &format!("{event}.argv.cut")]);
    for event in ["execve", "sched_process_exec"] {
        // The span of a process's arguments is taken as a whole, each of a call's as a string.
        same(event, cut(&file, event)?, u64::from(event == "execve"))?;
    }
    // Ordinary work is whole: many arguments, and long ones, as many as `xargs` gives.
    let many: Vec<String> =
        (0..3000).map(|number| format!("--argument-{number}=aaaaaaaaaaaaaaaaaaaaaaaa")).collect();
    let file = dir.path().join("whole.trz");
    let status =
        Command::new(TRACER).args(["record", "-o", path(&file)?, "--", "true"]).args(&many).status()?;
    ensure(status.success(), || format!("{status}"))?;
    for event in ["execve", "sched_process_exec"] {
        same("marked", cut(&file, event)?, 0)?;
        let rows = marks(&file, event, "true")?;
        ensure(!rows.is_empty(), || format!("no {event}"))?;
    }
    Ok(())
}

/// What the act below has cut, with the bounds that the test sets.
const CUT: &[(&str, &str)] = &[
    ("openat", "pathname"),
    ("write", "buf"),
    ("writev", "iov"),
    ("sendmsg", "msg"),
    ("execve", "argv"),
    ("execve", "envp"),
    ("sched_process_exec", "argv"),
    ("sched_process_exec", "env"),
    ("net_packet", "data"),
];

const BOUNDS: &[&str] = &["--string-bound", "64", "--list-bytes", "4096", "--snaplen", "64", "--env"];

fn every_kind() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("have-all-cut", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), BOUNDS, &program)?;
    let told = info(&file)?;
    same("the bound that is told", told["list_bytes"].as_u64(), Some(4096))?;
    let name = path(&file)?;
    for (event, arg) in CUT {
        let whole = format!("event={event}");
        let asked = ["-f", "comm=cutter,true", "-f", &whole, "-f", &format!("{event}.{arg}.cut")];
        let rows = events(&file, &asked)?;
        ensure(!rows.is_empty(), || format!("no {event}.{arg} is cut"))?;
        for row in &rows {
            let cut = row["marks"]["cut"].as_array().into_iter().flatten();
            ensure(cut.clone().any(|name| name == arg), || format!("{event}.{arg} in JSON: {row}"))?;
        }
        let table = tracer_ok(&[&["replay", name, "-o", "table"][..], &asked].concat())?;
        let is_told = |line: &str| {
            line.split_once(&format!("{arg}: ")).is_some_and(|(_, value)| value.contains("(cut)"))
        };
        ensure(table.lines().any(is_told), || format!("{event}.{arg} in a table:\n{table}"))?;
        let counted = told["marks"]["cut"][event].as_u64().unwrap_or(0);
        ensure(counted >= rows.len() as u64, || format!("{event} in info: {counted} of {}", rows.len()))?;
    }
    // One of two lists that is cut says nothing of the other one.
    let of = |filter: &str| count(&file, &["-f", "comm=true", "-f", filter]);
    let execs = of("event=sched_process_exec")?;
    same("execs", execs, 3)?;
    same("arguments that were cut", of("sched_process_exec.argv.cut")?, 2)?;
    same("environments", of("sched_process_exec.env.cut")?, 2)?;
    same(
        "both",
        count(
            &file,
            &["-f", "comm=true", "-f", "sched_process_exec.argv.cut", "-f", "sched_process_exec.env.cut"],
        )?,
        1,
    )
}

/// Has something of every kind cut.
pub fn have_all_cut(folder: &str) -> io::Result<()> {
    name_self("cutter")?;
    let long = c_string(&format!("{folder}/{}", "x".repeat(200)))?;
    // SAFETY: a string with its NUL; that there is no such file does not matter.
    unsafe { libc::openat(libc::AT_FDCWD, long.as_ptr(), libc::O_RDONLY) };
    let bytes = [b'b'; 1000];
    let nowhere = std::fs::File::options().write(true).open("/dev/null")?;
    let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the kernel reads the bytes, which live as long as the calls.
    unsafe {
        check(libc::write(nowhere.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) as i64)?;
        check(libc::writev(nowhere.as_raw_fd(), &raw const vector, 1) as i64)?;
    }
    let (one, _other) = UnixDatagram::pair()?;
    // SAFETY: zeroes are a message without a name, without vectors and without control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut vector, 1);
    // SAFETY: as above.
    check(unsafe { libc::sendmsg(one.as_raw_fd(), &raw const message, 0) } as i64)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.send_to(&bytes, socket.local_addr()?)?;
    // Many that are short: the bound of a list bites, not that of a string.
    let many: Vec<String> = (0..500).map(|number| format!("argument-{number}")).collect();
    for (has_arguments, has_environment) in [(true, false), (false, true), (true, true)] {
        let mut command = Command::new("true");
        command.env_clear();
        if has_arguments {
            command.args(&many);
        }
        if has_environment {
            command.envs(many.iter().map(|name| (name, "1")));
        }
        command.status()?;
    }
    Ok(())
}

fn bounds_of_lists() -> Result<(), Failed> {
    let dir = scratch()?;
    let short: Vec<String> = (0..9000).map(|number| number.to_string()).collect();
    let run = |name: &str, options: &[&str], arguments: &[String]| -> Result<(u64, u64), Failed> {
        let file = dir.path().join(name);
        let output = Command::new(TRACER)
            .args(["record", "-o", path(&file)?])
            .args(options)
            .args(["--", "true"])
            .args(arguments)
            .output()?;
        ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
        let of = |event: &str| count(&file, &["-f", "comm=true", "-f", &format!("{event}.argv.cut")]);
        Ok((of("execve")?, of("sched_process_exec")?))
    };
    // So many strings, and one more.
    same("8,192 strings", run("most.trz", &[], &short[..8191])?, (0, 0))?;
    // Of a process's own arguments only bytes count: they are one span.
    same("8,193 strings", run("more.trz", &[], &short[..8192])?, (1, 0))?;
    same("if asked for", run("all.trz", &["--list-strings", "32768"], &short)?, (0, 0))?;
    same("three of four", run("three.trz", &["--list-strings", "3"], &short[..3])?, (1, 0))?;
    // 300 KiB, each string as long as one may be.
    let long = vec!["l".repeat(4000); 75];
    same("300 KiB", run("cut.trz", &[], &long)?, (1, 1))?;
    same("if asked for", run("whole.trz", &["--list-bytes", "512K"], &long)?, (0, 0))?;
    same(
        "by the other transport",
        run("ring.trz", &["--list-bytes", "512K", "--transport", "ringbuf"], &long)?,
        (0, 0),
    )?;
    let refused = Command::new(TRACER).args(["record", "--list-bytes", "2M", "--", "true"]).output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure(!refused.status.success() && said.contains("from 4K to 896K"), || said)
}
