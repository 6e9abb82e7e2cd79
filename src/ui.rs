//! `tracer ui`: captures on the terminal's screen.

#[cfg(feature = "record")]
mod live;
mod save;

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use clap::Args;
use events::Event;
use jiff::Timestamp;
use pipeline::Source;
use replay::render::clock::local_zone;
use ui::{Heads, Help, Marks, Setup, Times};
use views::{Column, Look, column};

use crate::asking::AskOptions;
use crate::complete::filter_candidates;
use crate::filters::FilterOptions;
use crate::moment::{self, Extent};
use crate::outcome::Outcome;
use crate::range::TimeRange;
use crate::rule_files::RuleOptions;
use crate::terminal::Color;

/// Scroll through events, filter them as you type, and ask of any of them where it came from. ? shows the keys.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    range: TimeRange,
    /// Columns of the table: time,host,comm,event,args; or what to add to and take from the usual ones: +exe,-uid (`tracer
    /// help columns` lists them)
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    columns: Option<String>,
    /// Go on with captures that are still being written
    #[arg(long)]
    follow: bool,
    /// This host instead of captures, while it is recorded (needs root)
    #[cfg(feature = "record")]
    #[arg(long, conflicts_with_all = ["given", "from", "to", "follow", "verify", "identity"])]
    live: bool,
    /// With --live: record into this file, and leave it there
    #[cfg(feature = "record")]
    #[arg(long, short, value_name = "FILE", requires = "live")]
    write: Option<PathBuf>,
    /// Where marks and notes are kept [default: CASE.toml beside the first capture, once there is something to keep]
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// Colours by kind of event, failed calls and losses
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// ASCII letters alone: so it is, too, where TRACER_ASCII is set or the locale is not UTF-8
    #[arg(long)]
    ascii: bool,
    /// Take the mouse: the wheel scrolls, a click chooses
    #[arg(long)]
    mouse: bool,
    #[command(flatten)]
    rules: RuleOptions,
}

pub fn run(options: Options) -> Result<Outcome> {
    let options = Arc::new(options);
    let has_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !has_terminal || env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty()) {
        let words: Vec<String> =
            options.ask.inputs.given().iter().map(|it| it.display().to_string()).collect();
        let filters: Vec<String> =
            options.scopes.filters.iter().map(|it| format!(" -f {}", ui::shell(it))).collect();
        let files: Vec<String> = words.iter().map(|word| ui::shell(word)).collect();
        bail!(
            "ui needs a terminal that can move its cursor; this prints the same: tracer replay {}{}",
            files.join(" "),
            filters.concat()
        );
    }
    #[cfg(feature = "record")]
    if options.live {
        return live::run(options);
    }
    let files = options.ask.inputs.files()?.to_vec();
    show(&options, &files, options.follow)?;
    Ok(Outcome::Done)
}

/// With `--live` there is no file.
#[cfg(feature = "record")]
pub fn without_files(command: clap::Command) -> clap::Command {
    command.mut_arg("given", |arg| arg.required(false).required_unless_present("live"))
}

/// Shows these captures until somebody leaves.
fn show(options: &Arc<Options>, files: &[PathBuf], is_following: bool) -> Result<()> {
    let source = options.ask.inputs.reading.source(files)?;
    options.scopes.scopes_of(&source)?;
    let setup = setup(options, &source, files, is_following)?;
    let help = help(options, files);
    ui::run(source, setup, help, options.ask.threads.count()).context("the terminal")
}

fn setup(options: &Arc<Options>, source: &Source, files: &[PathBuf], is_following: bool) -> Result<Setup> {
    let mut declared: Vec<&'static Event> = Vec::new();
    for event in source.files().iter().flat_map(|file| file.capture.schema().events()) {
        if !declared.iter().any(|known| known.name == event.name) {
            declared.push(event);
        }
    }
    let usual = usual_columns(source);
    let columns = match &options.columns {
        Some(list) => column::parse(list, &usual, &declared).context("--columns")?,
        None => usual,
    };
    let range = options.ask.range(&options.range, source)?;
    let extent = (source.start_wall_ns().unwrap_or_default(), source.end_wall_ns().unwrap_or_default());
    let zone = options.ask.zone();
    let clock = options.ask.clock();
    let shown_names = files.iter().map(|file| file.display().to_string()).collect();
    let case = options.case.clone();
    let case =
        case.or_else(|| files.first().filter(|_| !options.is_gone_afterwards()).map(|it| case::beside(it)));
    let (of_heads, heads_of) = (Arc::clone(options), files.to_vec());
    let heads: Heads = Arc::new(move || {
        heads_of.iter().map(|file| of_heads.ask.inputs.reading.head(file).map(case::Head)).collect()
    });
    let names = source.files().iter().map(|file| base(&file.name)).collect();
    let marks = Marks::read(case, names, Some(heads));
    // What the first lines of `replay` say is said in the title: the screen hides them.
    // Losses have a place of their own in it.
    let mut warnings = replay::open::warnings(source).into_iter();
    // That one which is being written has no end yet is no news.
    let is_known =
        |it: &String| it.contains("lost while recording") || is_following && it.contains("not finished");
    let warning = warnings.find(|it| !is_known(it)).unwrap_or_default();
    let lost = source.files().iter().flat_map(|file| file.capture.losses());
    let of_moment = zone.clone();
    let of_check = Arc::clone(options);
    Ok(Setup {
        title: if options.is_gone_afterwards() { title_of_host(source) } else { title(source) },
        files: shown_names,
        filters: options.scopes.filters.clone(),
        range,
        columns,
        look: Look {
            dates: clock.parts_days(extent.0, extent.1),
            clock,
            pairs: false,
            raw_arguments: false,
            errno: false,
            short_events: false,
        },
        times: if options.ask.utc { Times::Utc } else { Times::Local },
        zone: if options.ask.utc { local_zone() } else { zone },
        start_ns: extent.0,
        extent,
        lost: lost.map(|loss| loss.count).sum(),
        warning,
        is_ascii: options.ascii || is_ascii(|name| env::var(name).ok()),
        is_coloured: options.color.is_on(),
        has_mouse: options.mouse,
        is_following,
        marks: marks.map_err(anyhow::Error::msg)?,
        check: Arc::new(move |filters| of_check.scopes.checked_with(filters, &declared)),
        moment: Arc::new(move |text, (start_ns, end_ns)| {
            moment::wall_ns(text, Extent { start_ns, end_ns }, &of_moment)
                .map_err(|error| format!("{error:#}"))
        }),
    })
}

/// Time, who and what; the container and the host where there are several.
fn usual_columns(source: &Source) -> Vec<Column> {
    let mut columns = vec![Column::Time];
    if source.has_hosts() {
        columns.push(Column::Host);
    }
    if source.has_containers() {
        columns.push(Column::Container);
    }
    columns.extend([Column::Comm, Column::Pid, Column::Ret, Column::Event, Column::Args]);
    columns
}

/// The running host.
fn title_of_host(source: &Source) -> String {
    let host = source.files().iter().flat_map(|file| &file.hosts).map(|host| host.name.as_str()).next();
    format!("this host, {}", host.unwrap_or_default())
}

/// Names, hosts and the time that they are of.
fn title(source: &Source) -> String {
    let names: Vec<&str> = source.files().iter().map(|file| file.name.as_str()).collect();
    let names = match names.as_slice() {
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{first} ... {last} ({} files)", names.len()),
        [] => String::new(),
    };
    let mut hosts: Vec<&str> =
        source.files().iter().flat_map(|file| &file.hosts).map(|host| host.name.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let hosts = match hosts.as_slice() {
        [] | [""] => String::new(),
        [one] => format!("  {one}"),
        several => format!("  {} hosts", several.len()),
    };
    let start = source.start_wall_ns().and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
    let start = start.map(|it| format!("  {}", it.strftime("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default();
    format!("{names}{hosts}{start}")
}

impl Options {
    /// The recording is in a file that nobody named.
    fn is_gone_afterwards(&self) -> bool {
        #[cfg(feature = "record")]
        return self.live && self.write.is_none();
        #[cfg(not(feature = "record"))]
        false
    }
}

/// A file's name without its folder, as cases have it.
fn base(name: &str) -> String {
    let base = Path::new(name).file_name().map(|it| it.to_string_lossy().into_owned());
    base.unwrap_or_else(|| name.to_owned())
}

/// Whether the terminal knows no other letters.
fn is_ascii(variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("TRACER_ASCII").is_some_and(|value| !value.is_empty() && value != "0") {
        return true;
    }
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|it| !it.is_empty()));
    let locale = locale.unwrap_or_default().to_lowercase().replace('-', "");
    !locale.contains("utf8")
}

fn help(options: &Arc<Options>, files: &[PathBuf]) -> Help {
    let files = files.to_vec();
    let of_writing = files.clone();
    let of_reading = Arc::clone(options);
    let of_rules = Arc::clone(options);
    let of_saving = Arc::clone(options);
    let (of_completion, of_reopening) = (files.clone(), files);
    let sizes = move |files: &[PathBuf]| -> u64 {
        files.iter().filter_map(|file| file.metadata().ok()).map(|it| it.len()).sum()
    };
    let known = Mutex::new(sizes(&of_reopening));
    Help {
        complete: Arc::new(move |text| filter_candidates(text, &of_completion)),
        save: Arc::new(move |shown, path| save::save(&of_writing, &of_saving, shown, path)),
        rules: Arc::new(move || of_rules.rules.read().map_err(|error| format!("{error:#}"))),
        reopen: Arc::new(move || {
            let now = sizes(&of_reopening);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == now {
                return Ok(None);
            }
            *known = now;
            let source = of_reading.ask.inputs.reading.source(&of_reopening);
            source.map(Some).map_err(|error| format!("{error:#}"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_the_locale() {
        let ascii = |set: &[(&str, &str)]| {
            is_ascii(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(!ascii(&[("LANG", "de_DE.UTF-8")]) && !ascii(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(
            ascii(&[]) && ascii(&[("LANG", "C")]) && ascii(&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")])
        );
        assert!(ascii(&[("LANG", "en_US.UTF-8"), ("TRACER_ASCII", "1")]));
    }
}
