//! What a shell offers while a command line is typed: subcommands, options and files by clap's engine; events, keys and values
//! of the capture that stands on the line by our own.
//!
//! `tracer completions SHELL` prints a function for the shell. It calls the hidden `tracer __complete`, which answers with a
//! line for each candidate: what to insert, a tab, what it is.

mod filters;
mod line;
mod shells;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Command, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use events::{Set, catalogue};
use views::Column;
use views::sums::By;

use crate::cli::Cli;
use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    shell: Shell,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Shell {
    /// For ~/.bashrc: source <(tracer completions bash)
    Bash,
    /// For a folder of $fpath, as _tracer
    Zsh,
    /// For ~/.config/fish/completions/tracer.fish
    Fish,
}

/// What the shells' functions ask.
#[derive(Args, Debug)]
pub struct Question {
    /// The line up to the cursor, as bash has it
    #[arg(long, allow_hyphen_values = true)]
    line: Option<String>,
    /// Characters that part bash's words
    #[arg(long, allow_hyphen_values = true, requires = "line")]
    breaks: Option<String>,
    /// Which of the words is to be completed, from 0
    #[arg(long, default_value_t = 0)]
    index: usize,
    #[arg(last = true)]
    words: Vec<OsString>,
}

/// What may stand for a value that was begun.
type Completer = Box<dyn Fn(&str) -> Vec<values::Value> + Send + Sync>;

/// In front of what names rules, where it stands among filters.
const RULE: &str = "rule:";

/// As many as a person looks through.
const MOST: usize = 200;

pub fn completions(options: &Options) -> Result<Outcome> {
    let script = match options.shell {
        Shell::Bash => shells::BASH,
        Shell::Zsh => shells::ZSH,
        Shell::Fish => shells::FISH,
    };
    io::stdout().lock().write_all(script.as_bytes())?;
    Ok(Outcome::Done)
}

pub fn answer(question: &Question) -> Result<Outcome> {
    let (words, index, strip) = match &question.line {
        Some(text) => {
            let line = line::Line::read(text);
            let strip = line.inserted(question.breaks.as_deref().unwrap_or_default());
            let words: Vec<OsString> = line.words.into_iter().map(OsString::from).collect();
            let index = words.len().saturating_sub(1);
            (words, index, strip)
        }
        None => (question.words.clone(), question.index, 0),
    };
    let mut out = Vec::new();
    for candidate in candidates(words, index)? {
        let value = candidate.get_value().to_string_lossy().into_owned();
        // A name with a line of its own would be two candidates.
        let value = if value.contains(['\n', '\t']) { continue } else { value };
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        out.extend_from_slice(value.get(strip..).unwrap_or_default().as_bytes());
        // Bash would insert the explanation as well.
        if question.line.is_none() && !help.is_empty() {
            out.push(b'\t');
            out.extend_from_slice(help.as_bytes());
        }
        out.push(b'\n');
    }
    io::stdout().lock().write_all(&out)?;
    Ok(Outcome::Done)
}

fn candidates(words: Vec<OsString>, index: usize) -> Result<Vec<CompletionCandidate>> {
    let others = words.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, word)| PathBuf::from(word));
    let captures: Arc<[PathBuf]> =
        others.filter(|path| path.is_file() && is_capture(path)).collect::<Vec<_>>().into();
    let mut command = with_completers(Cli::command(), &captures);
    Ok(complete(&mut command, words, index, std::env::current_dir().ok().as_deref())?)
}

/// What may stand for a filter that was begun, and how many events of the captures have it.
pub fn filter_candidates(text: &str, captures: &[PathBuf]) -> Vec<(String, u64)> {
    let found = filters::candidates(text, captures).into_iter().take(MOST);
    found.map(|value| (value.text, value.count)).collect()
}

fn is_capture(path: &Path) -> bool {
    format::Capture::is_one(path).unwrap_or(false)
}

/// Options whose values are known to us. An option is known by its name, whatever subcommand it is of.
fn with_completers(command: Command, captures: &Arc<[PathBuf]>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let mut command = command;
    for name in names {
        command = command.mut_subcommand(name, |subcommand| {
            subcommand.mut_args(|arg| {
                let captures = Arc::clone(captures);
                let completer: Completer = match arg.get_id().as_str() {
                    "filters" | "of" => Box::new(move |text: &str| filters::candidates(text, &captures)),
                    "trigger" | "until" => Box::new(move |text: &str| match text.strip_prefix(RULE) {
                        Some(rule) => values::rules(rule, RULE),
                        None => filters::candidates(text, &captures),
                    }),
                    "only" if arg.get_possible_values().is_empty() => {
                        Box::new(|text: &str| values::rules(text, ""))
                    }
                    "rule" => Box::new(|text: &str| values::rules(text, "")),
                    "events" | "names" | "topic" | "sample" => Box::new(values::events_and_sets),
                    "artifacts" => Box::new(|text: &str| {
                        let kinds = ["exec", "memfd", "module", "bpf", "write=/"];
                        listed(text, kinds.map(str::to_owned).to_vec())
                    }),
                    "columns" | "fields" => Box::new(|text: &str| listed(text, columns())),
                    "by" => Box::new(|text: &str| {
                        listed(text, By::ALL.iter().map(|by| by.name().to_owned()).collect())
                    }),
                    "set" => Box::new(|text: &str| {
                        listed(text, Set::ALL.iter().map(|set| set.name().to_owned()).collect())
                    }),
                    _ => return arg,
                };
                arg.add(ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
                    let text = current.to_string_lossy();
                    completer(&text)
                        .into_iter()
                        .take(MOST)
                        .map(|value| CompletionCandidate::new(&value.text).help(value.help()))
                        .collect::<Vec<_>>()
                }))
            })
        });
    }
    command
}

fn columns() -> Vec<String> {
    Column::all().map(|(_, shape)| shape.name.to_owned()).collect()
}

/// The last of a list that commas part.
fn listed(text: &str, names: Vec<String>) -> Vec<values::Value> {
    let (before, last) =
        text.rsplit_once(',').map_or(("", text), |(_, last)| text.split_at(text.len() - last.len()));
    let sign: String = last.chars().take_while(|c| matches!(c, '+' | '-' | '!')).collect();
    let wanted = last.get(sign.len()..).unwrap_or_default();
    let fitting = names.into_iter().filter(|name| name.starts_with(wanted));
    fitting.map(|name| values::Value::plain(format!("{before}{sign}{name}"))).collect()
}

/// Names of all events, those that begin so.
fn event_names(beginning: &str) -> impl Iterator<Item = &'static str> {
    catalogue::events().map(|event| event.name).filter(move |name| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let index = words.len() - 1;
        let found = candidates(words, index).unwrap();
        found.iter().map(|it| it.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn subcommands_options_and_their_values_are_offered() {
        assert!(offered("tracer rep").contains(&"replay".to_owned()));
        assert!(!offered("tracer ").iter().any(|it| it.starts_with("__")), "{:?}", offered("tracer "));
        assert!(offered("tracer replay --col").contains(&"--columns".to_owned()));
        assert_eq!(offered("tracer replay --color al"), ["always"]);
        assert_eq!(offered("tracer top --by comm,dir"), ["comm,directory"]);
        assert_eq!(offered("tracer record --artifacts exec,mem"), ["exec,memfd"]);
        assert!(offered("tracer replay --columns +ex").contains(&"+exe".to_owned()));
        assert!(offered("tracer help security_socket_l").contains(&"security_socket_listen".to_owned()));
    }

    #[test]
    fn rules_of_the_program_are_offered() {
        assert_eq!(
            offered("tracer record --flight 1m --trigger rule:TRC-10"),
            offered("tracer watch --until rule:TRC-10")
        );
        assert!(offered("tracer watch --until rule:reverse").contains(&"rule:reverse_shell".to_owned()));
        assert!(offered("tracer scan --only hi").contains(&"high".to_owned()));
        assert!(offered("tracer watch --until comm").contains(&"comm=".to_owned()));
    }

    #[test]
    fn filters_are_offered_key_by_key() {
        assert!(offered("tracer replay -f 1:comm").contains(&"1:comm=".to_owned()));
        assert!(offered("tracer replay -f 1:eve").contains(&"1:event=".to_owned()));
        assert!(offered("tracer replay -f 2:event=close,ope").contains(&"2:event=close,openat".to_owned()));
        assert!(offered("tracer replay -f openat.path").contains(&"openat.pathname=".to_owned()));
        assert!(offered("tracer replay -f openat.retval=-").is_empty());
        assert!(offered("tracer replay -f openat.retval=EAC").contains(&"openat.retval=EACCES".to_owned()));
        assert!(
            offered("tracer replay -f security_socket_con").contains(&"security_socket_connect.".to_owned())
        );
    }
}
