//! Packets on the running kernel: recorded for real, held against tcpdump, and told with who sent them. Needs root and
//! BTF; without, each test is reported as ignored with the reason.
//!
//! This executable is the test, and the programs that send too: see [`traffic`].
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod containers;
#[path = "../docker/mod.rs"]
#[allow(dead_code)] // the tests of containers' names use the rest
mod docker;
mod flows;
mod host;
mod names;
mod owners;
mod streams;
mod traffic;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// Name, what it needs beside root, and the test.
struct Test {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn() -> Result<(), Failed>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && let Some(role) = traffic::role(first)
    {
        return match role(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let general = host::obstacle();
    let tests =
        [containers::TESTS, flows::TESTS, names::TESTS, owners::TESTS, streams::TESTS].into_iter().flatten();
    let trials = tests
        .map(|test| {
            let obstacle = general.clone().or_else(|| test.needs.iter().find_map(|need| host::lacks(need)));
            Trial::test(test.name, test.run)
                .with_kind(obstacle.clone().unwrap_or_default())
                .with_ignored_flag(obstacle.is_some())
        })
        .collect();
    let mut arguments = Arguments::from_args();
    // They share the loopback interface and the machine's root control group.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}
