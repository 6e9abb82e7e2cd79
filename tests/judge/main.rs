//! strace as the judge: one program that makes nearly every system call runs under strace and under a recording at
//! once, and every call, argument and result that strace shows must be in the capture and equal.
//!
//! This executable is the test, and the program too: see [`workload`]. With `JUDGE_KEEP=DIRECTORY` the log, the capture
//! and the report are left there.

mod calls;
mod cases;
mod compare;
mod errnos;
mod exceptions;
mod held;
mod layouts;
mod lines;
mod members;
mod recording;
mod shown;
mod verdict;
mod workload;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(workload::LEAVE) => return ExitCode::SUCCESS,
        Some(workload::RUN) => {
            return match workload::run(&arguments.next().unwrap_or_default()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        _ => {}
    }
    let mut trials: Vec<Trial> = cases::CASES
        .iter()
        .map(|(name, case)| {
            Trial::test(*name, move || {
                case();
                Ok(())
            })
        })
        .collect();
    let obstacle = recording::obstacle();
    trials.push(
        Trial::test("what_strace_shows_is_in_the_capture", recording::judge)
            .with_kind(obstacle.unwrap_or_default())
            .with_ignored_flag(obstacle.is_some()),
    );
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
