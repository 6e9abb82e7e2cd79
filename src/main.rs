//! The `tracer` command: records what the kernel did, and asks captures which of it matches a scope.

mod amounts;
mod around;
mod asking;
mod case_command;
mod cased;
mod catalog;
mod cataloged;
mod caveats;
mod cli;
mod complete;
mod compression;
mod config_command;
mod cut;
mod diff;
#[cfg(feature = "record")]
mod doctor;
mod events_list;
mod examples;
mod exits;
mod explain;
mod explain_rule;
mod export;
mod export_table;
mod extract;
mod filters;
mod fleet_command;
mod folder;
mod follow;
mod glob;
mod help;
mod import;
mod info;
mod inputs;
#[cfg(feature = "record")]
mod judging;
#[cfg(feature = "record")]
mod live;
mod look;
mod man;
mod merge;
mod moment;
mod objects;
mod outcome;
mod output;
mod pager;
mod private;
mod progress;
mod provenance;
mod range;
#[cfg(feature = "record")]
mod record;
mod recover;
mod redact;
mod replay;
mod report;
mod rotated;
mod rule_files;
mod rule_suite;
mod rules_command;
mod scan;
mod seal;
mod settings;
mod sink;
mod sought;
mod spool;
mod state;
mod stderr;
mod story;
mod target;
mod terminal;
mod threads;
mod top;
mod tree;
mod ui;
mod uses;
mod verify;
#[cfg(feature = "record")]
mod watch;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::read();
    rules::behaviours::install();
    outcome::report(cli.and_then(cli::Cli::run))
}
