//! `tracer config`: where options are set, and to what.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::Cli;
use crate::outcome::Outcome;
use crate::settings::{Settings, paths};

/// Options may be set by variables, such as TRACER_REPLAY_COLUMNS or TRACER_COLOR, and in files, below the name of a command
/// or above all of them. The command line counts before variables, and those before files.
#[derive(Args, Debug)]
pub struct Options {
    /// What is set for each option, and where it is set
    #[arg(long)]
    show: bool,
    /// Only of these commands
    #[arg(value_name = "COMMAND")]
    commands: Vec<String>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let root = Cli::command();
    let settings = Settings::read(&root)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(unknown) = options.commands.iter().find(|name| root.find_subcommand(name).is_none()) {
        bail!("there is no command {unknown:?}");
    }
    if !options.show {
        for path in paths() {
            let state = if path.is_file() { "read" } else { "not there" };
            writeln!(out, "{}  ({state})", path.display())?;
        }
        out.flush()?;
        return Ok(Outcome::Done);
    }
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        if !options.commands.is_empty() && !options.commands.iter().any(|it| it == name) {
            continue;
        }
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            if let Some(setting) = settings.of(&root, command, arg)? {
                let values: Vec<_> = setting.values.iter().map(|value| value.to_string_lossy()).collect();
                let text = format!("{name} --{long} {}", values.join(" "));
                writeln!(out, "{}  # {}", scopes::spelled_out(&text), scopes::spelled_out(&setting.from))?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}
