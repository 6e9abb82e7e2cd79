//! Tests on the running kernel: they record for real, so they need root and BTF. Without, each is reported as ignored.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod acts;
mod artifacts;
mod behaviours;
mod bounded;
mod clocks;
mod compat;
mod containers;
mod cpus;
mod created;
mod credentials;
mod cut;
mod debugging;
mod descriptors;
mod disk;
#[path = "../docker/mod.rs"]
mod docker;
mod drains;
mod evidence;
mod execs;
mod facts;
mod faults;
mod filters;
mod flight;
mod hashes;
mod host;
mod identity;
mod io_uring;
mod judge;
mod killed;
mod logs;
mod losses;
mod masks;
mod memory;
mod multiplexed;
mod narrow;
mod numbers;
mod only_matched;
mod origins;
mod output;
mod overlap;
mod paths;
mod policies;
mod privileges;
mod pty;
mod recording;
mod reuse;
mod runtimes;
mod seccomp;
mod sets;
mod stand_ins;
mod state;
mod story;
mod strace;
mod strict;
mod timing;
mod uploads;
mod walk;
mod watch;
mod watch_rules;
mod workload;

use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

type Test = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    if std::env::args().nth(1).as_deref() == Some(compat::RUN) {
        compat::run();
    }
    if std::env::args().nth(1).as_deref() == Some(numbers::RUN) {
        numbers::run();
    }
    if std::env::args().nth(1).as_deref() == Some(stand_ins::RUN) {
        stand_ins::run();
    }
    let name = std::env::args_os().next().unwrap_or_default();
    if std::path::Path::new(&name).file_name().is_some_and(|name| name == uploads::PROGRAM) {
        uploads::upload();
    }
    match std::env::args().nth(1).as_deref() {
        Some(bounded::RENAME) => return bounded::rename(),
        Some(faults::THREADS) => return faults::threads(),
        _ => {}
    }
    let own: Vec<String> = std::env::args().collect();
    if let [_, flag, folder] = own.as_slice()
        && flag == io_uring::RUN
    {
        io_uring::run(folder);
    }
    if let [_, flag, folder] = own.as_slice()
        && flag == "--use-descriptors"
    {
        if let Err(error) = descriptors::run_program(folder) {
            eprintln!("{error}");
            std::process::exit(1);
        }
        return;
    }
    if let [_, flag, what, seconds] = own.as_slice()
        && flag == losses::RUN
    {
        losses::run(what, seconds);
    }
    if let [_, flag, act @ ..] = own.as_slice()
        && flag == acts::FLAG
    {
        acts::run(act);
    }
    let mut arguments = Arguments::from_args();
    // Each records the whole host: one that floods it would disturb the others' times.
    arguments.test_threads.get_or_insert(1);
    let obstacle = host::obstacle();
    if let Some(reason) = &obstacle {
        println!("live tests are skipped: {reason}");
    }
    let general = [
        recording::TESTS,
        losses::TESTS,
        cpus::TESTS,
        drains::TESTS,
        masks::TESTS,
        filters::TESTS,
        policies::TESTS,
        reuse::TESTS,
        only_matched::TESTS,
        evidence::TESTS,
        compat::TESTS,
        narrow::TESTS,
        multiplexed::TESTS,
        numbers::TESTS,
        io_uring::TESTS,
        stand_ins::TESTS,
        state::TESTS,
        facts::TESTS,
        credentials::TESTS,
        created::TESTS,
        origins::TESTS,
        logs::TESTS,
        story::TESTS,
        strace::TESTS,
        descriptors::TESTS,
        sets::TESTS,
        disk::TESTS,
        flight::TESTS,
        output::TESTS,
        paths::TESTS,
        identity::TESTS,
        seccomp::TESTS,
        execs::TESTS,
        artifacts::TESTS,
        hashes::TESTS,
        cut::TESTS,
        overlap::TESTS,
        strict::TESTS,
        timing::TESTS,
        uploads::TESTS,
        walk::TESTS,
        behaviours::TESTS,
        memory::TESTS,
        privileges::TESTS,
        bounded::TESTS,
        faults::TESTS,
        killed::TESTS,
        clocks::TESTS,
        watch::TESTS,
        watch_rules::TESTS,
    ]
    .concat();
    let groups = [
        (general, None),
        (debugging::TESTS.to_vec(), debugging::obstacle()),
        (containers::TESTS.to_vec(), docker::obstacle()),
        (runtimes::TESTS.to_vec(), docker::obstacle()),
        (origins::IN_CONTAINERS.to_vec(), docker::obstacle()),
        (bounded::LIMITED.to_vec(), bounded::limit_obstacle()),
        (killed::LONG.to_vec(), Some("takes a quarter of an hour".to_owned())),
        (cpus::HOTPLUG.to_vec(), cpus::hotplug_obstacle()),
    ];
    let trials = groups
        .into_iter()
        .flat_map(|(tests, lack)| {
            let obstacle = obstacle.clone().or(lack);
            tests.into_iter().map(move |(name, run)| {
                Trial::test(name, move || timed(name, run))
                    .with_kind(obstacle.clone().unwrap_or_default())
                    .with_ignored_flag(obstacle.is_some())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs a test, and says on stderr if it took long: what CI waits for should be seen there.
fn timed(name: &str, run: fn() -> Result<(), Failed>) -> Result<(), Failed> {
    let began = Instant::now();
    let outcome = run();
    let took = began.elapsed();
    if took > Duration::from_secs(5) {
        eprintln!("{name} took {} s", took.as_secs());
    }
    outcome
}
