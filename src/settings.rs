//! Options that are not on the command line: from the environment, and from configuration files.
//!
//! For `--columns` of `tracer replay`, the first of these that is there counts:
//!
//! ```text
//! --columns time,comm                          on the command line
//! TRACER_REPLAY_COLUMNS=time,comm
//! TRACER_COLUMNS=time,comm                     where all commands mean the same by it
//! [replay]                                     $XDG_CONFIG_HOME/tracer/config.toml (or ~/.config)
//! columns = "time,comm"
//! columns = "time,comm"                        above the first [command] of that file: for all that mean the same by it
//! the same of /etc/tracer/config.toml
//! ```
//! What is set so is put behind the command line as options, and parsed as if it had been typed. An option that the command
//! line rules out (`--utc` does `--relative`) is left out.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

/// Names no files: for scripts that are to do the same everywhere.
pub const NO_CONFIG: &str = "TRACER_NO_CONFIG";

/// A value of an option, and where it is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    pub values: Vec<OsString>,
    pub from: String,
}

/// Everything that is set outside of the command line.
#[derive(Debug, Default)]
pub struct Settings {
    files: Vec<(PathBuf, Table)>,
}

impl Settings {
    /// Reads the files that are there. What is wrong in one ends the program: it would do something else than was meant.
    pub fn read(command: &Command) -> Result<Settings> {
        let mut files = Vec::new();
        if env::var_os(NO_CONFIG).is_some_and(|value| !value.is_empty()) {
            return Ok(Settings { files });
        }
        for path in paths() {
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
                {
                    continue;
                }
                Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
            };
            let table: Table =
                text.parse().with_context(|| format!("{}: this is no TOML", path.display()))?;
            check(command, &table).with_context(|| path.display().to_string())?;
            files.push((path, table));
        }
        Ok(Settings { files })
    }

    /// What is set for an option of a subcommand.
    pub fn of(&self, root: &Command, command: &Command, arg: &Arg) -> Result<Option<Setting>> {
        let Some(long) = settable(arg) else { return Ok(None) };
        let is_common = is_common(root, long);
        let own = format!("TRACER_{}_{}", upper(command.get_name()), upper(long));
        let common = format!("TRACER_{}", upper(long));
        let names = std::iter::once(own).chain(is_common.then_some(common));
        for name in names {
            if let Some(value) = env::var_os(&name).filter(|value| !value.is_empty()) {
                return Ok(Some(Setting { values: from_variable(arg, &value), from: name }));
            }
        }
        for (path, table) in &self.files {
            let section = table.get(command.get_name()).and_then(Value::as_table);
            let value = section.and_then(|section| section.get(long));
            let value = value.or_else(|| table.get(long).filter(|value| is_common && !value.is_table()));
            if let Some(value) = value {
                let values = values(value).with_context(|| format!("{}: {long}", path.display()))?;
                return Ok(Some(Setting { values, from: path.display().to_string() }));
            }
        }
        Ok(None)
    }
}

/// Where files are looked for; the first counts before the second.
pub fn paths() -> Vec<PathBuf> {
    let home =
        || env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(".config"));
    let own =
        env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from).or_else(home);
    let file = |folder: PathBuf| folder.join("tracer/config.toml");
    own.into_iter().map(file).chain([PathBuf::from("/etc/tracer/config.toml")]).collect()
}

/// The name by which an option can be set: what is given on the command line alone, such as files to read, has none.
pub fn settable(arg: &Arg) -> Option<&str> {
    let is_own = matches!(arg.get_id().as_str(), "help" | "version");
    // What has a variable of its own is read by the parser.
    arg.get_long()
        .filter(|_| !is_own && !arg.is_positional() && !arg.is_hide_set() && arg.get_env().is_none())
}

/// Whether all subcommands that have an option of this name mean the same by it.
fn is_common(root: &Command, long: &str) -> bool {
    let mut shapes = root.get_subcommands().filter(|command| !command.is_hide_set()).flat_map(|command| {
        command.get_arguments().filter(|arg| arg.get_long() == Some(long)).map(|arg| {
            (
                arg.get_help().map(ToString::to_string),
                arg.get_value_names().map(<[_]>::to_vec),
                arg.get_action().takes_values(),
            )
        })
    });
    let first = shapes.next();
    shapes.all(|shape| Some(shape) == first)
}

fn upper(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

/// A variable has one value; lists are parted by the option itself where it does so (`--by comm,file`).
fn from_variable(arg: &Arg, value: &OsStr) -> Vec<OsString> {
    if arg.get_action().takes_values() {
        return vec![value.to_owned()];
    }
    let is_off = matches!(value.to_str(), Some("0" | "false" | "no" | "off"));
    vec![if is_off { "false".into() } else { "true".into() }]
}

fn values(value: &Value) -> Result<Vec<OsString>> {
    Ok(match value {
        Value::String(text) => vec![text.into()],
        Value::Integer(number) => vec![number.to_string().into()],
        Value::Float(number) => vec![number.to_string().into()],
        Value::Boolean(is_on) => vec![is_on.to_string().into()],
        Value::Array(all) => {
            let all: Vec<Vec<OsString>> = all.iter().map(values).collect::<Result<_>>()?;
            all.concat()
        }
        Value::Datetime(_) | Value::Table(_) => {
            bail!("an option is a text, a number, true or false, or a list of them")
        }
    })
}

/// Refuses what no command has.
fn check(root: &Command, table: &Table) -> Result<()> {
    let commands = || root.get_subcommands().filter(|command| !command.is_hide_set());
    let longs = |command: &Command| -> Vec<String> {
        command.get_arguments().filter_map(settable).map(str::to_owned).collect()
    };
    for (key, value) in table {
        if let Some(section) = value.as_table() {
            let Some(command) = commands().find(|command| command.get_name() == key) else {
                bail!("[{key}]: there is no such command{}", hint(key, commands().map(Command::get_name)));
            };
            let known = longs(command);
            for (option, value) in section {
                if !known.contains(option) {
                    let hint = hint(option, known.iter().map(String::as_str));
                    bail!("[{key}] {option}: `tracer {key}` has no option of this name{hint}");
                }
                values(value).with_context(|| format!("[{key}] {option}"))?;
            }
            continue;
        }
        let all: Vec<String> = commands().flat_map(&longs).collect();
        if !all.contains(key) {
            bail!(
                "{key}: no command has an option of this name{}",
                hint(key, all.iter().map(String::as_str))
            );
        }
        if !is_common(root, key) {
            bail!("{key}: commands mean different things by it; set it for one of them, below [COMMAND]");
        }
        values(value).with_context(|| key.clone())?;
    }
    Ok(())
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    scopes::nearest(name, known).map_or(String::new(), |near| format!("; did you mean {near:?}?"))
}

/// The words of a command line, with what is set elsewhere. `given` is what they were parsed to.
pub fn complete_line(
    root: &Command,
    settings: &Settings,
    words: Vec<OsString>,
    given: &ArgMatches,
) -> Result<(Vec<OsString>, BTreeMap<String, String>)> {
    let mut from = BTreeMap::new();
    let Some((name, own)) = given.subcommand() else { return Ok((words, from)) };
    let Some(command) = root.find_subcommand(name) else { return Ok((words, from)) };
    let is_given = |arg: &Arg| {
        matches!(
            own.value_source(arg.get_id().as_str()),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    let mut added: Vec<OsString> = Vec::new();
    let all: Vec<&Arg> = command.get_arguments().collect();
    for arg in &all {
        let conflicts = |other: &&Arg| {
            is_given(other)
                && (command.get_arg_conflicts_with(arg).iter().any(|it| it.get_id() == other.get_id())
                    || command.get_arg_conflicts_with(other).iter().any(|it| it.get_id() == arg.get_id()))
        };
        if is_given(arg) || all.iter().any(conflicts) {
            continue;
        }
        let (Some(long), Some(setting)) = (settable(arg), settings.of(root, command, arg)?) else { continue };
        from.insert(format!("--{long}"), setting.from.clone());
        for value in &setting.values {
            if matches!(arg.get_action(), ArgAction::SetTrue) {
                match value.to_str() {
                    Some("true" | "1" | "yes" | "on") => added.push(format!("--{long}").into()),
                    Some("false" | "0" | "no" | "off") => {}
                    _ => bail!("{}: --{long} is true or false, and not {value:?}", setting.from),
                }
                continue;
            }
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            added.push(word);
        }
    }
    // Behind the subcommand, before everything that may end the options.
    let at = words.iter().skip(1).position(|word| word == name).map_or(words.len(), |at| at + 2);
    let mut line = words;
    line.splice(at..at, added);
    Ok((line, from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn settings(text: &str) -> Result<Settings> {
        let table: Table = text.parse()?;
        check(&Cli::command(), &table)?;
        Ok(Settings { files: vec![("config.toml".into(), table)] })
    }

    fn line(text: &str, given: &str) -> String {
        let root = Cli::command();
        let words: Vec<OsString> = given.split(' ').map(OsString::from).collect();
        let matches = root.clone().get_matches_from(&words);
        let (line, _) = complete_line(&root, &settings(text).unwrap(), words, &matches).unwrap();
        line.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_line_counts_before_files_and_the_command_before_all_commands() {
        let text = "color = \"never\"\nutc = true\n[replay]\ncolumns = \"time,comm\"\nlimit = 5\n";
        assert_eq!(
            line(text, "tracer replay c.trz"),
            "tracer replay --limit=5 --columns=time,comm --color=never --utc c.trz"
        );
        assert_eq!(
            line(text, "tracer replay --columns time --color=always c.trz"),
            "tracer replay --limit=5 --utc --columns time --color=always c.trz"
        );
        // What the line rules out is not put there.
        assert_eq!(line("utc = true", "tracer replay --relative c.trz"), "tracer replay --relative c.trz");
        assert_eq!(line("[replay]\nutc = false", "tracer replay c.trz"), "tracer replay c.trz");
        assert_eq!(line(text, "tracer info c.trz"), "tracer info c.trz");
    }

    #[test]
    fn several_values_of_one_option_are_several_options() {
        let text = "[replay]\nfilter = [\"comm=ls\", \"uid=0\"]";
        assert_eq!(line(text, "tracer replay c.trz"), "tracer replay --filter=comm=ls --filter=uid=0 c.trz");
    }

    #[test]
    fn what_no_command_has_is_told() {
        let said = |text: &str| format!("{:#}", settings(text).unwrap_err());
        assert!(said("colour = \"never\"").contains("did you mean \"color\""), "{}", said("colour = 1"));
        assert!(said("[reply]\nutc = true").contains("did you mean \"replay\""));
        assert!(said("[replay]\ncolumn = \"time\"").contains("did you mean \"columns\""));
        assert!(said("output = \"json\"").contains("different things"));
        assert!(said("[replay]\nlimit = 2026-01-01").contains("a text, a number"));
    }
}
