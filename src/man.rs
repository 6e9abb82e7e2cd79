//! Manual pages, made of the same definitions and texts as everything else: a page for each command, and for what commands
//! have in common.

mod markdown;
mod tidy;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_mangen::Man;
use events::catalogue;

use crate::cli::Cli;
use crate::examples;
use crate::exits;
use crate::help;
use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// Folder that gets the pages, which is made where it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

const FILTERS: &str = include_str!("../docs/filters.md");
const FORMAT: &str = include_str!("../docs/format.md");

const MANUAL: &str = "tracer";
/// Of the pages, moved with the version: they are to be the same whenever they are made.
const DATE: &str = "2026-11-29";

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = &options.folder;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in pages()? {
        let path = folder.join(&name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(Outcome::Done)
}

/// All pages, with the names of their files.
fn pages() -> Result<Vec<(String, String)>> {
    let mut root = Cli::command();
    root.build();
    let commands: Vec<&Command> = root.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let mut pages = vec![("tracer.1".to_owned(), overview(&root, &commands)?)];
    for command in &commands {
        pages.push((format!("tracer-{}.1", command.get_name()), of_command(command)?));
    }
    pages.push(topic("tracer-filters", "7", "the language of filters", &markdown::roff(FILTERS)));
    pages.push(topic("tracer-format", "5", "captures, byte by byte", &markdown::roff(FORMAT)));
    pages.push(topic("tracer-events", "7", "what can be recorded", &events_page()));
    Ok(pages.into_iter().map(|(name, text)| (name, tidy::tidy(&text))).collect())
}

fn title(name: &str, section: &str) -> String {
    let source = concat!("tracer ", env!("CARGO_PKG_VERSION"));
    format!(".TH {} {section} \"{DATE}\" \"{source}\" \"{MANUAL}\"\n", name.to_uppercase())
}

fn topic(name: &str, section: &str, what: &str, body: &str) -> (String, String) {
    let text = format!("{}.SH NAME\n{name} \\- {what}\n{body}", title(name, section));
    (format!("{name}.{section}"), text)
}

fn overview(root: &Command, commands: &[&Command]) -> Result<String> {
    let about = root.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        "{}.SH NAME\ntracer \\- {}\n.SH SYNOPSIS\n.B tracer\n.I COMMAND\n[options]\n.SH COMMANDS\n",
        title("tracer", "1"),
        markdown::escaped(&about)
    );
    for command in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!(
            ".TP\n.BR tracer\\-{} (1)\n{}\n",
            markdown::escaped(command.get_name()),
            markdown::escaped(&about)
        ));
    }
    text.push_str(&exits(None, commands));
    text.push_str(ENVIRONMENT);
    text.push_str(
        ".SH SEE ALSO\n.BR tracer\\-filters (7),\n.BR tracer\\-events (7),\n.BR tracer\\-format (5)\n",
    );
    Ok(text)
}

/// Clap's sections, but for the title, which has no date to be the same twice, and with ours behind them.
fn of_command(command: &Command) -> Result<String> {
    let name = format!("tracer-{}", command.get_name());
    let mut plain = command.clone().after_help(None::<&str>).after_long_help(None::<&str>);
    plain = plain.display_name(name.clone());
    let man = Man::new(plain);
    let mut text = title(&name, "1").into_bytes();
    man.render_name_section(&mut text)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    text.extend_from_slice(format!(".SH SYNOPSIS\n{}\n", markdown::escaped(&usage)).as_bytes());
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if let Some(examples) = examples::of(command.get_name()) {
        text.push_str(".SH EXAMPLES\n.EX\n");
        for line in examples.lines().skip(1) {
            text.push_str(&format!("{}\n", markdown::escaped(line)));
        }
        text.push_str(".EE\n");
    }
    text.push_str(&exits(Some(command.get_name()), &[]));
    text.push_str(".SH SEE ALSO\n.BR tracer (1),\n.BR tracer\\-filters (7)\n");
    Ok(text)
}

fn events_page() -> String {
    let mut text = String::from(
        ".SH DESCRIPTION\nEach event with its sets, its arguments and their types.\n.SH EVENTS\n",
    );
    for event in catalogue::events() {
        text.push_str(&format!(".SS {}\n.EX\n", markdown::escaped(event.name)));
        // Behind the line of the name.
        for line in help::of_event(event).lines() {
            text.push_str(&format!("{}\n", markdown::escaped(line)));
        }
        text.push_str(".EE\n");
    }
    text
}

/// What exit codes mean; of a command by itself, or of all.
fn exits(command: Option<&str>, commands: &[&Command]) -> String {
    let mut text = String::from(".SH EXIT STATUS\n");
    let mut codes: Vec<(String, &str)> = Vec::new();
    match command {
        Some(name) => codes.extend(exits::of(name).into_iter().map(|(code, what)| (code.to_owned(), what))),
        None => {
            // What one command alone means by a code is told with its name.
            let all = commands.iter().map(|command| command.get_name());
            for (name, (code, what)) in
                all.flat_map(|name| exits::of(name).into_iter().map(move |it| (name, it)))
            {
                let is_common = matches!(code, "0" | "2");
                let code = if is_common { code.to_owned() } else { format!("{code} ({name})") };
                match codes.iter_mut().find(|(known, _)| *known == code) {
                    // The longer sentence says what the shorter does.
                    Some((_, known)) if known.len() < what.len() => *known = what,
                    Some(_) => {}
                    None => codes.push((code, what)),
                }
            }
            // Numbers first.
            let key = |code: &str| (!code.starts_with(|it: char| it.is_ascii_digit()), code.to_owned());
            codes.sort_by_key(|(code, _)| key(code));
        }
    }
    for (code, what) in codes {
        text.push_str(&format!(".TP\n.B {}\n{}\n", markdown::escaped(&code), markdown::escaped(what)));
    }
    text
}

const ENVIRONMENT: &str = "\
.SH ENVIRONMENT
.TP
.BI TRACER_ COMMAND _ OPTION
An option of a command, such as
.BR TRACER_REPLAY_COLUMNS .
.TP
.BI TRACER_ OPTION
An option of which all commands mean the same, such as
.BR TRACER_COLOR .
.TP
.B TRACER_NO_CONFIG
No files are read for options.
.TP
.B TRACER_PAGER
The pager, before
.BR PAGER ;
empty for none.
.TP
.BR NO_COLOR \", \" CLICOLOR_FORCE
No colours; colours also where standard output is no terminal.
.SH FILES
.TP
.I $XDG_CONFIG_HOME/tracer/config.toml
.TQ
.I /etc/tracer/config.toml
Options by command, which
.B tracer config \\-\\-show
shows.
";
