//! `tracer help`: of subcommands, of events, and of what subcommands have in common.

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::Args;
use events::{Event, catalogue};

use crate::cli::Cli;
use crate::events_list;
use crate::look;
use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// A subcommand, an event, `columns`, or `filters`
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
}

/// The whole language of filters.
const FILTERS: &str = include_str!("../docs/filters.md");

pub fn run(options: &Options) -> Result<Outcome> {
    let mut command = Cli::command();
    // Names its subcommands in full.
    command.build();
    let text = match options.topic.as_deref() {
        None => command.render_long_help().to_string(),
        Some("columns") => look::columns_help(),
        Some("filters") => FILTERS.to_owned(),
        Some(topic) => match (command.find_subcommand(topic), catalogue::by_name(topic)) {
            (Some(subcommand), _) => subcommand.clone().render_long_help().to_string(),
            (None, Some(event)) => of_event(event),
            (None, None) => {
                let own =
                    command.get_subcommands().map(clap::Command::get_name).chain(["columns", "filters"]);
                let near =
                    scopes::diagnostic::nearest(topic, own.chain(catalogue::events().map(|it| it.name)));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                bail!("no help on {topic:?}: it is no subcommand and no event{hint}")
            }
        },
    };
    let mut out = io::stdout().lock();
    out.write_all(text.trim_end().as_bytes())?;
    writeln!(out)?;
    Ok(Outcome::Done)
}

/// What an event is, what its arguments are and whose word they are, and filters that ask it.
pub fn of_event(event: &'static Event) -> String {
    let sets: Vec<_> = event.sets.iter().map(events::Set::name).collect();
    let (kind, from) = events_list::source(event);
    let mut text = format!("{} ({kind}", event.name);
    if !from.is_empty() {
        text.push_str(&format!(": {}", from.join(", ")));
    }
    text.push_str(")\n");
    if !sets.is_empty() {
        text.push_str(&format!("Sets: {}\n", sets.join(", ")));
    }
    let args = event.listed_args();
    if !args.is_empty() {
        text.push_str("\nArguments:\n");
    }
    for (at, arg) in args.iter().enumerate() {
        text.push_str(&format!("  {:<22} {:<26} {}\n", arg.name, arg.ctype, events_list::whose(event, at)));
    }
    text.push_str(&format!("\nFilters:\n  -f event={}\n", event.name));
    if let Some(arg) =
        args.iter().find(|arg| arg.name.ends_with("name") || arg.name.ends_with("path")).or(args.first())
    {
        text.push_str(&format!("  -f '{}.{}=VALUE'\n", event.name, arg.name));
    }
    if event.is_syscall() {
        text.push_str(&format!("  -f '{}.retval<0'\n", event.name));
    }
    text.push_str(&format!(
        "  -f 3:event={} -f 3:comm=NAME          in scope 3, of one command\n",
        event.name
    ));
    text
}
