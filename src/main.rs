//! The `tracer` command: records what the kernel did, and asks captures which of it matches a scope.

mod cli;
mod events_list;
mod filters;
mod import;
mod info;
mod narrow;
mod outcome;
mod record;
mod replay;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    outcome::report(cli.run())
}
