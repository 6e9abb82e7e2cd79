//! Which call it was: numbers that no call has are recorded as such, and what happens in a call names it.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::host::{count, ensure, events, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("calls_of_unknown_numbers_are_recorded_with_number_and_result", unknown_calls_are_recorded),
    ("sys_enter_and_sys_exit_name_calls_and_nothing_else", every_call_is_named_by_its_number),
    ("hooks_name_the_call_that_they_happen_in", hooks_name_the_call_that_they_happen_in),
];

/// First argument: make the calls and leave.
pub const RUN: &str = "--make-calls-of-unknown-numbers";

/// Of no call; of an event that is no call; the last one of the table; of x32, which most kernels are built without.
const NUMBERS: [i64; 4] = [600, 1000, 511, 0x4000_0000 | 521];

const ENOSYS: i64 = -38;

pub fn run() -> ! {
    for (at, number) in NUMBERS.into_iter().enumerate() {
        // Whole registers: of a narrower argument on the stack the upper half is whatever stood there.
        let [a, b, c, d, e] = [2i64, 3, 4, 5, 6];
        // SAFETY: the kernel refuses the number, or the call is ptrace with a request that there is not.
        unsafe { libc::syscall(number, 4_711 + at, a, b, c, d, e) };
    }
    std::process::exit(0)
}

fn rows(options: &[&str]) -> Result<Vec<Value>, Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("this test's path is not UTF-8")?;
    let dir = scratch()?;
    let file = record(dir.path(), options, &[program, RUN])?;
    events(&file, &["-f", &format!("binary={program}")])
}

fn argument<'a>(row: &'a Value, name: &str) -> &'a Value {
    let mut all = row["args"].as_array().into_iter().flatten();
    all.find(|one| one["name"] == name).map_or(&Value::Null, |one| &one["value"])
}

fn unknown_calls_are_recorded() -> Result<(), Failed> {
    for options in [&["--events", "syscalls"][..], &["--events", "unknown_syscall"]] {
        let rows = rows(options)?;
        let unknown: Vec<_> = rows.iter().filter(|row| row["eventName"] == "unknown_syscall").collect();
        let told: Vec<_> = unknown
            .iter()
            .map(|row| (argument(row, "number").as_i64(), row["returnValue"].as_i64()))
            .collect();
        let made = NUMBERS.map(|number| (Some(number), Some(ENOSYS))).to_vec();
        same("numbers and results", told, made)?;
        same("the first argument", argument(unknown[1], "arg0"), &json!(4_712))?;
        same("the last argument", argument(unknown[1], "arg5"), &json!(6))?;
    }
    Ok(())
}

fn every_call_is_named_by_its_number() -> Result<(), Failed> {
    let rows = rows(&["--events", "sys_enter,sys_exit"])?;
    for event in ["sys_enter", "sys_exit"] {
        let of_event: Vec<_> = rows.iter().filter(|row| row["eventName"] == event).collect();
        for number in NUMBERS {
            let row = of_event.iter().find(|row| argument(row, "number") == &json!(number));
            let row = row.ok_or_else(|| format!("{event}: no row of {number}"))?;
            let is_x32 = number > 0x4000_0000;
            let named = if is_x32 { json!(101) } else { Value::Null };
            same(&format!("{event}: the call of {number}"), argument(row, "syscall"), &named)?;
        }
        let writes = of_event.iter().any(|row| argument(row, "syscall") == &json!(231));
        ensure(writes || event == "sys_exit", || format!("{event}: no exit_group among {}", of_event.len()))?;
    }
    Ok(())
}

/// What happens in a call names it, and is asked for by it.
fn hooks_name_the_call_that_they_happen_in() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["sh", "-c", "ls / > /dev/null; kill -0 $$"])?;
    let rows = events(
        &file,
        &["-f", "event=security_file_open,sched_process_exec,sched_process_fork,signal_generate"],
    )?;
    let named = |event: &str, call: &str| {
        rows.iter().filter(|row| row["eventName"] == event && row["syscall"] == call).count()
    };
    ensure(named("security_file_open", "openat") > 0, || "no open in openat".to_owned())?;
    ensure(named("sched_process_exec", "execve") > 0, || "no exec in execve".to_owned())?;
    let unnamed = |event: &str| named(event, "");
    same("execs and opens in no call", unnamed("sched_process_exec") + unnamed("security_file_open"), 0)?;
    ensure(rows.iter().all(|row| row["returnValue"] == 0), || "a hook has a result".to_owned())?;
    let opens = rows.iter().filter(|row| row["eventName"] == "security_file_open").count() as u64;
    let in_call = |call: &str| count(&file, &["-f", &format!("security_file_open.context.syscall={call}")]);
    same("opens by calls", in_call("open*")? + in_call("creat")? + in_call("execve")?, opens)
}
