//! The command line. Parsing does nothing but parse; each subcommand's file builds its run.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::outcome::Outcome;
use crate::{cut, diff, events_list, explain, import, info, merge, record, recover, redact, replay, verify};

/// Record kernel events once, ask any scope later.
#[derive(Parser, Debug)]
#[command(name = "tracer", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write what the kernel does into a capture file (needs root)
    Record(record::Options),
    /// Ask a capture which of its events match scopes
    Replay(replay::Options),
    /// Say what a capture holds
    Info(info::Options),
    /// Turn a log of JSON lines into a capture
    Import(import::Options),
    /// Say whether captures are what was written, and name the first bad block
    Verify(verify::Options),
    /// Make a key that signs captures
    Keygen(verify::KeyOptions),
    /// Make a clean capture of what is left of a damaged one
    Recover(recover::Options),
    /// Take part of a capture: a stretch of time, what matches, some arguments
    Cut(cut::Options),
    /// Make captures of several hosts one, by wall clock
    Merge(merge::Options),
    /// Hash or leave out what must not be given away
    Redact(redact::Options),
    /// Say why scopes match or do not: filter by filter for one event, or in numbers for a whole capture
    Explain(explain::Options),
    /// Show what two sets of scopes see differently; exit code 1 when they do
    Diff(diff::Options),
    /// List the events there are
    Events(events_list::Options),
}

impl Cli {
    pub fn run(self) -> Result<Outcome> {
        match self.command {
            Command::Record(options) => record::run(options),
            Command::Replay(options) => replay::run(options),
            Command::Info(options) => info::run(options),
            Command::Import(options) => import::run(options),
            Command::Verify(options) => verify::run(&options),
            Command::Keygen(options) => verify::generate(&options),
            Command::Recover(options) => recover::run(&options),
            Command::Cut(options) => cut::run(&options),
            Command::Merge(options) => merge::run(&options),
            Command::Redact(options) => redact::run(&options),
            Command::Explain(options) => explain::run(options),
            Command::Diff(options) => diff::run(options),
            Command::Events(options) => events_list::run(&options),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
