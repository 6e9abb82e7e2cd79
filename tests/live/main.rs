//! Tests on the running kernel: they record for real, so they need root and BTF. Without, each is reported as ignored.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod compat;
mod evidence;
mod host;
mod masks;
mod recording;

use libtest_mimic::{Arguments, Failed, Trial};

type Test = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    if std::env::args().nth(1).as_deref() == Some(compat::RUN) {
        compat::run();
    }
    let arguments = Arguments::from_args();
    let obstacle = host::obstacle();
    if let Some(reason) = &obstacle {
        println!("live tests are skipped: {reason}");
    }
    let trials = [recording::TESTS, masks::TESTS, evidence::TESTS, compat::TESTS]
        .into_iter()
        .flatten()
        .map(|(name, run)| Trial::test(*name, run).with_ignored_flag(obstacle.is_some()))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
