//! Execs have the arguments that they were given, whoever else execs beside them and by whichever call.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::acts::{c_string, check, name_self, wait_for};
use crate::host::{act, count, ensure, events, marks, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("an_exec_beside_a_failing_one_has_its_own_arguments", beside_failures),
    ("an_execveat_is_told_as_one_and_when_it_happens", from_memory),
    ("an_execveat_is_told_where_no_execve_is_recorded", from_memory_alone),
];

const EXECS: u64 = 100;

fn beside_failures() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("exec-beside-failures", "/")?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &["-e", "execve,sched_process_exec", "--buffer", "64M"], &program)?;
    let asked = |filter: &str| count(&file, &["-f", "execve.retval=0", "-f", "comm=true", "-f", filter]);
    same("with their path", asked("execve.pathname=/bin/true")?, EXECS)?;
    same("with another", asked("execve.pathname!=/bin/true")?, 0)?;
    let rows = events(&file, &["-f", "execve.retval=0", "-f", "comm=true"])?;
    for row in &rows {
        same("argv", argument(row, "argv"), Value::from(vec!["true", "secretarg"]))?;
    }
    same("rows", rows.len() as u64, EXECS)
}

fn argument(row: &Value, name: &str) -> Value {
    let arguments = row["args"].as_array().into_iter().flatten();
    arguments.filter(|one| one["name"] == name).map(|one| one["value"].clone()).next().unwrap_or_default()
}

pub fn exec_beside_failures(_: &str) -> io::Result<()> {
    let (program, missing) = (c_string("/bin/true")?, c_string("/nonexistent")?);
    let (name, secret) = (c_string("true")?, c_string("secretarg")?);
    let argv = [name.as_ptr(), secret.as_ptr(), std::ptr::null()];
    let other = [missing.as_ptr(), std::ptr::null()];
    let nothing = [std::ptr::null::<libc::c_char>()];
    for _ in 0..EXECS {
        // SAFETY: the child starts a thread and execs; all strings are there until it does.
        let child = check(unsafe { libc::fork() }.into())?;
        if child == 0 {
            let (missing, other, nothing) =
                (missing.as_ptr() as usize, other.as_ptr() as usize, nothing.as_ptr() as usize);
            std::thread::spawn(move || {
                loop {
                    // SAFETY: as above.
                    unsafe { libc::execve(missing as *const _, other as *const _, nothing as *const _) };
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(1000));
            // SAFETY: as above.
            unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), nothing as *const _) };
            std::process::exit(1);
        }
        wait_for(child)?;
    }
    Ok(())
}

/// Checks the rows of a program that was run from memory.
fn told_once(file: &std::path::Path) -> Result<(), Failed> {
    let rows = events(file, &["-f", "execveat.retval=0", "-f", "event=execveat"])?;
    let own: Vec<&Value> =
        rows.iter().filter(|row| argument(row, "argv") == Value::from(vec!["fakename", "3"])).collect();
    let [row] = own.as_slice() else { return Err(format!("not one execveat: {rows:#?}").into()) };
    same("pathname", argument(row, "pathname"), Value::from(""))?;
    let descriptor = argument(row, "dirfd");
    ensure(!descriptor.is_null(), || format!("dirfd: {row}"))?;
    // Neither marked as state, nor without a result: it is asked for like any event.
    let marks = marks(file, "execveat", "")?;
    ensure(
        marks
            .iter()
            .any(|marks| !marks.has(events::Marks::STATE_ONLY) && !marks.has(events::Marks::AT_ENTRY)),
        || format!("marks: {marks:?}"),
    )
}

fn from_memory() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("exec-from-memory", "/")?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    told_once(&file)?;
    let rows = events(&file, &["-f", "execve.retval=0", "-f", "event=execve"])?;
    let shifted = rows
        .iter()
        .filter(|row| argument(row, "pathname").as_str().is_none_or(|path| path.starts_with("0x")));
    same("execves that are none", shifted.count(), 0)
}

fn from_memory_alone() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("exec-from-memory", "/")?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    told_once(&record(dir.path(), &["-e", "execveat"], &program)?)
}

/// Leaves the program running: its exec is told before it ends.
pub fn exec_from_memory(_: &str) -> io::Result<()> {
    name_self("before")?;
    let program = fs::read("/bin/sleep")?;
    let (name, empty) = (c_string("memory")?, c_string("")?);
    let (argument, time) = (c_string("fakename")?, c_string("3")?);
    let argv = [argument.as_ptr(), time.as_ptr(), std::ptr::null()];
    let nothing = [std::ptr::null::<libc::c_char>()];
    // SAFETY: strings with their NUL; the descriptor is ours alone.
    unsafe {
        let memory = check(libc::memfd_create(name.as_ptr(), 0).into())? as i32;
        use std::os::fd::FromRawFd as _;
        let mut file = fs::File::from_raw_fd(memory);
        io::Write::write_all(&mut file, &program)?;
        if check(libc::fork().into())? == 0 {
            libc::syscall(
                libc::SYS_execveat,
                file.as_raw_fd(),
                empty.as_ptr(),
                argv.as_ptr(),
                nothing.as_ptr(),
                libc::AT_EMPTY_PATH,
            );
            std::process::exit(1);
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    Ok(())
}
